# Takes servers out of those that vote, while they serve: bash /release/leave.sh ID...
set -euo pipefail

leaving=$(paste -sd , <<<"$(printf '%s\n' "$@")")
# The password is in no process list; the client would show it, and so only what it answers is shown.
printf 'addauth digest super:%s\nreconfig -remove %s\n' "$(</membership-secret/password)" "$leaving" |
  ZK_CLIENT_HEAP=64 zkCli.sh 2>&1 | grep -E 'Committed|^server\.|^version=|Exception|is not valid|No quorum'

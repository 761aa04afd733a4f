# Takes servers out of those that vote, while they serve: bash /release/leave.sh ID...
set -uo pipefail

voters() { # as this server sees them; nothing while it does not serve
  timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/2181 && printf conf >&3 && cat <&3' 2>/dev/null |
    sed -n 's/^server\.\([0-9]*\)=.*:participant.*/\1/p'
}

# Whoever asks loses the connection when the leader is taken out: what counts is who votes afterwards.
for ((attempt = 0; attempt < 10; attempt++)); do
  vote=$(voters)
  leaving=$(printf '%s\n' "$@" | grep -Fx "$vote" | paste -sd ,)
  if [[ -n $vote && -z $leaving ]]; then
    echo "these vote: $(sort -n <<<"$vote" | paste -sd ' ')"
    exit 0
  fi
  if [[ -n $vote ]]; then
    # The password is in no process list, and what the client shows of its input is not shown.
    said=$(printf 'addauth digest super:%s\nreconfig -remove %s\n' "$(</membership-secret/password)" "$leaving" |
      ZK_CLIENT_HEAP=64 timeout 60 zkCli.sh 2>&1 | grep -v addauth | tail -n 3)
  fi
  sleep 1
done
echo "servers $* were not taken out: ${said:-this one does not serve}"
exit 1

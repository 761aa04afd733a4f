# Fills in what differs from pod to pod, and becomes the worker.
set -euo pipefail

config=$(</release/connect-distributed.properties)
config=${config//<ordinal>/"${HOSTNAME##*-}"}
config=${config//<host>/"$HOSTNAME.$SERVICE.$NAMESPACE.svc"}
echo "$config" >/tmp/connect-distributed.properties
# exec: a shell in between would ignore SIGTERM.
exec /opt/kafka/bin/connect-distributed.sh /tmp/connect-distributed.properties

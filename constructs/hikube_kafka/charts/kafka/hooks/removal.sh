# Before an upgrade: refuses to remove brokers that hold replicas, which would go with them.
set -uo pipefail

host() { # ORDINAL
  echo "$RELEASE-$1.$RELEASE-headless.$NAMESPACE.svc"
}

if [[ -z $THERE ]]; then
  # Rendered without a cluster: a broker that is to go has a name still.
  THERE=$SERVERS
  for ((each = SERVERS; each < SERVERS + 8; each++)); do
    if getent hosts "$(host "$each")" >/dev/null; then THERE=$((each + 1)); fi
  done
fi
if ((THERE <= SERVERS)); then
  echo "no broker is removed"
  exit 0
fi

brokers=$(for ((each = 0; each < SERVERS; each++)); do echo "$(host "$each"):$PORT"; done | paste -sd ,)
export KAFKA_HEAP_OPTS=-Xmx192m LOG_DIR=/tmp
if ! described=$(timeout 90 /opt/kafka/bin/kafka-topics.sh --bootstrap-server "$brokers" --describe 2>/dev/null); then
  echo "replicas: $SERVERS in place of $THERE is refused: none of the brokers that would stay says who holds replicas, and \
those of a broker that is removed would go with it. First see to it that they serve: \
kubectl -n $NAMESPACE get pods -l app.kubernetes.io/instance=$RELEASE"
  exit 1
fi
held=$(printf '%s\n' "$described" | awk -v "servers=$SERVERS" '
  { for (i = 1; i < NF; i++) if ($i == "Replicas:") {
      count = split($(i + 1), ids, ",")
      for (each = 1; each <= count; each++) if (ids[each] >= servers) held[ids[each]]++ } }
  END { for (id in held) print id, "broker " id " holds " held[id] }' | sort -n | cut -d ' ' -f 2- | paste -sd , | sed 's/,/, /g')
if [[ -n $held ]]; then
  echo "replicas: $SERVERS in place of $THERE is refused: replicas of partitions would be gone with the brokers that are \
removed; $held. First move them to the brokers that stay, with kafka-reassign-partitions.sh or Cruise Control, and then \
upgrade again. Which ones: kubectl -n $NAMESPACE exec $RELEASE-0 -- \
/opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:$PORT --describe"
  exit 1
fi
echo "none of the brokers that are removed holds a replica"

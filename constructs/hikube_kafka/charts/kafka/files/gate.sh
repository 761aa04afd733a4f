# Whether this broker may go on: asked of itself, over its own loopback listener, without a JVM.
#
#   gate.sh startup SECONDS    it is registered, and in sync with every partition that it holds; where nothing has
#                              changed for so long, the log of the container is told, once, what to do
#   gate.sh shutdown SECONDS   waits until no other replica is missing where this broker is in sync, or no other broker
#                              is there, for so long at most
#
# It ends with 0 for yes, 1 for no, 2 where the broker does not answer.
set -uo pipefail

ordinal=${HOSTNAME##*-}
log=/proc/1/fd/1
state=/tmp/gate

look() { # startup|shutdown|same
  (
    if ! exec 3<>"/dev/tcp/127.0.0.1/$((FORWARD_PORT + ordinal))"; then
      echo "broker $ordinal does not listen"
      exit 2
    fi
    # A Metadata request, version 1, for all topics: length, api 3, version 1, correlation 0, no client id, null.
    printf '\0\0\0\x0e\0\x03\0\x01\0\0\0\0\xff\xff\xff\xff\xff\xff' >&3
    length=$(dd bs=1 count=4 <&3 2>/dev/null | od -An -v -tu1 | awk '{ print (($1 * 256 + $2) * 256 + $3) * 256 + $4 }')
    head -c "${length:-0}" <&3 | od -An -v -tu1 | awk -v broker="$ordinal" -v question="$1" -f /release/metadata.awk
  ) 2>/dev/null
}

# Whether the answer has been the same for so long; yes once.
stalled() { # SECONDS ANSWER
  local since=0 last=
  if [[ -e $state ]]; then { read -r since; read -r last; } <"$state"; fi
  if [[ $2 != "$last" ]]; then
    printf '%s\n' "$EPOCHSECONDS" "$2" >"$state"
    return 1
  fi
  ((since && EPOCHSECONDS - since >= $1)) || return 1
  printf '%s\n' 0 "$2" >"$state"
}

# What to do where no partition gets in sync. Assigned once more, a partition gets a new leader epoch, and the leader
# forgets the change of its in-sync replicas that the controller did not make. A restart of this broker does not do it.
remedy() {
  local same listener
  same=$(look same) || return
  # The listener between brokers: the address of another broker on the loopback listener leads nowhere in here.
  listener=$(sed -n 's/^inter\.broker\.listener\.name=//p' /tmp/server.properties)
  listener=$(sed -n "s|^advertised\.listeners=\(.*,\)\{0,1\}$listener://\([^,]*\).*|\2|p" /tmp/server.properties)
  cat <<END
Its replicas are still being copied, or the leaders wait in vain for the controller, whose log then says "Failed to
update ISR ... bad ZK version". A restart of this broker does not help. This assigns the replicas that the partitions
have once more: it moves no data, and does no harm while replicas are being copied.
echo '$same' | kubectl -n $NAMESPACE exec -i $HOSTNAME -- env KAFKA_LOG4J_OPTS= KAFKA_HEAP_OPTS=-Xmx64m /opt/kafka/bin/kafka-reassign-partitions.sh --bootstrap-server $listener --reassignment-json-file /dev/stdin --execute
END
}

case $1 in
startup)
  answer=$(look startup)
  code=$?
  echo "$answer"
  if ((code != 1)); then
    rm -f "$state"
  elif stalled "$2" "$answer"; then
    { echo "not ready, and nothing has changed for $2 s: $answer"; remedy; } >"$log"
  fi
  exit "$code"
  ;;
shutdown)
  unanswered=0
  until answer=$(look shutdown); do
    # There is nothing to protect in a broker that does not answer.
    if (($? == 2 && ++unanswered == 3)); then break; fi
    if ((SECONDS >= $2)); then
      answer="$answer: not waiting any longer"
      break
    fi
    # Into the log of the container, once.
    if [[ $answer != "${told:-}" ]]; then echo "before stopping: $answer" >"$log"; fi
    told=$answer
    sleep 1
  done
  echo "stopping: $answer" >"$log"
  ;;
esac

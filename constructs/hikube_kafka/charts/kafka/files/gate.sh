# Whether this broker may go on: asked of itself, over its own loopback listener, without a JVM.
#
#   gate.sh startup            it is registered, and in sync with every partition that it holds
#   gate.sh shutdown SECONDS   waits until every partition that it holds has all of its replicas in sync, or no other
#                              broker is there
#
# It ends with 0 for yes, 1 for no, 2 where the broker does not answer.
set -uo pipefail

ordinal=${HOSTNAME##*-}

look() { # startup|shutdown
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

case $1 in
startup)
  look startup
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
    if [[ $answer != "${told:-}" ]]; then echo "before stopping: $answer" >/proc/1/fd/1; fi
    told=$answer
    sleep 1
  done
  echo "stopping: $answer" >/proc/1/fd/1
  ;;
esac

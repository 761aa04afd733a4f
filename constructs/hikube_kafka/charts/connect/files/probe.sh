# Whether this worker may be counted on: asked of itself, over its own loopback listener, without a JVM.
#
#   probe.sh alive    it answers
#   probe.sh joined   it is a member of its group, and in no rebalance: the thread that answers is the one that joins
#   probe.sh ready    and of what it ran before it stopped nothing waits for a worker. It waits for the end of
#                     scheduled.rebalance.max.delay.ms, also where this worker is back long before; the next one must
#                     not be stopped meanwhile. What other workers ran, and a task that failed, are no matter of this one.
set -uo pipefail
source /release/http.sh

ask() { # PATH
  http_get 127.0.0.1 "$REST_PORT" "$1" 2>/dev/null
}

property() { # KEY
  sed -n "s/^$1=//p" /tmp/connect-distributed.properties
}

case $1 in
alive)
  ask / >/dev/null || { echo "the worker does not answer"; exit 1; }
  ;;
joined | ready)
  ask /health || { echo "the worker has not joined its group, or a rebalance is under way"; exit 1; }
  [[ $1 == ready ]] || exit 0
  if ! states=$(ask '/connectors?expand=status'); then echo "the worker does not say what runs"; exit 1; fi
  own="$(property 'rest\.advertised\.host\.name'):$(property 'rest\.advertised\.port')"
  if waiting=$(grep -Fo "\"state\":\"UNASSIGNED\",\"worker_id\":\"$own\"" <<<"$states"); then
    echo "$(wc -l <<<"$waiting") of the connectors and tasks that it ran before wait for a worker"
    exit 1
  fi
  ;;
esac

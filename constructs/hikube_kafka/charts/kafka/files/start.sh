# Fills in what differs from pod to pod, waits for ZooKeeper, and becomes the broker.
set -euo pipefail
# As PID 1 it would ignore SIGTERM while it waits.
trap 'exit 143' TERM

ordinal=${HOSTNAME##*-}
# An address of IPv6 has colons of its own.
if [[ $NODE_ADDRESS == *:* ]]; then NODE_ADDRESS="[$NODE_ADDRESS]"; fi
config=$(</release/server.properties)

rack=
if ((${#RACKS})); then
  read -ra racks <<<"$RACKS"
  rack=${racks[ordinal % ${#racks[@]}]}
elif [[ -e /zones/$NODE_NAME ]]; then
  rack=$(<"/zones/$NODE_NAME")
fi
if [[ -z $rack ]]; then
  config=$(grep -v '^broker\.rack=<rack>$' <<<"$config")
fi

config=${config//<ordinal>/"$ordinal"}
config=${config//<host>/"$HOSTNAME.$SERVICE.$NAMESPACE.svc"}
config=${config//<forward-port>/"$((FORWARD_PORT + ordinal))"}
config=${config//<node>/"$NODE_ADDRESS"}
config=${config//<node-port>/"$((NODE_PORT + ordinal))"}
config=${config//<rack>/"$rack"}
echo "$config" >/tmp/server.properties

property() { # KEY
  sed -n "s/^$1=//p" /tmp/server.properties
}

serves() { # SERVER: whether it lets clients in; one that does not answer in plain text may
  # exec: the timeout of BusyBox ends no process but the one that it has started.
  local host=${1%:*} port=2181 said
  if [[ $1 =~ :[0-9]+$ ]]; then port=${1##*:}; else host=$1; fi
  host=${host#[} host=${host%]}
  said=$(timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1" && echo connected && printf srvr >&3 && exec cat <&3' "$host" "$port" 2>/dev/null) || true
  [[ $said == connected* && $said != *'not currently serving requests'* ]]
}

# A broker that finds none exits, and is started anew after longer and longer pauses.
connect=$(property 'zookeeper\.connect')
IFS=', ' read -ra servers <<<"${connect%%/*}"
until [[ -z $connect ]]; do
  for each in "${servers[@]}"; do
    if serves "$each"; then break 2; fi
  done
  if [[ -z ${told:-} ]]; then echo "broker $ordinal waits: no ZooKeeper server serves, of ${servers[*]}"; fi
  told=yes
  sleep 1
done
if [[ -n ${told:-} ]]; then echo "broker $ordinal goes on: ZooKeeper serves"; fi

# Where the broker's log writes its sessions with ZooKeeper, for its parent, which closes them once it has ended.
sessions=
if [[ $FAST_FAILOVER == true ]]; then
  sessions=/var/lib/kafka/data/sessions
  if [[ $(property 'zookeeper\.ssl\.client\.enable' | tr -d ' ' | tr '[:upper:]' '[:lower:]') == true ]]; then
    echo "broker $ordinal runs without fast failover, which needs ZooKeeper in plain text"
    sessions=
  fi
fi
# What it says is of a process that does not run any more.
if [[ -z $sessions ]]; then rm -f /var/lib/kafka/data/sessions; fi

last_session_is_closed() { # in the background, so that a trap interrupts it
  if [[ -z $sessions ]]; then return 1; fi
  bash /release/supervise.sh close "$sessions" "$connect" &
  wait $!
}

log=$(property 'log\.dirs')
if [[ -e $log/meta.properties && ! -e $log/.kafka_cleanshutdown ]] && ! last_session_is_closed; then
  # Its last session with ZooKeeper may still stand, and a broker that meets it exits.
  timeout=$(property 'zookeeper\.session\.timeout\.ms')
  echo "broker $ordinal was not stopped cleanly: waiting $timeout ms for its last session to end"
  sleep "$(printf '%d.%03d' "$((timeout / 1000))" "$((timeout % 1000))")" &
  wait $! # which a trap interrupts
fi
broker=(/opt/kafka/bin/kafka-server-start.sh /tmp/server.properties)
if [[ $sessions ]]; then
  # Of the broker alone: the sessions of a command that somebody runs in this container are its own.
  export KAFKA_LOG4J_OPTS="${KAFKA_LOG4J_OPTS:-} -Dsessions=$sessions"
  broker=(bash /release/supervise.sh run "$sessions" "$connect" "${broker[@]}")
fi
# exec: a shell in between would ignore SIGTERM.
exec "${broker[@]}"

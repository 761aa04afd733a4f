# Writes this server's configuration onto its claim, and becomes the server.
#
# Who votes is no part of the release's configuration: the membership changes while the servers run, and ZooKeeper
# writes each version of it beside its zoo.cfg. So zoo.cfg is on the claim. A server without a membership is told by one
# that serves. Servers begin an ensemble without being told only if each of them says that its claim is empty. One that
# has begun so, and is started anew before there was a quorum, begins the same ensemble again.
set -euo pipefail
# As PID 1 it would ignore SIGTERM while it waits.
trap 'exit 143' TERM

ordinal=${HOSTNAME##*-}
id=$((ordinal + 1))
data=$(sed -n 's/^dataDir=//p' /release/zoo.cfg)
config=$data/membership/zoo.cfg
founders=$data/membership/founders
founded=$data/membership/founded
port=2180
servers=$(</release/servers)
mkdir -p "$data/membership"
echo "$id" >"$data/myid"

host() { # ORDINAL
  echo "${HOSTNAME%-*}-$1.$SERVICE.$NAMESPACE.svc"
}

member() { # ORDINAL
  echo "server.$(($1 + 1))=$(host "$1"):2888:3888:participant;2181"
}

newest() { # the file of the highest version, which is a hexadecimal number behind the last dot
  local file
  for file in "$config".dynamic.*; do
    if [[ ${file##*.} =~ ^[0-9a-f]+$ ]]; then echo "$((16#${file##*.})) $file"; fi
  done | sort -n | tail -n 1 | cut -d ' ' -f 2
}

told() { # the membership, by any server that serves
  timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/2181" && printf conf >&3 && cat <&3' "$CLIENT_SERVICE" 2>/dev/null |
    grep '^server\.' || true
}

tell() { # with how many servers this one would begin, or has begun, until it has a membership
  until perl /release/empty.pl "$port" "$founders" "$config" || [[ -n $(newest) ]]; do sleep 2; done
}

silent() { # SERVERS: those of them that do not say that their claims are empty and that they would begin with as many
  local each said
  for ((each = 0; each < $1; each++)); do
    if ((each == ordinal)); then continue; fi
    said=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1" && cat <&3' "$(host "$each")" "$port" 2>/dev/null || true)
    if [[ $said != "$1" ]]; then echo "$((each + 1))"; fi
  done | paste -sd ' '
}

membership=$(newest)
if [[ -z $membership && -s $founded ]]; then
  echo "server $id goes on: it has begun an ensemble of $(grep -c '^server\.' "$founded") that has had no quorum yet"
  membership=$founded
  tell &
elif [[ -z $membership ]] || ! grep -q "^server\.$id=" "$membership"; then
  seed=$(told)
  if [[ -z $seed && -n $membership ]]; then
    seed=$(<"$membership")
  elif [[ -z $seed ]]; then
    rm -f "$founders"
    tell &
  fi
  said=
  until [[ -n $seed ]]; do
    servers=$(</release/servers)
    missing=
    if ((ordinal < servers)); then
      if [[ $(cat "$founders" 2>/dev/null) != "$servers" ]]; then echo "$servers" >"$founders"; fi
      missing=$(silent "$servers")
      if [[ -z $missing ]]; then
        echo "server $id begins an ensemble of $servers: the claims of all of them are empty"
        seed=$(for ((each = 0; each < servers; each++)); do member "$each"; done)
        echo "$seed" >"$founded.new"
        mv "$founded.new" "$founded"
        break
      fi
    fi
    now="server $id waits: its claim has no membership, and no server tells it who votes"
    if [[ -n $missing ]]; then
      now+="; a new ensemble begins only if these servers say that their claims are empty too: $missing"
    fi
    if [[ $now != "$said" ]]; then echo "$now"; fi
    said=$now
    sleep 1
    seed=$(told)
  done
  # It lists itself to be let in; it votes once it has been added by a reconfiguration.
  membership=$data/membership/seed
  { grep '^server\.' <<<"$seed" | grep -v "^server\.$id=" || true; member "$ordinal"; } >"$membership"
fi
absent=$(sed -n 's/^server\.\([0-9]*\)=.*:participant.*/\1/p' "$membership" | awk -v "servers=$servers" '$1 > servers' | paste -sd ' ')
if [[ -n $absent ]]; then
  echo "server $id knows as voters too, though this release has no such servers: $absent; without most voters it cannot serve"
fi
{ cat /release/zoo.cfg; echo "dynamicConfigFile=$membership"; } >"$config"

password=$(</membership-secret/password)
digest=$(printf "$(printf 'super:%s' "$password" | sha1sum | cut -c 1-40 | sed 's/../\\x&/g')" | base64)
export SERVER_JVMFLAGS="$SERVER_JVMFLAGS -Dzookeeper.DigestAuthenticationProvider.superDigest=super:$digest"
# exec: a shell in between would ignore SIGTERM.
exec zkServer.sh start-foreground "$config"

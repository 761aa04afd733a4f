# Writes this server's configuration onto its claim, and becomes the server.
#
# Who votes is no part of the release's configuration: the membership changes while the servers run, and ZooKeeper
# writes each version of it beside its zoo.cfg. So zoo.cfg is on the claim. A server without a membership is told by one
# that serves; only the first servers of all may begin without being told.
set -euo pipefail

ordinal=${HOSTNAME##*-}
id=$((ordinal + 1))
data=$(sed -n 's/^dataDir=//p' /release/zoo.cfg)
config=$data/membership/zoo.cfg
mkdir -p "$data/membership"
echo "$id" >"$data/myid"

member() { # ORDINAL
  echo "server.$(($1 + 1))=${HOSTNAME%-*}-$1.$SERVICE.$NAMESPACE.svc:2888:3888:participant;2181"
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

membership=$(newest)
if [[ -z $membership ]] || ! grep -q "^server\.$id=" "$membership"; then
  seed=$(told)
  first=$(</membership-secret/firstServers)
  if [[ -z $seed && -n $membership ]]; then
    seed=$(<"$membership")
  elif [[ -z $seed ]] && ((ordinal < first)); then
    seed=$(for ((each = 0; each < first; each++)); do member "$each"; done)
  fi
  # A further server that began alone could form an ensemble of its own, without the data.
  until [[ -n $seed ]]; do
    echo "server $id waits for one that serves, to be told who votes"
    sleep 2
    seed=$(told)
  done
  # It lists itself to be let in; it votes once it has been added by a reconfiguration.
  membership=$data/membership/seed
  { grep '^server\.' <<<"$seed" | grep -v "^server\.$id=" || true; member "$ordinal"; } >"$membership"
fi
{ cat /release/zoo.cfg; echo "dynamicConfigFile=$membership"; } >"$config"

password=$(</membership-secret/password)
digest=$(printf "$(printf 'super:%s' "$password" | sha1sum | cut -c 1-40 | sed 's/../\\x&/g')" | base64)
export SERVER_JVMFLAGS="$SERVER_JVMFLAGS -Dzookeeper.DigestAuthenticationProvider.superDigest=super:$digest"
# exec: a shell in between would ignore SIGTERM.
exec zkServer.sh start-foreground "$config"

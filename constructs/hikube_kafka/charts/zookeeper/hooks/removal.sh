# Before an upgrade: refuses fewer servers than vote. Without a voter that is removed the others may have no quorum.
set -uo pipefail

host() { # ORDINAL
  echo "$RELEASE-$1.$RELEASE-headless.$NAMESPACE.svc"
}

voters() { # ORDINAL: whom that server takes for voters, if it serves
  timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$PORT" && printf conf >&3 && cat <&3' "$(host "$1")" 2>/dev/null |
    sed -n 's/^server\.\([0-9]*\)=.*:participant.*/\1/p'
}

if [[ -z $THERE ]]; then
  # Rendered without a cluster: a server that is to go has a name still.
  THERE=$SERVERS
  for ((each = SERVERS; each < SERVERS + 8; each++)); do
    if getent hosts "$(host "$each")" >/dev/null; then THERE=$((each + 1)); fi
  done
fi
if ((THERE <= SERVERS)); then
  echo "no server is removed"
  exit 0
fi

known=$(for ((each = 0; each < SERVERS; each++)); do voters "$each"; done | sort -nru)
if [[ -z $known ]]; then
  echo "replicas: $SERVERS in place of $THERE is refused: none of the servers that would stay says who votes, and without a \
voter that is removed they may have no quorum. First see to it that they serve: \
kubectl -n $NAMESPACE get pods -l app.kubernetes.io/instance=$RELEASE"
  exit 1
fi
leaving=$(awk -v "servers=$SERVERS" '$1 > servers' <<<"$known" | sort -n | paste -sd ' ')
if [[ -n $leaving ]]; then
  echo "replicas: $SERVERS in place of $THERE is refused: of the servers that would be removed these vote, and without them \
the others may have no quorum: ${leaving// /, }. First take them out, while all of them serve, and then upgrade again: \
kubectl -n $NAMESPACE exec $RELEASE-0 -- bash /release/leave.sh $leaving"
  exit 1
fi
echo "none of the servers that are removed votes; these do: $(sort -n <<<"$known" | paste -sd ' ')"

# Runs a broker as its child, and tells ZooKeeper at once when it has ended.
#
#   supervise.sh run SESSIONS CONNECT COMMAND...   run the broker until it ends; give its exit code
#   supervise.sh close SESSIONS CONNECT            close what an earlier process left; 0: no session of it stands
#
# SESSIONS is a file beside the broker's data, into which its log writes each session that it has with ZooKeeper; CONNECT
# is its zookeeper.connect.
#
# A broker that is killed leaves its registration, and its controllership, for as long as its session stands: without a
# word from it ZooKeeper cannot know. Whoever has seen the process end knows. The session is opened once more and closed,
# which takes away what it holds, in one transaction: no node is looked at or deleted here, so that nothing of a later
# process can be met, however late a request arrives. A lock on SESSIONS, which the broker inherits, is the proof that
# no process of this volume is left. In doubt nothing is done, and the session runs out.
set -uo pipefail

mode=$1 sessions=$2 connect=${3%%/*}
shift 3

say() {
  echo "supervisor: $*"
}

recorded() { # each session once, and its timeout in milliseconds, the newest first; half a line is none
  sed -n 's/.*, session id = 0x\([0-9a-f]\{1,16\}\), negotiated timeout = \([0-9]\{1,9\}\)\( .*\)\{0,1\}$/\1 \2/p' "$sessions" 2>/dev/null |
    awk '{ line[NR] = $0 } END { for (; NR > 0; NR--) { split(line[NR], word, " "); if (!told[word[1]]++) print line[NR] } }'
}

bytes() { # HEX...: for printf
  printf '%s' "$@" | sed 's/../\\x&/g'
}

password() { # SESSION: that which every server computes from the number (ZooKeeperServer.generatePasswd), in hexadecimal
  # java.util.Random, as its documentation has it; 64 bits overflow as they should.
  local seed=$((((16#$1 ^ 16#B3415C00) ^ 16#5DEECE66D) & ((1 << 48) - 1))) word
  for word in 1 2 3 4; do
    seed=$(((seed * 16#5DEECE66D + 16#B) & ((1 << 48) - 1)))
    word=$((seed >> 16))
    printf '%02x%02x%02x%02x' $((word & 255)) $((word >> 8 & 255)) $((word >> 16 & 255)) $((word >> 24 & 255))
  done
}

# Run by a shell of its own, which a timeout can end: says "closed", "expired", or nothing.
close='
exec 3<>"/dev/tcp/$0/$1" || exit
printf "$2" >&3
answer=$(dd bs=1 count=20 <&3 2>/dev/null | od -An -v -tx1 | tr -d " \n")
if ((${#answer} < 40)); then exit; fi
if [[ ${answer:24:16} == 0000000000000000 ]]; then
  echo expired
  exit
fi
dd bs=1 count="$((16#${answer:0:8} - 16))" <&3 >/dev/null 2>&1
printf "$3" >&3
answer=$(dd bs=1 count=20 <&3 2>/dev/null | od -An -v -tx1 | tr -d " \n")
if [[ ${answer:0:16} == 0000001000000001 && ${answer:32} == 00000000 ]]; then echo closed; fi
'

close_at() { # SERVER SESSION
  local host=${1%:*} port=2181 id=000000000000000$2
  if [[ $1 =~ :[0-9]+$ ]]; then port=${1##*:}; else host=$1; fi
  host=${host#[} host=${host%]}
  # ConnectRequest: length, version, last transaction seen, timeout, session, password, whether a server that only
  # reads would do. The timeout is the shortest: a session that is opened and not closed must not live longer for it.
  # Then closeSession, type -11, as request 1.
  timeout 2 bash -c "$close" "$host" "$port" \
    "$(bytes 0000002d 00000000 0000000000000000 00000001 "${id: -16}" 00000010 "$(password "$2")" 00)" \
    "$(bytes 00000008 00000001 fffffff5)" 2>/dev/null
}

close_sessions() { # at the first server that answers; 0: none stands
  local session server left=0
  while read -r session _; do
    for server in "${servers[@]}"; do
      case $(close_at "$server" "$session") in
      closed)
        say "closed session 0x$session at $server"
        continue 2
        ;;
      expired) continue 2 ;;
      esac
    done
    left=1
  done < <(recorded)
  return "$left"
}

close_patiently() { # until none stands, or none can
  local milliseconds
  milliseconds=$(recorded | awk '$2 > most { most = $2 } END { print most + 0 }')
  until close_sessions; do
    # The file goes with the folder of a server that is destroyed.
    if [[ ! -e $sessions ]] || ((SECONDS * 1000 > milliseconds)); then return 1; fi
    sleep 0.2
  done
}

IFS=', ' read -ra servers <<<"$connect"

case $mode in
close)
  exec 9>>"$sessions"
  flock -n 9 && [[ -s $sessions ]] && close_sessions
  ;;
run)
  exec 9>>"$sessions"
  if ! flock -n 9; then
    say "another process holds $sessions: the session of this broker will run out by itself"
    exec "$@" 9>&-
  fi
  close_sessions
  : >"$sessions"
  # Job control: without it the broker would ignore SIGINT and SIGQUIT, by which Java tells what its threads do.
  set -m
  for signal in HUP INT QUIT TERM; do trap "kill -$signal \$broker 2>/dev/null" "$signal"; done
  "$@" &
  broker=$!
  # A signal ends a wait and not the broker.
  until wait "$broker"; ! kill -0 "$broker" 2>/dev/null; do :; done
  wait "$broker"
  code=$?
  SECONDS=0
  case $code in
  # It has stopped by itself, or as it was told to, and closed its sessions; should it have failed to, one try is due.
  0 | 130 | 143) close_sessions ;;
  *) close_patiently || say "the broker ended with $code, and no ZooKeeper server has closed its session: it runs out" ;;
  esac
  exit "$code"
  ;;
esac

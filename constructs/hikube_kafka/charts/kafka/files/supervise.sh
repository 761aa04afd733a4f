# Runs a broker as its child, and tells ZooKeeper at once when it has ended.
#
#   supervise.sh run SESSIONS CONNECT COMMAND...   run the broker until it ends; give its exit code
#   supervise.sh close SESSIONS CONNECT            close what an earlier process left; 0: no session of it stands
#   supervise.sh after SESSIONS CONNECT CODE       what run becomes when the broker has ended with that code
#
# SESSIONS is a file beside the broker's data, into which its log writes each session that it has with ZooKeeper; CONNECT
# is its zookeeper.connect.
#
# A broker that is killed leaves its registration, and its controllership, for as long as its session stands: without a
# word from it ZooKeeper cannot know. Whoever has seen the process end knows. The session is opened once more and closed,
# which takes away what it holds, in one transaction: no node is looked at or deleted here, so that nothing of a later
# process can be met, however late a request arrives.
#
# A lock on SESSIONS is the proof that no process of this volume is left. Each broker that writes there has inherited a
# shared one, as descriptor 9; whoever closes has the exclusive one. In doubt nothing is done, and the session runs out.
set -uo pipefail

mode=$1 sessions=$2 connect=${3%%/*}
shift 3

say() {
  echo "supervisor: $*"
}

recorded() { # each session once, and its timeout in milliseconds, the newest first; half a line is none
  # Not by its name: another server may have been created in this folder by now. In bytes: a file may hold any.
  tail -n 1000 /dev/fd/9 | LC_ALL=C sed -n "s/$line/\1 \2/p" |
    awk '{ line[NR] = $0 } END { for (; NR > 0; NR--) { split(line[NR], word, " "); if (!told[word[1]]++) print line[NR] } }'
}
line='^.*, session id = 0x\([1-9a-f][0-9a-f]\{0,15\}\), negotiated timeout = \([0-9]\{1,9\}\)\( .*\)\{0,1\}$'

password() { # SESSION: that which every server computes from the number (ZooKeeperServer.generatePasswd), in hexadecimal
  # java.util.Random, as its documentation has it; 64 bits overflow as they should.
  local seed=$((((16#$1 ^ 16#B3415C00) ^ 16#5DEECE66D) & ((1 << 48) - 1))) word
  for word in 1 2 3 4; do
    seed=$(((seed * 16#5DEECE66D + 16#B) & ((1 << 48) - 1)))
    word=$((seed >> 16))
    printf '%02x%02x%02x%02x' $((word & 255)) $((word >> 8 & 255)) $((word >> 16 & 255)) $((word >> 24 & 255))
  done
}

requests() { # SESSION: both that it takes, in hexadecimal
  local id=000000000000000$1
  # ConnectRequest: length, version, last transaction seen, timeout, session, password, whether a server that only
  # reads would do. The timeout is the shortest: a session that is opened and not closed must not live longer for it.
  printf %s 0000002d 00000000 0000000000000000 00000001 "${id: -16}" 00000010 "$(password "$1")" 00
  # closeSession, of type -11, as request 1. It does not wait for the answer to the first: a server that is slow does
  # both, though nobody waits for it any more.
  printf %s 00000008 00000001 fffffff5
}

take() { # COUNT: so many bytes more of an answer, in hexadecimal
  local byte count
  for ((count = $1; count > 0; count--)); do
    IFS= read -r -d '' -n 1 byte <&3 || exit
    printf -v byte %02x "'$byte" # of none, which is what a zero is read as: 0
    answer+=${byte: -2}
  done
}

ask() { # HOST PORT REQUESTS: says closed, expired, or nothing. Has no children: the timeout of BusyBox ends but one process
  local answer=
  exec 3<>"/dev/tcp/$1/$2" || exit
  printf "$3" >&3
  # Length, version, and of a session that does not stand zeros: its timeout, and its number.
  take 20
  if [[ $answer != 0000002500000000* ]]; then exit; fi
  if [[ $answer == *000000000000000000000000 ]]; then
    echo expired
    exit
  fi
  # The rest of that, and then: length, number of the request, transaction, error.
  take 41
  if [[ ${answer:82:16} == 0000001000000001 && ${answer:114} == 00000000 ]]; then echo closed; fi
}
asking="$(declare -f take ask); ask \"\$@\""

ask_all() { # REQUESTS: each server a little after the one before, so that one that hangs does not cost the time to be won
  local server host port said
  for server in "${servers[@]}"; do
    host=$server port=2181
    if [[ $server =~ :[0-9]+$ ]]; then host=${server%:*} port=${server##*:}; fi
    host=${host#[} host=${host%]}
    {
      said=$(LC_ALL=C exec timeout 2 "$BASH" -c "$asking" ask "$host" "$port" "$1" 2>/dev/null)
      if [[ -n $said ]]; then echo "$said $server"; fi
    } &
    sleep 0.2
  done
  wait
}

close_session() { # SESSION: 0: it does not stand any more
  local bytes said server
  bytes=$(requests "$1" | sed 's/../\\x&/g')
  exec 4< <(ask_all "$bytes" 9>&-)
  read -r said server <&4
  kill $! 2>/dev/null
  if [[ $said == closed ]]; then say "closed session 0x$1 at $server"; fi
  [[ -n $said ]]
}

close_sessions() { # once, all at the same time; 0: none stands
  local session closing=() left=0
  for session in "${known[@]}"; do
    close_session "${session% *}" &
    closing+=($!)
  done
  for session in "${closing[@]}"; do wait "$session" || left=1; done
  return "$left"
}

close_patiently() { # until none stands, or none can, or this process is told to end
  local milliseconds
  milliseconds=$(printf '%s\n' "${known[@]}" | awk '$2 > most { most = $2 } END { print most + 0 }')
  until close_sessions; do
    # The file goes with the folder of a server that is destroyed.
    if [[ -n $told || ! $sessions -ef /dev/fd/9 ]] || ((SECONDS * 1000 > milliseconds)); then return 1; fi
    sleep 0.2
  done
}

learn() { # what is recorded; not again later, when it may be a living process that records
  # The newest: a process has one or two at a time, and another only after it was told that one has expired.
  readarray -t known < <(recorded | head -n 4)
}

lock() { # for a broker; 1: there are no locks here
  local said tries
  for ((tries = 1; ; tries++)); do
    if said=$(flock -n -x 9 2>&1); then alone=yes && return; fi
    if [[ -n $said ]]; then say "no failover without a lock on $sessions: $said" && return 1; fi
    # Whoever closes lets go in a while, and the supervisor of a broker that has just ended is about to close; a broker
    # does not let go.
    if ((tries > 25)) && flock -n -s 9; then return; fi
    sleep 0.2
  done
}

tell() { # SIGNAL: to the broker; before it has begun, that is the end
  told=$1
  if [[ -z ${!-} ]]; then exit $((128 + $(kill -l "$1"))); fi
  kill -s "$1" $! 2>/dev/null
}

after() { # CODE
  # A log that nobody reads any more must not end this.
  trap '' PIPE
  for signal in HUP INT QUIT TERM; do trap 'told=yes' "$signal"; done
  learn
  if ! flock -n -x 9; then
    say "another process holds $sessions: the session of the broker that has ended runs out"
  else
    case $1 in
    # It has stopped by itself, or as it was told to, and closed its sessions; should it have failed to, one try is due.
    0 | 129 | 130 | 143) close_sessions ;;
    *) close_patiently || say "the broker ended with $1, and no ZooKeeper server has closed its session: it runs out" ;;
    esac
  fi
  exit "$1"
}

IFS=', ' read -ra servers <<<"$connect"
told= alone=

case $mode in
close)
  exec 9<>"$sessions" || exit
  flock -n -x 9 || exit
  learn
  # Where a line is no session, there may have been one more.
  ((${#known[@]})) && ! LC_ALL=C grep -qv "$line" /dev/fd/9 && close_sessions
  ;;
after)
  after "$1"
  ;;
run)
  for signal in HUP INT QUIT TERM; do trap "tell $signal" "$signal"; done
  exec 9<>"$sessions" && lock || exec "$@" 9>&-
  if [[ -n $alone ]]; then
    (learn && close_sessions)
    : >/dev/fd/9
    flock -s 9
  else
    say "another process holds $sessions: no session is closed before this broker has ended"
  fi
  # With job control: without it the broker would ignore SIGINT and SIGQUIT, by which Java tells what its threads do.
  set -m
  "$@" &
  # And no longer: a broker that is suspended would end each wait.
  set +m
  while
    told=
    wait $!
    code=$?
    # A signal ends a wait, and not the broker.
    [[ -n $told ]]
  do :; done
  flock -n -x 9
  # The command line, by which a broker is known on a machine, goes with the broker.
  if [[ -r $0 ]]; then exec "$BASH" "$0" after "$sessions" "$connect" "$code"; fi
  after "$code"
  ;;
esac

# Reads the answer to a Metadata request, version 1, as decimal bytes. See gate.sh for the question and the answer.

{ for (i = 1; i <= NF; i++) bytes[size++] = $i }

function number(width,   value) {
  for (value = 0; width > 0; width--) value = value * 256 + bytes[at++]
  return value
}

function text(   length_, value) {
  length_ = number(2)
  if (length_ == 65535) return ""
  for (value = ""; length_ > 0; length_--) value = value sprintf("%c", bytes[at++] + 0)
  return value
}

# Reads a list of brokers: how many there are; members are their ids, between blanks; listed is whether this one is
# among them.
function brokers(   count, left, id) {
  listed = 0; members = " "
  count = number(4)
  for (left = count; left > 0 && at < size; left--) {
    id = number(4); members = members id " "
    if (id == broker) listed = 1
  }
  return count
}

# The replicas that are not in sync; those whose broker is not registered are noted besides.
function missing(   ids, count, i, names_) {
  count = split(all, ids, " ")
  for (i = 1; i <= count; i++) {
    if (index(members, " " ids[i] " ")) continue
    names_ = names_ (names_ == "" ? "" : ", ") ids[i]
    if (!(ids[i] in present) && !(ids[i] in away)) { away[ids[i]]; gone = gone (gone == "" ? "" : ", ") ids[i] }
  }
  return names_
}

function tell(   who) {
  who = leader > 2147483647 ? "no leader" : "leader " leader
  if (question == "shutdown") who = who ", not in sync: " missing()
  return " " topic "-" partition " (" who ")"
}

# The partition with the replicas that it has, as kafka-reassign-partitions.sh reads it.
function same(   ids) {
  ids = substr(all, 2, length(all) - 2); gsub(" ", ",", ids)
  return "{\"topic\":\"" topic "\",\"partition\":" partition ",\"replicas\":[" ids "]}"
}

END {
  at = 4
  for (left = number(4); left > 0 && at < size; left--) {
    id = number(4); present[id]
    if (id == broker) registered = 1; else others++
    text(); at += 4; text()
  }
  at += 4
  for (topics = number(4); topics > 0 && at < size; topics--) {
    at += 2; topic = text(); at += 1
    for (partitions = number(4); partitions > 0 && at < size; partitions--) {
      at += 2; partition = number(4); leader = number(4)
      replicas = brokers(); holds = listed; all = members
      in_sync = brokers()
      if (!holds) continue
      held++
      # Before its stop it waits for others alone: where it is out of sync itself, its stop takes nothing away.
      if (!listed) own++
      if (question == "shutdown" ? listed && in_sync < replicas : !listed) {
        if (++behind <= 3) names = names tell()
        if (question == "same" && behind <= 20) list_ = list_ (behind > 1 ? "," : "") same()
      }
    }
  }
  if (size == 0 || at != size) { print "broker " broker " does not answer"; exit 2 }
  if (question == "same") { print "{\"version\":1,\"partitions\":[" list_ "]}"; exit (behind == 0) }
  if (!registered) { print "broker " broker " is not registered"; exit 1 }
  # Everything stops, as when the release is uninstalled: there is nobody to wait for.
  if (question == "shutdown" && !others) { print "no other broker is registered"; exit 0 }
  if (behind) {
    print behind " of " held " partitions not in sync:" names (behind > 3 ? " ..." : "") \
      (gone == "" ? "" : "; not registered: " gone)
    exit 1
  }
  print "all " held + 0 " partitions in sync" (own ? ", apart from " own " whose replica on this broker is not" : "")
}

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

# Reads a list of brokers: how many there are; listed is whether this one is among them.
function brokers(   count, left) {
  listed = 0
  count = number(4)
  for (left = count; left > 0 && at < size; left--) if (number(4) == broker) listed = 1
  return count
}

END {
  at = 4
  for (left = number(4); left > 0 && at < size; left--) {
    if (number(4) == broker) registered = 1; else others++
    text(); at += 4; text()
  }
  at += 4
  for (topics = number(4); topics > 0 && at < size; topics--) {
    at += 2; topic = text(); at += 1
    for (partitions = number(4); partitions > 0 && at < size; partitions--) {
      at += 2; partition = number(4); at += 4
      replicas = brokers(); holds = listed
      in_sync = brokers()
      if (!holds) continue
      held++
      if (question == "startup" ? !listed : in_sync < replicas)
        if (++behind <= 3) names = names " " topic "-" partition
    }
  }
  if (size == 0 || at != size) { print "broker " broker " does not answer"; exit 2 }
  if (!registered) { print "broker " broker " is not registered"; exit 1 }
  # Everything stops, as when the release is uninstalled: there is nobody to wait for.
  if (question == "shutdown" && !others) { print "no other broker is registered"; exit 0 }
  if (behind) { print behind " of " held " partitions not in sync:" names (behind > 3 ? " ..." : ""); exit 1 }
  print "all " held + 0 " partitions in sync"
}

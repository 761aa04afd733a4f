"""Checks of what the canary messages went through."""

from collections import Counter
from itertools import pairwise

from hikube_kafka.probe.observation import Unreadable
from hikube_kafka.smoke.canary import CanaryRun
from hikube_kafka.smoke.checks.brokers import name
from hikube_kafka.smoke.finding import Outcome, check, listed
from hikube_kafka.spec.contract import Contract

_Run = CanaryRun | Unreadable


@check(
    "canary-led-by-every-broker",
    "Each broker in turn leads a partition of the canary topic",
    remedy="A broker that cannot become leader does not run, is not in sync, or is not alive in the controller's view: "
    "start it, see partitions-in-sync, or, where both are well, restart it.",
)
def led_by_every_broker(contract: Contract, run: _Run) -> Outcome:
    """Partition ``i`` is led by the ``i``-th declared broker, so that the messages pass over every broker."""
    expected = f"brokers {listed(broker.id for broker in contract.kafka.brokers)} lead a partition each"
    if isinstance(run, Unreadable):
        return _unflown(expected, run)
    if isinstance(run.leaders, Unreadable):
        return Outcome(expected=expected, seen="", unread=[run.leaders])
    wrong = [
        f"partition {number} is led by {'nobody' if leader is None else f'broker {leader}'}, not {name(broker)}"
        for number, broker in enumerate(contract.kafka.brokers)
        if (leader := run.leaders.get(number)) != broker.id
    ]
    return Outcome(expected=expected, seen=expected, wrong=wrong)


@check(
    "canary-acknowledged",
    "Every message is acknowledged by all in-sync replicas",
    remedy="Nothing is lost: who sends a message that is not acknowledged knows it. Too few replicas are in sync, a "
    "broker does not answer, or it refuses such messages, as the reason says.",
)
def acknowledged(contract: Contract, run: _Run) -> Outcome:
    """Sent and acknowledged are the same messages."""
    expected = "all acknowledged"
    if isinstance(run, Unreadable):
        return _unflown(expected, run)
    wrong = [f"{count} messages were not acknowledged: {reason}" for reason, count in run.refused.items()]
    unread = []
    for number, broker in enumerate(contract.kafka.brokers):
        sent, arrived = run.sent.get(number, 0), len(set(run.acknowledged.get(number, ())))
        if not sent:
            unread.append(Unreadable(f"messages over {name(broker)}", "none was sent"))
        elif arrived < sent:
            wrong.append(f"{sent - arrived} of {sent} messages to {name(broker)} were not acknowledged")
    return Outcome(expected=expected, seen=f"{sum(run.sent.values())} messages: {expected}", wrong=wrong, unread=unread)


@check(
    "canary-nothing-lost",
    "Every acknowledged message is read",
    remedy="A message that was acknowledged and is not there is lost data: stop writing, and check the logs of the "
    "brokers named.",
    unread_remedy="Whether anything is lost cannot be told. Where no message was acknowledged, canary-acknowledged "
    "says why; where they were not read in time, the brokers are too slow, or throttle this client by a quota.",
)
def nothing_lost(contract: Contract, run: _Run) -> Outcome:
    """A partition that was read to its end has each message that was acknowledged."""
    expected = "all that were acknowledged"
    if isinstance(run, Unreadable):
        return _unflown(expected, run)
    wrong, unread = [], []
    for number, broker in enumerate(contract.kafka.brokers):
        arrived = set(run.acknowledged.get(number, ()))
        missing = f"{len(arrived - set(run.received.get(number, ())))} of {len(arrived)} acknowledged messages"
        if not arrived:
            unread.append(Unreadable(f"messages over {name(broker)}", "none was acknowledged"))
        elif arrived <= set(run.received.get(number, ())):
            continue
        elif number in run.unfinished:
            unread.append(Unreadable(f"messages over {name(broker)}", f"{missing} were not read in time"))
        else:
            wrong.append(f"{missing} were not read from {name(broker)}")
    total = sum(len(set(numbers)) for numbers in run.acknowledged.values())
    return Outcome(expected=expected, seen=f"{total} messages: all read", wrong=wrong, unread=unread)


@check(
    "canary-nothing-duplicated",
    "No message is read twice",
    remedy="An idempotent producer's message is twice in the log: check the leader's log for a lost producer state.",
)
def nothing_duplicated(contract: Contract, run: _Run) -> Outcome:
    """Each partition is read to its end, so that no second copy stays unseen."""
    expected = "each message once"
    if isinstance(run, Unreadable):
        return _unflown(expected, run)
    wrong, unread = [], []
    for number, broker in enumerate(contract.kafka.brokers):
        received = run.received.get(number, ())
        if twice := [message for message, times in Counter(received).items() if times > 1]:
            wrong.append(f"{len(twice)} messages were read more than once from {name(broker)}")
        if not received:
            unread.append(Unreadable(f"messages over {name(broker)}", "none was read"))
    return Outcome(expected=expected, seen=expected, wrong=wrong, unread=unread)


@check(
    "canary-in-order",
    "Messages are read in the order in which they were sent",
    remedy="An idempotent producer's messages changed places within a partition: check the leader's log.",
)
def in_order(contract: Contract, run: _Run) -> Outcome:
    """First copies only: a duplicate is another check's."""
    expected = "in order on every partition"
    if isinstance(run, Unreadable):
        return _unflown(expected, run)
    wrong, unread = [], []
    for number, broker in enumerate(contract.kafka.brokers):
        received = list(dict.fromkeys(run.received.get(number, ())))
        if received != sorted(received):
            after, before = next((b, a) for a, b in pairwise(received) if b < a)
            wrong.append(f"message {after} was read after message {before} from {name(broker)}")
        if not received:
            unread.append(Unreadable(f"messages over {name(broker)}", "none was read"))
    return Outcome(expected=expected, seen=expected, wrong=wrong, unread=unread)


@check(
    "canary-offsets-kept",
    "A consumer group commits its offsets and finds them again",
    remedy="Offsets were lost: check the logs of the brokers that lead the partitions of __consumer_offsets.",
    unread_remedy="Consumer groups need the internal topic __consumer_offsets: offsets.topic.replication.factor must "
    "not exceed the live brokers, and its partitions need min.insync.replicas in sync.",
)
def offsets_kept(contract: Contract, run: _Run) -> Outcome:
    """What Kafka gives back is what was read."""
    expected = "the committed offsets are those read up to"
    if isinstance(run, Unreadable):
        return _unflown(expected, run)
    if isinstance(run.offsets, Unreadable):
        return Outcome(expected=expected, seen="", unread=[run.offsets])
    wrong = [
        f"{run.offsets.get(number, 'nothing')} is kept for the partition of {name(broker)}, {read} were read"
        for number, broker in enumerate(contract.kafka.brokers)
        if run.offsets.get(number) != (read := len(run.received.get(number, ())))
    ]
    return Outcome(expected=expected, seen=expected, wrong=wrong)


@check(
    "canary-removed",
    "The canary topic is removed again",
    remedy="Remove the topic named.",
    unread_remedy="Remove the topic named. delete.topic.enable must be true, and the client be allowed to delete "
    "topics that begin with hikube-kafka-canary-.",
)
def removed(_contract: Contract, run: _Run) -> Outcome:
    """A listing of the topics stays as declared."""
    expected = "removed"
    if isinstance(run, Unreadable):
        return _unflown(expected, run)
    return Outcome(expected=expected, seen=f"{run.topic} removed", unread=[run.removed] if run.removed else [])


def _unflown(expected: str, run: Unreadable) -> Outcome:
    return Outcome(
        expected=expected,
        seen="",
        unread=[run],
        unread_remedy="The canary messages could not be sent: fix what else this report finds.",
    )

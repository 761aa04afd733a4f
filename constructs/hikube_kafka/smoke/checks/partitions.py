"""Checks of every partition of every topic, internal topics included, in the view of every broker."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from hikube_kafka.probe.observation import Observation, Partition, Unreadable
from hikube_kafka.probe.out_of_sync import assigned_again
from hikube_kafka.smoke.checks.brokers import views
from hikube_kafka.smoke.checks.topics import not_shown
from hikube_kafka.smoke.finding import Outcome, check, listed
from hikube_kafka.spec.contract import Contract, ReachByPortForward
from hikube_kafka.spec.topic_limits import INTERNAL

_UNDER_TEST = tuple[str, int, Partition]


@check(
    "partitions-online",
    "Every partition of every topic has a leader",
    remedy="Nobody can read or write these partitions. Start the brokers that were in sync last: they hold what the "
    "others may not have.",
)
def online(contract: Contract, seen: Observation) -> Outcome:
    """No partition is offline."""
    partitions, unread = _partitions(contract, seen)
    offline = [partition for _, _, partition in partitions if not partition.is_online]

    def without_leader(_topic: str, partition: Partition) -> str:
        if partition.is_online:
            return ""
        replicas, in_sync = listed(sorted(partition.replicas)), listed(sorted(partition.in_sync))
        return f"no leader; replicas on brokers {replicas}; in sync last: {in_sync}"

    away, present = _by_presence(seen, (broker for partition in offline for broker in partition.in_sync or ()))
    remedy = ["Nobody can read or write these partitions."]
    if away:
        remedy.append(f"Start {_brokers(away)}, or read the log if it runs: what was in sync last is there.")
    if present:
        remedy.append(
            f"In sync last, and registered: {_brokers(present)}. The log there tells of a disk that failed, that of "
            f"the controller ({_controller(seen)}) why it elects nobody."
        )
    return replace(
        _outcome("all online", partitions, _by_topic(partitions, without_leader), unread),
        remedy=" ".join(remedy) if len(remedy) > 1 else "",
    )


@check(
    "partitions-in-sync",
    "Every replica of every partition is in sync",
    remedy="Start the brokers named that do not run. One that runs is catching up, or the leader waits in vain for the "
    "controller: then assign the replicas that the partitions have once more, which the finding gives the command for.",
)
def in_sync(contract: Contract, seen: Observation) -> Outcome:
    """No partition is under-replicated."""
    partitions, unread = _partitions(contract, seen)

    def behind(_topic: str, partition: Partition) -> str:
        missing = partition.behind
        if not missing:
            return ""
        led = "no leader" if partition.leader is None else f"leader: broker {partition.leader}"
        return f"not in sync: broker{'s' * (len(missing) > 1)} {listed(missing)}; {led}"

    replicas = (broker for _, _, partition in partitions if partition.behind for broker in partition.replicas)
    away, _ = _by_presence(seen, replicas)
    remedy: list[str] = []
    if away:
        remedy.append(f"Not registered: {_brokers(away)}. Start what does not run; the log of what runs tells why.")
    distinct = {(topic, number): partition for topic, number, partition in partitions}
    stuck = [
        (topic, number, partition)
        for (topic, number), partition in sorted(distinct.items())
        # The tool refuses all of a command that names a broker which is away.
        if partition.is_online and partition.behind and not set(partition.replicas) & set(away)
    ]
    if stuck:
        waiting = sorted({broker for _, _, partition in stuck for broker in partition.behind})
        remedy.append(
            f"Registered: {_brokers(waiting)}. The replica there is catching up: log and disk tell. If nothing "
            f"changes, the leader waits in vain for the controller ({_controller(seen)}), whose log then says "
            '"Failed to update ISR ... bad ZK version". In that case restart no broker, but assign the replicas that '
            "the partitions have once more: that moves no data."
        )
    return replace(
        _outcome("all in sync", partitions, _by_topic(partitions, behind), unread),
        remedy=" ".join(remedy),
        command=assigned_again(stuck, _reassign(contract, seen, stuck[0][2].leader)) if stuck else "",
    )


@check(
    "partitions-min-isr",
    "Every partition has at least min.insync.replicas in sync",
    remedy="Writes with acks=all to these partitions are refused. Bring the missing replicas back, as "
    "partitions-in-sync says.",
)
def min_isr(contract: Contract, seen: Observation) -> Outcome:
    """No partition is under its topic's ``min.insync.replicas``, wherever that was set, as Kafka counts it.

    Kafka never asks for more than a partition has replicas (``Partition.effectiveMinIsr``; with 3.9.2, acks=all
    succeeds with 1 replica and 2 demanded, 2 and 3, 3 and 4).
    """
    partitions, unread = _partitions(contract, seen)
    least: dict[str, int] = {}
    for topic in dict.fromkeys(topic for topic, _, _ in partitions):
        config = seen.kafka.topic_configs.get(topic, Unreadable(f"configuration of topic {topic}", "not read"))
        if isinstance(config, Unreadable):
            unread.append(config)
        elif (value := config.in_force.get("min.insync.replicas")) is None:
            unread.append(Unreadable(f"min.insync.replicas of topic {topic}", "the brokers do not report it"))
        else:
            least[topic] = int(value)

    def short(topic: str, partition: Partition) -> str:
        due = min(least.get(topic, 0), len(partition.replicas))
        if len(partition.in_sync) >= due:
            return ""
        return f"{len(partition.in_sync)} of the {due} that must be in sync: {listed(sorted(partition.in_sync))}"

    def capped(topic: str, partition: Partition) -> str:
        due, replicas = least.get(topic, 0), len(partition.replicas)
        return f"min.insync.replicas is {due}, and counts as {replicas}: so many replicas" if due > replicas else ""

    ours = {topic.name for topic in contract.topics} | INTERNAL
    held = [each for each in partitions if each[0] in ours]
    others = [each for each in partitions if each[0] not in ours]
    return replace(
        _outcome("none below min.insync.replicas", partitions, _by_topic(held, short), unread),
        notes=(
            *_by_topic(partitions, capped),
            *(f"{line} (a topic that nobody declared)" for line in _by_topic(others, short)),
        ),
    )


def _partitions(contract: Contract, seen: Observation) -> tuple[list[_UNDER_TEST], list[Unreadable]]:
    partitions: list[_UNDER_TEST] = []
    unread: list[Unreadable] = []
    for broker, view in views(contract, seen):
        if isinstance(view, Unreadable):
            unread.append(view)
            continue
        partitions += view.partitions
        unread += [content for content in view.topics.values() if isinstance(content, Unreadable)]
        unread += [not_shown(topic, broker) for topic in sorted(seen.zookeeper.topics - view.topics.keys())]
    return partitions, unread


def _by_presence(seen: Observation, brokers: Iterable[int]) -> tuple[list[int], list[int]]:
    """Those that nobody has as registered, and those that all have who answer."""
    views = [view.brokers.keys() for view in seen.kafka.views]
    registered = [registry.brokers.keys() for registry in seen.zookeeper.registries.values()]
    known = [*views, *registered]
    away: list[int] = []
    present: list[int] = []
    for broker in sorted(set(brokers)):
        (present if all(broker in each for each in known) else away).append(broker)
    return away, present


def _brokers(ids: Sequence[int]) -> str:
    return f"broker{'s' * (len(ids) > 1)} {listed(ids)}"


def _controller(seen: Observation) -> str:
    return "no broker is the controller" if seen.kafka.controller is None else f"broker {seen.kafka.controller}"


def _reassign(contract: Contract, seen: Observation, broker: int | None) -> str:
    """How kafka-reassign-partitions is run against this platform."""
    if contract.target == "local":
        return f"hikube-kafka local kafka -e {contract.platform} reassign-partitions"
    tool = "kafka-reassign-partitions.sh --bootstrap-server"
    if not isinstance(contract.reach, ReachByPortForward) or broker is None:
        client = "" if contract.security.protocol == "PLAINTEXT" else " --command-config client.properties"
        return f"{tool} {contract.bootstrap_servers}{client}"
    pod = contract.reach.broker_pod(broker)
    kubectl = f"{seen.kubectl} exec -i {pod} --"
    # The tool would take over the broker's heap, too much for a second process in the container, and its logging.
    return f"{kubectl} env KAFKA_LOG4J_OPTS= KAFKA_HEAP_OPTS=-Xmx64m /opt/kafka/bin/{tool} {_inside(seen, broker, pod)}"


def _inside(seen: Observation, broker: int, pod: str) -> str:
    """Where the broker is met by its pod's name: the loopback addresses of others lead nowhere in a pod."""
    for registry in seen.zookeeper.registries.values():
        for endpoint in registry.brokers[broker].endpoints if broker in registry.brokers else ():
            address = endpoint.rpartition("://")[2]
            if address.startswith(f"{pod}."):
                return address
    return "localhost:9092"


def _by_topic(partitions: Iterable[_UNDER_TEST], fault: Callable[[str, Partition], str]) -> Iterator[str]:
    """One line for the partitions of a topic that have the same fault: a broker's death touches hundreds."""
    faulty: dict[tuple[str, str], set[int]] = defaultdict(set)
    for topic, number, partition in partitions:
        if text := fault(topic, partition):
            faulty[topic, text].add(number)
    for (topic, text), numbers in sorted(faulty.items()):
        yield f"{topic}, partition{'s' * (len(numbers) > 1)} {listed(sorted(numbers))}: {text}"


def _outcome(
    expected: str, partitions: Iterable[_UNDER_TEST], wrong: Iterable[str], unread: Iterable[Unreadable]
) -> Outcome:
    distinct = {(topic, number) for topic, number, _ in partitions}
    topics = {topic for topic, _ in distinct}
    return Outcome(
        expected=expected,
        seen=f"{len(distinct)} partitions of {len(topics)} topics: {expected}",
        wrong=wrong,
        unread=unread,
    )

"""Checks of the declared clusters of Kafka Connect."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hikube_kafka.connect.seen import ConnectorSeen, summary
from hikube_kafka.probe.observation import ConnectSeen, Observation, Unreadable
from hikube_kafka.smoke.finding import Outcome, check, listed
from hikube_kafka.spec.contract import ConnectExpected, ConnectorExpected, Contract

_SHOWN = 10
"""Connectors that a note names."""
_APPLY = "Apply the declaration again: "
_SILENT = "Another check tells why no worker answers."
_UNTOLD = {None, "", "undefined", "unknown"}
"""What stands for the version of a class that does not tell any."""
_NO_CONNECTOR = "the contract declares no connector"


@check(
    "connect-workers-answer",
    "Every declared worker of Kafka Connect answers",
    remedy="Look at its log, and apply the declaration again: it starts what does not run.",
    unread_remedy="Look at its log, and apply the declaration again: it starts what does not run.",
)
def workers_answer(contract: Contract, seen: Observation) -> Outcome:
    """The REST interface of each, by itself."""
    unread = [
        worker.version
        for _, cluster in _clusters(contract, seen)
        for worker in cluster.workers
        if isinstance(worker.version, Unreadable)
    ]
    unread += [
        cluster.group
        for expected, cluster in _clusters(contract, seen)
        if not cluster.workers and expected.workers and isinstance(cluster.group, Unreadable)
    ]
    told = listed(f"{expected.name}: {expected.workers} workers" for expected, _ in _clusters(contract, seen))
    return Outcome(expected=told, seen=told, unread=unread)


@check(
    "connect-one-group",
    "The workers of each Connect cluster are one group",
    remedy="A worker that is missing has another group.id, meets another Kafka, or has just started; one too many is "
    "somebody else's with the same group.id.",
    unread_remedy="The brokers tell who is in a group to whoever may Describe it.",
)
def one_group(contract: Contract, seen: Observation) -> Outcome:
    """As many members as workers are declared, and all of them work for the brokers of the contract."""
    found = _Found()
    for expected, cluster in _clusters(contract, seen):
        if isinstance(cluster.group, Unreadable):
            found.unread.append(cluster.group)
        elif len(cluster.group.members) != expected.workers:
            found.wrong.append(
                f"{expected.name}: group {expected.group_id} has {len(cluster.group.members)} members, not "
                f"{expected.workers}: {listed(cluster.group.members)}"
            )
        for worker in cluster.workers:
            if isinstance(worker.cluster_id, Unreadable) or not (worker.cluster_id and seen.kafka.cluster_id):
                continue  # told by another check
            if worker.cluster_id != seen.kafka.cluster_id:
                found.lasting.append(
                    f"{expected.name}: worker {worker.address} works for Kafka cluster {worker.cluster_id}, not "
                    f"{seen.kafka.cluster_id}"
                )
    return found.outcome(listed(f"{each.group_id}: {each.workers}" for each in contract.connect or ()))


@check(
    "connect-no-rebalance",
    "No Connect cluster is rebalancing",
    remedy="A group that does not come to rest has a worker that dies and comes back, or one that cannot meet the "
    "others: look at the workers' logs.",
)
def no_rebalance(contract: Contract, seen: Observation) -> Outcome:
    """The state of the group, as its coordinator among the brokers has it."""
    found = _Found()
    for expected, cluster in _clusters(contract, seen):
        if isinstance(cluster.group, Unreadable):
            found.unread.append(cluster.group)
        elif cluster.group.state != "Stable":
            found.wrong.append(f"{expected.name}: group {expected.group_id} is {cluster.group.state}, not Stable")
    return found.outcome(listed(f"{each.group_id}: Stable" for each in contract.connect or ()))


@check(
    "connect-plugins",
    "Every worker has loaded the declared plugins in their version",
    remedy="A worker loads plugins when it starts: see whether they are in its plugin.path, and restart it.",
    unread_remedy=_SILENT,
)
def plugins_loaded(contract: Contract, seen: Observation) -> Outcome:
    """Each declared class, on every worker by itself."""
    found = _Found()
    for expected, cluster in _clusters(contract, seen):
        for worker in cluster.workers if expected.plugins else ():
            if isinstance(worker.plugins, Unreadable):
                found.unread.append(worker.plugins)
                continue
            for plugin in expected.plugins:
                versions = {each.version for each in worker.plugins if each.class_name == plugin.class_name}
                where = f"{expected.name}: worker {worker.address}"
                if not versions:
                    found.lasting.append(f"{where} has not loaded {plugin.class_name}")
                elif versions <= _UNTOLD:
                    found.notes.append(f"{plugin.class_name} does not tell its version")
                elif versions != {plugin.version}:
                    loaded = listed(sorted(str(each) for each in versions))
                    found.lasting.append(f"{where} has {plugin.class_name} {loaded}, not {plugin.version}")
    plugins = [plugin for each in contract.connect or () for plugin in each.plugins]
    return found.outcome(
        listed(f"{each.class_name} {each.version}" for each in plugins),
        untested="" if plugins else "the contract declares no class of a plugin",
    )


@check(
    "connect-connectors",
    "Every declared connector is there, with its class and in its state",
    remedy=f"{_APPLY}it plans what is missing, and what somebody has changed.",
    unread_remedy=_SILENT,
)
def connectors_exist(contract: Contract, seen: Observation) -> Outcome:
    """As each worker tells it that answers."""
    found = _Found()
    for expected, cluster in _clusters(contract, seen):
        found.unread += _untold(expected, cluster)
        for there in cluster.connectors:
            for each in expected.connectors:
                known = there.get(each.name)
                if known is None:
                    found.wrong.append(f"{expected.name}: there is no connector {each.name}")
                elif (fault := _fault(each, known)) and known.state == "FAILED":
                    found.lasting.append(f"{expected.name}: {fault}")
                elif fault:
                    found.wrong.append(f"{expected.name}: {fault}")
        declared = {each.name for each in expected.connectors}
        others = sorted({name for there in cluster.connectors for name in there} - declared)
        if others:
            shown = listed(others[:_SHOWN]) + (f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else "")
            found.notes.append(f"{expected.name}: connectors that nobody declared: {shown}")
    told = listed(f"{each.name}: {each.state}" for each in _connectors(contract))
    return found.outcome(told, untested="" if any(_connectors(contract)) else _NO_CONNECTOR)


@check(
    "connect-tasks",
    "Every task of every declared connector is in the connector's state",
    remedy=f"Remove the cause that its trace names. {_APPLY}it restarts the tasks that failed.",
    unread_remedy=_SILENT,
)
def tasks_run(contract: Contract, seen: Observation) -> Outcome:
    """At least one task of what is to run, no more than tasks.max, and none of what is to be stopped."""
    found = _Found()
    running = 0
    for expected, cluster in _clusters(contract, seen):
        found.unread += _untold(expected, cluster) if expected.connectors else ()
        for there in cluster.connectors:
            for each in expected.connectors:
                if each.name in there:
                    _look_at_tasks(each, there[each.name], found)
        if cluster.connectors:
            running += sum(each.running for each in cluster.connectors[0].values())
    promised = [each for each in _connectors(contract) if each.state == "running"]
    most = sum(each.tasks_max for each in promised)
    expected_tasks = f"{len(promised)} connectors with at least one running task each, {most} tasks at most"
    outcome = found.outcome(expected_tasks, untested="" if any(_connectors(contract)) else _NO_CONNECTOR)
    return Outcome(**{**vars(outcome), "seen": f"{running} tasks run"})


@check(
    "connect-sinks-lag",
    "No sink lags behind by more than is declared",
    remedy="Give the sink more tasks (tasks_max, up to the number of partitions), or a destination that takes more.",
    unread_remedy="The brokers tell the offsets of a group to whoever may Describe it and read its topics.",
)
def sinks_keep_up(contract: Contract, seen: Observation) -> Outcome:
    """Records between where its consumer group is and the end, over all partitions that it reads or has read."""
    found = _Found()
    lags: list[str] = []
    bounded = 0
    for expected, cluster in _clusters(contract, seen):
        for each in expected.connectors:
            if each.most_lag is None or each.state != "running":
                continue
            bounded += 1
            lag = cluster.lags.get(each.name, Unreadable(f"lag of {each.consumer_group}", "not read"))
            if isinstance(lag, Unreadable):
                found.unread.append(lag)
            elif lag > each.most_lag:
                found.wrong.append(f"{each.name} lags behind by {lag:,} records, and {each.most_lag:,} are allowed")
            else:
                lags.append(f"{each.name}: {lag:,}")
    outcome = found.outcome(
        listed(
            f"{each.name}: {each.most_lag:,} at most"
            for each in _connectors(contract)
            if each.most_lag is not None and each.state == "running"
        ),
        untested="" if bounded else "the contract bounds the lag of no running sink",
    )
    return Outcome(**{**vars(outcome), "seen": listed(lags)})


@check(
    "connect-dead-letters",
    "No dead-letter topic has more records than are declared",
    remedy="Each record tells in its headers (__connect.errors.*) why it was not delivered. Deliver it by other means, "
    "delete it with kafka-delete-records, or declare dead_letters_allowed.",
    unread_remedy="Another check tells whether the topic is there.",
)
def dead_letters(contract: Contract, seen: Observation) -> Outcome:
    """End less beginning, over all partitions."""
    found = _Found()
    allowed: dict[str, int] = {}
    for expected, cluster in _clusters(contract, seen):
        for each in expected.connectors:
            if each.dead_letters is None:
                continue
            topic = each.dead_letters
            # What several sinks share may hold what is allowed to all of them.
            allowed[topic] = allowed.get(topic, 0) + each.dead_letters_allowed
            records = cluster.dead_letters.get(topic, Unreadable(f"records in {topic}", "not read"))
            if isinstance(records, Unreadable):
                found.unread.append(records)
    counted: list[str] = []
    for topic, most in allowed.items():
        counts = [cluster.dead_letters.get(topic) for _, cluster in _clusters(contract, seen)]
        count = next((each for each in counts if isinstance(each, int)), None)
        if count is not None and count > most:
            found.lasting.append(f"{topic} has {count:,} records, and {most:,} are allowed")
        elif count is not None:
            counted.append(f"{topic}: {count:,}")
    outcome = found.outcome(
        listed(f"{topic}: {most:,} at most" for topic, most in allowed.items()),
        untested="" if allowed else "the contract declares no dead-letter topic",
    )
    return Outcome(**{**vars(outcome), "seen": listed(counted)})


@dataclass
class _Found:
    """What a check collects."""

    wrong: list[str] = field(default_factory=list)
    lasting: list[str] = field(default_factory=list)
    unread: list[Unreadable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def outcome(self, told: str, *, untested: str = "") -> Outcome:
        return Outcome(
            expected=told,
            seen=told,
            wrong=self.wrong,
            lasting=self.lasting,
            unread=self.unread,
            notes=self.notes,
            untested=untested,
        )


def _clusters(contract: Contract, seen: Observation) -> Iterator[tuple[ConnectExpected, ConnectSeen]]:
    for expected in contract.connect or ():
        yield expected, seen.connect_cluster(expected.name)


def _connectors(contract: Contract) -> list[ConnectorExpected]:
    return [each for cluster in contract.connect or () for each in cluster.connectors]


def _untold(expected: ConnectExpected, cluster: ConnectSeen) -> list[Unreadable]:
    """Why nobody tells what there is; one worker that does is enough, for all of them read the same topics."""
    if cluster.connectors:
        return []
    unread = [each.connectors for each in cluster.workers if isinstance(each.connectors, Unreadable)]
    return unread or [Unreadable(f"connectors of {expected.name}", "no worker was asked")]


def _fault(expected: ConnectorExpected, known: ConnectorSeen) -> str:
    class_name = known.config.get("connector.class", "")
    if class_name != expected.class_name:
        return f"connector {expected.name} is a {class_name}, not a {expected.class_name}"
    if known.state == expected.state.upper():
        return ""
    reason = f": {summary(known.trace)}" if known.state == "FAILED" else ""
    return f"connector {expected.name} is {known.state}, not {expected.state.upper()}{reason}"


def _look_at_tasks(expected: ConnectorExpected, known: ConnectorSeen, found: _Found) -> None:
    wanted = expected.state.upper()
    if expected.state == "stopped":
        if known.tasks:
            found.wrong.append(f"{expected.name}: {len(known.tasks)} tasks, and it is to be stopped")
        return
    if not known.tasks:
        found.wrong.append(f"{expected.name}: no task")
    if len(known.tasks) > expected.tasks_max:
        found.lasting.append(
            f"{expected.name}: {len(known.tasks)} tasks, and {expected.tasks_max} at most are declared"
        )
    for task in known.tasks:
        where = f"{expected.name}: task {task.id} on {task.worker or 'no worker'}"
        if task.state == "FAILED":
            found.lasting.append(f"{where} is FAILED: {summary(task.trace)}")
        elif task.state != wanted:
            found.wrong.append(f"{where} is {task.state}, not {wanted}")

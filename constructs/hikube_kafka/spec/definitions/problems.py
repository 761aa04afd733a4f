"""The faults of configuration entries, as problems of a declaration or of a resource."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from hikube_kafka.spec.definitions.catalog import topic_definitions
from hikube_kafka.spec.definitions.check import check_broker_config, check_topic_config
from hikube_kafka.spec.definitions.connect import check_connector_config, check_worker_config
from hikube_kafka.spec.definitions.fault import Fault, FaultRule
from hikube_kafka.spec.definitions.nearest import nearest
from hikube_kafka.spec.definitions.zookeeper import check_zookeeper_config
from hikube_kafka.spec.problem import Problem, Rule

_IN_GENERAL: Mapping[FaultRule, tuple[str, str]] = MappingProxyType(
    {
        "unknown-key": ("Kafka 3.9 does not have this key.", "Write the key that was meant: the nearest are named."),
        "other-scope": ("a broker's key for a topic, or a topic's key for brokers.", "Declare it where it belongs."),
        "declaration-field": ("the declaration has a field for it.", "Set the field that is named."),
        "platform-key": (
            "the platform computes this key for each broker.",
            "Leave it out; the field that is named decides it.",
        ),
        "kraft-key": ("it has no meaning for brokers that use ZooKeeper.", "Leave it out."),
        "listener-name": (
            "a listener or mechanism in capital letters, which Kafka would not find.",
            "Write it in small letters.",
        ),
        "type": ("the value is not of the key's type.", "Write such a value, or leave the entry out."),
        "range": ("the value is outside the key's range.", "Write such a value, or leave the entry out."),
        "allowed": ("the value is not one of those that the key takes.", "Write one of them, or leave the entry out."),
        "form": ("the value is not of the form that the key takes.", "Write such a value, or leave the entry out."),
        "conflict": (
            "two entries contradict each other, or the configuration of the brokers.",
            "Change one of the two.",
        ),
        "deprecated": ("the key is deprecated.", "Leave it out, unless you know why it is needed."),
        "internal": ("the key is meant for tests of Kafka itself.", "Leave it out, unless you know why it is needed."),
    }
)


_OF_ZOOKEEPER: Mapping[FaultRule, str] = MappingProxyType(
    {
        "unknown-key": "ZooKeeper does not read this key in zoo.cfg.",
        "conflict": "two entries contradict each other.",
    }
)

_OF_CONNECT: Mapping[FaultRule, str] = MappingProxyType(
    {
        "unknown-key": "Kafka Connect 3.9 does not have this key, and it is near to one that it has.",
        "conflict": "two entries contradict each other, or one has no effect without another.",
    }
)

_TAKEN: Mapping[FaultRule, str] = MappingProxyType(
    {
        "deprecated": "Kafka 3.9 takes it, and a later release may not.",
        "internal": "Kafka takes it, and any release may change what it does.",
    }
)
"""Why to leave out what Kafka does take: these are warnings."""


def _rules(scope: str, why: str, *without: FaultRule) -> Mapping[FaultRule, Rule]:
    return MappingProxyType(
        {
            name: Rule(
                id=f"{scope}-config-{name}",
                severity="warning" if name in _TAKEN else "error",
                message="{problem}",
                why=_TAKEN.get(name, why),
                remedy="{remedy}",
                message_in_general=message,
                remedy_in_general=remedy,
            )
            for name, (message, remedy) in _IN_GENERAL.items()
            if name not in without
        }
    )


TOPIC_CONFIG = _rules(
    "topic",
    "Kafka refuses a topic with such an entry, halfway through the apply.",
    "platform-key",
    "kraft-key",
    "listener-name",
)
BROKER_CONFIG = _rules(
    "broker", "A broker ignores such an entry without a word, or does not start.", "declaration-field"
)


ZOOKEEPER_CONFIG = MappingProxyType(
    {
        name: replace(rule, message_in_general=_OF_ZOOKEEPER.get(name, rule.message_in_general))
        for name, rule in _rules(
            "zookeeper",
            "ZooKeeper ignores such an entry without a word, or does not start.",
            "other-scope",
            "declaration-field",
            "platform-key",
            "kraft-key",
            "listener-name",
            "form",
            "deprecated",
            "internal",
        ).items()
    }
)


CONNECT_CONFIG = MappingProxyType(
    {
        name: replace(rule, message_in_general=_OF_CONNECT.get(name, rule.message_in_general))
        for name, rule in _rules(
            "connect",
            "A worker ignores such an entry without a word, does not start, or refuses the connector.",
            "other-scope",
            "platform-key",
            "kraft-key",
            "listener-name",
        ).items()
    }
)


def topic_config_problems(
    where: str, config: Mapping[str, object], *, broker: Mapping[str, object] | None = None
) -> Iterator[Problem]:
    """Everything that is wrong with the entries of one topic; see :func:`check_topic_config`."""
    return _problems(TOPIC_CONFIG, where, check_topic_config(config, broker=broker))


_SEEN_ON_TOPICS = frozenset(
    TOPIC_CONFIG[rule].id for rule in ("unknown-key", "allowed", "conflict", "deprecated", "internal")
)
"""Rules that a topic may break and exist all the same: brokers of another version or maker take other entries."""


def may_exist(problem: Problem) -> bool:
    """Whether a topic may be so already; a misspelling of a real key is none of another version's."""
    return problem.rule in _SEEN_ON_TOPICS and not (
        problem.rule == TOPIC_CONFIG["unknown-key"].id and nearest(str(problem.path[-1]), topic_definitions()).misspelt
    )


def broker_config_problems(where: str, config: Mapping[str, object]) -> Iterator[Problem]:
    """Everything that is wrong with the entries of the brokers; see :func:`check_broker_config`."""
    return _problems(BROKER_CONFIG, where, check_broker_config(config))


def worker_config_problems(where: str, config: Mapping[str, object]) -> Iterator[Problem]:
    """Everything that is wrong with the entries of Connect workers; see :func:`check_worker_config`."""
    return _problems(CONNECT_CONFIG, where, check_worker_config(config))


def connector_config_problems(
    where: str, config: Mapping[str, object], *, sink: bool, workers: Mapping[str, object] | None = None
) -> Iterator[Problem]:
    """Everything that is wrong with the entries of a connector; see :func:`check_connector_config`."""
    return _problems(CONNECT_CONFIG, where, check_connector_config(config, sink=sink, workers=workers))


def zookeeper_config_problems(where: str, config: Mapping[str, str], computed: Mapping[str, str]) -> Iterator[Problem]:
    """Everything that is wrong with the entries of the ZooKeeper servers; see :func:`check_zookeeper_config`."""
    return _problems(ZOOKEEPER_CONFIG, where, check_zookeeper_config(config, computed))


def _problems(rules: Mapping[FaultRule, Rule], where: str, faults: Iterable[Fault]) -> Iterator[Problem]:
    for fault in faults:
        yield rules[fault.rule](
            where,
            path=("config", fault.key),
            severity=fault.severity,
            problem=fault.problem,
            remedy=fault.remedy,
        )

"""Kafka itself judges the same configurations: its verdict and ours must be one."""

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hikube_kafka.ensemble.jars import cache_folder, named_folder
from hikube_kafka.spec.definitions import (
    PLATFORM_KEYS,
    Definition,
    broker_definitions,
    canonical,
    check_broker_config,
    check_topic_config,
    topic_definitions,
)
from hikube_kafka.spec.definitions.conflicts import _ASCENDING
from tests.support.judge import Judge, judging

pytestmark = pytest.mark.ensemble

SCRIPTS = Path(__file__).parents[2] / "scripts/definitions"


@pytest.fixture(scope="module")
def jars() -> Path:
    folder = named_folder(None) or cache_folder()
    assert any(folder.glob("kafka-clients-3.9.*.jar")), f"no jars of Kafka 3.9 in {folder}: make setup brings them"
    return folder


def test_the_committed_definitions_are_those_of_the_jars(jars: Path) -> None:
    source = importlib.util.spec_from_file_location("regenerate", SCRIPTS / "regenerate.py")
    assert source is not None
    assert source.loader is not None
    regenerate = importlib.util.module_from_spec(source)
    source.loader.exec_module(regenerate)
    for destination, text in regenerate.definitions(jars).items():
        assert destination.read_text() == text


@pytest.fixture(scope="module")
def judge(jars: Path) -> Iterator[Judge]:
    with judging(SCRIPTS / "Judge.java", jars) as judge:
        yield judge


ODD_TEXTS = (
    *("", "true", "FALSE", "yes", "1.0", "1.", ".5", "1e3", "1_000", "0x10", "--1", "3.9", "3.9-IV0", "0.10.2", "0.9"),
    *("*", "1:2", "1:2, 3:4", "1:2,,3:4", "1:", "compact,delete", "compact,,delete", "delete,", ",", "Delete"),
)


def texts_for(definition: Definition) -> st.SearchStrategy[str]:
    """Texts on both sides of what the key takes, and around its bounds."""
    edges = {0, 1, -1, -2, -3, 2**15 - 1, 2**15, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, 2**63}
    for bound in (definition.minimum, definition.maximum, *definition.also):
        edges |= {int(bound) - 1, int(bound), int(bound) + 1} if bound is not None else set()
    numbers = st.sampled_from(sorted(edges)) | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 10**7)
    decimals = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
    words = st.sampled_from([*ODD_TEXTS, *definition.allowed, *(choice.swapcase() for choice in definition.allowed)])
    lists = st.lists(st.sampled_from(definition.allowed or ("1:2", "a", "")), max_size=4).map(" , ".join)
    text = numbers.map(str) | numbers.map("+{}".format) | decimals.map(repr) | words | lists
    return st.tuples(st.sampled_from(["", " ", "\t", "\n "]), text, st.sampled_from(["", " "])).map("".join)


def configurations(definitions: Mapping[str, Definition]) -> st.SearchStrategy[dict[str, str]]:
    keys = st.lists(st.sampled_from(sorted(definitions)), min_size=1, max_size=3, unique=True)
    return keys.flatmap(lambda names: st.fixed_dictionaries({name: texts_for(definitions[name]) for name in names}))


WITH_ONE_JVM = settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@WITH_ONE_JVM
@given(config=configurations(topic_definitions()))
def test_kafka_takes_of_a_topic_what_we_take_and_describes_it_as_we_do(judge: Judge, config: dict[str, str]) -> None:
    errors = [fault for fault in check_topic_config(config, broker={}) if fault.severity == "error"]
    accepted, answer = judge.verdict("topic", config)
    assert accepted == (not errors), (config, answer, errors)
    if accepted:
        definitions = topic_definitions()
        for (key, value), described in zip(config.items(), answer, strict=True):
            ours = canonical(definitions[key], value)
            # Older Java releases write some decimals with more digits than needed: both sides are made canonical.
            theirs = canonical(definitions[key], described) if definitions[key].type == "DOUBLE" else described
            assert ours == theirs


# Small numbers meet each other's bounds; the types and ranges are tried above.
FEW = st.integers(-2, 4).map(str)
FLAGS = st.sampled_from(["true", "false"])


@WITH_ONE_JVM
@given(
    config=st.fixed_dictionaries(
        {"remote.storage.enable": FLAGS},
        optional={
            "min.compaction.lag.ms": FEW,
            "max.compaction.lag.ms": FEW,
            "retention.ms": FEW,
            "retention.bytes": FEW,
            "local.retention.ms": FEW,
            "local.retention.bytes": FEW,
            "cleanup.policy": st.sampled_from(["compact", "delete", "compact,delete"]),
            "remote.log.copy.disable": FLAGS,
            "remote.log.delete.on.disable": FLAGS,
        },
    ),
    tiered=st.booleans(),
)
def test_kafka_sees_the_same_contradictions_in_a_topic(judge: Judge, config: dict[str, str], *, tiered: bool) -> None:
    faults = check_topic_config(config, broker={"remote.log.storage.system.enable": tiered})
    errors = [fault for fault in faults if fault.severity == "error"]
    accepted, answer = judge.verdict("tiered-topic" if tiered else "topic", config)
    assert accepted == (not errors), (config, answer, errors)


def broker_pairs() -> st.SearchStrategy[dict[str, str]]:
    """Values for keys that Kafka compares with each other, around one another's."""
    times = st.sampled_from(["-1", "0", "1", "2", "500", "5000", "45000", "60000"])
    keys = {name for pair in _ASCENDING for name in pair} | {
        "log.retention.ms", "log.retention.minutes", "log.retention.hours", "log.retention.bytes",
        "log.local.retention.ms", "log.local.retention.bytes", "log.cleaner.threads", "log.cleaner.dedupe.buffer.size",
        "queued.max.request.bytes", "socket.request.max.bytes", "max.connections.per.ip",
        "connection.failed.authentication.delay.ms", "connections.max.idle.ms",
    }  # fmt: skip
    chosen = st.lists(st.sampled_from(sorted(keys)), min_size=1, max_size=6, unique=True)
    tiered = st.fixed_dictionaries({}, optional={"remote.log.storage.system.enable": FLAGS})
    values = chosen.flatmap(lambda names: st.fixed_dictionaries(dict.fromkeys(names, times)))
    return st.builds(lambda one, other: one | other, values, tiered)


@WITH_ONE_JVM
@given(config=broker_pairs())
def test_kafka_sees_the_same_contradictions_in_a_broker(judge: Judge, config: dict[str, str]) -> None:
    errors = [fault for fault in check_broker_config(config) if fault.severity == "error"]
    accepted, answer = judge.verdict("broker", config)
    assert accepted == (not errors), (config, answer, errors)


NOT_JUDGED = {
    "group.consumer.assignors",  # classes, which only the broker's machine knows
    "inter.broker.protocol.version",  # in the past of 0.11 it contradicts the message format
    "max.connections.per.ip.overrides",  # a grammar of its own
}
"""Broker keys whose values Kafka judges further than we do; those of type CLASS are left out as well."""


@WITH_ONE_JVM
@given(
    config=configurations(
        {
            name: definition
            for name, definition in broker_definitions().items()
            if name not in PLATFORM_KEYS
            and name not in NOT_JUDGED
            and not definition.kraft
            and definition.type != "CLASS"
        }
    )
)
def test_kafka_takes_of_a_broker_what_we_take(judge: Judge, config: dict[str, str]) -> None:
    errors = [fault for fault in check_broker_config(config) if fault.severity == "error"]
    accepted, answer = judge.verdict("broker", config)
    assert accepted == (not errors), (config, answer, errors)

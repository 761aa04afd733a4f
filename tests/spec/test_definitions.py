import re
import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hikube_kafka.spec.definitions import (
    PLATFORM_KEYS,
    Definition,
    Fault,
    Mismatch,
    broker_config_problems,
    broker_definition,
    broker_definitions,
    canonical,
    check_broker_config,
    check_topic_config,
    topic_config_problems,
    topic_definitions,
)
from hikube_kafka.spec.definitions.problems import BROKER_CONFIG, TOPIC_CONFIG

DEFINITIONS = [*topic_definitions().values(), *broker_definitions().values()]


def the_fault(faults: list[Fault]) -> Fault:
    (fault,) = faults
    return fault


# The data


def test_every_default_passes_the_check_of_its_own_definition() -> None:
    assert not {
        each.name: each.check(each.default) for each in DEFINITIONS if each.default and each.check(each.default)
    }


def test_every_default_is_already_in_kafkas_own_text() -> None:
    changed = {
        each.name for each in DEFINITIONS if each.default is not None and canonical(each, each.default) != each.default
    }
    assert not changed


def test_the_definitions_know_types_bounds_choices_and_where_a_topic_falls_back_to() -> None:
    retention = topic_definitions()["retention.ms"]
    assert (retention.type, retention.default, retention.minimum) == ("LONG", "604800000", -1)
    assert dict(retention.broker_keys) == {
        "log.retention.ms": 1,
        "log.retention.minutes": 60_000,
        "log.retention.hours": 3_600_000,
    }
    assert topic_definitions()["cleanup.policy"].allowed == ("compact", "delete")


def test_the_definitions_know_what_a_running_broker_takes() -> None:
    modes = {
        name: broker_definitions()[name].update for name in ("broker.id", "ssl.keystore.location", "num.io.threads")
    }
    assert modes == {"broker.id": "read-only", "ssl.keystore.location": "per-broker", "num.io.threads": "cluster-wide"}


def test_no_two_keys_of_brokers_or_of_topics_differ_in_spelling_alone() -> None:
    for definitions in (topic_definitions(), broker_definitions()):
        assert len({re.sub(r"[^a-z0-9]", "", name.lower()) for name in definitions}) == len(definitions)


# Keys


@pytest.mark.parametrize(
    ("wrong", "real"),
    [
        ("retentionMs", "retention.ms"),
        ("retention_ms", "retention.ms"),
        ("RETENTION-MS", "retention.ms"),
        ("cleanupPolicy", "cleanup.policy"),
        ("min_insync_replicas", "min.insync.replicas"),
        ("minISR.replicas", "min.insync.replicas"),
        ("retention.days", "retention.ms"),
        ("max.message.byte", "max.message.bytes"),
        ("compresion.type", "compression.type"),
    ],
)
def test_an_unknown_topic_key_names_the_nearest_real_one(wrong: str, real: str) -> None:
    fault = the_fault(check_topic_config({wrong: "1"}))
    assert (fault.rule, fault.severity, fault.nearest[0]) == ("unknown-key", "error", real)
    assert f"'{wrong}'" in fault.problem
    assert f"Write '{real}'" in fault.remedy


def test_another_spelling_of_a_key_proposes_that_key_alone() -> None:
    assert the_fault(check_topic_config({"retentionMs": 1})).nearest == ("retention.ms",)


def test_a_topic_key_like_no_other_is_an_error_without_a_proposal() -> None:
    fault = the_fault(check_topic_config({"colour": "blue"}))
    assert (fault.rule, fault.severity, fault.nearest) == ("unknown-key", "error", ())
    assert "'blue'" in fault.problem


@st.composite
def typos(draw: st.DrawFn, names: list[str]) -> tuple[str, str]:
    """A real key, and one with a letter more, a letter less or another letter in it."""
    name = draw(st.sampled_from(names))
    at = draw(st.integers(0, len(name) - 1))
    inserted, replaced = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    letter = draw(st.sampled_from(string.ascii_lowercase)) if inserted else ""
    return name, name[:at] + letter + name[at + replaced :]


@given(typo=typos(sorted(topic_definitions())))
@example(typo=("local.retention.bytes", "loal.retention.bytes"))
def test_a_typo_of_one_letter_in_a_topic_key_proposes_the_real_key(typo: tuple[str, str]) -> None:
    name, wrong = typo
    assume(wrong not in topic_definitions())
    assert name in the_fault(check_topic_config({wrong: "1"})).nearest


@given(typo=typos(sorted(broker_definitions())))
@example(typo=("log.dir", "log.dxr"))  # so short that a ratio alone does not see it
def test_a_typo_of_one_letter_in_a_broker_key_is_an_error_and_proposes_the_real_key(typo: tuple[str, str]) -> None:
    name, wrong = typo
    assume(wrong not in broker_definitions())
    fault = the_fault(check_broker_config({wrong: "1"}))
    assert fault.severity == "error"
    assert name in fault.nearest


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ("replicationFactor", "replication_factor"),
        ("replication.factor", "replication_factor"),
        ("default.replication.factor", "replication_factor"),
        ("num.partitions", "partitions"),
        ("partitions", "partitions"),
        ("deletion_protection", "deletion_protection"),
    ],
)
def test_a_field_of_a_topics_declaration_is_no_entry(entry: str, field: str) -> None:
    fault = the_fault(check_topic_config({entry: 3}))
    assert fault.rule == "declaration-field"
    assert f"field '{field}'" in fault.remedy


@pytest.mark.parametrize(
    ("entry", "value", "remedy"),
    [
        ("log.retention.ms", 5, "Write 'retention.ms' = 5."),
        ("log.retention.hours", "24", "Write 'retention.ms' = 86400000."),
        ("retention.hours", 24, "Write 'retention.ms' = 86400000."),
        ("log.retention.minutes", -1, "Write 'retention.ms' = -1."),
        ("log.cleanup.policy", "compact", "Write 'cleanup.policy'."),
        ("message.max.bytes", 100, "Write 'max.message.bytes' = 100."),
        ("log.flush.interval.message", 100, "Write 'flush.messages' = 100."),
        ("num.io.threads", 100, "Move it to the configuration of the brokers, or leave it out."),
    ],
)
def test_a_brokers_key_for_a_topic_names_the_topics_own(entry: str, value: object, remedy: str) -> None:
    fault = the_fault(check_topic_config({entry: value}))
    assert (fault.rule, fault.severity, fault.remedy) == ("other-scope", "error", remedy)


@pytest.mark.parametrize(
    ("entry", "remedy"),
    [
        ("retention.ms", "Write 'log.retention.ms'."),
        ("cleanupPolicy", "Write 'log.cleanup.policy'."),
        ("max.message.bytes", "Write 'message.max.bytes'."),
        ("remote.storage.enable", "Declare it for the topics that need it."),
    ],
)
def test_a_topics_key_for_the_brokers_names_the_brokers_own(entry: str, remedy: str) -> None:
    fault = the_fault(check_broker_config({entry: "1"}))
    assert (fault.rule, fault.severity, fault.remedy) == ("other-scope", "error", remedy)


def test_a_misspelt_broker_key_is_an_error_and_shows_no_value() -> None:
    fault = the_fault(check_broker_config({"ssl.keystore.pasword": "hunter2"}))
    assert (fault.rule, fault.severity, fault.nearest[0]) == ("unknown-key", "error", "ssl.keystore.password")
    assert "hunter2" not in repr(fault)


def test_a_broker_key_like_no_other_may_be_a_plugins_and_is_a_warning() -> None:
    fault = the_fault(check_broker_config({"cruise.control.metrics.topic": "hunter2"}))
    assert (fault.rule, fault.severity) == ("unknown-key", "warning")
    assert "hunter2" not in repr(fault)


@pytest.mark.parametrize(
    "entry",
    [
        "super.users",
        "allow.everyone.if.no.acl.found",
        "authorizer.zookeeper.url",
        "metrics.context.cluster",
        "metrics.jmx.include",
        "config.providers",
        "config.providers.file.class",
        "rsm.config.chunk.size",
        "zookeeper.ssl.truststore.password",
        "listener.name.external.ssl.keystore.location",
        "listener.name.external.scram-sha-512.sasl.jaas.config",
        "listener.name.external.sasl.enabled.mechanisms",
    ],
)
def test_a_key_that_brokers_or_their_plugins_read_is_no_fault(entry: str) -> None:
    assert check_broker_config({entry: "x"}) == []


def test_a_storage_plugin_reads_under_the_prefix_that_is_set_for_it() -> None:
    prefix = {"remote.log.storage.manager.impl.prefix": "tier."}
    assert check_broker_config({**prefix, "tier.bucket": "x"}) == []
    assert the_fault(check_broker_config({"tier.bucket": "x"})).rule == "unknown-key"


@pytest.mark.parametrize(
    ("entry", "real"),
    [
        ("listener.name.EXTERNAL.ssl.keystore.location", "listener.name.external.ssl.keystore.location"),
        ("listener.name.ext.SCRAM-SHA-512.sasl.jaas.config", "listener.name.ext.scram-sha-512.sasl.jaas.config"),
    ],
)
def test_a_listener_or_mechanism_in_capitals_would_be_ignored(entry: str, real: str) -> None:
    fault = the_fault(check_broker_config({entry: "x"}))
    assert (fault.rule, fault.severity, fault.nearest) == ("listener-name", "error", (real,))


def test_a_misspelt_key_of_a_listener_keeps_its_prefix_in_the_proposal() -> None:
    fault = the_fault(check_broker_config({"listener.name.ext.ssl.keystore.locaton": "x"}))
    assert fault.nearest[0] == "listener.name.ext.ssl.keystore.location"


def test_the_value_of_a_listeners_own_key_is_checked() -> None:
    fault = the_fault(check_broker_config({"listener.name.ext.max.connections": "many"}))
    assert fault.rule == "type"


@pytest.mark.parametrize(("entry", "field"), sorted(PLATFORM_KEYS.items()))
def test_a_key_of_the_platforms_own_names_the_field_that_decides_it(entry: str, field: str) -> None:
    faults = [fault for fault in check_broker_config({entry: "1"}) if fault.rule == "platform-key"]
    assert f"field '{field}'" in the_fault(faults).remedy


@pytest.mark.parametrize("entry", ["process.roles", "node.id", "controller.quorum.voters", "controller.listener.names"])
def test_a_key_for_brokers_without_zookeeper_is_refused(entry: str) -> None:
    faults = [fault for fault in check_broker_config({entry: "1"}) if fault.rule == "kraft-key"]
    assert the_fault(faults).severity == "error"


def test_a_deprecated_key_is_a_warning() -> None:
    assert the_fault(check_topic_config({"message.format.version": "3.0"})).rule == "deprecated"


def test_a_warning_does_not_say_that_kafka_refuses_the_entry() -> None:
    (problem,) = topic_config_problems("topic orders", {"message.format.version": "3.0"})
    assert problem.severity == "warning"
    assert problem.why == "Kafka 3.9 takes it, and a later release may not."
    taken = [rule for rules in (TOPIC_CONFIG, BROKER_CONFIG) for rule in rules.values() if rule.severity == "warning"]
    assert [rule.id for rule in taken if "takes it" not in rule.why] == []
    assert the_fault(check_topic_config({"message.format.version": "3.0"})).severity == "warning"


def test_a_key_for_kafkas_own_tests_is_a_warning() -> None:
    fault = the_fault(check_broker_config({"log.initial.task.delay.ms": 1}))
    assert (fault.rule, fault.severity) == ("internal", "warning")


# Values


@pytest.mark.parametrize(
    ("key", "value", "rule", "remedy"),
    [
        ("retention.ms", "soon", "type", "default is '604800000'"),
        ("retention.ms", True, "type", "default"),
        ("retention.ms", None, "type", "default"),
        ("retention.ms", -2, "range", "default"),
        ("retention.ms", 2**63, "range", "default"),
        ("segment.bytes", 1e9, "type", "Write 1000000000."),
        ("segment.bytes", 13, "range", "default"),
        ("segment.bytes", 2**31, "range", "default"),
        ("min.cleanable.dirty.ratio", 1.1, "range", "default"),
        ("min.cleanable.dirty.ratio", "NaN", "type", "default"),
        ("compression.gzip.level", 0, "range", "default"),
        ("compression.lz4.level", 18, "range", "default"),
        ("cleanup.policy", "Compact", "allowed", "Write 'compact'."),
        ("cleanup.policy", "compact, forget", "allowed", "default"),
        ("cleanup.policy", ["compact", "forget"], "allowed", "default"),
        ("cleanup.policy", ["compact,delete"], "type", "default"),
        ("message.timestamp.type", "createTime", "allowed", "Write 'CreateTime'."),
        ("compression.type", "none", "allowed", "default"),
        ("preallocate", "yes", "type", "default"),
        ("preallocate", 1, "type", "default"),
        ("leader.replication.throttled.replicas", "1:", "form", "default"),
    ],
)
def test_a_value_that_kafka_would_refuse_is_named_with_its_rule(
    key: str, value: object, rule: str, remedy: str
) -> None:
    fault = the_fault(check_topic_config({key: value}))
    assert (fault.rule, fault.severity, fault.value) == (rule, "error", value)
    assert f"'{key}' is {value!r}, and must be " in fault.problem
    assert remedy in fault.remedy


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retention.ms", -1),
        ("retention.ms", " 60000 "),
        ("cleanup.policy", "compact, delete"),
        ("cleanup.policy", ["compact", "delete"]),
        ("compression.gzip.level", -1),
        ("preallocate", "TRUE"),
        ("leader.replication.throttled.replicas", "*"),
        ("leader.replication.throttled.replicas", "0:1,1:2"),
    ],
)
def test_a_value_that_kafka_takes_is_no_fault(key: str, value: object) -> None:
    assert check_topic_config({key: value}) == []


def test_a_choice_without_case_is_taken_in_any_case() -> None:
    definition = broker_definitions()["group.consumer.migration.policy"]
    assert definition.check("Upgrade") is None
    assert definition.check("sideways") is not None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1e999", "Infinity"])
def test_a_decimal_must_be_a_number_that_can_be_written(value: object) -> None:
    assert broker_definitions()["log.cleaner.io.max.bytes.per.second"].check(value) is not None


def test_a_class_must_have_a_name() -> None:
    assert the_fault(check_broker_config({"principal.builder.class": ""})).rule == "type"


def test_an_empty_text_is_refused_where_kafka_wants_one() -> None:
    assert the_fault(check_broker_config({"remote.log.storage.manager.class.name": " "})).rule == "form"


def test_a_version_is_one_that_kafka_knows() -> None:
    definition = broker_definitions()["inter.broker.protocol.version"]
    assert [definition.check(text) is None for text in ("3.9", "3.9.1", "0.10.2.1", "3.9-IV0", "3.99", "0.10")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


def test_a_secret_of_the_wrong_type_is_not_shown() -> None:
    fault = the_fault(check_broker_config({"ssl.keystore.password": ["hunter2"]}))
    assert fault.rule == "type"
    assert "hunter2" not in repr(fault)


def test_all_faults_are_found_at_once() -> None:
    rules = {fault.rule for fault in check_topic_config({"retentionMs": 1, "segment.bytes": 1, "preallocate": "x"})}
    assert rules == {"unknown-key", "range", "type"}


# Entries that contradict each other


def test_a_contradiction_names_both_entries_and_their_values() -> None:
    fault = the_fault(check_topic_config({"min.compaction.lag.ms": 10, "max.compaction.lag.ms": 5}))
    assert fault.rule == "conflict"
    assert "'min.compaction.lag.ms' is 10 while 'max.compaction.lag.ms' is 5" in fault.problem


def test_a_topic_can_contradict_what_it_inherits_from_the_brokers() -> None:
    assert check_topic_config({"min.compaction.lag.ms": 10}) == []
    brokers = {"log.cleaner.max.compaction.lag.ms": 5}
    fault = the_fault(check_topic_config({"min.compaction.lag.ms": 10}, broker=brokers))
    assert "5 in the brokers' configuration" in fault.problem


def test_what_the_brokers_alone_contradict_is_not_the_topics_fault() -> None:
    brokers = {"log.cleaner.min.compaction.lag.ms": 10, "log.cleaner.max.compaction.lag.ms": 5}
    assert check_topic_config({"retention.ms": 1}, broker=brokers) == []
    assert the_fault(check_broker_config(brokers)).rule == "conflict"


def test_remote_storage_is_refused_only_where_the_brokers_are_known_to_lack_it() -> None:
    config = {"remote.storage.enable": True}
    assert check_topic_config(config) == []
    assert check_topic_config(config, broker={"remote.log.storage.system.enable": "true"}) == []
    assert "no remote storage" in the_fault(check_topic_config(config, broker={})).problem


@pytest.mark.parametrize(
    "config",
    [
        {"remote.storage.enable": True, "cleanup.policy": "compact"},
        {"remote.storage.enable": True, "retention.ms": 10, "local.retention.ms": 11},
        {"remote.storage.enable": True, "retention.bytes": 10, "local.retention.bytes": -1},
        {"remote.log.copy.disable": True},
        {"remote.log.delete.on.disable": True},
    ],
)
def test_a_topic_with_remote_storage_must_be_able_to_keep_its_promises(config: dict[str, object]) -> None:
    assert the_fault(check_topic_config(config)).rule == "conflict"


@pytest.mark.parametrize("kept", [{"retention.ms": -1}, {"retention.ms": 10, "local.retention.ms": -2}])
def test_local_retention_fits_a_retention_without_end_and_one_that_it_follows(kept: dict[str, object]) -> None:
    assert check_topic_config({"remote.storage.enable": True, "local.retention.ms": 5, **kept}) == []


def test_local_retention_is_held_to_the_retention_inherited_in_hours() -> None:
    config = {"remote.storage.enable": True, "local.retention.ms": 3_600_001}
    brokers = {"remote.log.storage.system.enable": True, "log.retention.hours": 1}
    fault = the_fault(check_topic_config(config, broker=brokers))
    assert "'retention.ms' is 3600000 in the brokers' configuration" in fault.problem


@pytest.mark.parametrize(
    "config",
    [
        {"log.roll.ms": 0},
        {"log.retention.hours": 0},
        {"log.cleaner.threads": 200},
        {"log.cleaner.threads": 0},
        {"replica.lag.time.max.ms": 100},
        {"replica.fetch.wait.max.ms": 30001, "replica.lag.time.max.ms": 40000},
        {"offsets.topic.compression.codec": 5},
        {"group.coordinator.rebalance.protocols": "consumer"},
        {"group.consumer.session.timeout.ms": 1},
        {"queued.max.request.bytes": 1},
        {"max.connections.per.ip": 0},
        {"connections.max.idle.ms": 100},
        {"remote.log.storage.system.enable": True, "log.retention.hours": 1, "log.local.retention.ms": 3_600_001},
        {"remote.log.storage.system.enable": True, "log.retention.bytes": 10, "log.local.retention.bytes": 11},
    ],
)
def test_brokers_that_kafka_would_not_start_are_refused(config: dict[str, object]) -> None:
    assert the_fault(check_broker_config(config)).rule == "conflict"


def test_local_retention_may_reach_the_retention_that_is_given_in_hours() -> None:
    config = {"remote.log.storage.system.enable": True, "log.retention.hours": 1, "log.local.retention.ms": 3_600_000}
    assert check_broker_config(config) == []


# Kafka's own text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("preallocate", True, "true"),
        ("preallocate", "False", "false"),
        ("retention.ms", 604800000, "604800000"),
        ("retention.ms", "+007", "7"),
        ("cleanup.policy", " compact , delete ", "compact,delete"),
        ("cleanup.policy", ["compact", "delete"], "compact,delete"),
        ("cleanup.policy", "", ""),
        ("min.cleanable.dirty.ratio", "0.50", "0.5"),
        ("min.cleanable.dirty.ratio", 0, "0.0"),
        ("min.cleanable.dirty.ratio", 1, "1.0"),
        ("min.cleanable.dirty.ratio", 0.0001, "1.0E-4"),
        ("compression.type", " zstd ", "zstd"),
    ],
)
def test_a_value_is_canonical_in_the_text_that_kafka_describes(key: str, value: object, text: str) -> None:
    assert canonical(topic_definitions()[key], value) == text


def test_a_large_decimal_has_javas_exponent() -> None:
    definition = broker_definitions()["log.cleaner.io.max.bytes.per.second"]
    assert [canonical(definition, value) for value in (1e7, 123456789, 9999999, -1.5e-10)] == [
        "1.0E7", "1.23456789E8", "9999999.0", "-1.5E-10",
    ]  # fmt: skip


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.floats(),
    st.text(max_size=12),
    st.lists(st.text(max_size=4), max_size=4),
    st.sampled_from(["compact , delete", "0:1, 2:3", "+1", "1e-5", "3.9", "zstd"]),
)


@given(definition=st.sampled_from(DEFINITIONS), value=VALUES)
@example(definition=broker_definitions()["log.cleaner.io.max.bytes.per.second"], value=5e-324)
def test_the_canonical_text_of_a_canonical_text_is_itself(definition: Definition, value: object) -> None:
    if definition.check(value) is None:
        text = canonical(definition, value)
        assert canonical(definition, text) == text
    else:
        with pytest.raises(Mismatch):
            canonical(definition, value)


@given(
    config=st.dictionaries(
        st.sampled_from([each.name for each in DEFINITIONS]) | st.text(max_size=20), VALUES, max_size=4
    )
)
def test_a_check_never_fails_on_what_somebody_declares(config: dict[str, object]) -> None:
    for fault in (*check_topic_config(config), *check_broker_config(config)):
        assert fault.key in config
        assert fault.problem.endswith(".")
        assert fault.remedy.endswith(".")
    for problem in (*topic_config_problems("topic t", config), *broker_config_problems("kafka.config", config)):
        assert problem.path[1] in config
        assert problem.rule.startswith(f"{'topic' if problem.where == 'topic t' else 'broker'}-config-")


def test_a_listeners_key_has_the_definition_of_its_base() -> None:
    assert broker_definition("listener.name.a.plain.sasl.jaas.config") is broker_definitions()["sasl.jaas.config"]
    assert broker_definition("listener.name.a.plain.max.connections") is None


def test_a_reference_of_a_declared_provider_is_what_the_broker_finds_there() -> None:
    config = {
        "config.providers": "env, file",
        "num.io.threads": "${env:THREADS}",
        "replica.socket.timeout.ms": "${file:/etc/kafka/own:timeout}",
        "replica.fetch.wait.max.ms": "40000",
        "replica.lag.time.max.ms": "60000",
    }
    assert check_broker_config(config) == []


def test_a_reference_of_a_provider_that_nobody_declared_is_a_text() -> None:
    (fault,) = check_broker_config({"config.providers": "file", "num.io.threads": "${env:THREADS}"})
    assert (fault.key, fault.rule) == ("num.io.threads", "type")


@pytest.mark.parametrize("key", ["", "a b", "a=b", "a:b", "#a", "a\\b", "a\nb", "größe"])
def test_a_key_that_no_properties_file_can_hold_is_no_plugins_either(key: str) -> None:
    (fault,) = check_broker_config({key: "x"})
    assert (fault.rule, fault.severity) == ("unknown-key", "error")

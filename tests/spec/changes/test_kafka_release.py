"""Each rule about a release of brokers has a change that breaks it, and the nearest one that just does not."""

from typing import Any

import pytest

from hikube_kafka.spec.changes import kafka_release, zookeeper_release
from hikube_kafka.spec.changes.kafka_release import consequences
from hikube_kafka.spec.problem import Problem
from tests.support.releases import release

RESTART = {"rolling-restart"}
Values = dict[str, Any]


def found(prior: Any, planned: Any, **how: Any) -> dict[str, str]:
    """Ids of the rules that are broken, with their severity; that servers restart is left out."""
    problems = list(consequences(prior, planned, **how))
    for problem in problems:
        complete(problem)
    return {each.rule: each.severity for each in problems if each.rule not in RESTART}


def complete(problem: Problem) -> None:
    assert problem.message.endswith(".")
    assert all((problem.why, problem.remedy, problem.where))
    assert "{" not in problem.message + problem.why + problem.remedy


def change(before: Values, after: Values) -> dict[str, str]:
    """Of a release with the values before, and then those after on top of them."""
    prior = release("kafka", before)
    return found(prior, {**prior, "values": release("kafka", {**before, **after})["values"]})


def config(**entries: Any) -> Values:
    return {"config": {key.replace("__", "."): value for key, value in entries.items()}}


def entry(key: str, value: Any) -> Values:
    return {"config": {key: value}}


def protocols(client: str, **more: str) -> Values:
    return {"config": {"listener.security.protocol.map": f"CLIENT:{client},FORWARD:PLAINTEXT", **more}}


ANOTHER = "CLIENT://:9092,OPEN://:9095,FORWARD://127.0.0.1:<forward-port>"
PORTS = [{"name": "client", "port": 9092}, {"name": "outside", "port": 9094}]
DOORS = "CLIENT://:9092,OUTSIDE://:9094,FORWARD://127.0.0.1:<forward-port>"


def outside(protocol: str, external: Values | None = None, **more: str) -> Values:
    return {
        "listeners": PORTS,
        "external": {
            "type": "LoadBalancer",
            "listener": "outside",
            "host": "kafka-<ordinal>.example.com",
            **(external or {}),
        },
        "config": {
            "listeners": DOORS,
            "advertised.listeners": DOORS,
            "listener.security.protocol.map": f"CLIENT:PLAINTEXT,OUTSIDE:{protocol},FORWARD:PLAINTEXT",
            **more,
        },
    }


CLIENTS = {"networkPolicy": {"clients": [{"namespace": "shop", "labels": {"app": "cart"}}]}}
TOKEN = "AclAuthorizer"
CASES: list[tuple[str, str, Values, Values, Values]] = [
    # rule, severity, before, what breaks it, what just does not
    ("brokers-taken", "error", {"replicas": 4}, {"replicas": 3}, {"replicas": 5}),
    (
        "claim-retention-delete",
        "error",
        {},
        {"claimRetention": {"whenScaled": "Delete"}},
        {"claimRetention": {"whenScaled": "Retain"}},
    ),
    ("claim-shrinks", "error", {}, {"storage": {"data": {"size": "9Gi"}}}, {"storage": {"data": {"size": "10240Mi"}}}),
    (
        "claim-storage-class-changes",
        "error",
        {},
        {"storage": {"data": {"storageClass": "fast"}}},
        {"storage": {"data": {"size": "11Gi"}}},
    ),
    (
        "server-version-lowered",
        "error",
        {},
        {"image": {"tag": "3.8.1", "digest": "sha256:1"}},
        {"image": {"tag": "3.9.3", "digest": "sha256:1"}},
    ),
    (
        "server-version-lowered",
        "error",
        {},
        {"image": {"tag": "3.9.1", "digest": "sha256:1"}},
        {"image": {"tag": "3.9", "digest": "sha256:1"}},
    ),
    (
        "image-version-unknown",
        "error",
        {},
        {"image": {"tag": "latest", "digest": "sha256:1"}},
        {"image": {"tag": "3.9.2-jdk21", "digest": "sha256:1"}},
    ),
    (
        "image-source-changed",
        "warning",
        {},
        {"image": {"registry": "mirror.example.com", "digest": "sha256:1"}},
        {"image": {"digest": "sha256:1"}},
    ),
    ("image-by-tag", "warning", {}, {"image": {"tag": "3.9.3"}}, {"image": {"tag": "3.9.3", "digest": "sha256:1"}}),
    (
        "kafka-version-needs-kraft",
        "error",
        {},
        {"image": {"tag": "4.0.0", "digest": "sha256:1"}},
        {"image": {"tag": "3.9.9", "digest": "sha256:1"}},
    ),
    (
        "kafka-version-jump",
        "error",
        {"image": {"tag": "3.8.1", "digest": "sha256:1"}},
        {"image": {"tag": "3.9.2", "digest": "sha256:1"}},
        {"image": {"tag": "3.9.2", "digest": "sha256:1"}, **entry("inter.broker.protocol.version", "3.8")},
    ),
    (
        "protocol-version-lowered",
        "error",
        {},
        entry("inter.broker.protocol.version", "3.8"),
        entry("inter.broker.protocol.version", "3.9-IV0"),
    ),
    (
        "protocol-version-raised",
        "warning",
        entry("inter.broker.protocol.version", "3.8"),
        entry("inter.broker.protocol.version", "3.9"),
        entry("inter.broker.protocol.version", "3.8-IV0"),
    ),
    ("heap-exceeds-memory", "error", {}, {"heap": "2g"}, {"heap": "1g"}),
    ("heap-too-small", "error", {}, {"heap": "100m"}, {"heap": "256m"}),
    ("heap-above-half", "warning", {}, {"heap": "1025m"}, {"heap": "1g"}),
    ("heap-in-jvm-options", "error", {}, {"jvmOptions": ["-Da=b -Xmx4g"]}, {"jvmOptions": ["-Xlog:gc"]}),
    ("resources-lowered", "warning", {}, {"resources": {"cpu": "1500m"}}, {"resources": {"cpu": "2000m"}}),
    (
        "anti-affinity-loosened",
        "warning",
        {},
        {"pods": {"antiAffinity": "preferred"}},
        {"pods": {"antiAffinity": "required"}},
    ),
    ("network-policy-off", "error", {}, {"networkPolicy": {"enabled": False}}, {"networkPolicy": {"enabled": True}}),
    (
        "network-policy-off",
        "warning",
        protocols("SASL_SSL"),
        {"networkPolicy": {"enabled": False}},
        {"networkPolicy": {"enabled": True}},
    ),
    (
        "network-policy-opened",
        "error",
        CLIENTS,
        {"networkPolicy": {"clients": [{"namespace": "*", "labels": {}}]}},
        {"networkPolicy": CLIENTS["networkPolicy"] | {"enabled": True}},
    ),
    (
        "network-policy-opened",
        "warning",
        CLIENTS,
        {"networkPolicy": {"clients": [{"namespace": "shop"}]}},
        {"networkPolicy": {"clients": [{"namespace": "shop", "labels": {"app": "cart"}}]}},
    ),
    (
        "network-policy-narrowed",
        "warning",
        CLIENTS,
        {"networkPolicy": {"clients": []}},
        {"networkPolicy": {"clients": [{"namespace": "shop", "labels": {"app": "cart"}}]}},
    ),
    ("kubernetes-shutdown-gate", "error", {}, {"terminationGraceSeconds": 180}, {"terminationGraceSeconds": 181}),
    ("shutdown-gate-off", "warning", {}, {"shutdownGateSeconds": 0}, {"shutdownGateSeconds": 1}),
    ("startup-seconds-lowered", "warning", {}, {"startupSeconds": 3600}, {"startupSeconds": 86401}),
    ("kubernetes-startup", "error", {}, {"startupSeconds": 59}, {"startupSeconds": 90000}),
    (
        "replication-factor-above-brokers",
        "error",
        {},
        entry("offsets.topic.replication.factor", "4"),
        entry("offsets.topic.replication.factor", "03"),
    ),
    ("replication-factor-above-brokers", "error", {"replicas": 3}, {"replicas": 2}, {"replicas": 4}),
    (
        "replication-factor-low",
        "warning",
        {},
        {**entry("default.replication.factor", "2"), "replicas": 3},
        entry("default.replication.factor", " 3 "),
    ),
    ("min-insync-too-high", "error", {}, entry("min.insync.replicas", "3"), entry("min.insync.replicas", "02")),
    ("min-insync-lowered", "warning", {}, entry("min.insync.replicas", "1"), entry("min.insync.replicas", "2")),
    (
        "unclean-leader-election",
        "error",
        {},
        entry("unclean.leader.election.enable", "TRUE"),
        entry("unclean.leader.election.enable", None),
    ),
    (
        "topics-created-by-clients",
        "warning",
        {},
        entry("auto.create.topics.enable", None),
        entry("auto.create.topics.enable", "False"),
    ),
    ("broker-retention-cut", "error", {}, entry("log.retention.hours", "167"), entry("log.retention.hours", "168")),
    (
        "broker-retention-cut",
        "error",
        {},
        entry("log.retention.ms", "604799999"),
        entry("log.retention.ms", "604800000"),
    ),
    (
        "broker-retention-cut",
        "error",
        config(log__retention__hours="1", log__retention__minutes="90"),
        config(log__retention__hours="1", log__retention__minutes="90", log__retention__ms="60000"),
        config(log__retention__hours="2", log__retention__minutes="90"),
    ),
    (
        "broker-retention-cut",
        "error",
        entry("log.retention.ms", "-1"),
        entry("log.retention.ms", "9999999999999"),
        entry("log.retention.ms", "-1 "),
    ),
    (
        "broker-retention-cut",
        "error",
        {},
        entry("log.retention.bytes", "1073741824"),
        entry("log.retention.bytes", "-1"),
    ),
    (
        "broker-starts-deleting",
        "error",
        entry("log.cleanup.policy", "compact"),
        entry("log.cleanup.policy", "compact,delete"),
        entry("log.cleanup.policy", " compact"),
    ),
    (
        "broker-starts-compacting",
        "warning",
        {},
        entry("log.cleanup.policy", "delete,compact"),
        entry("log.cleanup.policy", "delete"),
    ),
    (
        "offsets-retention-cut",
        "warning",
        {},
        entry("offsets.retention.minutes", "1440"),
        entry("offsets.retention.minutes", "10080"),
    ),
    (
        "broker-message-size",
        "warning",
        {},
        entry("message.max.bytes", "2097152"),
        entry("message.max.bytes", "1048588"),
    ),
    ("broker-identity-changed", "error", {}, entry("broker.id", "7"), entry("broker.id", "<ordinal> ")),
    (
        "broker-logs-moved",
        "error",
        {},
        entry("log.dirs", "/var/lib/kafka/data/other"),
        entry("log.dirs", "/var/lib/kafka/data/log/"),
    ),
    (
        "broker-cluster-changed",
        "error",
        {},
        entry("zookeeper.connect", "zookeeper-0.zookeeper-headless:2181/events"),
        entry("zookeeper.connect", "zookeeper-0.zookeeper-headless.events.svc:2181/"),
    ),
    (
        "broker-cluster-changed",
        "error",
        {},
        entry("zookeeper.connect", "zk-0.zk:2181"),
        entry("zookeeper.connect", "zookeeper-1.zookeeper-headless"),
    ),
    (
        "broker-racks-changed",
        "warning",
        {},
        {"rack": {"names": ["a", "b"]}, **entry("broker.rack", "<rack>")},
        {"rack": {"names": []}},
    ),
    ("external-listener-open", "error", {}, outside("SSL"), outside("SASL_SSL")),
    (
        "external-listener-open",
        "error",
        {},
        outside("SASL_PLAINTEXT"),
        outside("SSL", None, **{"listener.name.outside.ssl.client.auth": "required"}),
    ),
    (
        "external-sources-opened",
        "error",
        outside("SASL_SSL", {"sources": ["10.0.0.0/8"]}),
        {"external": {**outside("SASL_SSL")["external"], "sources": []}},
        {"external": {**outside("SASL_SSL")["external"], "sources": ["10.1.0.0/16"]}},
    ),
    (
        "external-sources-opened",
        "warning",
        outside("SASL_SSL", {"sources": ["10.0.0.0/8"]}),
        {"external": {**outside("SASL_SSL")["external"], "sources": ["10.0.0.0/8", "192.0.2.0/24"]}},
        {"external": {**outside("SASL_SSL")["external"], "sources": ["10.0.0.0/9", "10.128.0.0/9"]}},
    ),
    (
        "external-access-changed",
        "error",
        outside("SASL_SSL"),
        {"external": {**outside("SASL_SSL")["external"], "type": "NodePort"}},
        {"external": {**outside("SASL_SSL")["external"], "nodePort": 31000}},
    ),
    (
        "listener-gone",
        "error",
        {},
        {"listeners": [{"name": "client", "port": 9093}], **entry("listeners", DOORS.replace("9092", "9093"))},
        {"listeners": [{"name": "inner", "port": 9092}]},
    ),
    ("listener-plaintext", "warning", protocols("SSL"), protocols("SASL_PLAINTEXT"), protocols("SASL_SSL")),
    (
        "listener-security-lowered",
        "error",
        protocols("SASL_SSL"),
        protocols("SSL"),
        protocols("SSL", **{"ssl.client.auth": "required"}),
    ),
    (
        "listener-without-authentication",
        "error",
        protocols("SASL_SSL"),
        protocols("SASL_SSL,OPEN:SSL", listeners=ANOTHER),
        protocols("SASL_SSL,OPEN:SSL", listeners=ANOTHER, **{"ssl.client.auth": "required"}),
    ),
    ("listener-protocol-changed", "error", protocols("SSL"), protocols("SASL_SSL"), protocols("ssl")),
    (
        "client-authentication-lowered",
        "error",
        protocols("SSL", **{"ssl.client.auth": "required"}),
        protocols("SSL", **{"ssl.client.auth": "requested"}),
        protocols("SSL", **{"listener.name.client.ssl.client.auth": "required"}),
    ),
    (
        "sasl-mechanism-gone",
        "error",
        protocols("SASL_SSL", **{"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512"}),
        protocols("SASL_SSL", **{"sasl.enabled.mechanisms": "PLAIN"}),
        protocols("SASL_SSL", **{"sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN"}),
    ),
    (
        "authorization-off",
        "error",
        entry("authorizer.class.name", TOKEN),
        entry("authorizer.class.name", None),
        entry("authorizer.class.name", f"{TOKEN} "),
    ),
    (
        "authorizer-changed",
        "warning",
        entry("authorizer.class.name", TOKEN),
        entry("authorizer.class.name", "Other"),
        entry("authorizer.class.name", f" {TOKEN}"),
    ),
    (
        "everyone-without-acl",
        "error",
        {},
        entry("allow.everyone.if.no.acl.found", "true"),
        entry("allow.everyone.if.no.acl.found", "False"),
    ),
    (
        "super-users-widened",
        "error",
        entry("super.users", "User:kafka"),
        entry("super.users", "User:kafka;User:ANONYMOUS"),
        entry("super.users", " User:kafka;"),
    ),
    (
        "super-users-widened",
        "warning",
        entry("super.users", "User:a;User:b"),
        entry("super.users", "User:a;User:c"),
        entry("super.users", "User:b"),
    ),
    (
        "zookeeper-acl-off",
        "error",
        entry("zookeeper.set.acl", "true"),
        entry("zookeeper.set.acl", None),
        entry("zookeeper.set.acl", "TRUE"),
    ),
    (
        "zookeeper-connection-unencrypted",
        "error",
        entry("zookeeper.ssl.client.enable", "true"),
        entry("zookeeper.ssl.client.enable", "false"),
        entry("zookeeper.ssl.client.enable", "True"),
    ),
    (
        "inter-broker-listener-changed",
        "error",
        {},
        {**outside("PLAINTEXT", {"type": "None"}, **{"inter.broker.listener.name": "OUTSIDE"})},
        outside("PLAINTEXT", {"type": "None"}),
    ),
    (
        "advertised-address-changed",
        "warning",
        {},
        entry("advertised.listeners", "CLIENT://kafka.example.com:9092,FORWARD://127.0.0.1:<forward-port>"),
        entry("advertised.listeners", "CLIENT://<host>:9092, FORWARD://127.0.0.1:<forward-port>"),
    ),
    ("release-value-unreadable", "error", {}, {"replicas": "many"}, {"replicas": "3"}),
    ("release-value-unreadable", "error", {}, entry("min.insync.replicas", "two"), entry("min.insync.replicas", 2)),
    ("broker-single", "warning", {}, {"replicas": 1}, {"replicas": 3}),
    (
        "external-listener-open",
        "error",
        {},
        outside("SSL", None, **{"listener.name.outside.ssl.client.auth": "requested"}),
        outside("SSL", None, **{"ssl.client.auth": "required"}),
    ),
    (
        "advertised-address-changed",
        "warning",
        {},
        entry("advertised.listeners", "CLIENT://<node>:9092,FORWARD://127.0.0.1:<forward-port>"),
        entry("advertised.listeners", "CLIENT://<host>:9092,FORWARD://127.0.0.1:29092"),
    ),
    (
        "claim-shrinks",
        "error",
        {},
        {"storage": {"data": {"size": "1Gi"}}},
        {"storage": {"data": {"size": "11Gi"}}},
    ),
    (
        "claim-storage-class-changes",
        "error",
        {},
        {"storage": {"data": {"storageClass": ""}}},
        {"storage": {"data": {"size": "10Gi"}}},
    ),
    (
        "network-policy-opened",
        "warning",
        CLIENTS,
        {"networkPolicy": {"clients": [{"namespace": "shop", "labels": {"app": "till"}}]}},
        {"networkPolicy": {"clients": [{"namespace": "shop", "labels": {"app": "cart", "tier": "web"}}]}},
    ),
    (
        "release-value-unreadable",
        "error",
        {"replicas": "many"},
        {"replicas": 3},
        {"heap": "768m"},
    ),
    ("brokers-taken", "error", {"replicas": 4}, {"replicas": 1}, {"replicas": 4, "heap": "768m"}),
    (
        "heap-above-half",
        "warning",
        {},
        {"heap": "1000m", "resources": {"memory": "1999Mi"}},
        {"heap": "1000m", "resources": {"memory": "2000Mi"}},
    ),
    ("broker-config-unknown-key", "error", {}, entry("log.retentoin.ms", "1"), entry("log.retention.ms", "-1")),
    ("broker-config-type", "error", {}, entry("num.io.threads", "many"), entry("num.io.threads", "8")),
]


@pytest.mark.parametrize(
    ("rule", "severity", "before", "breaks", "holds"),
    CASES,
    ids=[f"{case[0]}-{index}" for index, case in enumerate(CASES)],
)
def test_a_change_breaks_the_rule_and_its_neighbour_does_not(
    rule: str, severity: str, before: Values, breaks: Values, holds: Values
) -> None:
    assert change(before, over(before, breaks)).get(rule) == severity
    assert rule not in change(before, over(before, holds))


def over(before: Values, after: Values) -> Values:
    """The entries before stay where those after do not name them."""
    entries = {**before.get("config", {}), **after.get("config", {})}
    return {**before, **after, **({"config": entries} if entries else {})}


def test_a_class_that_is_left_out_is_the_empty_one_of_earlier_charts() -> None:
    prior = release("kafka", {"storage": {"data": {"storageClass": ""}}})
    assert found(prior, release("kafka")) == {}


def test_a_single_broker_meets_none_of_another_version() -> None:
    alone = {"replicas": 1, "image": {"tag": "3.8.1", "digest": "sha256:1"}}
    assert "kafka-version-jump" not in change(alone, {"image": {"tag": "3.9.2", "digest": "sha256:1"}})


def test_nothing_changes_and_nothing_is_told() -> None:
    for values in ({}, {"replicas": "many"}, outside("PLAINTEXT"), entry("min.insync.replicas", "3")):
        assert list(consequences(release("kafka", values), release("kafka", values))) == []


def test_a_new_release_is_told_what_is_wrong_in_itself() -> None:
    assert found(None, release("kafka")) == {"image-by-tag": "warning", "listener-plaintext": "warning"}
    wrong = {
        **outside("PLAINTEXT", None, **{"min.insync.replicas": "3", "super.users": "User:ANONYMOUS"}),
        "claimRetention": {"whenDeleted": "Delete"},
        "heap": "1500m",
        "image": {"tag": "4.1.0"},
    }
    assert found(None, release("kafka", wrong)) == {
        "claim-retention-delete": "error",
        "external-listener-open": "error",
        "heap-above-half": "warning",
        "image-by-tag": "warning",
        "kafka-version-needs-kraft": "error",
        "listener-plaintext": "warning",
        "min-insync-too-high": "error",
        "super-users-widened": "error",
    }


@pytest.mark.parametrize("chart", ["kafka", "zookeeper"])
@pytest.mark.parametrize("option", ["recreate_pods", "force_update"])
def test_an_upgrade_that_takes_all_pods_at_once_blocks_whatever_else_changes(option: str, chart: str) -> None:
    rules = kafka_release if chart == "kafka" else zookeeper_release
    unsafe = release(chart) | {option: True}
    told = [(each.rule, each.severity) for each in rules.consequences(unsafe, unsafe)]
    assert told == [("release-helm-option-unsafe", "error")]
    assert list(rules.consequences(unsafe, release(chart))) == []
    created = [each.severity for each in rules.consequences(None, unsafe) if each.rule == "release-helm-option-unsafe"]
    assert created == ["warning"]


def test_what_a_failed_release_has_left_is_in_no_plan() -> None:
    taken = release("kafka") | {"replace": True}
    assert found(None, taken)["release-helm-option-unsafe"] == "error"
    assert "release-helm-option-unsafe" not in found(taken, taken)


def test_a_release_that_goes_or_comes_back_empty_blocks() -> None:
    prior = release("kafka")
    assert found(prior, None) == {"release-destroyed": "error"}
    assert found(prior, prior, replaced=True) == {"release-destroyed": "error"}
    assert found(prior, release("kafka", namespace="other")) == {"release-destroyed": "error"}
    assert found(prior, release("zookeeper", name=prior["name"])) == {"release-destroyed": "error"}
    (kept,) = consequences(prior, None)
    (lost,) = consequences(release("kafka", {"claimRetention": {"whenDeleted": "Delete"}}), None)
    assert kept.message == "it is uninstalled: 3 brokers stop."
    assert "stay: claimRetention.whenDeleted = Retain" in kept.why
    assert "their claims are deleted with it" in lost.message
    assert "every message: it is lost" in lost.why


WRONG: list[Any] = [None, [], {}, "", "x", -1, 0, 1.5, True, ["a"], {"a": 1}, [{"name": 1}], float("inf"), float("nan")]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_no_value_of_any_type_ends_in_an_exception(wrong: Any) -> None:
    prior = release("kafka", outside("SASL_SSL", {"sources": ["10.0.0.0/8"]}))
    for path in paths(prior["values"]):
        for former, later in (
            (prior, spoilt(prior, path, wrong)),
            (spoilt(prior, path, wrong), prior),
            (None, spoilt(prior, path, wrong)),
        ):
            found(former, later)


def paths(values: Values) -> list[tuple[str, ...]]:
    return [
        (),
        *((key, *rest) for key, each in values.items() for rest in (paths(each) if isinstance(each, dict) else [()])),
    ]


def spoilt(given: Values, path: tuple[str, ...], wrong: Any) -> Values:
    return {**given, "values": _with(given["values"], path, wrong)}


def _with(values: Any, path: tuple[str, ...], wrong: Any) -> Any:
    return {**values, path[0]: _with(values[path[0]], path[1:], wrong)} if path else wrong

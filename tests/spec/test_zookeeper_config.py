"""What a user declares for zoo.cfg is checked as server.properties is; ZooKeeper itself judges the same entries."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from hikube_kafka.ensemble.jars import cache_folder, named_folder
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.rules import ZOOKEEPER, check
from hikube_kafka.spec.topic import ConfigValue
from hikube_kafka.spec.zookeeper import ZooKeeper

Entries = Mapping[str, ConfigValue]
PROMETHEUS = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"


def problems(entries: Entries) -> list[Problem]:
    declared = Platform(name="shop", zookeeper=ZooKeeper(config=entries))
    return [problem for problem in check(declared, ZOOKEEPER) if problem.severity != "notice"]


REFUSED: list[tuple[Entries, str, str]] = [
    ({"tickTime": "abc"}, "type", "'tickTime' is 'abc', and must be a whole number"),
    ({"tickTime": 0}, "range", "between 1 and"),
    ({"tickTime": "\uff10"}, "type", "whole number"),
    ({"tickTime": 2000.0}, "type", "'2000.0'"),
    ({"tickTime": 107_374_183}, "range", "between 1 and 107374182"),
    ({"initLimit": 0}, "range", "at least 1"),
    ({"syncLimit": -1}, "range", "at least 1"),
    ({"maxClientCnxns": True}, "type", "'true'"),
    ({"maxClientCnxns": 2**31}, "range", "32 bits"),
    ({"autopurge.snapRetainCount": 2}, "range", "at least 3"),
    ({"snapCount": 1}, "range", "at least 2"),
    ({"preAllocSize": "64M"}, "type", "'64M'"),
    ({"electionAlg": 1}, "range", "between 3 and 3"),
    ({"localSessionsEnabled": "yes"}, "type", "true or false"),
    ({"snapshotSizeFactor": "half"}, "type", "decimal number"),
    ({"secureClientPort": 70000}, "range", "between 1 and 65535"),
    ({"peerType": "observer"}, "allowed", "PARTICIPANT"),
    ({"leaderServes": "no"}, "allowed", "one of yes"),
    ({"skipACL": True}, "allowed", "one of yes, no"),
    ({"ticktime": 2000}, "unknown-key", "'ticktime' is not a setting"),
    ({"tick_time": 2000}, "unknown-key", "'tick_time' is not a setting"),
    ({"zookeeper.snapCount": 9}, "unknown-key", "'zookeeper.snapCount' is not a setting"),
    ({"requestThrottleLimit": 9}, "unknown-key", "'requestThrottleLimit' is not a setting"),
    ({"jute.maxbuffer": 9}, "unknown-key", "is read from the JVM's options"),
    ({"my plugin": "x"}, "unknown-key", "'my plugin' is not a setting"),
    ({"my=plugin": "x"}, "unknown-key", "'my=plugin' is not a setting"),
    (
        {"minSessionTimeout": 50000},
        "conflict",
        "is 50000 ms, and the longest (maxSessionTimeout, or twenty ticks) 40000",
    ),
    ({"maxSessionTimeout": 900}, "conflict", "is 1000 ms, and the longest"),
    ({"quorum.auth.learnerRequireSasl": True}, "conflict", "'quorum.auth.enableSasl' is not"),
    ({"quorum.auth.enableSasl": True, "quorum.auth.serverRequireSasl": True}, "conflict", "learnerRequireSasl' is not"),
    ({"secureClientPortAddress": "127.0.0.1"}, "conflict", "'secureClientPort' is not"),
    ({"secureClientPort": 7000, "metricsProvider.className": PROMETHEUS}, "conflict", "are both 7000"),
    ({"secureClientPort": 8080, "admin.enableServer": True}, "conflict", "are both 8080"),
    ({"ssl.keyStore.password": "hunter2"}, "secret", "ssl.keyStore.password is a secret"),
    ({"server.1": "x"}, "owned", "server.1 belongs to the platform"),
    ({"group.1": "1:2:3"}, "owned", "group.1 belongs to the platform"),
    ({"DigestAuthenticationProvider.enabled": False}, "owned", "belongs to the platform"),
]


@pytest.mark.parametrize(("entries", "rule", "part"), REFUSED)
def test_an_entry_that_zookeeper_ignores_or_refuses_is_refused_once(entries: Entries, rule: str, part: str) -> None:
    (problem,) = problems(entries)
    assert (problem.rule, problem.severity, problem.where) == (f"zookeeper-config-{rule}", "error", "zookeeper.config")
    assert part in problem.message
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("entries", "remedy"),
    [
        ({"ticktime": 2000}, "Write 'tickTime'."),
        ({"zookeeper.snapCount": 9}, "Write 'snapCount': ZooKeeper makes the property zookeeper.snapCount of it."),
        ({"requestThrottleLimit": 9}, "Write 'request_throttle_max_requests': "),
        ({"jute.maxbuffer": 9}, 'Declare KubernetesTarget(zookeeper_jvm_options=("-Djute.maxbuffer=...",)) instead.'),
    ],
)
def test_the_key_that_was_meant_is_named(entries: Entries, remedy: str) -> None:
    (problem,) = problems(entries)
    assert problem.remedy.startswith(remedy)


def test_every_mistake_is_told_at_once() -> None:
    entries: Entries = {"tickTime": "abc", "ticktime": 2000, "syncLimit": -1, "foo": "bar"}
    found = [(problem.rule.removeprefix("zookeeper-config-"), problem.severity) for problem in problems(entries)]
    assert found == [("type", "error"), ("unknown-key", "error"), ("range", "error"), ("unknown-key", "warning")]


TAKEN: list[Entries] = [
    {"tickTime": "+3000"},
    {"initLimit": " 90 "},
    {"maxClientCnxns": 0},
    {"maxClientCnxns": -1},
    {"maxSessionTimeout": 60000, "minSessionTimeout": 2000},
    {"autopurge.purgeInterval": 0},
    {"autopurge.snapRetainCount": 3},
    {"snapCount": 100_000},
    {"preAllocSize": "65536"},
    {"electionAlg": 3},
    {"peerType": "participant"},
    {"localSessionsEnabled": "TRUE"},
    {"admin.enableServer": True},
    {"globalOutstandingLimit": 1000},
    {"snapshotSizeFactor": 0.33},
    {"secureClientPort": 2281, "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory"},
    {"ssl.keyStore.location": "/certificates/keystore.jks", "ssl.keyStore.passwordPath": "/certificates/password"},
    {"authProvider.1": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"},
    {"quorum.auth.enableSasl": True, "quorum.auth.learnerRequireSasl": True, "quorum.auth.serverRequireSasl": True},
    {"request_throttle_max_requests": 9},
]


@pytest.mark.parametrize("entries", TAKEN)
def test_an_entry_that_zookeeper_takes_is_taken(entries: Entries) -> None:
    assert problems(entries) == []


@pytest.mark.ensemble
def test_zookeeper_itself_is_of_the_same_mind(tmp_path: Path) -> None:
    def line(entries: Entries) -> str:
        return " ".join(f"{key}={str(value).strip()}" for key, value in entries.items()) + "\n"

    # What it ignores or misuses it accepts.
    judged = [entries for entries, rule, _ in REFUSED if rule in {"type", "conflict"} and "preAllocSize" not in entries]
    judged = [entries for entries in judged if not entries.keys() & {"snapshotSizeFactor", "metricsProvider.className"}]
    judged = [entries for entries in judged if "admin.enableServer" not in entries and line(entries).isascii()]
    folder = named_folder(None) or cache_folder()
    asked = [*judged, *TAKEN]
    answer = subprocess.run(
        ["java", "-cp", f"{folder}/*", str(Path(__file__).with_name("ZooKeeperVerdicts.java")), str(tmp_path)],
        input="".join(map(line, asked)),
        capture_output=True,
        text=True,
        check=True,
    )
    verdicts = [each for each in answer.stdout.splitlines() if each in {"accepted", "refused"}]
    assert dict(zip(map(line, asked), verdicts, strict=True)) == {
        **dict.fromkeys(map(line, judged), "refused"),
        **dict.fromkeys(map(line, TAKEN), "accepted"),
    }


def test_a_key_that_no_file_can_have_is_not_kept_for_a_plugin() -> None:
    config = {"a b": "c"}
    declared = Platform(name="shop", zookeeper=ZooKeeper(config=config), kafka=Kafka(config=config))
    found = [problem for problem in check(declared) if problem.rule.endswith("unknown-key")]
    assert [problem.severity for problem in found] == ["error", "error"]
    assert all(problem.remedy.startswith("Leave it out: a key has no white space") for problem in found)

"""Each rule about a release of ZooKeeper has a change that breaks it, and the nearest one that just does not."""

from typing import Any

import pytest

from hikube_kafka.spec.changes.zookeeper_release import consequences
from tests.spec.changes.test_kafka_release import RESTART, WRONG, Values, complete, entry, over, paths, spoilt
from tests.support.releases import release

LOG = {"storage": {"log": {"size": "1Gi"}}, "config": {"dataLogDir": "/datalog"}}
CASES: list[tuple[str, str, Values, Values, Values]] = [
    # rule, severity, before, what breaks it, what just does not
    ("zookeeper-even", "error", {}, {"replicas": 4}, {"replicas": 5}),
    ("zookeeper-single", "warning", {"replicas": 0}, {"replicas": 1}, {"replicas": 3}),
    ("zookeeper-servers-taken", "warning", {"replicas": 5}, {"replicas": 3}, {"replicas": 7}),
    ("zookeeper-too-few", "error", {}, {"replicas": 1}, {"replicas": 5}),
    ("zookeeper-below-majority", "error", {"replicas": 7}, {"replicas": 3}, {"replicas": 5}),
    ("zookeeper-below-majority", "error", {"replicas": 5}, {"replicas": 1}, {"replicas": 3}),
    (
        "zookeeper-version-jump",
        "error",
        {"image": {"tag": "3.4.14"}},
        {"image": {"tag": "3.6.4"}},
        {"image": {"tag": "3.4.15"}},
    ),
    ("claim-retention-delete", "error", {}, {"claimRetention": {"whenDeleted": "Delete"}}, {"heap": "383m"}),
    ("claim-shrinks", "error", {}, {"storage": {"data": {"size": "4Gi"}}}, {"storage": {"data": {"size": "5120Mi"}}}),
    ("claim-template-added", "error", {}, LOG, entry("dataLogDir", "/data/log")),
    ("claim-template-removed", "error", LOG, {"storage": {"log": None}}, {"storage": {"log": {"size": "2Gi"}}}),
    ("server-version-lowered", "error", {}, {"image": {"tag": "3.8.4"}}, {"image": {"tag": "3.9.6"}}),
    ("image-version-unknown", "error", {}, {"image": {"tag": "stable"}}, {"image": {"tag": "3.9.5-jre-17"}}),
    (
        "zookeeper-version-jump",
        "error",
        {"image": {"tag": "3.4.14"}},
        {"image": {"tag": "3.9.5"}},
        {"image": {"tag": "3.5.10"}},
    ),
    ("image-by-tag", "warning", {}, {"image": {"tag": "3.9.6"}}, {"image": {"tag": "3.9.6", "digest": "sha256:1"}}),
    ("zookeeper-data-moved", "error", {}, entry("dataDir", "/other"), entry("dataDir", "/data/")),
    ("zookeeper-data-moved", "error", LOG, entry("dataLogDir", "/log"), entry("dataLogDir", "/datalog/")),
    (
        "zookeeper-commands-open",
        "warning",
        {},
        entry("4lw.commands.whitelist", "*"),
        entry("4lw.commands.whitelist", "ruok, srvr,conf,mntr"),
    ),
    ("zookeeper-commands-open", "warning", {}, entry("4lw.commands.whitelist", "conf,srvr,dump"), {"heap": "383m"}),
    ("zookeeper-config-unsafe", "error", {}, entry("skipACL", "yes"), entry("skipACL", "no")),
    ("zookeeper-config-unsafe", "warning", {}, entry("forceSync", "no"), entry("forceSync", "yes")),
    (
        "zookeeper-authentication-off",
        "error",
        entry("quorum.auth.enableSasl", "true"),
        entry("quorum.auth.enableSasl", None),
        entry("quorum.auth.enableSasl", "TRUE"),
    ),
    ("zookeeper-authentication-off", "error", {}, entry("ssl.clientAuth", "want"), entry("ssl.clientAuth", "need")),
    (
        "zookeeper-authentication-off",
        "error",
        entry("authProvider.sasl", "a.B"),
        entry("authProvider.sasl", None),
        entry("authProvider.sasl", "a.C"),
    ),
    (
        "zookeeper-authentication-off",
        "error",
        entry("secureClientPort", "2182"),
        entry("secureClientPort", None),
        entry("secureClientPort", "2183"),
    ),
    (
        "zookeeper-membership-secret-changed",
        "warning",
        {},
        {"membershipSecret": "own"},
        {"membershipSecret": "events-zookeeper-membership"},
    ),
    (
        "network-policy-off",
        "error",
        {},
        {"networkPolicy": {"enabled": False}},
        {"networkPolicy": {"enabled": True}},
    ),
    ("heap-exceeds-memory", "error", {}, {"heap": "417m"}, {"heap": "416m"}),
    ("resources-lowered", "warning", {}, {"resources": {"memory": "511Mi"}}, {"resources": {"memory": "513Mi"}}),
    ("anti-affinity-loosened", "warning", {}, {"pods": {"antiAffinity": "preferred"}}, {"heap": "383m"}),
    ("release-value-unreadable", "error", {}, {"replicas": [3]}, {"replicas": 3.0}),
]


def found(prior: Any, planned: Any, **how: Any) -> dict[str, str]:
    problems = list(consequences(prior, planned, **how))
    for problem in problems:
        complete(problem)
    return {each.rule: each.severity for each in problems if each.rule not in RESTART}


def change(before: Values, after: Values) -> dict[str, str]:
    prior = release("zookeeper", before)
    return found(prior, {**prior, "values": release("zookeeper", {**before, **after})["values"]})


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


def test_any_server_of_3_5_or_later_may_go_on_in_one_step() -> None:
    assert "zookeeper-version-jump" not in change({"image": {"tag": "3.8.4"}}, {"image": {"tag": "3.9.5"}})


def test_nothing_changes_and_nothing_is_told() -> None:
    for values in ({}, {"replicas": 4}, {"image": {"tag": "latest"}}, entry("skipACL", "yes")):
        assert list(consequences(release("zookeeper", values), release("zookeeper", values))) == []


def test_a_new_release_is_told_what_is_wrong_in_itself() -> None:
    assert found(None, release("zookeeper")) == {"image-by-tag": "warning"}
    assert found(None, release("zookeeper", {"replicas": 2, "image": {"digest": "sha256:1"}})) == {
        "zookeeper-even": "error"
    }


def test_a_release_that_goes_or_comes_back_empty_blocks() -> None:
    prior = release("zookeeper")
    for planned in (None, release("zookeeper", name="other"), release("kafka", name=prior["name"])):
        assert found(prior, planned) == {"release-destroyed": "error"}
    assert found(prior, prior, replaced=True) == {"release-destroyed": "error"}


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_no_value_of_any_type_ends_in_an_exception(wrong: Any) -> None:
    prior = release("zookeeper", LOG)
    for path in paths(prior["values"]):
        bad = spoilt(prior, path, wrong)
        for former, later in ((prior, bad), (bad, prior), (None, bad)):
            found(former, later)

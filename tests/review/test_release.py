"""What a ``helm_release`` of a plan declares: which of our charts, and its values."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from hikube_kafka.review.differences import differences
from hikube_kafka.review.hidden import Hidden, revealed
from hikube_kafka.review.plan import Change, read_plan
from hikube_kafka.review.release import Release, is_release, releases
from hikube_kafka.review.seen import of_chart

OURS = "./assets/chart-kafka/310d1181dff93f43"
NOTES = "Uninstalling keeps the claims, and with them the data."
CLUSTER_OF_KAFKA = "replicas: 3\nclaimRetention: {whenDeleted: Retain}\n"


def change(
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    unknown: Mapping[str, Any] | None = None,
    sensitive: Mapping[str, Any] | None = None,
    provider: str = "example.com/hashicorp/helm",
) -> Change:
    """A change of a release as a plan has it."""
    actions = ["create"] if before is None else ["delete"] if after is None else ["update"]
    complete = {"name": "events-kafka", "namespace": "events", "chart": OURS, "version": "0.1.1"}
    plan = {
        "format_version": "1.2",
        "resource_changes": [
            {
                "address": "helm_release.events",
                "mode": "managed",
                "type": "helm_release",
                "name": "events",
                "provider_name": provider,
                "change": {
                    "actions": actions,
                    "before": None if before is None else complete | dict(before),
                    "after": None if after is None else complete | dict(after),
                    "after_unknown": unknown or {},
                    "before_sensitive": sensitive or {},
                    "after_sensitive": sensitive or {},
                },
            }
        ],
    }
    return read_plan(json.dumps(plan).encode()).changes[0]


def planned(after: Mapping[str, Any], **more: Any) -> Release:
    release = releases(change(after=after, **more))[1]
    assert release is not None
    return release


def test_a_release_has_the_defaults_below_what_it_gives() -> None:
    release = planned({"values": ["replicas: 5\nconfig: {log.retention.hours: '72', num.partitions: null}"]})
    assert release.chart == "kafka"
    assert release.settings["replicas"] == 5
    assert release.settings["config"]["log.retention.hours"] == "72"
    assert release.settings["config"]["min.insync.replicas"] == "2"
    assert "num.partitions" not in release.settings["config"]
    assert release.unreadable == ()


def test_documents_come_before_set_set_list_and_set_sensitive() -> None:
    release = planned(
        {
            "values": ["replicas: 3\nheap: 1g", "", "replicas: 4"],
            "set": [
                {"name": "replicas", "value": "5", "type": None},
                {"name": "config.log\\.retention\\.ms", "value": "60000", "type": "string"},
                {"name": "listeners[0].port", "value": "9093", "type": "auto"},
            ],
            "set_list": [{"name": "jvmOptions", "value": ["-Xa", "-Xb"]}],
            "set_sensitive": [{"name": "labels.owner", "value": "somebody", "type": ""}],
        }
    )
    assert release.settings["replicas"] == 5
    assert release.settings["heap"] == "1g"
    assert release.settings["config"]["log.retention.ms"] == "60000"
    assert release.settings["listeners"] == [{"port": 9093}]  # a list is replaced, its defaults with it
    assert release.settings["jvmOptions"] == ["-Xa", "-Xb"]
    assert release.settings["labels"]["owner"] == Hidden("somebody")


def test_a_literal_names_one_key_whatever_it_has_in_it() -> None:
    release = planned({"set": [{"name": "config.a", "value": "1", "type": "literal"}]})
    assert "config.a" in "".join(release.unreadable)
    assert planned({"set": [{"name": "rack", "value": "{names: [a]}", "type": "literal"}]}).settings["rack"] == {
        "names": ["a"],
        "fromZone": False,
    }


@pytest.mark.parametrize(
    ("after", "unknown", "why"),
    [
        ({"values": ["a: ["]}, {}, "values[0] cannot be read"),
        ({"values": ["- a"]}, {}, "list and not a map"),
        ({"values": ["replicas: 1"]}, {"values": [True]}, "values[0] is only known after the apply"),
        ({}, {"values": True}, "values is only known after the apply"),
        ({"set": [{"name": "replicas"}]}, {"set": [{"value": True}]}, "replicas of set is only known after the apply"),
        ({"set": [{"name": "a[-1]", "value": "x"}]}, {}, "Helm refuses the setting a[-1]"),
        ({"set": [{"name": "a", "value": "x", "type": "new"}]}, {}, "its type is none that Helm has"),
        ({"set": [{"value": "x"}]}, {"set": [{"name": True}]}, "name of set[0] is only known after the apply"),
        ({"set_wo_revision": 1}, {}, "set_wo are in no plan"),
        ({"values": "replicas: 1"}, {}, "values is not a list"),
        ({"values": [1]}, {}, "values[0] is not a text"),
        ({"set": ["a=b"]}, {}, "set[0] is not an object"),
        ({"set_list": [{"name": "a", "value": "x"}]}, {}, "its value is not a list"),
        ({"values": ["replica: 1"]}, {}, "no value replica: Helm refuses the release"),
        ({"postrender": [{"binary_path": "./patch", "args": []}]}, {}, "What postrender makes of the manifests"),
        ({}, {"postrender": True}, "What postrender makes of the manifests"),
    ],
)
def test_what_cannot_be_read_is_said(after: Mapping[str, Any], unknown: Mapping[str, Any], why: str) -> None:
    release = planned(after, unknown=unknown)
    assert why in " ".join(release.unreadable)


def test_a_setting_that_only_the_apply_tells_has_no_default_in_its_place() -> None:
    release = planned({"set": [{"name": "replicas"}]}, unknown={"set": [{"value": True}]})
    assert "replicas" not in release.settings
    assert release.unknown == {("replicas",)}


@pytest.mark.parametrize(
    ("resource", "chart"),
    [
        ({"chart": OURS}, "kafka"),
        ({"chart": "./assets/events_kafka_chart_CC83AF55/310d1181dff93f43"}, "kafka"),
        ({"chart": "./assets/events_zookeeper_chart_B3FE28A9/cb9e0406a5b38752"}, "zookeeper"),
        ({"chart": "./assets/chart-zookeeper/cb9e"}, "zookeeper"),
        ({"chart": "kafka", "repository": "oci://charts.example.com", "values": [CLUSTER_OF_KAFKA]}, "kafka"),
        ({"chart": "kafka", "repository": "https://charts.example.com", "version": "0.1.1"}, "kafka"),
        ({"chart": "oci://charts.example.com/kafka", "version": "0.1.0", "values": ["replicas: 3"]}, "kafka"),
        ({"chart": "./kafka-0.1.1.tgz", "version": "0.1.1"}, "kafka"),
        ({"chart": "kafka", "repository": "oci://charts.example.com", "version": "0.2.0"}, "kafka"),
        ({"chart": "../charts/zookeeper", "version": "~> 0.12", "values": ["replicas: 3"]}, "zookeeper"),
        ({"chart": "kafka", "version": "0.3.0-rc.1", "metadata": {"chart": "kafka", "app_version": "3.9.4"}}, "kafka"),
        ({"chart": "./acme-kafka", "version": "7.0.0", "values": [CLUSTER_OF_KAFKA]}, "kafka"),
        ({"chart": "./acme-zk", "metadata": {"chart": "acme-zookeeper", "notes": NOTES}}, "zookeeper"),
        ({"chart": "kafka", "repository": "https://charts.example.com/bitnami", "version": None}, None),
        ({"chart": "zookeeper", "version": "0.1.1", "values": ["membershipSecret: one"]}, "zookeeper"),
        # Others of the same name.
        ({"chart": "kafka", "repository": "https://charts.example.com", "version": "32.4.3"}, None),
        ({"chart": "kafka", "version": "0.1.0", "values": ["persistence: {size: 10Gi}"]}, None),
        ({"chart": "zookeeper", "version": "13.8.7", "values": ["replicaCount: 3"]}, None),
        ({"chart": "kafka", "version": "0.1.0", "metadata": {"chart": "kafka", "app_version": "1.16.0"}}, None),
        ({"chart": "grafana", "version": "0.1.0"}, None),
        ({"chart": "./charts/database", "version": "0.1.0", "values": ["replicas: 1"]}, None),
    ],
)
def test_charts_of_the_same_name_are_told_apart(resource: Mapping[str, Any], chart: str | None) -> None:
    assert planned(resource).chart == chart


def test_a_chart_that_becomes_somebody_elses_shows() -> None:
    before, after = releases(change({}, {"chart": "kafka", "repository": "https://x.example.com", "version": "32.4.3"}))
    assert before is not None
    assert after is not None
    assert (before.chart, after.chart) == ("kafka", None)


def test_only_terraforms_helm_provider_has_releases() -> None:
    assert is_release(change(after={}))
    assert not is_release(change(after={}, provider="example.com/somebody/helm"))


def deployed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": {"chart": "kafka", "version": "0.1.1", "app_version": "3.9.2", "values": json.dumps(values)}}


def test_what_is_deployed_counts_and_not_what_was_declared() -> None:
    before, after = releases(
        change({"values": ["replicas: 3"]} | deployed({"replicas": 5}), {"values": ["replicas: 3"]})
    )
    assert before is not None
    assert after is not None
    assert (before.settings["replicas"], after.settings["replicas"]) == (5, 3)


def test_version_2_of_the_provider_has_the_metadata_in_a_list() -> None:
    metadata = [deployed({"replicas": 5})["metadata"]]
    before, _ = releases(change({"values": ["replicas: 3"], "metadata": metadata}, {"values": ["replicas: 3"]}))
    assert before is not None
    assert before.settings["replicas"] == 5


def test_an_upgrade_that_reuses_values_keeps_what_is_no_longer_given() -> None:
    there = deployed({"replicas": 5, "config": {"log.retention.ms": "1"}})
    _, after = releases(change(there, {"values": ["heap: 2g"], "reuse_values": True}))
    assert after is not None
    assert (after.settings["replicas"], after.settings["heap"]) == (5, "2g")
    assert after.settings["config"]["log.retention.ms"] == "1"
    _, after = releases(change(there, {"values": ["heap: 2g"], "reuse_values": True, "reset_values": True}))
    assert after is not None
    assert after.settings["replicas"] == 3


def test_an_upgrade_that_gives_nothing_keeps_everything() -> None:
    there = deployed({"replicas": 5})
    _, after = releases(change(there, {"values": []}))
    assert after is not None
    assert after.settings["replicas"] == 5
    _, after = releases(change(there, {"values": [], "reset_values": True}))
    assert after is not None
    assert after.settings["replicas"] == 3


def test_an_upgrade_with_the_same_revision_leaves_write_only_values_out() -> None:
    before, after = releases(change({"set_wo_revision": 1}, {"set_wo_revision": 1, "values": ["replicas: 4"]}))
    assert before is not None
    assert after is not None
    assert before.unreadable
    assert not after.unreadable


def test_what_the_provider_cloaked_is_compared_by_what_is_declared() -> None:
    secret = {"set_sensitive": [{"name": "labels.owner", "value": "one", "type": ""}]}
    there = deployed({"labels": {"owner": "(sensitive value)"}})
    before, after = releases(change(secret | there, secret))
    assert before is not None
    assert after is not None
    assert before.settings == after.settings
    assert before.settings["labels"]["owner"] == Hidden("one")


def test_a_document_that_is_sensitive_is_judged_and_hidden() -> None:
    release = planned({"values": ["replicas: 5"]}, sensitive={"values": [True]})
    assert release.settings["replicas"] == Hidden(5)
    assert revealed(release.settings)["replicas"] == 5


@pytest.mark.parametrize(
    "changed",
    [{"timeout": 600}, {"description": "by hand"}, {"max_history": 3}],
    ids=["timeout", "description", "history"],
)
def test_how_helm_works_is_no_setting_of_the_servers(changed: Mapping[str, Any]) -> None:
    update = change({"values": ["replicas: 3"]}, {"values": ["replicas: 3"], **changed})
    before, after = releases(update)
    assert before is not None
    assert after is not None
    assert before.settings == after.settings
    assert [each.setting for each in differences(update, before=before, after=after)] == list(changed)


@pytest.mark.parametrize("option", ["recreate_pods", "force_update", "replace"])
def test_the_rules_are_told_the_options_of_helm(option: str) -> None:
    told = of_chart(planned({option: True}))
    assert told is not None
    assert [key for key, value in told.items() if value is True] == [option]

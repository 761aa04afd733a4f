"""A plan held to a policy: what blocks, what is waived, and which waivers nobody needs any more."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from hikube_kafka.review.finding import Finding, Location
from hikube_kafka.review.plan import read_plan
from hikube_kafka.review.policy import judged, limit_problems
from hikube_kafka.spec.policy import Policy

TODAY = date(2026, 6, 30)
SAID = "owner: team-a, reason: tested, until"
PARTITIONS = "limits: {partitions: {max: 3}}"


def finding(rule: str = "topic-protected", address: str = "hikube_kafka_topic.orders", **more: Any) -> Finding:
    texts = {"severity": "error", "where": "topic orders", "message": "it.", "why": "so.", "remedy": "do."}
    return Finding(rule=rule, address=address, **{**texts, **more})


def held(text: str, *findings: Finding, today: date = TODAY) -> tuple[list[Finding], list[Finding]]:
    return judged(findings, Policy.parse(text, "ci/policy.yaml"), today=today)


def test_without_a_policy_nothing_changes() -> None:
    assert judged([finding()], None, today=TODAY) == ([finding()], [])


def test_a_severity_is_raised_or_lowered_by_rule_and_address() -> None:
    kept, waived = held(
        "severities: [{rule: topic-protected, severity: warning},"
        " {rule: topic-protected, address: '*.orders', severity: notice}]",
        finding(),
        finding(address="hikube_kafka_topic.customers"),
        finding(rule="topic-exists"),
    )
    assert ([each.severity for each in kept], waived) == (["notice", "warning", "error"], [])


@pytest.mark.parametrize(
    "names",
    [
        "fingerprint: 00000000deadbeef",
        "rule: topic-protected, address: 'hikube_kafka_topic.*'",
        "rule: topic-protected, of: topic orders",
        "rule: topic-protected, of: topic orders, address: '*'",
    ],
)
def test_a_waived_finding_is_apart_with_who_until_when_and_why(names: str) -> None:
    found = finding(fingerprint="00000000deadbeef")
    kept, waived = held(f"waivers: [{{{names}, {SAID}: 2026-06-30}}]", found, finding(rule="topic-exists"))
    assert kept == [finding(rule="topic-exists")]
    (one,) = waived
    assert (one.rule, one.waived) == ("topic-protected", "team-a, until 2026-06-30: tested")


@pytest.mark.parametrize("severity", ["error", "warning", "notice"])
def test_an_ended_waiver_waives_nothing_and_is_as_severe_as_what_it_was_about(severity: str) -> None:
    text = f"waivers:\n  - {{rule: topic-protected, of: topic orders, {SAID}: 2026-06-29}}"
    kept, waived = held(text, finding(severity=severity))
    assert waived == []
    there, about = kept
    assert there == finding(severity=severity)
    assert (about.rule, about.severity, about.address) == (
        "policy-waiver-expired",
        "warning" if severity == "notice" else severity,
        "",
    )
    assert about.declared == Location(file="ci/policy.yaml", line=2)
    assert (about.where, about.message) == ("waiver of topic-protected of topic orders", "it ended on 2026-06-29.")
    assert about.why.startswith("team-a asked for it: tested.")
    assert about.remedy == (
        "What it waived is found again: hikube_kafka_topic.orders. Correct what it waived and remove it "
        "(ci/policy.yaml:2), or have team-a decide on another date."
    )


def test_an_ended_waiver_of_what_is_gone_is_a_warning() -> None:
    ((about,), _) = held(f"waivers: [{{rule: topic-protected, of: x, {SAID}: 2026-06-29}}]")
    assert (about.rule, about.severity) == ("policy-waiver-expired", "warning")
    assert about.remedy.startswith("What it waived is not found.")


def test_an_unused_waiver_is_found_and_blocks_if_the_policy_says_so() -> None:
    text = f"waivers: [{{fingerprint: 00000000deadbeef, {SAID}: 2026-06-30}}]\n"
    ((about,), _) = held(text, *[])
    assert (about.rule, about.severity) == ("policy-waiver-unused", "warning")
    assert (about.where, about.message) == (
        "waiver of fingerprint 00000000deadbeef",
        "it waives nothing: no finding of this plan matches it.",
    )
    ((about,), _) = held(f"{text}severities: [{{rule: policy-waiver-unused, severity: error}}]")
    assert about.severity == "error"
    assert about.fingerprint
    # What is found of waivers is not waived, not even by its fingerprint.
    again = f"waivers: [{{fingerprint: {about.fingerprint}, {SAID}: 2026-06-30}}]"
    ((left,), waived) = held(again)
    assert (left.rule, waived) == ("policy-waiver-unused", [])


def test_of_two_waivers_the_one_that_holds_counts_and_both_are_used() -> None:
    text = (
        f"waivers: [{{rule: topic-protected, of: topic orders, {SAID}: 2026-06-29}},"
        f" {{rule: topic-protected, address: '*', {SAID}: 2026-07-29}},"
        f" {{fingerprint: 00000000deadbeef, {SAID}: 2026-07-30}}]"
    )
    kept, waived = held(text, finding(fingerprint="00000000deadbeef"))
    assert [each.rule for each in kept] == ["policy-waiver-expired"]
    assert [each.waived for each in waived] == ["team-a, until 2026-07-29: tested"]


def test_a_rule_that_says_that_nobody_can_tell_is_waived_by_its_fingerprint() -> None:
    unknown = finding(rule="policy-value-unknown", fingerprint="00000000deadbeef")
    _, waived = held(f"waivers: [{{fingerprint: 00000000deadbeef, {SAID}: 2026-07-30}}]", unknown)
    assert [each.rule for each in waived] == ["policy-value-unknown"]


TOPIC = {"name": "orders", "partitions": 6, "replication_factor": 3, "config": None, "deletion_protection": True}


def changed(
    kind: str = "hikube_kafka_topic",
    *,
    actions: str = "create",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    unknown: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "address": f"{kind}.this",
        "mode": "managed",
        "type": kind,
        "name": "this",
        "provider_name": f"registry.example/hashicorp/{kind.partition('_')[0]}",
        "change": {"actions": actions.split(), "before": before, "after": after, "after_unknown": unknown or {}},
    }


def beyond(policy: str, *changes: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    content = {"format_version": "1.2", "planned_values": {}, "resource_changes": changes}
    plan = read_plan(json.dumps(content).encode())
    return [
        (address, problem.rule, problem.severity)
        for address, problem in limit_problems(plan, Policy.parse(policy, "policy.yaml"))
    ]


@pytest.mark.parametrize(
    ("actions", "before", "after", "severity"),
    [
        ("create", None, TOPIC, "error"),
        ("update", {**TOPIC, "partitions": 3}, TOPIC, "error"),
        ("update", {**TOPIC, "partitions": 5}, TOPIC, "error"),
        ("delete create", TOPIC, TOPIC, "error"),
        ("create forget", TOPIC, TOPIC, "error"),
        ("update", {**TOPIC, "replication_factor": 2}, TOPIC, "notice"),
        ("no-op", TOPIC, TOPIC, "notice"),
    ],
)
def test_what_a_plan_makes_blocks_and_what_it_leaves_does_not(
    actions: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], severity: str
) -> None:
    assert beyond(PARTITIONS, changed(actions=actions, before=before, after=after)) == [
        ("hikube_kafka_topic.this", "policy-partitions", severity)
    ]


@pytest.mark.parametrize(
    "change",
    [
        changed(actions="delete", before=TOPIC),
        changed(actions="forget", before=TOPIC),
        changed(actions="update", before=TOPIC, after={**TOPIC, "partitions": 3}),
        {**changed(after=TOPIC), "deposed": "00000000"},
        {**changed(after=TOPIC), "mode": "data"},
        changed("somebody_elses_topic", after=TOPIC),
    ],
)
def test_what_goes_or_is_within_the_limit_is_no_problem(change: Mapping[str, Any]) -> None:
    assert beyond(PARTITIONS, change) == []


def test_a_severity_of_the_policy_counts_for_what_stays_too() -> None:
    found = finding(rule="policy-partitions", severity="notice")
    kept, _ = held(PARTITIONS + "\nseverities: [{rule: policy-partitions, severity: error}]", found)
    assert [each.severity for each in kept] == ["error"]


def test_what_only_the_apply_tells_blocks_where_it_is_limited() -> None:
    unknown = changed(after={**TOPIC, "partitions": None}, unknown={"partitions": True})
    assert beyond(PARTITIONS, unknown) == [("hikube_kafka_topic.this", "policy-value-unknown", "error")]
    assert beyond("limits: {replication_factor: {min: 3}}", unknown) == []
    config = changed(after={**TOPIC, "config": {"a": "b"}}, unknown={"config": {"min.insync.replicas": True}})
    assert beyond("limits: {min_insync_replicas: {min: 2}}", config) == [
        ("hikube_kafka_topic.this", "policy-value-unknown", "error")
    ]


def release(**values: Any) -> dict[str, Any]:
    return {
        "name": "events-kafka",
        "namespace": "shop",
        "chart": "./assets/chart-kafka/310d1181dff93f43",
        "values": [yaml.safe_dump(values)],
    }


BY_TAG = {"image": {"registry": "", "repository": "apache/kafka", "tag": "3.9.2", "digest": ""}}
DIGEST = {"image": {**BY_TAG["image"], "digest": f"sha256:{'0' * 64}"}}
IMAGES = "limits: {images: {digest: required}}"


def test_images_are_those_of_our_releases_as_helm_merges_their_values() -> None:
    after = release(**DIGEST)
    assert beyond(IMAGES, changed("helm_release", after=after)) == []
    after["set"] = [{"name": "image.digest", "value": ""}]
    assert beyond(IMAGES, changed("helm_release", after=after)) == [
        ("helm_release.this", "policy-image-digest", "error")
    ]
    assert beyond(IMAGES, changed("helm_release", after=release(**BY_TAG) | {"chart": "nginx"})) == []


def test_a_release_that_keeps_its_image_is_a_notice_and_an_unknown_one_blocks() -> None:
    before, after = release(**BY_TAG, heap="1g"), release(**BY_TAG, heap="2g")
    assert beyond(IMAGES, changed("helm_release", actions="update", before=before, after=after)) == [
        ("helm_release.this", "policy-image-digest", "notice")
    ]
    assert beyond(IMAGES, changed("helm_release", after=after, unknown={"values": True})) == [
        ("helm_release.this", "policy-value-unknown", "error")
    ]


def test_a_topic_follows_the_brokers_that_the_same_plan_has() -> None:
    policy = "limits: {min_insync_replicas: {min: 2}}"
    topic = changed(after=TOPIC)
    assert beyond(policy, topic, changed("helm_release", after=release(config={"min.insync.replicas": "2"}))) == []
    assert beyond(policy, topic, changed("helm_release", after=release(config={"min.insync.replicas": "1"}))) == [
        ("hikube_kafka_topic.this", "policy-min-isr", "error")
    ]
    brokers = [{"id": 0, "properties": {"min.insync.replicas": "2"}}]
    assert beyond(policy, topic, changed("hikube_local_ensemble", after={"brokers": brokers})) == []


def test_brokers_that_lower_their_min_isr_break_the_limit_of_a_topic_that_stays() -> None:
    policy = "limits: {min_insync_replicas: {min: 2}}"
    stays = changed(actions="no-op", before=TOPIC, after=TOPIC)
    two, one = (release(config={"min.insync.replicas": each}) for each in ("2", "1"))
    lowered = changed("helm_release", actions="update", before=two, after=one)
    assert beyond(policy, stays, lowered) == [("hikube_kafka_topic.this", "policy-min-isr", "error")]
    kept = changed("helm_release", actions="update", before=one, after=one)
    assert beyond(policy, stays, kept) == [("hikube_kafka_topic.this", "policy-min-isr", "notice")]


def test_of_two_platforms_each_topic_follows_its_own_brokers() -> None:
    policy = Policy.parse("limits: {min_insync_replicas: {min: 2}}", "policy.yaml")
    changes = []
    for name, least in {"small": "1", "large": "2"}.items():
        values = release(config={"min.insync.replicas": least})
        brokers = {
            **changed("helm_release", after=values | {"name": f"{name}-kafka"}),
            "address": f"helm_release.{name}",
        }
        topic = {**changed(after=TOPIC), "address": f'module.{name}["eu"].hikube_kafka_topic.this["orders"]'}
        changes += [brokers, topic]
    releases = {name: {"release": {"constant_value": f"{name}-kafka"}} for name in ("small", "large")}
    content = {
        "format_version": "1.2",
        "planned_values": {},
        "resource_changes": changes,
        "configuration": {
            "provider_config": {
                f"module.{name}:hikube": {"expressions": {"kubernetes": each}} for name, each in releases.items()
            },
            "root_module": {
                "module_calls": {
                    name: {
                        "module": {
                            "resources": [
                                {
                                    "address": "hikube_kafka_topic.this",
                                    "provider_config_key": f"module.{name}:hikube",
                                }
                            ]
                        }
                    }
                    for name in releases
                }
            },
        },
    }
    found = limit_problems(read_plan(json.dumps(content).encode()), policy)
    assert [address for address, _ in found] == ['module.small["eu"].hikube_kafka_topic.this["orders"]']


def test_claims_are_held_to_it_template_by_template() -> None:
    templates = {"data": {"size": "1Gi", "storage_class": None}, "log": {"size": "4Gi", "storage_class": "fast"}}
    claims = changed("hikube_volume_claims", after={"stateful_set": "zookeeper", "templates": templates})
    policy = "limits: {storage_classes: [fast], storage_size: {min: 2Gi}}"
    assert [rule for _, rule, _ in beyond(policy, claims)] == ["policy-storage-class", "policy-storage-size"]


def test_the_claims_of_a_release_count_where_nothing_else_declares_them() -> None:
    policy = "limits: {storage_classes: [fast], storage_size: {min: 2Gi}}"
    small = release(storage={"data": {"size": "1Gi", "storageClass": ""}})
    after = changed("helm_release", after=small)
    broken = [
        ("helm_release.this", "policy-storage-class", "error"),
        ("helm_release.this", "policy-storage-size", "error"),
    ]
    assert beyond(policy, after) == broken
    templates = {"data": {"size": "2Gi", "storage_class": "fast"}}
    claims = changed("hikube_volume_claims", after={"stateful_set": "events-kafka", "templates": templates})
    assert beyond(policy, after, claims) == []
    stays = changed("helm_release", actions="no-op", before=small, after=small)
    assert {severity for *_, severity in beyond(policy, stays)} == {"notice"}
    unknown = changed("helm_release", after=small, unknown={"values": True})
    assert {rule for _, rule, _ in beyond(policy, unknown)} == {"policy-value-unknown"}


def test_values_of_another_kind_than_the_provider_has_block() -> None:
    nonsense = {"name": 1, "partitions": "6", "replication_factor": True, "config": []}
    policy = (
        "limits: {partitions: {max: 3}, topic_names: x, replication_factor: {min: 1}, min_insync_replicas: {min: 1}}"
    )
    assert {rule for _, rule, _ in beyond(policy, changed(after=nonsense))} == {"policy-value-unknown"}
    several: list[dict[str, Any]] = [{"templates": []}, {"templates": {"data": 3}}, {"templates": None}]
    for after in several:
        claims = changed("hikube_volume_claims", after=after)
        assert {rule for _, rule, _ in beyond("limits: {storage_size: {min: 1Gi}}", claims)} == {"policy-value-unknown"}


def test_the_page_names_every_limit_and_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "policy.md").read_text("utf-8")
    policy = Policy.parse(page.partition("```yaml\n")[2].partition("```")[0], "policy.yaml")
    assert policy.waivers
    for name in type(policy.limits).model_fields:
        assert f"| `{name}` |" in page

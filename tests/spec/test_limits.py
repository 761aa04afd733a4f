"""Each limit at its edge: what is just within it, and what is just beyond."""

from collections.abc import Sequence
from typing import Any

import pytest

from hikube_kafka.spec import limits
from hikube_kafka.spec.limits import Asked, Brokers
from hikube_kafka.spec.policy import Policy

DIGEST = f"sha256:{'0' * 64}"


def found(policy: str, *asked: Asked, brokers: Sequence[str | None] = ()) -> list[str]:
    """``topic orders: 4 partitions; ... [policy-partitions]``, without what to do."""
    limited = Policy.parse(f"limits: {{{policy}}}", "policy.yaml").limits
    there = [Brokers(names=frozenset(), min_insync=tuple(brokers))] if brokers else []
    problems = limited.problems(asked, there, "policy.yaml")
    return [f"{each.where}: {each.message} [{each.rule}]" for each in problems]


def topic(**attributes: Any) -> Asked:
    return limits.topic({"name": "orders", "partitions": 3, "replication_factor": 3, "config": None, **attributes})


def claim(**template: Any) -> Asked:
    (asked,) = limits.claims({"stateful_set": "kafka", "templates": {"data": template}})
    return asked


def image(**parts: str) -> Asked:
    return limits.image("events-kafka", {"image": {"repository": "apache/kafka", "tag": "3.9.2", **parts}})


def test_nothing_is_limited_that_is_not_named() -> None:
    asked = [limits.topic({}), *limits.claims({}), limits.image("events-kafka", None)]
    assert found("", *asked) == []


@pytest.mark.parametrize(
    ("policy", "within", "beyond", "told"),
    [
        ("partitions: {max: 3}", topic(), topic(partitions=4), "4 partitions; the policy allows at most 3."),
        (
            "replication_factor: {min: 3}",
            topic(),
            topic(replication_factor=2),
            "replication factor 2; the policy asks for at least 3.",
        ),
        (
            "min_insync_replicas: {min: 2}",
            topic(config={"min.insync.replicas": "2"}),
            topic(config={"min.insync.replicas": "1"}),
            "min.insync.replicas = 1; the policy asks for at least 2.",
        ),
        (
            "topic_names: 'orde[rs]*'",
            topic(),
            topic(name="orders-2"),
            "its name does not match the policy's pattern orde[rs]*.",
        ),
        (
            "storage_classes: [fast, '']",
            claim(storage_class=None),
            claim(storage_class="slow"),
            ("data is of storage class slow; the policy allows storage class fast or the cluster's default storage "
            "class."),
        ),
        (
            "storage_classes: [fast]",
            claim(storage_class="fast"),
            claim(storage_class=None),
            "data is of the cluster's default storage class; the policy allows storage class fast.",
        ),
        (
            "storage_size: {min: 1Gi}",
            claim(size="1024Mi"),
            claim(size="1G"),
            "data is 1G; the policy allows at least 1Gi.",
        ),
        (
            "storage_size: {max: 1Gi}",
            claim(size="1G"),
            claim(size="1025Mi"),
            "data is 1025Mi; the policy allows at most 1Gi.",
        ),
        (
            "storage_size: {min: 1Gi, max: 2Gi}",
            claim(size="2Gi"),
            claim(size="much"),
            "data is much; the policy allows 1Gi to 2Gi.",
        ),
        (
            "images: {allowed: ['mirror.example.com/*', 'apache/kafka:3.9.2']}",
            image(digest=DIGEST),
            image(registry="mirror.example.com.evil.example"),
            ("image mirror.example.com.evil.example/apache/kafka:3.9.2 is not among those that the policy allows: "
            "mirror.example.com/* or apache/kafka:3.9.2."),
        ),
        (
            f"images: {{allowed: ['*@{DIGEST}']}}",
            image(digest=DIGEST),
            image(),
            f"image apache/kafka:3.9.2 is not among those that the policy allows: *@{DIGEST}.",
        ),
        (
            "images: {digest: required}",
            image(digest=DIGEST),
            image(),
            "image apache/kafka:3.9.2 is named by its tag alone; the policy asks for a digest.",
        ),
    ],
)  # fmt: skip
def test_a_limit_holds_at_its_edge(policy: str, within: Asked, beyond: Asked, told: str) -> None:
    assert found(policy, within) == []
    (problem,) = found(policy, beyond)
    assert problem.startswith(f"{beyond.where}: {told} [policy-")


@pytest.mark.parametrize(
    ("brokers", "expected"),
    [
        (["2"], []),
        (["3", "2"], []),
        (["3", "1"], ["it follows the brokers, whose min.insync.replicas is 1"]),
        (["3", None], ["it follows the brokers, whose min.insync.replicas is not declared"]),
        (["two"], ["it follows the brokers, whose min.insync.replicas is not declared"]),
        ([], ["it names no min.insync.replicas, and the brokers that it follows are not here"]),
    ],
)
def test_a_topic_without_its_own_min_isr_follows_the_brokers(brokers: list[str | None], expected: list[str]) -> None:
    told = found("min_insync_replicas: {min: 2}", topic(), brokers=brokers)
    assert told == [f"topic orders: {each}; the policy asks for at least 2. [policy-min-isr]" for each in expected]


def test_its_own_min_isr_counts_and_not_the_brokers() -> None:
    own = topic(config={"min.insync.replicas": "2"})
    assert found("min_insync_replicas: {min: 2}", own, brokers=["1"]) == []


@pytest.mark.parametrize(
    ("policy", "asked", "value"),
    [
        ("partitions: {max: 3}", limits.topic({"name": "orders"}), "partitions"),
        ("partitions: {max: 3}", topic(partitions="2"), "partitions"),
        ("replication_factor: {min: 3}", topic(replication_factor=None), "replication_factor"),
        ("min_insync_replicas: {min: 2}", topic(config=limits.UNKNOWN), "config[min.insync.replicas]"),
        (
            "min_insync_replicas: {min: 2}",
            topic(config={"min.insync.replicas": limits.UNKNOWN}),
            "config[min.insync.replicas]",
        ),
        ("min_insync_replicas: {min: 2}", topic(config="x"), "config[min.insync.replicas]"),
        ("topic_names: x", limits.topic({}), "name"),
        ("storage_classes: [fast]", claim(storage_class=limits.UNKNOWN), "storage_class of data"),
        ("storage_size: {min: 1Gi}", claim(storage_class="fast"), "size of data"),
        ("storage_size: {min: 1Gi}", claim(size=1), "size of data"),
        ("storage_size: {min: 1Gi}", next(limits.claims({"stateful_set": "kafka"})), "size of it"),
        ("images: {digest: required}", limits.image("events-kafka", None), "image"),
    ],
)
def test_what_is_limited_and_not_known_is_a_problem(policy: str, asked: Asked, value: str) -> None:
    assert found(policy, asked) == [
        f"{asked.where}: {value} is known only after the apply, and the policy limits it. [policy-value-unknown]"
    ]


def test_a_topic_follows_the_brokers_that_its_provider_knows() -> None:
    limited = Policy.parse("limits: {min_insync_replicas: {min: 2}}", "policy.yaml").limits
    one = Brokers(names=frozenset({"127.0.0.1:29092", "127.0.0.1:29093"}), min_insync=("1", "1"))
    two = Brokers(names=frozenset({"events-kafka"}), min_insync=("2",))
    attributes = {"name": "orders", "config": None}
    broken = {
        names: bool(list(limited.problems([limits.topic(attributes, names)], [one, two], "policy.yaml")))
        for names in (
            limits.followed("events-kafka", None),
            limits.followed(None, "127.0.0.1:29091, 127.0.0.1:29092"),
            limits.followed(None, None),
            limits.followed("another", None),
        )
    }
    assert list(broken.values()) == [False, True, True, True]


def test_brokers_are_known_by_their_release_or_their_addresses() -> None:
    listeners = {"listeners": "CLIENT://127.0.0.1:29092,X://127.0.0.1:29192", "advertised.listeners": ""}
    servers = [{"properties": {**listeners, "min.insync.replicas": "2"}}, {"properties": {}}, {}]
    assert limits.brokers_of_servers({"brokers": servers}) == Brokers(
        names=frozenset({"127.0.0.1:29092", "127.0.0.1:29192"}),
        # Kafka's own is 1, where none is named.
        min_insync=("2", "1", None),
    )
    assert limits.brokers_of_servers({"brokers": limits.UNKNOWN}).min_insync == (None,)
    named = {"config": {"min.insync.replicas": 2}}
    assert limits.brokers_of_release("a", named) == Brokers(names=frozenset({"a"}), min_insync=("2",))
    assert limits.brokers_of_release("a", {"config": {}}).min_insync == (None,)
    assert limits.brokers_of_release("a", None).min_insync == (None,)


def test_the_remedy_is_a_waiver_that_holds() -> None:
    (problem,) = Policy.parse("limits: {partitions: {max: 2}}", "policy.yaml").limits.problems(
        [topic()], [], "policy.yaml"
    )
    assert problem.remedy == (
        "Declare at most 2 partitions. Or add a waiver to policy.yaml, with rule: policy-partitions and of: topic "
        "orders."
    )

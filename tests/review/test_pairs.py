"""Random pairs of declarations: a review blocks those that lose messages, clients or the quorum, and no other.

Who says so is an oracle that knows none of the rules. It plays through what the apply does: a log with messages of many
ages, a rolling restart, servers that are lost. The pairs are the same in each run.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from itertools import combinations
from typing import Any

import pytest
import yaml

from hikube_kafka.review.finding import Verdict
from hikube_kafka.review.judge import review
from hikube_kafka.review.outcome import Review
from hikube_kafka.review.plan import read_plan
from hikube_kafka.spec.chart_values import kafka_values, zookeeper_values
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import Image, KubernetesLayout
from hikube_kafka.spec.zookeeper import ZooKeeper

# --- declarations ---


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int = 3
    factor: int = 3
    config: tuple[tuple[str, str], ...] = ()
    protected: bool = True


@dataclass(frozen=True)
class Declared:
    brokers: int = 3
    size: int = 10
    """GiB of each broker's disk."""
    storage_class: str = "local"
    tag: str = "3.9.1"
    config: tuple[tuple[str, str], ...] = ()
    servers: int = 3
    topics: Mapping[str, Topic] = field(default_factory=dict)
    """By the label of the resource."""


TOPIC_ENTRIES = {
    "retention.ms": ("3600000", "604800000", "2592000000", "-1"),
    "retention.bytes": ("1073741824", "8589934592", "-1"),
    "cleanup.policy": ("delete", "compact", "compact,delete"),
    "min.insync.replicas": ("1", "2", "3"),
    "max.message.bytes": ("1048588", "2097152"),
}
BROKER_ENTRIES = {
    "log.retention.ms": ("3600000", "86400000", "-1"),
    "log.retention.hours": ("24", "168", "720"),
    "log.retention.bytes": ("1073741824", "-1"),
    "log.cleanup.policy": ("delete", "compact", "compact,delete"),
    "min.insync.replicas": ("1", "2", "3"),
    "unclean.leader.election.enable": ("true", "false"),
    "inter.broker.protocol.version": ("3.8", "3.9"),
    "num.io.threads": ("8", "16"),
}
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
TAGS = ("3.8.0", "3.8.1", "3.9.0", "3.9.1", "3.9.2", "4.0.0")


def with_other_entry(
    chosen: random.Random, config: tuple[tuple[str, str], ...], known: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, str], ...]:
    entries = dict(config)
    key = chosen.choice(list(known))
    value = chosen.choice([*known[key], None])
    entries.pop(key, None)
    return tuple(sorted((entries | ({} if value is None else {key: value})).items()))


def other_topic(chosen: random.Random, topic: Topic) -> Topic:
    match chosen.randrange(8):
        case 0:
            return replace(topic, partitions=chosen.choice((1, 3, 6)))
        case 1:
            return replace(topic, factor=chosen.choice((1, 2, 3, 4)))
        case 2:
            return replace(topic, protected=not topic.protected)
        case _:
            return replace(topic, config=with_other_entry(chosen, topic.config, TOPIC_ENTRIES))


def other_topics(chosen: random.Random, there: Mapping[str, Topic]) -> dict[str, Topic]:
    topics = dict(there)
    what = chosen.randrange(7)
    if what == 0 or not topics:
        label = f"new{chosen.randrange(99)}"
        return topics | {label: Topic(label, factor=chosen.choice((1, 2, 3, 3)))}
    label = chosen.choice(list(topics))
    if what == 1:
        topics.pop(label)
    elif what == 2:
        topics[label] = replace(topics[label], name=topics[label].name + "-renamed")
    else:
        topics[label] = other_topic(chosen, topics[label])
    return topics


def other(chosen: random.Random, declared: Declared) -> Declared:
    """The declaration with one thing changed."""
    match chosen.randrange(16):
        case 0:
            return replace(declared, brokers=chosen.choice((1, 2, 3, 4, 5)))
        case 1:
            return replace(declared, size=chosen.choice((5, 10, 20)), storage_class=chosen.choice(("local", "shared")))
        case 2 | 3:
            return replace(declared, tag=chosen.choice(TAGS))
        case 4:
            return replace(declared, servers=chosen.choice((1, 2, 3, 4, 5, 7)))
        case 5 | 6 | 7:
            return replace(declared, config=with_other_entry(chosen, declared.config, BROKER_ENTRIES))
        case _:
            return replace(declared, topics=other_topics(chosen, declared.topics))


def pair(seed: int) -> tuple[Declared, Declared]:
    """A platform, and what is made of it: mostly by one change, sometimes by several."""
    chosen = random.Random(seed)  # noqa: S311 - a test
    topics = {name: Topic(name, protected=chosen.random() < 0.7) for name in ("orders", "audit")}
    before = Declared(topics=topics, tag=chosen.choice(TAGS[:4]))
    for _ in range(chosen.randrange(10)):
        before = other(chosen, before)
    before = replace(before, tag="3.9.1" if before.tag == "4.0.0" else before.tag)
    after = before
    for _ in range(chosen.choice((0, 1, 1, 1, 1, 2, 2, 5))):
        after = other(chosen, after)
    return before, after


# --- the plan of a pair ---


@lru_cache
def values(declared: Declared) -> tuple[str, str]:
    platform = Platform(
        name="shop",
        kafka=Kafka(
            brokers=declared.brokers,
            storage=Storage(f"{declared.size}Gi", storage_class=declared.storage_class),
            config=dict(declared.config),
        ),
        zookeeper=ZooKeeper(servers=declared.servers),
    )
    layout = KubernetesLayout(namespace="shop", kafka_image=Image(repository="apache/kafka", tag=declared.tag))
    charts = kafka_values(platform, layout), zookeeper_values(platform, layout)
    kafka, zookeeper = (yaml.dump(each.to_chart(), Dumper=DUMPER) for each in charts)
    return kafka, zookeeper


def resources(declared: Declared) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Type, label and attributes."""
    texts = values(replace(declared, topics=()))  # type: ignore[arg-type]  # what has a hash
    for chart, text in zip(("kafka", "zookeeper"), texts, strict=True):
        yield (
            "helm_release",
            chart,
            {"name": f"shop-{chart}", "namespace": "shop", "chart": f"./assets/chart-{chart}/0", "values": [text]},
        )
    yield "hikube_kafka_brokers", "shop", {"brokers": declared.brokers, "drain": None}
    template = {"size": f"{declared.size}Gi", "storage_class": declared.storage_class}
    yield (
        "hikube_volume_claims",
        "kafka",
        {
            "stateful_set": "shop-kafka",
            "templates": {"data": template},
            "claims": {f"data-shop-kafka-{each}": template["size"] for each in range(declared.brokers)},
        },
    )
    for label, topic in declared.topics.items():
        yield (
            "hikube_kafka_topic",
            label,
            {
                "id": topic.name,
                "name": topic.name,
                "partitions": topic.partitions,
                "replication_factor": topic.factor,
                "config": dict(topic.config) or None,
                "deletion_protection": topic.protected,
            },
        )


def actions(type_: str, before: Any, after: Any) -> list[str]:
    if before == after:
        return ["no-op"]
    if before is None or after is None:
        return ["create" if before is None else "delete"]
    renamed = type_ == "hikube_kafka_topic" and before["name"] != after["name"]
    return ["delete", "create"] if renamed else ["update"]


def plan(before: Declared, after: Declared) -> bytes:
    were, are = ({each[:2]: each[2] for each in resources(side)} for side in (before, after))
    changes = [
        {
            "address": f"{type_}.{label}",
            "mode": "managed",
            "type": type_,
            "name": label,
            "provider_name": "example.com/hashicorp/helm" if type_ == "helm_release" else "example.com/hikube/hikube",
            "change": {
                "actions": actions(type_, were.get((type_, label)), are.get((type_, label))),
                "before": were.get((type_, label)),
                "after": are.get((type_, label)),
                "after_unknown": {},
                "before_sensitive": {},
                "after_sensitive": {},
            },
        }
        for type_, label in {**were, **are}
    ]
    return json.dumps({"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": changes}).encode()


def reviewed(before: Declared, after: Declared) -> Review:
    return review(read_plan(plan(before, after)), title="pair", today=date(2026, 1, 1))


# --- the oracle ---

AGES = (0, 1_800_000, 3_000_000, 80_000_000, 600_000_000, 2_000_000_000, 2_590_000_000, 10**15)
"""Milliseconds since a message was written."""
BEHIND = (0, 10**9, 8 * 10**9, 10**15)
"""Bytes in a partition that were written after a message."""
UNDECLARED: tuple[Mapping[str, str], ...] = ({}, {"cleanup.policy": "delete"}, {"retention.ms": "3600000"})
"""Topics that somebody else has made there."""
Config = Mapping[str, str]


def kept(topic: Config, broker: Config) -> set[tuple[int, int]]:
    """Which messages brokers leave there, by age and by what was written after them."""
    if "delete" not in topic.get("cleanup.policy", broker.get("log.cleanup.policy", "delete")).split(","):
        return {(age, behind) for age in AGES for behind in BEHIND}
    hours = int(broker.get("log.retention.hours", "168"))
    longest = int(topic.get("retention.ms", broker.get("log.retention.ms", str(hours * 3_600_000))))
    largest = int(topic.get("retention.bytes", broker.get("log.retention.bytes", "-1")))
    return {
        (age, behind)
        for age in AGES
        for behind in BEHIND
        if (longest < 0 or age <= longest) and (largest < 0 or behind < largest)
    }


def writable_without_one(topic: Topic, config: Config, brokers: int) -> bool:
    """Whether acks=all works while one of the replicas is away, if there is another."""
    own = dict(topic.config).get("min.insync.replicas")
    inherited = config.get("min.insync.replicas", "2" if brokers > 2 else "1")
    # Kafka asks for no more than there are; somebody who declares more than that has made a mistake.
    least = int(own) if own else min(int(inherited), topic.factor)
    return least <= max(topic.factor - 1, 1)


def topic_risks(before: Declared, after: Declared) -> Iterator[str]:
    configs = dict(before.config), dict(after.config)
    names = {topic.name: topic for topic in after.topics.values()}
    for label, topic in before.topics.items():
        there = after.topics.get(label)
        if there is None or there.name != topic.name:
            yield "topic goes"
            continue
        if there.partitions < topic.partitions:
            yield "partitions go"
        if topic.protected and not there.protected:
            yield "protection goes"
        if kept(dict(topic.config), configs[0]) - kept(dict(there.config), configs[1]):
            yield "messages are deleted"
    if any(kept(topic, configs[0]) - kept(topic, configs[1]) for topic in UNDECLARED):
        yield "messages of other topics are deleted"
    were = {topic.name: topic for topic in before.topics.values()}
    for topic in names.values():
        was = were.get(topic.name)
        fits = topic.factor <= after.brokers
        if not fits and (was is None or was.factor != topic.factor or before.brokers > after.brokers):
            yield "replicas have no broker"
        could = was is not None and writable_without_one(was, configs[0], before.brokers)
        same = was is not None and (was.factor, dict(was.config).get("min.insync.replicas")) == (
            topic.factor,
            dict(topic.config).get("min.insync.replicas"),
        )
        if not writable_without_one(topic, configs[1], after.brokers) and (could or not same):
            yield "no write without a broker"


def quorum_risks(before: int, after: int) -> Iterator[str]:
    if before == after:
        return
    if after % 2 == 0:
        yield "even ensemble"
    if after > before:
        return
    voters, stay = set(range(before)), set(range(after))
    majorities = [set(some) for some in combinations(sorted(voters), before // 2 + 1)]
    if not all(some & stay for some in majorities):
        yield "what was acknowledged goes"
    if not all(len(stay - {lost}) > len(stay) / 2 for lost in stay):
        yield "no quorum without a server"


def upgrade_risks(before: Declared, after: Declared) -> Iterator[str]:
    """While brokers of both kinds run, each must read what the other says."""
    runs = [tuple(map(int, each.tag.split("."))) for each in (before, after)]
    if runs[1] < runs[0]:
        yield "older version"
    if runs[1][0] >= 4:
        if runs[0][0] < 4:
            yield "no ZooKeeper any more"
        return
    if runs[0][0] >= 4:
        return
    speaks = [
        tuple(map(int, dict(each.config).get("inter.broker.protocol.version", each.tag).split(".")[:2]))
        for each in (before, after)
    ]
    if after.brokers > 1 and before.tag != after.tag and speaks[1] > runs[0][:2]:
        yield "not understood by those that still run"
    if speaks[1] < speaks[0]:
        yield "older protocol"


def broker_risks(before: Declared, after: Declared) -> Iterator[str]:
    configs = dict(before.config), dict(after.config)
    if after.brokers < before.brokers:
        yield "brokers go"
    if after.size < before.size or after.storage_class != before.storage_class:
        yield "disks go"
    was, is_ = (each.get("unclean.leader.election.enable") == "true" for each in configs)
    if is_ and not was:
        yield "leaders that lack messages"
    # Topics that are not declared are made with as many copies as there are brokers, three at most.
    factors = [min(each.brokers, 3) for each in (before, after)]
    least = [
        config.get("min.insync.replicas", "2" if factor > 2 else "1")
        for config, factor in zip(configs, factors, strict=True)
    ]
    facts = list(zip(least, factors, strict=True))
    if facts[0] != facts[1] and int(least[1]) > max(factors[1] - 1, 1):
        yield "no write of other topics without a broker"


def risks(before: Declared, after: Declared) -> list[str]:
    return [
        *topic_risks(before, after),
        *quorum_risks(before.servers, after.servers),
        *upgrade_risks(before, after),
        *broker_risks(before, after),
    ]


# --- both ---

EVERY_RISK = {
    "topic goes", "partitions go", "protection goes", "messages are deleted", "messages of other topics are deleted",
    "replicas have no broker", "no write without a broker", "even ensemble", "what was acknowledged goes",
    "no quorum without a server", "older version", "no ZooKeeper any more", "not understood by those that still run",
    "older protocol", "brokers go", "disks go", "leaders that lack messages",
    "no write of other topics without a broker",
}  # fmt: skip
PAIRS = 240


def agreed(before: Declared, after: Declared) -> Verdict:
    """What the review says, if the oracle says it too."""
    expected = risks(before, after)
    outcome = reviewed(before, after)
    told = [f"{each.severity} {each.rule} {each.where}: {each.message}" for each in outcome.findings]
    assert outcome.verdict is (Verdict.BLOCKED if expected else Verdict.PASSED), (expected, told, before, after)
    return outcome.verdict


@pytest.mark.parametrize("part", range(4))
def test_a_review_blocks_what_an_oracle_that_plays_it_through_finds_risky(part: int) -> None:
    for seed in range(part, PAIRS, 4):
        agreed(*pair(seed))


def test_the_pairs_have_every_risk_and_many_have_none() -> None:
    pairs = [pair(seed) for seed in range(PAIRS)]
    found = [risks(*each) for each in pairs]
    assert Counter(risk for some in found for risk in set(some)).keys() == EVERY_RISK
    harmless = sum(not some and before != after for some, (before, after) in zip(found, pairs, strict=True))
    assert harmless > PAIRS // 5


def orders(factor: int = 3, **config: str) -> dict[str, Topic]:
    entries = tuple((key.replace("_", "."), value) for key, value in config.items())
    return {"orders": Topic("orders", factor=factor, config=entries)}


ENDLESS = (("log.retention.ms", "-1"),)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        # Nothing is deleted by age or size where neither has an end.
        (orders(cleanup_policy="compact"), orders(cleanup_policy="delete", retention_ms="-1"), Verdict.PASSED),
        (orders(cleanup_policy="compact"), orders(cleanup_policy="compact,delete", retention_ms="-1"), Verdict.PASSED),
        (
            orders(cleanup_policy="compact"),
            orders(cleanup_policy="delete", retention_ms="-1", retention_bytes="1073741824"),
            Verdict.BLOCKED,
        ),
    ],
)
def test_a_policy_that_starts_to_delete(before: dict[str, Topic], after: dict[str, Topic], verdict: Verdict) -> None:
    assert agreed(Declared(topics=before), Declared(topics=after)) is verdict


def test_a_topic_may_fall_back_to_brokers_that_keep_as_long() -> None:
    before = Declared(topics=orders(retention_ms="604800000"), config=ENDLESS)
    assert agreed(before, replace(before, topics=orders())) is Verdict.PASSED
    assert agreed(before, replace(before, topics=orders(), config=())) is Verdict.BLOCKED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Declared(brokers=2, topics=orders(2)), Declared(brokers=3, topics=orders(2))),
        (
            Declared(topics=orders(2), config=(("min.insync.replicas", "1"),)),
            Declared(topics=orders(2), config=(("min.insync.replicas", "2"),)),
        ),
    ],
)
def test_what_the_brokers_ask_for_must_fit_the_topics_that_follow_them(before: Declared, after: Declared) -> None:
    assert agreed(before, after) is Verdict.BLOCKED
    own = orders(2, min_insync_replicas="1")
    assert agreed(replace(before, topics=own), replace(after, topics=own)) is Verdict.PASSED

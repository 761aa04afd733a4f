"""What a plan of a topic says before any cluster is asked: the settings are unknown here."""

from typing import Any

import pytest

from hikube_kafka.plugin.resource import PlanRequest, configuration_faults
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.resources.topic import TopicResource, _state
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import LiveTopic


@pytest.fixture
def topics() -> TopicResource:
    session = Session()
    session.configure(Settings(unknown=("bootstrap_servers",)))
    return TopicResource(session)


def config(**values: Any) -> dict[str, Any]:
    return {
        "id": None,
        "name": "orders",
        "partitions": 6,
        "replication_factor": 3,
        "config": None,
        "deletion_protection": None,
        **values,
    }


def state(**values: Any) -> dict[str, Any]:
    return {**config(id=values.get("name", "orders"), deletion_protection=True), **values}


def request(prior: dict[str, Any] | None, wanted: dict[str, Any], private: bytes = b"") -> PlanRequest:
    """As Terraform asks: what the configuration leaves out is carried over where it is computed."""
    computed = {name: (prior or {}).get(name) for name in ("id", "deletion_protection")}
    proposed = {name: computed.get(name) if value is None else value for name, value in wanted.items()}
    return PlanRequest(prior=prior, proposed=proposed, config=wanted, private=private)


def summaries(found: Any) -> list[str]:
    return [each.summary for each in found]


def test_protection_is_on_unless_it_is_given_up(topics: TopicResource) -> None:
    planned = topics.plan(request(None, config())).planned
    assert planned is not None
    assert planned["deletion_protection"] is True
    assert planned["id"] == "orders"
    # Taking the word away again turns it back on.
    planned = topics.plan(request(state(deletion_protection=False), config())).planned
    assert planned is not None
    assert planned["deletion_protection"] is True


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", ".", "..", "ä", "x" * 250, "orders\n"], ids=["empty", *map(str, range(7))]
)
def test_an_illegal_name_is_refused(topics: TopicResource, name: str) -> None:
    assert (
        "Kafka does not allow this name [topic-name]" in summaries(configuration_faults(topics, config(name=name)))[0]
    )


@pytest.mark.parametrize("name", ["orders", "a.b_c-D9", "x" * 249, "__consumer_offsets"])
def test_a_legal_name_is_taken(topics: TopicResource, name: str) -> None:
    assert list(configuration_faults(topics, config(name=name))) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"partitions": 0}, "partitions must be a whole number"),
        ({"replication_factor": 1.5}, "replication_factor must be a whole number"),
        ({"config": {"retentionMs": "5"}}, "retentionMs"),
        ({"config": {"retention.ms": "1e3"}}, "retention.ms"),
        ({"config": {"segment.bytes": "1"}}, "segment.bytes"),
        ({"partitions": 100_001}, "partitions must be a whole number of at most 100000"),
        ({"partitions": 3_000_000_000}, "partitions must be a whole number of at most 100000"),
        ({"partitions": None}, "partitions is required"),
        ({"replication_factor": 40_000}, "replication_factor must be a whole number of at most 10000"),
        ({"config": {"max.message.bytes": "3000000000"}}, "max.message.bytes"),
        ({"config": {"retention.ms": "9" * 5000}}, "retention.ms"),
        ({"config": {"min.cleanable.dirty.ratio": "1e400"}}, "min.cleanable.dirty.ratio"),
    ],
)
def test_what_kafka_would_refuse_is_found_before_it_is_asked(
    topics: TopicResource, values: dict[str, Any], said: str
) -> None:
    found = list(configuration_faults(topics, config(**values)))
    assert any(said in fault.summary for fault in found)
    assert all(fault.path for fault in found)


def test_a_new_topic_may_not_be_what_an_existing_one_is_only_warned_of(topics: TopicResource) -> None:
    every: tuple[dict[str, Any], ...] = (
        {"name": "a", "config": {"min.insync.replicas": "3"}},
        {"name": "b", "config": {"min.insync.replicas": "2"}, "replication_factor": 1},
        {"name": "c", "config": {"confluent.placement.constraints": "{}"}},
    )
    for values in every:
        wanted = config(**values)
        assert list(configuration_faults(topics, wanted)) == []
        assert [each.severity for each in topics.plan(request(None, wanted)).diagnostics] == ["error"]
        plain = state(**{**values, "config": None})
        assert [each.severity for each in topics.plan(request(plain, wanted)).diagnostics] == ["error"]
        plan = topics.plan(request(state(**values), wanted))
        assert [each.severity for each in plan.diagnostics] == ["warning"]
        assert plan.planned == state(**values)


def test_what_hangs_on_the_brokers_is_not_refused_while_nobody_knows_them(topics: TopicResource) -> None:
    # Kafka's default keeps messages for 7 days, and these brokers may keep them for longer.
    tiered = {"remote.storage.enable": "true", "local.retention.ms": str(8 * 24 * 3600 * 1000)}
    assert topics.plan(request(None, config(config=tiered))).diagnostics == []
    tiered |= {"retention.ms": str(7 * 24 * 3600 * 1000)}
    (fault,) = topics.plan(request(None, config(config=tiered))).diagnostics
    assert "local.retention.ms" in fault.summary


def test_unknown_values_are_no_faults(topics: TopicResource) -> None:
    every = config(name=UNKNOWN, partitions=UNKNOWN, replication_factor=UNKNOWN, config=UNKNOWN)
    assert list(configuration_faults(topics, every)) == []
    assert list(configuration_faults(topics, config(config={"retention.ms": UNKNOWN}))) == []
    one = config(config={"min.insync.replicas": "1"}, replication_factor=1)
    assert list(configuration_faults(topics, one)) == []


def test_numbers_that_only_the_apply_will_tell_leave_the_plan_open(topics: TopicResource) -> None:
    for prior in (None, state()):
        plan = topics.plan(request(prior, config(partitions=UNKNOWN, replication_factor=UNKNOWN)))
        assert plan.planned is not None
        assert plan.planned["partitions"] is UNKNOWN
        assert summaries(plan.diagnostics) == []


def test_a_protected_topic_is_not_destroyed_nor_replaced_by_another_name_or_one_that_is_still_unknown(
    topics: TopicResource,
) -> None:
    destroy = topics.plan(PlanRequest(prior=state(), proposed=None, config=None))
    protected = "Topic orders: it is protected from deletion, and the plan would delete it"
    assert summaries(destroy.diagnostics) == [f"{protected} [topic-protected]"]
    for name, other in ((UNKNOWN, "one of a name that only the apply will tell"), ("invoices", "'invoices'")):
        renamed = topics.plan(request(state(), config(name=name)))
        assert list(renamed.replace) == [("name",)]
        assert summaries(renamed.diagnostics) == [f"{protected} and make {other} in its place, empty [topic-protected]"]
    free = topics.plan(PlanRequest(prior=state(deletion_protection=False), proposed=None, config=None))
    assert not free.diagnostics


def test_fewer_partitions_are_refused_and_growth_outside_is_told_apart(topics: TopicResource) -> None:
    shrunk = topics.plan(request(state(partitions=12), config(partitions=6), private=b"12"))
    assert summaries(shrunk.diagnostics) == [
        "Topic orders: it cannot shrink from 12 to 6 partitions [topic-partitions-shrink]"
    ]
    grown = topics.plan(request(state(partitions=12), config(partitions=6), private=b"6"))
    assert summaries(grown.diagnostics) == [
        "Topic orders: it was grown outside Terraform: set partitions = 12 [topic-partitions-grown-elsewhere]"
    ]
    more = topics.plan(request(state(partitions=6), config(partitions=7), private=b"6"))
    assert not more.diagnostics
    assert more.private == b"7 3"


def test_another_spelling_of_the_same_entries_is_no_change(topics: TopicResource) -> None:
    before = state(config={"retention.ms": "1000", "preallocate": "true"})
    same = topics.plan(request(before, config(config={"retention.ms": " 1000", "preallocate": "TRUE"})))
    assert same.planned == before
    other = topics.plan(request(before, config(config={"retention.ms": "1001", "preallocate": "TRUE"})))
    assert other.planned is not None
    assert other.planned["config"] == {"retention.ms": "1001", "preallocate": "TRUE"}
    unknown = topics.plan(request(before, config(config={"retention.ms": UNKNOWN, "preallocate": "TRUE"})))
    assert unknown.planned is not None
    assert unknown.planned["config"]["retention.ms"] is UNKNOWN
    one_more = topics.plan(request(before, config(config={**before["config"], "segment.bytes": UNKNOWN})))
    assert one_more.planned is not None
    assert one_more.planned["config"]["segment.bytes"] is UNKNOWN
    all_unknown = topics.plan(request(before, config(config=UNKNOWN)))
    assert all_unknown.planned is not None
    assert all_unknown.planned["config"] is UNKNOWN


def live(replicas: dict[int, tuple[int, ...]], entries: dict[str, str]) -> LiveTopic:
    return LiveTopic(replicas=replicas, in_sync=replicas, config=entries)


def test_a_read_keeps_the_users_spelling_and_shows_everything_else() -> None:
    there = live({0: (0, 1)}, {"retention.ms": "1000", "segment.bytes": "5000"})
    seen = _state(state(config={"retention.ms": " 1000 "}), there)
    assert seen["config"] == {"retention.ms": " 1000 ", "segment.bytes": "5000"}
    assert _state(state(config=None), live({0: (0,)}, {}))["config"] is None
    assert _state(state(config={}), live({0: (0,)}, {}))["config"] == {}


def test_a_partition_with_another_number_of_copies_shows_as_drift() -> None:
    mixed = live({0: (0, 1, 2), 1: (0, 1)}, {})
    assert _state(state(replication_factor=3), mixed)["replication_factor"] == 2
    assert _state(state(replication_factor=2), mixed)["replication_factor"] == 3


def test_an_entry_that_this_version_does_not_know_is_kept_as_it_is() -> None:
    there = live({0: (0,)}, {"a.key.of.tomorrow": " x "})
    assert _state(state(config={}), there)["config"] == {"a.key.of.tomorrow": " x "}

"""What a change of a topic does to messages and clients: each case beside its nearest that does nothing."""

from typing import Any

import pytest

from hikube_kafka.spec.changes import topic_entries
from hikube_kafka.spec.changes.topic_consequences import Brokers, consequences, forgotten


def topic(**values: Any) -> dict[str, Any]:
    config = values.pop("config", None)
    return {
        "name": "orders",
        "partitions": 6,
        "replication_factor": 3,
        "config": config,
        "deletion_protection": True,
        **values,
    }


def config(**entries: str) -> dict[str, Any]:
    return topic(config={key.replace("_", "."): value for key, value in entries.items()})


def said(prior: Any, planned: Any, **more: Any) -> list[tuple[str, str]]:
    return [(each.rule, each.severity) for each in consequences(prior, planned, **more)]


COMPACT, BOTH, DELETE = (config(cleanup_policy=each) for each in ("compact", "compact,delete", "delete"))
REMOTE = {"remote_storage_enable": "true"}


@pytest.mark.parametrize(
    ("prior", "planned", "rules"),
    [
        (topic(), topic(), []),
        (None, topic(), []),
        (None, topic(replication_factor=2), [("replication-factor-low", "warning")]),
        (None, config(unclean_leader_election_enable="true"), [("topic-unclean-election", "error")]),
        (topic(deletion_protection=False), None, [("topic-deleted", "error")]),
        (topic(), None, []),
        (topic(deletion_protection=False), topic(name="invoices"), [("topic-deleted", "error")]),
        (topic(), topic(deletion_protection=False), [("topic-protection-removed", "error")]),
        (topic(deletion_protection=False), topic(deletion_protection=False), []),
        (topic(), topic(partitions=7), [("topic-partitions-grow", "warning")]),
        (topic(), topic(replication_factor=2), [("topic-copies-fewer", "warning")]),
        (topic(), topic(replication_factor=4), [("topic-copies-more", "notice")]),
        (config(retention_ms="1000"), config(retention_ms="999"), [("topic-retention-cut", "error")]),
        (config(retention_ms="1000"), config(retention_ms="1001"), []),
        (config(retention_ms="-1"), config(retention_ms="604800000"), [("topic-retention-cut", "error")]),
        (config(retention_ms="604800000"), config(retention_ms="-1"), []),
        (config(retention_ms="-1"), topic(), [("topic-retention-cut", "error")]),
        (config(retention_ms="604800000"), topic(), []),
        (topic(), config(retention_ms="3600000"), [("topic-retention-cut", "error")]),
        (topic(), config(retention_bytes="1000"), [("topic-retention-cut", "error")]),
        (config(retention_bytes="1000"), topic(), []),
        (
            config(cleanup_policy="compact", retention_ms="1000"),
            config(cleanup_policy="compact", retention_ms="1"),
            [],
        ),
        (COMPACT, DELETE, [("topic-starts-deleting", "error")]),
        (COMPACT, topic(), [("topic-starts-deleting", "error")]),
        (COMPACT, BOTH, [("topic-starts-deleting", "error")]),
        (BOTH, DELETE, [("topic-compaction-ends", "warning")]),
        (DELETE, COMPACT, [("topic-compacted", "warning")]),
        (DELETE, BOTH, [("topic-compacted", "warning")]),
        (BOTH, config(cleanup_policy="delete,compact"), []),
        (COMPACT, config(cleanup_policy="compact", delete_retention_ms="1"), [("topic-compaction-sooner", "warning")]),
        (DELETE, config(cleanup_policy="delete", delete_retention_ms="1"), []),
        (topic(), config(max_message_bytes="10"), [("topic-message-size", "warning")]),
        (topic(), config(max_message_bytes="1048588"), []),
        (config(min_insync_replicas="2"), topic(), [("topic-min-insync-lowered", "warning")]),
        (topic(), config(min_insync_replicas="2"), [("topic-min-insync-raised", "warning")]),
        (topic(), config(unclean_leader_election_enable="true"), [("topic-unclean-election", "error")]),
        (topic(), config(unclean_leader_election_enable="false"), []),
        (topic(), config(message_timestamp_type="LogAppendTime"), [("topic-timestamps", "warning")]),
        (topic(), config(message_timestamp_before_max_ms="1"), [("topic-timestamps", "warning")]),
        (topic(), config(message_downconversion_enable="false"), [("topic-old-clients", "warning")]),
        (config(**REMOTE), topic(), [("topic-remote-storage-off", "error")]),
        (config(**REMOTE), config(**REMOTE, local_retention_ms="1"), [("topic-local-retention-cut", "warning")]),
        (topic(), config(local_retention_ms="1"), []),
        (None, topic(name="__consumer_offsets"), [("topic-internal", "error")]),
    ],
)
def test_what_a_change_does(prior: Any, planned: Any, rules: list[tuple[str, str]]) -> None:
    assert said(prior, planned) == rules


def test_what_the_topic_does_not_say_is_as_the_brokers_have_it() -> None:
    month = Brokers({"log.retention.hours": "720"}, {"log.retention.hours": "720"})
    week = config(retention_ms="604800000")
    assert said(topic(), week, brokers=month) == [("topic-retention-cut", "error")]
    assert said(topic(), week) == []
    (problem,) = consequences(topic(), week, month)
    assert problem.message == (
        "retention.ms is cut from 2592000000 ms (30 d) by the brokers' default to 604800000 ms (7 d)."
    )
    assert problem.path == ("config", "retention.ms")


def test_the_brokers_min_isr_has_to_fit_a_topic_without_its_own() -> None:
    brokers = Brokers({}, {"min.insync.replicas": "2"})
    low = ("replication-factor-low", "warning")
    assert said(None, topic(replication_factor=2), brokers=brokers) == [low, ("min-insync-too-high", "error")]
    assert said(None, topic(replication_factor=1), brokers=brokers) == [low]
    assert said(None, topic(), brokers=brokers) == []
    assert ("min-insync-too-high", "error") in said(topic(), topic(replication_factor=2), brokers=brokers)


def test_a_topic_that_is_made_anew_under_its_name_loses_its_messages() -> None:
    unprotected = topic(deletion_protection=False)
    assert said(unprotected, unprotected, replaced=True) == [("topic-deleted", "error")]


def test_what_terraform_lets_go_of_is_told_apart() -> None:
    assert [each.rule for each in forgotten(topic(), None)] == ["topic-forgotten"]
    assert [each.rule for each in forgotten(topic(), topic())] == ["topic-forgotten-and-made"]


def test_entries_that_kafka_refuses_are_told_as_the_provider_tells_them() -> None:
    assert [each.severity for each in topic_entries.never(config(retention_ms="a week"))] == ["error"]
    assert list(topic_entries.never(config(retention_ms="1"))) == []
    assert [each.rule for each in topic_entries.never(topic(name="a b"))] == ["topic-name"]
    assert [each.rule for each in topic_entries.problems(None, config(min_insync_replicas="3"))] == [
        "min-insync-too-high"
    ]
    (so,) = topic_entries.problems(config(min_insync_replicas="3"), config(min_insync_replicas="3"))
    assert so.severity == "warning"

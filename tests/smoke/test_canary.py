"""What the canary does at the edges of its time; against brokers: test_living_gate.py."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from hikube_kafka.kafka.connection import client_settings
from hikube_kafka.smoke.canary import _CONFIG, PREFIX, _Flight, _is_stale, _remove_stale, is_canary
from hikube_kafka.spec.definitions import check_topic_config


def test_what_is_read_last_counts_even_where_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[float] = []
    flight = _Flight("topic", 1, client_settings("127.0.0.1:1"), 0)
    monkeypatch.setattr(flight, "_read", read.append)
    assert flight._read_until(lambda: bool(read))
    assert not flight._read_until(lambda: len(read) > 5)


@pytest.mark.parametrize(
    "name",
    [
        f"{PREFIX}20261399T999999Z-0a1b2c3d",
        f"{PREFIX}00000101T000000Z-0a1b2c3d",
        f"{PREFIX}20250229T000000Z-0a1b2c3d",
        f"{PREFIX}20260101T000000Z-0A1B2C3D",
        f"{PREFIX}20260101T000000Z-0a1b2c3d-orders",
        f"{PREFIX}orders",
        f"my-{PREFIX}20260101T000000Z-0a1b2c3d",
    ],
)
def test_a_topic_that_only_looks_like_a_canary_is_somebody_else_s(name: str) -> None:
    assert not is_canary(name)
    assert not _is_stale(name)


def test_a_canary_is_stale_after_an_hour() -> None:
    assert _is_stale(f"{PREFIX}20260101T000000Z-0a1b2c3d")
    assert not _is_stale(f"{PREFIX}29990101T000000Z-0a1b2c3d")


def test_what_killed_runs_left_and_cannot_be_removed_now_is_left_to_the_next_run() -> None:
    class Deaf:
        def list_topics(self, **_settings: Any) -> None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    _remove_stale(Deaf(), 1)  # type: ignore[arg-type]  # all that is asked of an admin client here


def test_kafka_takes_every_entry_of_the_canary_s_topic() -> None:
    assert not check_topic_config(_CONFIG)

"""What the canary does at the edges of its time; against brokers: test_living_gate.py."""

import pytest

from hikube_kafka.kafka.connection import client_settings
from hikube_kafka.smoke.canary import _Flight


def test_what_is_read_last_counts_even_where_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[float] = []
    flight = _Flight("topic", 1, client_settings("127.0.0.1:1"), 0)
    monkeypatch.setattr(flight, "_read", read.append)
    assert flight._read_until(lambda: bool(read))
    assert not flight._read_until(lambda: len(read) > 5)

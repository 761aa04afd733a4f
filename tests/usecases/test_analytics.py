"""The use case analytics, with its real parts."""

import pytest

from usecases.running import run_chain


@pytest.mark.ensemble
@pytest.mark.terraform
def test_exactly_the_rows_of_the_source_are_at_every_destination_whatever_was_killed() -> None:
    outcome = run_chain("analytics", short=True)
    assert outcome.failed == []
    measured = ("latency_p50_ms", "latency_p99_ms", "rows_per_s")
    destinations = ("clickhouse", "elasticsearch", "warehouse")
    assert {f"{name}_{what}" for name in destinations for what in measured} <= outcome.figures.keys()
    assert outcome.figures["rows_compared"] > 3_000
    slowest = min(outcome.figures[f"{name}_rows_per_s"] for name in destinations)
    assert outcome.figures["highest_per_second"] == slowest

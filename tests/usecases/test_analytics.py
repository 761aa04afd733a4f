"""The chain of docs/usecases/analytics.md in its short form, with real parts."""

import pytest

from usecases.running import run_chain


@pytest.mark.ensemble
@pytest.mark.terraform
def test_exactly_the_rows_of_the_source_are_at_every_destination_whatever_was_killed() -> None:
    outcome = run_chain("analytics", short=True)
    assert outcome.failed == []
    destinations = ("clickhouse", "elasticsearch", "warehouse")
    measured = ("latency_p50_ms", "latency_p99_ms", "rows_per_s")
    assert {f"{name}_{what}" for name in destinations for what in measured} <= outcome.figures.keys()
    assert outcome.figures["rows_compared"] > 3_000

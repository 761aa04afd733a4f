"""What a dashboard asks. The chain asks it at the real data sources."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from usecases import grafana
from usecases.chain import ROOT

FOLDER = ROOT / "examples" / "analytics" / "grafana"
DASHBOARD = FOLDER / "dashboards" / "orders.json"
SINCE, UNTIL = datetime(2026, 11, 26, 12, tzinfo=UTC), datetime(2026, 11, 26, 13, tzinfo=UTC)


def test_every_panel_asks_a_data_source_that_is_provisioned() -> None:
    provisioned = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "analytics.yaml").read_text())
    there = {each["uid"] for each in provisioned["datasources"]}
    assert {panel.source for panel in grafana.panels(DASHBOARD)} == there


@pytest.mark.parametrize(
    ("dialect", "query", "sent"),
    [
        (
            "clickhouse",
            "SELECT 1 WHERE $__timeFilter(at)",
            (
                "SELECT 1 WHERE at >= toDateTime('2026-11-26 12:00:00', 'UTC')"
                " AND at <= toDateTime('2026-11-26 13:00:00', 'UTC')"
            ),
        ),
        (
            "postgresql",
            "select $__timeGroupAlias(at, '5m') where $__timeFilter(at)",
            (
                'select floor(extract(epoch from at) / 300) * 300 as "time" where '
                "at between '2026-11-26 12:00:00Z' and '2026-11-26 13:00:00Z'"
            ),
        ),
    ],
)
def test_macros_are_expanded_as_the_data_source_does(dialect: str, query: str, sent: str) -> None:
    assert grafana.sql(query, SINCE, UNTIL, dialect) == sent


@pytest.mark.parametrize("query", ["select $__unixEpochFilter(at)", "select $region", "select [[region]]"])
def test_what_is_not_expanded_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match=r"is not known here|is left"):
        grafana.sql(query, SINCE, UNTIL, "postgresql")


def test_rows_of_every_query_are_counted() -> None:
    def elasticsearch(body: Any) -> Any:
        (name,) = body["aggs"]
        return {"aggregations": {name: {"buckets": [1, 2]}}}

    seen = list(
        grafana.answers(
            DASHBOARD, UNTIL, clickhouse=lambda _: [1], postgresql=lambda _: [], elasticsearch=elasticsearch
        )
    )
    assert [count for _, count in seen] == [1, 1, 2, 2, 2, 0, 0]


def test_a_panel_that_asks_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    file.write_text('{"panels": [{"title": "Orders", "targets": []}]}')
    with pytest.raises(ValueError, match="panel 'Orders' asks nothing"):
        grafana.panels(file)

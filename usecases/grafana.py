"""Asks what Grafana would ask: the queries of a dashboard's panels, with its macros expanded, at the real data sources.

The macros are those of Grafana's data sources for ClickHouse and PostgreSQL; a query with another one is refused.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_MACRO = re.compile(r"\$__(\w+)\(([^()]*)\)")
_LEFT = re.compile(r"\$\w+|\[\[\w+\]\]")
_SPAN = re.compile(r"now-(\d+)([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_FORMAT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Panel:
    """A query of a panel."""

    title: str
    source: str
    """Uid of the data source."""
    target: Mapping[str, Any]


def panels(dashboard: Path) -> list[Panel]:
    """Every query of a dashboard.

    Raises:
        ValueError: a panel asks nothing.
    """
    found = []
    for panel in json.loads(dashboard.read_text("utf-8"))["panels"]:
        if not panel.get("targets"):
            raise ValueError(f"panel {panel['title']!r} asks nothing")
        found += [Panel(panel["title"], each["datasource"]["uid"], each) for each in panel["targets"]]
    return found


def span(dashboard: Path, now: datetime) -> tuple[datetime, datetime]:
    """The time that the dashboard shows."""
    shown = json.loads(dashboard.read_text("utf-8"))["time"]
    match = _SPAN.fullmatch(shown["from"])
    if match is None or shown["to"] != "now":
        raise ValueError(f"the dashboard shows {shown}: expected now-<number><m, h or d> to now")
    return now - timedelta(**{_UNITS[match[2]]: int(match[1])}), now


def sql(query: str, since: datetime, until: datetime, dialect: str) -> str:
    """A query of SQL as the data source sends it.

    Args:
        query: with macros.
        since: begin of the time that is shown.
        until: its end.
        dialect: ``clickhouse`` or ``postgresql``.

    Raises:
        ValueError: a macro is not known, or a variable is left.
    """
    begin, end = (each.astimezone(UTC).strftime(_FORMAT) for each in (since, until))

    def expanded(match: re.Match[str]) -> str:
        arguments = [each.strip() for each in match[2].split(",")]
        if match[1] == "timeFilter" and dialect == "clickhouse":
            return f"{arguments[0]} >= toDateTime('{begin}', 'UTC') AND {arguments[0]} <= toDateTime('{end}', 'UTC')"
        if match[1] == "timeFilter":
            return f"{arguments[0]} between '{begin}Z' and '{end}Z'"
        if match[1] == "timeGroupAlias" and dialect == "postgresql":
            length = arguments[1].strip("'")
            seconds = int(length[:-1]) * _SECONDS[length[-1]]
            return f'floor(extract(epoch from {arguments[0]}) / {seconds}) * {seconds} as "time"'
        raise ValueError(f"macro ${'__'}{match[1]} of {dialect} is not known here")

    found = _MACRO.sub(expanded, query)
    if left := _LEFT.search(found):
        raise ValueError(f"{left[0]} is left in {query}")
    return found


def search(target: Mapping[str, Any], since: datetime, until: datetime) -> dict[str, Any]:
    """The body of ``_search`` for a query of the Elasticsearch data source."""
    field = target["timeField"]
    window = {"gte": int(since.timestamp() * 1000), "lte": int(until.timestamp() * 1000), "format": "epoch_millis"}
    text = {"query_string": {"query": target["query"], "analyze_wildcard": True}}
    inner: dict[str, Any] = {
        metric["id"]: {metric["type"]: {"field": metric["field"]}}
        for metric in target["metrics"]
        if metric["type"] != "count"
    }
    for bucket in reversed(target["bucketAggs"]):
        settings = bucket["settings"]
        if bucket["type"] == "date_histogram":
            made: dict[str, Any] = {
                "field": bucket["field"],
                "fixed_interval": settings["interval"],
                "min_doc_count": 1,
            }
        else:
            made = {"field": bucket["field"], "size": int(settings["size"])}
        inner = {bucket["id"]: {bucket["type"]: made, **({"aggs": inner} if inner else {})}}
    return {"size": 0, "query": {"bool": {"filter": [{"range": {field: window}}, text]}}, "aggs": inner}


def answers(
    dashboard: Path,
    now: datetime,
    *,
    clickhouse: Callable[[str], Sequence[Any]],
    postgresql: Callable[[str], Sequence[Any]],
    elasticsearch: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> Iterator[tuple[str, int]]:
    """Ask every query of a dashboard: the panel's title, and how many rows it gets.

    Args:
        dashboard: its file.
        now: the end of the time that it shows.
        clickhouse: gives the rows of a query.
        postgresql: likewise.
        elasticsearch: gives the answer to a body of ``_search``.
    """
    since, until = span(dashboard, now)
    for panel in panels(dashboard):
        if panel.source == "elasticsearch":
            answer = elasticsearch(search(panel.target, since, until))
            (buckets,) = (each["buckets"] for each in answer["aggregations"].values())
            yield panel.title, len(buckets)
        elif panel.source == "clickhouse":
            yield panel.title, len(clickhouse(sql(panel.target["rawSql"], since, until, "clickhouse")))
        else:
            yield panel.title, len(postgresql(sql(panel.target["rawSql"], since, until, "postgresql")))

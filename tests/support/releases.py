"""Releases of the charts, as the rules of changes are given them."""

import copy
from collections.abc import Mapping
from typing import Any

import yaml

from tests.support.kubernetes import CHARTS

DEFAULTS: Mapping[str, dict[str, Any]] = {
    chart: yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    for chart in ("kafka", "zookeeper", "connect")
}


def release(chart: str, values: Mapping[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    """A release of one of the charts: the chart's own values with these over them.

    Args:
        chart: ``kafka``, ``zookeeper`` or ``connect``.
        values: nested, as a user gives them; ``config`` is merged too, and None takes a value away.
        facts: in place of ``name``, ``namespace``, ``version``.
    """
    given = {"name": f"events-{chart}", "namespace": "events", "chart": chart, "version": "0.1.1"}
    return {**given, **facts, "values": _merged(DEFAULTS[chart], values or {})}


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(dict(under))
    for key, value in over.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(found.get(key), dict):
            found[key] = _merged(found[key], value)
        else:
            found[key] = copy.deepcopy(value)
    return found

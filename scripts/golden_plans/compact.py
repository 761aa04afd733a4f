# ruff: noqa: INP001  # a script, run as a module
"""A plan as it is kept: what a review may read, without what differs from machine to machine or from run to run."""

import json
import re
from collections.abc import Mapping
from typing import Any

_KEPT = (
    "format_version",
    "terraform_version",
    "errored",
    "complete",
    "applyable",
    "variables",
    "output_changes",
    "resource_drift",
    "deferred_changes",
    "action_invocations",
    "resource_changes",
    "configuration",
)
"""Read by nobody: ``prior_state``, ``relevant_attributes``, ``checks``, ``timestamp``, what ``planned_values`` has."""
_NOISE = {
    "first_deployed": 0,
    "last_deployed": 0,
    "manifest": None,
    "uid": "00000000-0000-4000-8000-000000000000",
    "resource_version": "1",
    "cluster_uid": "00000000-0000-4000-8000-000000000000",
}
"""Replaced where they stand: dates, and what Kubernetes numbers."""
_HOST = re.compile(r"registry\.[a-z]+\.(?:io|org)/")


def compact(plan: Mapping[str, Any], private: Mapping[str, str]) -> dict[str, Any]:
    """The plan without what is not kept.

    Args:
        plan: What ``terraform show -json`` printed.
        private: Texts that belong to this machine, and what stands in their place.
    """
    kept = {key: plan[key] for key in _KEPT if plan.get(key) not in (None, {}, [])}
    kept["output_changes"] = {
        name: change
        for name, change in (kept.get("output_changes") or {}).items()
        if change.get("before_sensitive") is True or change.get("after_sensitive") is True
    }
    if "planned_values" in plan:
        kept["planned_values"] = {"root_module": {}}  # where nothing changes, it tells a plan from a state
    root = (kept.get("configuration") or {}).get("root_module") or {}
    kept["configuration"] = {"root_module": {"variables": root.get("variables") or {}}}
    text = _HOST.sub("example.com/", json.dumps(_quiet(kept)))
    for mine, instead in private.items():
        text = text.replace(json.dumps(mine)[1:-1], instead)
    compacted: dict[str, Any] = json.loads(text)
    return compacted


def _quiet(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {
            name: _NOISE.get(name, _quiet(each, name)) if each is not None else None for name, each in value.items()
        }
    if isinstance(value, list):
        return [_quiet(each, key) for each in value]
    return value


def written(plan: Mapping[str, Any]) -> str:
    """JSON with a line for each change of a resource, so that a difference shows which."""
    lines = []
    for key, value in plan.items():
        if key in {"resource_changes", "resource_drift"}:
            rows = ",\n".join(json.dumps(each, ensure_ascii=False) for each in value)
            lines.append(f'"{key}": [\n{rows}\n]')
        elif value not in ({}, []):
            lines.append(f'"{key}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def stream(text: str, private: Mapping[str, str]) -> str:
    """The diagnostics of a ``plan -json`` stream, one a line; nothing that tells of progress or time."""
    lines = []
    for line in text.splitlines():
        event = json.loads(line)
        if event.get("type") not in {"diagnostic", "version"}:
            continue
        event.pop("@timestamp", None)
        said = _HOST.sub("example.com/", json.dumps(event, ensure_ascii=False))
        for mine, instead in private.items():
            said = said.replace(json.dumps(mine)[1:-1], instead)
        lines.append(said)
    return "".join(f"{line}\n" for line in lines)

# ruff: noqa: INP001  # a script, run by its path
"""Writes each chart's values.yaml and values.schema.json from the models in ``hikube_kafka.spec.chart_values``.

The templates that the charts share come from ``shared.tpl``: a chart that is installed alone cannot import them.

Usage: python scripts/charts/regenerate.py
"""

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hikube_kafka.spec.chart_values import (
    FORMS,
    ConnectValues,
    KafkaValues,
    ZooKeeperValues,
    connect_values,
    kafka_values,
    zookeeper_values,
)
from hikube_kafka.spec.connect import WORKER_HEAP, ConnectCluster
from hikube_kafka.spec.connect_worker import group_id
from hikube_kafka.spec.frozen import FrozenDict
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.resources import BROKER_HEAP, ZOOKEEPER_HEAP
from hikube_kafka.spec.targets.kubernetes import SMOKE_LABELS, KubernetesLayout
from hikube_kafka.spec.targets.kubernetes_objects import CHART_LABELS

CHARTS = Path(__file__).parents[2] / "constructs/hikube_kafka/charts"
SHARED = Path(__file__).with_name("shared.tpl")
WIDTH = 120

_HEAPS = {"zookeeper": ZOOKEEPER_HEAP, "kafka": BROKER_HEAP, "connect": WORKER_HEAP}

_PREAMBLE = """\
# Values of the chart {chart}: {servers}, as they are for production.
# Written by scripts/charts/regenerate.py from the models that also make values.schema.json: change it there.
"""


def defaults() -> tuple[ZooKeeperValues, KafkaValues, ConnectValues]:
    """What is computed for a platform of three and three, and for workers of a group ``connect`` beside it.

    The releases are called ``zookeeper``, ``kafka`` and ``connect``.
    """
    platform = Platform(name="kafka")
    cluster = ConnectCluster("connect")
    layout = KubernetesLayout(namespace="default", release_prefix="")
    # Names without their namespace: a chart's own defaults hold in every one.
    connect = ",".join(f"zookeeper-{each}.zookeeper-headless:2181" for each in range(platform.zookeeper.servers))
    nobody: dict[str, Any] = {"labels": {}}
    workers = connect_values(platform, layout, cluster, bootstrap_servers="kafka:9092")
    config = {key: value.replace(group_id(platform, cluster), cluster.name) for key, value in workers.config.items()}
    return (
        zookeeper_values(platform, layout).model_copy(update=nobody),
        kafka_values(platform, layout, connect=connect).model_copy(update=nobody),
        workers.model_copy(update=nobody | {"config": FrozenDict(config)}),
    )


def generated() -> dict[Path, str]:
    """The text of every generated file, by its path within the charts."""
    zookeeper, kafka, connect = defaults()
    return {
        **{Path(chart, "templates/_shared.tpl"): shared_templates(chart) for chart in _HEAPS},
        Path("zookeeper/values.yaml"): values_yaml(zookeeper, "zookeeper", "three ZooKeeper servers"),
        Path("zookeeper/values.schema.json"): schema_json(zookeeper),
        Path("kafka/values.yaml"): values_yaml(kafka, "kafka", "three brokers"),
        Path("kafka/values.schema.json"): schema_json(kafka),
        Path("connect/values.yaml"): values_yaml(connect, "connect", "two Connect workers"),
        Path("connect/values.schema.json"): schema_json(connect),
    }


def shared_templates(chart: str) -> str:
    """The templates that all charts have, under the chart's own name: they are global where charts are combined."""
    about = "{{- /* Written by scripts/charts/regenerate.py from scripts/charts/shared.tpl: change it there. */}}\n"
    heap = _HEAPS[chart]
    ((label, value),) = SMOKE_LABELS.items()
    text = SHARED.read_text("utf-8")
    for mark, filled in (
        ("CHART", chart),
        ("SMOKE_LABEL", f"{label}: {json.dumps(value)}"),
        ("OFF_HEAP", str(heap.off_heap)),
        ("LEAST_HEAP", str(heap.least)),
        ("OWN_LABELS", " ".join(json.dumps(each) for each in sorted(CHART_LABELS))),
    ):
        text = text.replace(mark, filled)
    return about + text


def schema_json(values: BaseModel) -> str:
    """The JSON schema that Helm holds a user's values against.

    Args:
        values: Those of the chart's own, over which Helm lays the user's.
    """
    name = type(values).__name__
    schema = _untitled(type(values).model_json_schema(by_alias=True))
    models = {name: schema, **schema["$defs"]}
    for (model, key), form in FORMS.items():
        if model in models:
            models[model]["properties"][key] = _formed(models[model]["properties"][key], form)
    for model, keys in _needed(values):
        models[model]["required"] = keys
    # What a chart that contains this one hands to all of its parts.
    schema["properties"]["global"] = {"type": "object"}
    return json.dumps(schema, indent=2) + "\n"


def _formed(schema: dict[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    """With the form, which is that of the text where there may be nothing in its place."""
    if "anyOf" in schema:
        return schema | {
            "anyOf": [_formed(each, form) if each["type"] == "string" else each for each in schema["anyOf"]]
        }
    return {**schema, **form}


def _needed(values: BaseModel) -> Iterator[tuple[str, list[str]]]:
    """What the templates cannot do without, by its model: a null takes a value of the chart's own away."""
    needed = []
    for name, field in type(values).model_fields.items():
        value = getattr(values, name)
        if field.is_required() or not (value is None or value == "" or isinstance(value, tuple | dict)):
            needed.append(field.alias or name)
        if isinstance(value, BaseModel):
            yield from _needed(value)
    yield type(values).__name__, needed


def _untitled(schema: Any) -> Any:
    """Without titles, which only repeat the names; a property may be called so, and is kept."""
    if isinstance(schema, dict):
        return {
            key: {name: _untitled(each) for name, each in value.items()} if key == "properties" else _untitled(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_untitled(each) for each in schema] if isinstance(schema, list) else schema


def values_yaml(values: BaseModel, chart: str, servers: str) -> str:
    """The values as YAML, each after what its model says about it."""
    return _PREAMBLE.format(chart=chart, servers=servers) + "\n".join(_fields(values, 0)) + "\n"


def _fields(values: BaseModel, indent: int) -> Iterator[str]:
    for name, field in type(values).model_fields.items():
        value = getattr(values, name)
        about = field.description or (type(value).__doc__ if isinstance(value, BaseModel) else None)
        if indent == 0:
            yield ""
        yield from _comment(about or "", indent)
        yield from _entry(field.alias or name, value, indent)


def _comment(about: str, indent: int) -> Iterator[str]:
    for paragraph in about.replace("``", "").split("\n\n"):
        margin = " " * indent + "# "
        yield from textwrap.wrap(" ".join(paragraph.split()), WIDTH, initial_indent=margin, subsequent_indent=margin)


def _entry(key: str, value: Any, indent: int) -> Iterator[str]:
    margin = " " * indent
    if value is None:
        yield f"{margin}# {key}:"
    elif isinstance(value, BaseModel):
        yield f"{margin}{key}:"
        yield from _fields(value, indent + 2)
    elif isinstance(value, dict):
        yield f"{margin}{key}:" + ("" if value else " {}")
        for inner, each in value.items():
            yield from _entry(inner, each, indent + 2)
    elif isinstance(value, tuple):
        yield f"{margin}{key}:" + ("" if value else " []")
        for each in value:
            yield f"{margin}  - {_scalar(each)}"
    else:
        yield f"{margin}{key}: {_scalar(value)}"


def _scalar(value: Any) -> str:
    """JSON, which is YAML too: on one line."""
    if isinstance(value, BaseModel):
        return json.dumps(value.model_dump(mode="json", by_alias=True))
    return json.dumps(value if isinstance(value, bool | int) else str(value))


def main() -> None:
    """Write all of them."""
    for path, text in generated().items():
        (CHARTS / path).write_text(text, "utf-8")


if __name__ == "__main__":
    main()

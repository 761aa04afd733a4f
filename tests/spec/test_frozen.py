"""What was declared stays what was declared: no list and no dictionary of it changes afterwards."""

import copy
import pickle
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pkgutil import walk_packages
from typing import Any, get_args, get_origin

import pytest
from pydantic import AfterValidator

from hikube_kafka import spec
from hikube_kafka.spec import (
    ClientPods,
    ExternalAccess,
    Kafka,
    KubernetesLayout,
    Listener,
    Platform,
    Pods,
    Toleration,
    Topic,
    ZooKeeper,
)
from hikube_kafka.spec.ensemble import ServerProcess
from hikube_kafka.spec.frozen import FrozenDict
from hikube_kafka.spec.model import Model


def models(of: type[Model] = Model) -> Iterator[type[Model]]:
    for each in of.__subclasses__():
        yield each
        yield from models(each)


def changeable(annotation: Any, metadata: tuple[Any, ...] = ()) -> bool:
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return changeable(arguments[0], annotation.__metadata__)
    if origin in {dict, list, set} or (origin is Mapping and AfterValidator(FrozenDict) not in metadata):
        return True
    return any(changeable(each) for each in arguments)


def test_no_model_has_a_field_that_could_be_changed() -> None:
    for module in walk_packages(spec.__path__, "hikube_kafka.spec."):
        import_module(module.name)
    every = [
        (f"{model.__name__}.{name}", changeable(field.annotation, tuple(field.metadata)))
        for model in models()
        if model.__module__.startswith("hikube_kafka.")
        for name, field in model.model_fields.items()
    ]
    assert len(every) > 100
    assert [name for name, wrong in every if wrong] == []
    assert [changeable(each) for each in (dict[str, str], tuple[list[int], ...], Mapping[str, int])] == [True] * 3


def test_what_is_changed_after_it_was_declared_changes_nothing() -> None:
    entries: dict[str, Any] = {"num.partitions": 6}
    labels, racks, topics = {"team": "orders"}, ["a", "b"], [Topic("orders", partitions=1, config=entries)]
    listeners, clients, sources = [Listener("client", port=9092)], [ClientPods(labels=labels)], ["203.0.113.0/24"]
    tolerations = [Toleration(key="kafka")]
    properties = {"broker.id": "0"}
    declared = Platform(
        name="shop",
        zookeeper=ZooKeeper(config=entries),
        kafka=Kafka(config=entries, racks=racks, listeners=listeners),
        topics=topics,
    )
    layout = KubernetesLayout(
        namespace="shop",
        labels=labels,
        kafka_clients=clients,
        pods=Pods(node_selector=labels, annotations=labels, tolerations=tolerations),
        external=ExternalAccess(sources=sources, annotations=labels),
    )
    process = ServerProcess(kind="broker", id=0, properties=properties, heap="512m")
    before = declared.model_dump_json(), layout.model_dump_json(), dict(process.properties), hash(declared)
    for given in (entries, labels, properties):
        given["another"] = "one"
    for several in (racks, topics, listeners, clients, sources, tolerations):
        several.clear()
    assert before == (declared.model_dump_json(), layout.model_dump_json(), dict(process.properties), hash(declared))


CHANGES: list[Callable[[Any], object]] = [
    lambda it: it.__setitem__("a", 2),
    lambda it: it.__delitem__("a"),
    lambda it: it.__ior__({"a": 2}),
    lambda it: it.update(a=2),
    lambda it: it.setdefault("b", 2),
    lambda it: it.pop("a"),
    lambda it: it.popitem(),
    lambda it: it.clear(),
    lambda it: setattr(it, "_of", "topic"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_entries_cannot_be_changed(change: Callable[[Any], object]) -> None:
    config = Topic("orders", partitions=1, config={"a": 1}).config
    with pytest.raises(TypeError, match="cannot be changed"):
        change(config)
    assert config == {"a": 1}


def test_equal_declarations_have_one_hash_however_they_were_written() -> None:
    one = Kafka(heap="1500m", racks=["a", "b"], config={"num.partitions": 6, "log.retention.hours": 1})
    other = Kafka(heap="1500Mi", racks=("a", "b"), config={"log.retention.hours": 1, "num.partitions": 6})
    assert one == other
    assert len({one, other, Kafka()}) == 2
    assert hash(KubernetesLayout(namespace="shop", labels={"a": "b"})) == hash(
        KubernetesLayout(namespace="shop", labels={"a": "b"})
    )


def test_a_declaration_is_copied_and_read_back_as_itself() -> None:
    declared = Platform(name="shop", topics=[Topic("orders", partitions=1, config={"retention.ms": 1})])
    assert copy.deepcopy(declared) == declared
    assert pickle.loads(pickle.dumps(declared)) == declared  # noqa: S301 - made on this line
    assert Platform.model_validate_json(declared.model_dump_json()) == declared
    assert {**declared.topics[0].config, "a": 1} == {"retention.ms": 1, "a": 1}


@pytest.mark.parametrize(
    ("entries", "key", "told"),
    [
        ({"orders": 1, "payments": 2}, "order", "there is no topic 'order': did you mean 'orders'?"),
        ({"orders": 1, "payments": 2}, "zzz", "there is no topic 'zzz': there are orders, payments"),
        ({}, "orders", "there is no topic 'orders': none is declared"),
        ({"orders": 1}, 7, "there is no topic 7: there are orders"),
    ],
)
def test_a_wrong_key_is_answered_with_the_nearest(entries: dict[str, int], key: Any, told: str) -> None:
    with pytest.raises(KeyError) as refused:
        FrozenDict(entries, of="topic")[key]
    assert str(refused.value) == told


def test_a_wrong_key_of_a_configuration_is_answered_with_the_nearest() -> None:
    config = Topic("orders", partitions=1, config={"retention.ms": 1}).config
    with pytest.raises(KeyError, match=r"there is no entry 'retentionMs': did you mean 'retention\.ms'"):
        config["retentionMs"]
    assert config.get("retentionMs") is None
    assert "retentionMs" not in config

"""Entries of Connect that are fine one by one and contradict each other: what Kafka checks when it uses them.

Sources: ``ProducerConfig``, ``KafkaProducer.configureDeliveryTimeout`` and ``Heartbeat`` for clients; ``configure`` of
each class for transforms and predicates.
"""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from hikube_kafka.spec.definitions.catalog import connect_definitions
from hikube_kafka.spec.definitions.definition import Mismatch, Parsed, is_reference
from hikube_kafka.spec.definitions.fault import HIDDEN, Fault
from hikube_kafka.spec.mistakes import is_reference as is_of_terraform

_OF_CONNECT: Mapping[str, str] = MappingProxyType(
    {
        "producer.acks": "all",
        "producer.enable.idempotence": "false",
        "producer.max.in.flight.requests.per.connection": "1",
        "producer.delivery.timeout.ms": str(2**31 - 1),
    }
)
"""What a worker sets for its producers, unless somebody sets it: Worker.baseProducerConfigs."""
_MOST_IN_FLIGHT = 5
_CAST_TYPES = frozenset({"INT8", "INT16", "INT32", "INT64", "FLOAT32", "FLOAT64", "BOOLEAN", "STRING"})
_OPEN = frozenset({"missing ), unterminated subpattern", "unterminated character set", "unbalanced parenthesis"})
"""What Python says of a regular expression that Java does not take either; of other expressions Java may know more."""


def client_conflicts(
    config: Mapping[str, object], *, infix: str, workers: Mapping[str, object] | None = None
) -> Iterator[Fault]:
    """The contradictions among the entries for a client that a worker starts.

    Args:
        config: The entries that are judged.
        infix: What stands between the client's name and its key: ``.`` of a worker, ``.override.`` of a connector.
        workers: The workers' entries, which hold where a connector has none of its own.
    """
    clients = _Clients(config, infix, workers or {})
    yield from _of_producer(clients)
    beat, session = (clients.number(key) for key in _BEATS)
    if beat is not None and session is not None and beat >= session:
        yield from clients.conflict(_BEATS, f"{beat} is not below {session}", "Write a shorter interval.")


_BEATS = ("consumer.heartbeat.interval.ms", "consumer.session.timeout.ms")
_TIMES = ("producer.delivery.timeout.ms", "producer.linger.ms", "producer.request.timeout.ms")


def _of_producer(clients: "_Clients") -> Iterator[Fault]:
    if clients.value("producer.enable.idempotence") is True:
        in_flight = clients.number("producer.max.in.flight.requests.per.connection")
        for key, wrong, needed in (
            ("acks", clients.value("producer.acks") not in {"all", "-1", None}, "acks = all"),
            ("retries", clients.number("producer.retries") == 0, "retries above 0"),
            ("max.in.flight.requests.per.connection", (in_flight or 0) > _MOST_IN_FLIGHT, "at most 5 of them"),
        ):
            keys = (f"producer.{key}", "producer.enable.idempotence")
            yield from clients.conflict(keys, f"idempotence needs {needed}", "Change one.") if wrong else ()
    delivery, linger, request = (clients.number(key) for key in _TIMES)
    if delivery is not None and linger is not None and request is not None and delivery < linger + request:
        told = f"delivery.timeout.ms = {delivery} is less than linger.ms + request.timeout.ms = {linger + request}"
        yield from clients.conflict(_TIMES, told, "Write a longer delivery.timeout.ms, or leave it out.")


class _Clients:
    """The entries of clients: those that are judged, those of the workers, Connect's own, and Kafka's defaults."""

    def __init__(self, config: Mapping[str, object], infix: str, workers: Mapping[str, object]) -> None:
        self._config, self._infix, self._workers = config, infix, workers

    def _full(self, key: str) -> str:
        return key.replace(".", self._infix, 1)

    def value(self, key: str) -> Parsed | None:
        """What is in force; None where nobody can know it, or it is refused by itself."""
        client, _, rest = key.partition(".")
        definition = connect_definitions("producer" if client == "producer" else "consumer")[rest]
        default = self._workers.get(key, _OF_CONNECT.get(key, definition.default))
        value = self._config.get(self._full(key), default)
        if value is None or is_reference(value) or is_of_terraform(value):
            return None
        try:
            return definition.parse(value)
        except Mismatch:
            return None

    def number(self, key: str) -> int | None:
        """A whole number that is in force."""
        value = self.value(key)
        return value if isinstance(value, int) else None

    def conflict(self, keys: Iterable[str], told: str, remedy: str) -> Iterator[Fault]:
        """The fault of what is declared here; what only others declare is told of them."""
        declared = [self._full(key) for key in keys if self._full(key) in self._config]
        if declared:
            named = "' and '".join(declared)
            yield _conflict(declared[0], f"'{named}': {told}.", remedy)


def worker_conflicts(config: Mapping[str, object]) -> Iterator[Fault]:
    """The contradictions among the entries of a worker: what it does at its start beyond reading them.

    Args:
        config: The entries that are declared.
    """

    def value(key: str) -> Any:
        definition = connect_definitions("worker")[key]
        there = config.get(key, definition.default)
        if is_reference(there) or is_of_terraform(there):
            return None
        with contextlib.suppress(Mismatch):
            return definition.parse(there)
        return None

    beat, session, rebalance = (value(f"{each}.ms") for each in _OF_GROUP)
    if beat is not None and session is not None and beat >= session:
        key = next((f"{each}.ms" for each in _OF_GROUP if f"{each}.ms" in config), "")
        problem = f"heartbeat.interval.ms = {beat} is not below session.timeout.ms = {session}."
        yield _conflict(key, problem, "Write a shorter interval than the timeout.")
    if rebalance is not None and rebalance < 0:
        yield _conflict("rebalance.timeout.ms", f"'rebalance.timeout.ms' is {rebalance}.", "Write at least 0.")
    signature, accepted = value("inter.worker.signature.algorithm"), value("inter.worker.verification.algorithms")
    if signature is not None and accepted is not None and signature not in accepted:
        keys = ("inter.worker.signature.algorithm", "inter.worker.verification.algorithms")
        problem = f"'{keys[1]}' does not have {signature}, which '{keys[0]}' is."
        yield _conflict(next(key for key in keys if key in config), problem, f"Add it to '{keys[1]}'.")


_OF_GROUP = ("heartbeat.interval", "session.timeout", "rebalance.timeout")


def plugin_conflicts(name: str, prefix: str, config: Mapping[str, object]) -> Iterator[Fault]:
    """What a transform or predicate of Kafka's own refuses in its entries.

    Args:
        name: Its class, in full or by the last part.
        prefix: What its entries stand below, ``transforms.route.``.
        config: All entries of the connector.
    """
    judge = _JUDGES.get(name.rpartition(".")[2].partition("$")[0])
    entries = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    if judge is None or any(is_reference(value) or is_of_terraform(value) for value in entries.values()):
        return
    for key, told, remedy in judge({key: str(value) for key, value in entries.items()}):
        yield _conflict(f"{prefix}{key}", f"'{prefix}{key}' {told}.", remedy)


_Told = Iterator[tuple[str, str, str]]


def _listed(value: str) -> list[str]:
    return [each.strip() for each in value.split(",")] if value.strip() else []


def _of_cast(entries: Mapping[str, str]) -> _Told:
    casts = [each.split(":") for each in _listed(entries.get("spec", ""))]
    remedy = "Write field:type with commas in between, or one type alone for the whole."
    if "spec" in entries and not casts:
        yield "spec", "is empty", remedy
    for cast in casts:
        if len(cast) > 2 or cast[-1].strip().upper() not in _CAST_TYPES:  # noqa: PLR2004 - a field and a type
            types = ", ".join(sorted(each.lower() for each in _CAST_TYPES))
            yield "spec", f"has '{':'.join(cast)}', and the types are {types}", remedy
    if len(casts) > 1 and any(len(cast) == 1 and cast[0].upper() in _CAST_TYPES for cast in casts):
        yield "spec", "casts the whole and fields of it at once", remedy


def _of_replace_field(entries: Mapping[str, str]) -> _Told:
    for each in _listed(entries.get("renames", "")):
        if each.count(":") != 1 or not all(part.strip() for part in each.split(":")):
            yield "renames", f"has '{each}', which is not old:new", "Write old:new with commas in between."


def _of_timestamp_converter(entries: Mapping[str, str]) -> _Told:
    if entries.get("target.type", "").strip() == "string" and not entries.get("format", "").strip():
        yield "format", "is needed for target.type = string", "Declare it, such as yyyy-MM-dd."


def _of_insert_field(entries: Mapping[str, str]) -> _Told:
    fields = [f"{each}.field" for each in ("topic", "partition", "offset", "timestamp", "static")]
    if not any(each in entries for each in fields):
        yield "static.field", "is not there, and neither is another field to insert", f"Declare {' or '.join(fields)}."
    if "static.field" in entries and "static.value" not in entries:
        yield "static.value", "is needed for static.field", "Declare it."


def _of_header_from(entries: Mapping[str, str]) -> _Told:
    fields, headers = (_listed(entries.get(key, "")) for key in ("fields", "headers"))
    if fields and headers and len(fields) != len(headers):
        yield "headers", f"has {len(headers)} names for {len(fields)} fields", "Name a header for each field."


def _of_regex(key: str) -> Callable[[Mapping[str, str]], _Told]:
    def judge(entries: Mapping[str, str]) -> _Told:
        if key in entries and (fault := _fault_of(entries[key])):
            yield key, f"is '{entries[key]}', which is no regular expression: {fault}", "Correct it."

    return judge


_JUDGES: Mapping[str, Callable[[Mapping[str, str]], _Told]] = MappingProxyType(
    {
        "Cast": _of_cast,
        "ReplaceField": _of_replace_field,
        "TimestampConverter": _of_timestamp_converter,
        "InsertField": _of_insert_field,
        "HeaderFrom": _of_header_from,
        "RegexRouter": _of_regex("regex"),
        "TopicNameMatches": _of_regex("pattern"),
    }
)


def regex_faults(key: str, value: object, *, listed: bool = False) -> Iterator[Fault]:
    """A regular expression that Java does not take, as far as Python can tell.

    Args:
        key: The entry.
        value: Its value.
        listed: Whether it has several, with commas in between.
    """
    if not isinstance(value, str) or is_reference(value) or is_of_terraform(value):
        return
    for each in _listed(value) if listed else [value.strip()]:
        if fault := _fault_of(each):
            yield _conflict(key, f"'{key}' has '{each}', which is no regular expression: {fault}.", "Correct it.")


def _fault_of(expression: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # [a-z&&[^b]] means something to Java
            re.compile(expression)
    except re.error as error:
        return error.msg if error.msg in _OPEN else None
    return None


def _conflict(key: str, problem: str, remedy: str) -> Fault:
    return Fault(key=key, value=HIDDEN, rule="conflict", problem=problem, remedy=remedy)

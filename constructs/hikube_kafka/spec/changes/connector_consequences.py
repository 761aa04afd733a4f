"""What a change of a connector does to what it carries, beyond what the provider refuses. For reviews alone.

Source of what Connect does: https://kafka.apache.org/39/documentation.html#connect.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.spec.problem import Problem, Rule

DELETED = Rule(
    id="connector-deleted",
    severity="warning",
    message="it is deleted, and its offsets are {offsets}.",
    why="{effect}",
    remedy='Set state = "stopped" to have it rest, or offsets.on_destroy to the other value if that is what is meant.',
    message_in_general="it is deleted; its offsets are kept or reset.",
)
FORGOTTEN = Rule(
    id="connector-forgotten",
    severity="notice",
    message="Terraform forgets it; the connector goes on in Connect.",
    why="From now on no plan shows what changes in it.",
    remedy="Nothing, if that is meant. To manage it again, import it by its name.",
)
OFFSETS_RESET = Rule(
    id="connector-offsets-reset",
    severity="warning",
    message="its offsets are reset once, while it is stopped.",
    why="{effect}",
    remedy="Check that what it writes to takes records that it has already. To keep them, set offsets.on_change = "
    '"keep".',
)
OFFSETS_SET = Rule(
    id="connector-offsets-set",
    severity="warning",
    message="its offsets are set once, while it is stopped.",
    why="What lies before a later offset is never delivered, and what lies after an earlier one is delivered again.",
    remedy="Compare offsets.to with what GET /connectors/<name>/offsets shows now.",
)
CLASS_CHANGED = Rule(
    id="connector-class-changed",
    severity="warning",
    message="its class changes from {before} to {after}.",
    why="The offsets that it goes on with are those of the other class, which may not understand them; and each class "
    "has keys of its own.",
    remedy="Give a connector of another class another name, or declare offsets for it.",
)
TASKS_CHANGED = Rule(
    id="connector-tasks-changed",
    severity="notice",
    message="tasks_max changes from {before} to {after}.",
    why="Its tasks stop, and start anew in the new number; a sink has no use for more tasks than its topics have "
    "partitions, and many sources run one task whatever is declared.",
    remedy="Nothing, if what it writes to bears the new number of writers.",
)
RESTARTS = Rule(
    id="connector-restarts",
    severity="notice",
    message="its configuration changes in {keys}: its tasks restart.",
    why="What was delivered since the last commit of offsets is delivered again, unless it is delivered exactly once.",
    remedy="Nothing, if what it writes to takes records twice.",
)
HELD = Rule(
    id="connector-held",
    severity="warning",
    message="it is {state}.",
    why="{effect}",
    remedy="Have it run again before that.",
    message_in_general="it is paused or stopped.",
)
TOPICS_CHANGED = Rule(
    id="connector-topics-changed",
    severity="warning",
    message="{key} changes from {before} to {after}.",
    why="What is in a topic that it no longer reads is not delivered any more. A topic that is new to it is read from "
    "where consumer.override.auto.offset.reset, or the workers' setting, says.",
    remedy="Check that no topic is left out that somebody needs.",
    message_in_general="the topics of a sink change.",
)
CONVERTER_CHANGED = Rule(
    id="connector-converter-changed",
    severity="warning",
    message="{key} changes from {before} to {after}.",
    why="{effect}",
    remedy="Check the format of what is in the topics already, and every consumer of a source's topics.",
    message_in_general="the converter of keys, values or headers changes.",
)
DROPS = Rule(
    id="connector-drops-records",
    severity="error",
    message="it drops records that it cannot convert or deliver: errors.tolerance is all, and there is no dead letter "
    "topic.",
    why="Such a record is passed over, and kept nowhere.",
    remedy="Set errors.deadletterqueue.topic.name for a sink, or errors.tolerance = none.",
)

DECIDES: tuple[tuple[str, ...], ...] = (("name",), ("class",), ("config",), ("state",), ("offsets",))
"""Attributes without which not everything can be said of a change."""

_CONVERTERS = ("key.converter", "value.converter", "header.converter")
_TOPICS = ("topics", "topics.regex")
_SHOWN = 5
_BEGINS_ANEW = {
    "sink": "It reads its topics again from where auto.offset.reset says: records are delivered again, or, with "
    "latest, those in between never.",
    "source": "It begins anew: a source that takes a snapshot takes another one, and its records come again.",
}


def consequences(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> Iterator[Problem]:
    """What a change comes to.

    Args:
        prior: As the connector is; None: it is created.
        planned: As it is to be, without what only the apply will tell; None: it is deleted.
    """
    if planned is None:
        if prior is not None:
            yield _deleted(prior)
        return
    where = _where(planned)
    yield from _offsets(prior, planned)
    if _drops(planned) and (prior is None or not _drops(prior)):
        yield DROPS(where, path=("config", "errors.tolerance"))
    state = planned.get("state")
    if state in {"paused", "stopped"} and (prior is None or prior.get("state") != state):
        yield HELD(where, path=("state",), state=state, effect=_EFFECT_OF_REST[_kind(planned, prior)])
    if prior is None or prior.get("name") != planned.get("name"):
        return
    if "class" in planned and planned["class"] != prior["class"]:
        yield CLASS_CHANGED(where, path=("class",), before=prior["class"], after=planned["class"])
    if "tasks_max" in planned and planned["tasks_max"] != prior.get("tasks_max"):
        yield TASKS_CHANGED(where, path=("tasks_max",), before=prior.get("tasks_max"), after=planned["tasks_max"])
    if "config" in planned:
        yield from _config(prior, planned)


def resets(prior: Mapping[str, Any]) -> bool:
    """Whether its offsets are reset where it is deleted."""
    return (prior.get("offsets") or {}).get("on_destroy") == "reset"


def forgotten(prior: Mapping[str, Any]) -> Iterator[Problem]:
    """What it comes to that Terraform forgets it."""
    yield FORGOTTEN(_where(prior))


_EFFECT_OF_REST = {
    "sink": "Its lag grows; what the topics' retention removes meanwhile is never delivered.",
    "source": "Nothing is carried. A source that captures changes has its database keep them: a replication slot of "
    "PostgreSQL holds its WAL, up to max_slot_wal_keep_size or the end of the disk.",
}


def _deleted(prior: Mapping[str, Any]) -> Problem:
    kept = "A later connector of the same name goes on where it ended, as far as the records are still there."
    return DELETED(
        _where(prior),
        offsets="reset" if resets(prior) else "kept",
        effect=f"A later connector of the same name starts over. {_BEGINS_ANEW[_kind(prior, None)]}"
        if resets(prior)
        else kept,
    )


def _offsets(prior: Mapping[str, Any] | None, planned: Mapping[str, Any]) -> Iterator[Problem]:
    before = {} if prior is None or prior.get("name") != planned.get("name") else prior.get("offsets") or {}
    after = planned.get("offsets") or {}
    on_change = after.get("on_change")
    if on_change == "reset" and before.get("on_change") != "reset":
        effect = _BEGINS_ANEW[_kind(planned, prior)]
        yield OFFSETS_RESET(_where(planned), path=("offsets", "on_change"), effect=effect)
    if on_change == "set" and (before.get("on_change"), before.get("to")) != ("set", after.get("to")):
        yield OFFSETS_SET(_where(planned), path=("offsets", "to"))


def _config(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[Problem]:
    where, before, after = _where(planned), _entries(prior), _entries(planned)
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    told: set[str] = set()
    for key in changed:
        facts: dict[str, Any] = {"key": key, "before": before.get(key, "nothing"), "after": after.get(key, "nothing")}
        if key in _TOPICS:
            yield TOPICS_CHANGED(where, path=("config",), **facts)
            told.add(key)
        elif key in _CONVERTERS or any(key.startswith(f"{each}.schemas.enable") for each in _CONVERTERS):
            sink = _kind(planned, prior) == "sink"
            effect = (
                "It reads what is in its topics already with the new one, and fails, or passes over what does not fit."
                if sink
                else "Its topics then hold both formats: a consumer that knows the earlier one alone fails."
            )
            yield CONVERTER_CHANGED(where, path=("config",), effect=effect, **facts)
            told.add(key)
    rest = [key for key in changed if key not in told]
    if rest:
        more = f" and {len(rest) - _SHOWN} more" if len(rest) > _SHOWN else ""
        yield RESTARTS(where, path=("config",), keys=", ".join(rest[:_SHOWN]) + more)


def _entries(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value).strip() for key, value in (values.get("config") or {}).items() if value is not None}


def _drops(values: Mapping[str, Any]) -> bool:
    config = _entries(values)
    return config.get("errors.tolerance", "").lower() == "all" and not config.get("errors.deadletterqueue.topic.name")


def _kind(values: Mapping[str, Any], prior: Mapping[str, Any] | None) -> str:
    """``sink`` or ``source``: Connect asks every sink for topics, and no source has them."""
    told = values.get("type") or (prior or {}).get("type")
    if told in {"sink", "source"}:
        return str(told)
    return "sink" if any(key in _entries(values) for key in _TOPICS) else "source"


def _where(values: Mapping[str, Any]) -> str:
    return f"connector {values['name']}" if isinstance(values.get("name"), str) else "a connector"

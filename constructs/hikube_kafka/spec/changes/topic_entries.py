"""The configuration entries of a topic: what Kafka refuses, and what no topic should have.

Apart from ``topic``, because it loads Kafka's own definitions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from hikube_kafka.spec.definitions.catalog import topic_definitions
from hikube_kafka.spec.definitions.check import check_topic_config
from hikube_kafka.spec.definitions.definition import spelled
from hikube_kafka.spec.definitions.problems import TOPIC_CONFIG, may_exist, topic_config_problems
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.topic_limits import min_insync_problems, name_problems

_IS_SO = "The topic is so already, so this is no reason to refuse the plan."
_REMEMBERED = 4096
"""Entries of topics whose check and spelling are remembered: a thousand topics have a few configurations."""
_CONFLICT = TOPIC_CONFIG["conflict"].id


def never(planned: Mapping[str, Any]) -> Iterator[Problem]:
    """What no topic can be or have: a name or an entry that Kafka does not take."""
    if isinstance(planned.get("name"), str):
        yield from name_problems(planned["name"])
    yield from (each for each in _config_problems(planned) if not may_exist(each))


def problems(prior: Mapping[str, Any] | None, planned: Mapping[str, Any]) -> Iterator[Problem]:
    """What no new topic should have; of one that is so already it is said, and not refused.

    Args:
        prior: As the topic is; None: it is created.
        planned: As it is to be; what only the apply will tell is left out.
    """
    before = {} if prior is None else canonical(prior.get("config"))
    after = canonical(planned.get("config"))
    for problem in _config_problems(planned):
        if may_exist(problem):
            key = problem.path[-1]
            is_so = before == after if problem.rule == _CONFLICT else key in before and before[key] == after.get(key)
            lives = is_so and problem.severity == "error"
            yield replace(problem, severity="warning", why=_IS_SO) if lives else problem
    factor, key = planned.get("replication_factor"), "min.insync.replicas"
    if isinstance(factor, int):
        is_so = prior is not None and (prior["replication_factor"], before.get(key)) == (factor, after.get(key))
        yield from min_insync_problems(
            _named(planned),
            after.get(key, ""),
            factor,
            instead="raise replication_factor",
            severity="warning" if is_so else None,
        )


def canonical(entries: Mapping[str, Any] | None) -> dict[str, str]:
    """The entries in the text in which Kafka keeps them; of a key that this version does not know, as they are."""
    return {key: spelling(key, str(value)) for key, value in (entries or {}).items() if value is not None}


def _config_problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    entries = {key: str(value) for key, value in (values.get("config") or {}).items() if value is not None}
    if not _are_sound(frozenset(entries.items())):
        yield from topic_config_problems(_named(values), entries)


def _named(values: Mapping[str, Any]) -> str:
    return f"topic {values['name']}" if isinstance(values.get("name"), str) else "a topic"


@lru_cache(_REMEMBERED)
def _are_sound(entries: frozenset[tuple[str, str]]) -> bool:
    return not check_topic_config(dict(entries))


@lru_cache(_REMEMBERED)
def spelling(key: str, value: str) -> str:
    """The text in which Kafka keeps a value; of a key that this version does not know, the text itself."""
    return spelled(topic_definitions().get(key), value)

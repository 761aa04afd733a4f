"""What makes a declaration invalid, or worth a second look.

A rule has a stable id and its texts; a small function, its judge, finds where a platform breaks it. :func:`check` asks
all of them, so that a user sees every problem at once. Errors stop the synth; warnings and notices reach the user and
stop nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hikube_kafka.spec.model import FieldError
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.rules import brokers, connect, platform, topics, zookeeper

Judge = Callable[[Platform], Iterator[Problem]]

_OF_ZOOKEEPER: tuple[Judge, ...] = (
    zookeeper.count_is_odd,
    zookeeper.not_alone,
    zookeeper.heap_fits,
    zookeeper.config_is_free,
    zookeeper.config_is_zookeepers,
    zookeeper.config_is_safe,
    zookeeper.limits_are_long_enough,
    zookeeper.user_config_wins,
)
_OF_BROKERS: tuple[Judge, ...] = (
    brokers.not_alone,
    brokers.heap_fits,
    brokers.racks_are_named,
    brokers.listeners_differ,
    brokers.listener_security_is_whole,
    brokers.listener_encrypts,
    brokers.config_is_kafkas,
    brokers.config_holds_no_secret,
    brokers.factors_fit,
    brokers.min_insync_leaves_room,
    brokers.user_config_wins,
    zookeeper.sessions_are_granted,
)
ZOOKEEPER: tuple[Judge, ...] = (platform.name_is_a_label, *_OF_ZOOKEEPER)
"""What concerns the ZooKeeper servers of a declaration, in the order in which it is shown."""

BROKERS: tuple[Judge, ...] = (platform.name_is_a_label, *_OF_BROKERS)
"""What concerns the brokers of a declaration."""

CONNECT: tuple[Judge, ...] = (
    connect.clusters_differ,
    connect.former_clusters_are_gone,
    connect.workers_are_not_alone,
    connect.heap_fits,
    connect.worker_config_is_free,
    connect.worker_config_is_kafkas,
    connect.workers_can_log_in,
    connect.internal_topics_are_as_workers_need_them,
    connect.plugins_differ,
    connect.plugins_come_from_somewhere,
    connect.connectors_differ,
    connect.connectors_have_their_plugin,
    connect.connector_config_is_connects,
    connect.sinks_read_topics,
    connect.dead_letters_are_whole,
    connect.config_holds_no_secret,
    connect.references_are_resolved,
    connect.exactly_once_is_supported,
    connect.created_topics_fit,
    connect.change_capture_does_no_harm,
    connect.sources_have_their_topics,
    connect.jdbc_sinks_know_the_columns,
    connect.user_config_wins,
)
"""What concerns the Connect clusters of a declaration."""

JUDGES: tuple[Judge, ...] = (
    platform.name_is_a_label,
    *_OF_ZOOKEEPER,
    *_OF_BROKERS,
    topics.name_is_legal,
    topics.name_is_not_internal,
    topics.declared_once,
    topics.names_do_not_collide,
    topics.factor_fits,
    topics.factor_is_safe,
    brokers.enough_for_three_copies,
    topics.min_insync_leaves_room,
    topics.config_is_kafkas,
    topics.retention_fits_the_disks,
    topics.partitions_per_broker_are_few_enough,
    *CONNECT,
)
"""Every function that finds problems, in the order in which they are shown: the platform, its servers, its topics, and
its Connect clusters."""


def check(declared: Platform, judges: Iterable[Judge] | None = None) -> list[Problem]:
    """Every problem of the declaration: errors, warnings and notices.

    Args:
        declared: the declaration.
        judges: who is asked. None means all of them.
    """
    return [problem for judge in (JUDGES if judges is None else judges) for problem in asked(judge, declared)]


def asked(judge: Callable[..., Iterable[Problem]], declared: Platform, *more: Any) -> list[Problem]:
    """What a judge finds in that of a declaration which can be read: a topic or connector with a mistake is left out.

    What is mistaken itself is told by :meth:`~hikube_kafka.spec.model.Declared.problems`.

    Args:
        judge: a function that finds problems.
        declared: the declaration.
        more: what else the judge is given.
    """
    found: list[Problem] = []
    try:
        for problem in judge(declared, *more):
            found.append(problem)  # noqa: PERF402 - what was found before a mistake counts
    except FieldError as error:
        if (rest := _without(declared, error.of)) is not None:
            return asked(judge, rest, *more)
    return found


def _without(owner: Any, part: Any) -> Any:
    """The declaration without a part of it, wherever that is; None if it is no part that can be left out."""
    for field in ("topics", "connect", "plugins", "connectors"):
        parts = owner.__dict__.get(field, ())
        rest = tuple(each for each in parts if each is not part)
        if len(rest) < len(parts):
            return owner.model_copy(update={field: rest})
        for index, each in enumerate(parts):
            if (less := _without(each, part)) is not None:
                return owner.model_copy(update={field: (*parts[:index], less, *parts[index + 1 :])})
    return None

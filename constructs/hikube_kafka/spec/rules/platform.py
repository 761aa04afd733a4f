"""What concerns the platform as a whole."""

import re
from collections.abc import Iterable, Iterator

from hikube_kafka.spec.mistakes import VALUE_UNKNOWN, is_reference
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.properties import Override

LONGEST_NAME = 40
"""A release ``kafka-<name>`` and its pods' names must stay DNS labels; Hikube refuses more than 47 characters."""

NAME = Rule(
    id="platform-name",
    severity="error",
    message=f"the name is not a DNS label of at most {LONGEST_NAME} characters.",
    why="The name becomes part of releases, pods and folders.",
    remedy="Use lower-case letters, digits and '-', starting with a letter and not ending with '-'.",
)
OVERRIDE = Rule(
    id="config-override",
    severity="notice",
    message="{key} = {declared} replaces {computed}, which was computed.",
    why="A declared entry wins over a computed one, and the notice says that it does.",
    remedy="Drop it to return to the computed value.",
)

CONTRACT_OVERRIDE = Rule(
    id="contract-override",
    severity="warning",
    message="add_override changes {attributes}, and the contract promises what was declared.",
    why="What is applied then differs from what the rules saw, and the smoke tests fail.",
    remedy="Declare it instead.",
)
WORKLOAD = Rule(
    id="workload-too-much",
    severity="error",
    message="it needs {needed} {what}, and a cluster has at most {most}.",
    why="No one cluster carries it.",
    remedy="Divide it between {clusters} clusters or more, keep messages for less time, or allow more: {allowance}.",
)
MOVED_WITHOUT_NAME = Rule(
    id="platform-moved-name",
    severity="error",
    message="it is not declared, and moved_from is.",
    why="The servers would get the name of the new id: they would be other servers, without the data.",
    remedy='Declare the name that the platform has had so far: name="{former}", unless it had another one.',
)


def name_is_a_label(platform: Platform) -> Iterator[Problem]:
    """A name of other characters, or too many."""
    if is_reference(platform.name):
        yield VALUE_UNKNOWN("platform", field="name")
    elif not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", platform.name) or len(platform.name) > LONGEST_NAME:
        yield NAME(f"platform {platform.name!r}")


def wins(overrides: Iterable[Override]) -> Iterator[Problem]:
    """Entries that the user sets and the platform would have computed."""
    for override in overrides:
        yield OVERRIDE(override.where, key=override.key, declared=override.declared, computed=override.computed)

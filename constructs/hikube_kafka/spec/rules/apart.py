"""What two parts of one app must not both have: Terraform, Helm or Kafka would give it to the last of them."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hikube_kafka.spec.problem import Problem, Rule, shortened

TERRAFORM_NAME = Rule(
    id="app-terraform-name-twice",
    severity="error",
    message="{other} is called {things} in Terraform as well.",
    why="The CDK merges the two without a word, and only one of them is applied.",
    remedy="Give one of the two another id.",
)
STATE = Rule(
    id="app-state-twice",
    severity="error",
    message="{other} keeps its state in {things} as well.",
    why="Each of the two stacks would delete what the other one has made.",
    remedy="Give one of the two stacks another backend, or another path or key in it.",
)
TOPIC = Rule(
    id="app-topic-twice",
    severity="error",
    message="{other} has {things} as well.",
    why="A topic has one configuration, and only one resource can create it.",
    remedy="Keep one of the two, or give them different names.",
)

CONNECTOR = Rule(
    id="app-connector-twice",
    severity="error",
    message="{other} has {things} as well.",
    why="A Connect cluster has one connector of a name, and each apply would write over the other's configuration.",
    remedy="Keep one of the two, or give them different names.",
)
CONNECT_GROUP = Rule(
    id="app-connect-group-twice",
    severity="error",
    message="{other} is {things} as well.",
    why="Workers of one group.id are one Connect cluster: each would run the connectors of the other.",
    remedy="Give one of the two Connect clusters another name.",
)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Something that one part of an app has, and no other part may have."""

    by: str
    """Path of the construct that has it."""
    part: str
    """Path of the platform that the construct belongs to, or its own."""
    thing: str
    """What it is: ``release events-kafka in namespace events``."""
    rule: Rule
    """What is wrong when another part has it as well."""
    keys: frozenset[Hashable]
    """What identifies it: two things are one where a key is the same."""
    follows: frozenset[str] = frozenset()
    """Rules of which this is a mere consequence: where one of them is broken between two parts, this is not told."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the texts of the rule name, besides ``things`` and ``other``."""


@dataclass(frozen=True, kw_only=True)
class _Meeting:
    """Two parts, and all that they both have by one rule."""

    first: Taken
    second: Taken
    things: list[str]

    def told(self) -> Problem:
        alone = len(self.things) == 1
        return self.second.rule(
            self.second.by if alone else self.second.part,
            things=shortened(self.things),
            other=self.first.by if alone else self.first.part,
            **self.second.facts,
        )


def clashes(taken: Iterable[Taken]) -> Iterator[tuple[Taken, Problem]]:
    """Each problem once, with the later one of those that it is about.

    Args:
        taken: what all parts of an app have, in the order of their declaration.
    """
    owners: dict[Hashable, Taken] = {}
    met: dict[tuple[str, str, str], _Meeting] = {}
    for each in taken:
        for key in each.keys:
            first = owners.setdefault((each.rule.id, key), each)
            if first is each:
                continue
            meeting = met.setdefault(
                (first.part, each.part, each.rule.id), _Meeting(first=first, second=each, things=[])
            )
            if each.thing not in meeting.things:
                meeting.things.append(each.thing)
    for (first_part, second_part, _), meeting in met.items():
        if not any((first_part, second_part, rule) in met for rule in meeting.second.follows):
            yield meeting.second, meeting.told()

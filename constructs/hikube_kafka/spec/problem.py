"""A problem, and the rule behind it: of a declaration, of a change, at a target.

No models here: the provider speaks of problems too, and it starts several times in every plan.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "notice"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, or worth knowing, about a declaration or a change of it."""

    rule: str
    """Stable id of the rule: ``zookeeper-even``."""
    severity: Severity
    where: str
    """What was declared: ``topic orders``, ``kafka.config``."""
    message: str
    """What cannot be, with the values that clash."""
    remedy: str
    """What to do about it."""
    why: str = ""
    """What would happen otherwise."""
    path: tuple[str | int, ...] = ()
    """The attribute of a resource that it is about; empty for all of it, and for a declaration."""

    @property
    def summary(self) -> str:
        """One line: what, where, and the rule."""
        return f"{self.where[:1].upper()}{self.where[1:]}: {self.message.removesuffix('.')} [{self.rule}]"

    def __str__(self) -> str:
        return f"{self.where}: {self.message} {self.remedy} [{self.rule}]"


class DeclarationError(ValueError):
    """A declaration that breaks rules: all of them, in the order of the rules.

    Attributes:
        problems: the errors; warnings and notices are not among them.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = "one problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(f"The declaration has {count}:\n" + "\n".join(f"- {problem}" for problem in self.problems))


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a rule says. Functions find where it is broken, and call it with the facts.

    Texts take facts by name, as :meth:`str.format` does: ``{servers} servers need {quorum} for a quorum.`` They stand
    in ``docs/rules.md`` too, where a fact is shown by its name.
    """

    id: str
    """Stable, in kebab case."""
    severity: Severity
    message: str
    why: str
    remedy: str
    message_in_general: str = ""
    """For ``docs/rules.md``, where the message is made of facts."""
    remedy_in_general: str = ""
    """For ``docs/rules.md``, where the remedy is made of facts."""
    unjudged: bool = False
    """It says that something could not be read or is not known: a policy does not lower it, and waives nothing but the
    one finding of a fingerprint."""

    def __call__(
        self,
        where: str,
        /,
        *,
        path: tuple[str | int, ...] = (),
        severity: Severity | None = None,
        **facts: object,
    ) -> Problem:
        """The problem that this rule is broken.

        Args:
            where: What was declared: ``topic orders``.
            path: The attribute of a resource that it is about.
            severity: In place of the rule's own.
            facts: What the texts name.
        """
        return Problem(
            rule=self.id,
            severity=severity or self.severity,
            where=where,
            message=self.message.format(**facts),
            remedy=self.remedy.format(**facts),
            why=self.why.format(**facts),
            path=path,
        )


def shortened(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are: ``orders, payments and 3 more``."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")

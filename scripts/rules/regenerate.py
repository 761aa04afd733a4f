# ruff: noqa: INP001  # a script, run by its path
"""Writes docs/rules.md from the rules and checks themselves: what each refuses or checks, why, and what to do.

Usage: python scripts/rules/regenerate.py
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from string import Formatter
from types import ModuleType
from typing import Any, NamedTuple

from hikube_kafka import spec
from hikube_kafka.review import markdown
from hikube_kafka.review.diagnostics import read_diagnostics
from hikube_kafka.review.judge import review
from hikube_kafka.review.outcome import Review
from hikube_kafka.review.plan import read_plan
from hikube_kafka.smoke import checks
from hikube_kafka.smoke.finding import Check
from hikube_kafka.spec import changes
from hikube_kafka.spec.problem import Rule

DESTINATION = Path(__file__).parents[2] / "docs" / "rules.md"
REVIEW = DESTINATION.with_name("review.md")
_BEGIN, _END = "<!-- rules: written by scripts/rules/regenerate.py -->\n", "<!-- end of the rules -->\n"
_COMMENTS = "<!-- comments: written by scripts/rules/regenerate.py -->\n"
_SHOWN = ("topic-retention-cut", "release-plain-authentication-off", "memory-more")
PLANS = Path(__file__).parents[2] / "tests" / "review" / "plans"

_NOTE = "<!-- Written by scripts/rules/regenerate.py from the rules themselves: change them there. -->\n"
_INTRODUCTION = """
# Rules and checks

The word in brackets at the end of an error, such as `[topic-protected]`, is the id of a rule. An id is stable, and no
two rules or checks share one. Words in *italics* stand for what was declared or found.
"""
_SECTIONS = {
    "Declarations": """
Found before there is a plan: an error stops the synth, a warning or a notice is shown and stops nothing. The provider
holds its resources to those that concern them. Those that begin with `policy-` are about an organisation's own file:
see [policy.md](policy.md).
""",
    "Changes": """
Found by a plan: an error refuses it before anything has been touched, a warning says what the apply will do. Where the
cluster does not answer, the apply asks again.
""",
    "Checks": """
Found by `hikube-kafka smoke` after an apply, on the running platform: see [smoke.md](smoke.md).
""",
}


class Entry(NamedTuple):
    """A row of the list."""

    id: str
    kind: str
    """``error``, ``warning`` or ``notice``; ``check``."""
    what: str
    why: str
    remedy: str


def declaration_rules() -> list[Rule]:
    """The rules of a declaration, in the order of their ids."""
    return sorted(_rules(spec, but=changes), key=lambda rule: rule.id)


def change_rules() -> list[Rule]:
    """The rules of changes, in the order of their ids; those of a declaration that hold there too are not repeated."""
    known = declaration_rules()
    return sorted((rule for rule in _rules(changes) if rule not in known), key=lambda rule: rule.id)


def smoke_checks() -> list[Check[Any]]:
    """The checks, in the order of a report."""
    return [*checks.KUBERNETES, *checks.OBSERVED, *checks.CONNECT, *checks.CANARY]


def _rules(package: ModuleType, *, but: ModuleType | None = None) -> list[Rule]:
    """Every rule that a module of the package holds, alone or in a mapping, each once."""
    found: list[Rule] = []
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        if but is None or not f"{module.name}.".startswith(f"{but.__name__}."):
            for value in vars(import_module(module.name)).values():
                rules = value.values() if isinstance(value, Mapping) else [value]
                found += [rule for rule in rules if isinstance(rule, Rule) and rule not in found]
    return found


def entries() -> dict[str, list[Entry]]:
    """Every row, by section."""
    return {
        "Declarations": [_of_rule(rule) for rule in declaration_rules()],
        "Changes": [_of_rule(rule) for rule in change_rules()],
        "Checks": [
            Entry(each.id, "check", f"{each.title}.", inspect.getdoc(each.judge) or "", each.remedy)
            for each in smoke_checks()
        ],
    }


def _of_rule(rule: Rule) -> Entry:
    what = rule.message_in_general or _with_names(rule.message)
    return Entry(
        rule.id, rule.severity, what, _with_names(rule.why), rule.remedy_in_general or _with_names(rule.remedy)
    )


def _with_names(template: str) -> str:
    """The text with each fact as its name in italics, in a mark that no text has until it is escaped."""
    return "".join(
        text + (f"\0{fact.replace('_', ' ')}\0" if fact else "")
        for text, fact, _format, _conversion in Formatter().parse(template)
    )


def generated() -> dict[Path, str]:
    """The text of the page, by its path."""
    return {
        DESTINATION: _NOTE + _INTRODUCTION + "".join(_section(*each) for each in entries().items()),
        REVIEW: _with_rules(REVIEW.read_text("utf-8")),
    }


def _with_rules(page: str) -> str:
    """The page on reviews with its table of rules: an example is what a review said of a real plan, if there is one."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    examples = _examples()
    table, others = (_linked(each, examples) for each in (change_rules(), declaration_rules()))
    told = "A declaration that breaks a rule, or the policy, is told under the id of that rule, changed or not:"
    after = _with_comments(after)
    return f"{before}{_BEGIN}\n{table}\n\n{told}\n\n{others}\n\n{_END}{after}"


def _with_comments(page: str) -> str:
    """The page with the comments of three golden plans, as a pull request has them."""
    before, _, rest = page.partition(_COMMENTS)
    comments = "\n".join(
        f"````markdown\n{markdown.render(_reviewed(PLANS / f'{name}.json'))}\n````\n" for name in _SHOWN
    )
    return f"{before}{_COMMENTS}\n{comments}" if rest or page.endswith(_COMMENTS) else page


def _reviewed(file: Path) -> Review:
    said = file.with_suffix(".diagnostics.jsonl")
    return review(
        read_plan(file.read_bytes()),
        title=file.stem,
        today=date(2026, 1, 1),
        diagnostics=read_diagnostics(said.read_bytes()) if said.exists() else (),
    )


def _linked(rules: Iterable[Rule], examples: Mapping[str, str]) -> str:
    """A row for each rule, with an anchor to which its findings link."""
    rows = [
        f'| <a id="{rule.id}"></a>`{rule.id}` | {rule.severity} | '
        + " | ".join(map(_cell, (examples.get(rule.id) or entry.what, entry.why, entry.remedy)))
        + " |"
        for rule, entry in ((each, _of_rule(each)) for each in rules)
    ]
    return "\n".join(["| id | | example | why | what to do |", "|---|---|---|---|---|", *rows])


def _examples() -> dict[str, str]:
    """By rule: what a review says of the first golden plan, by name, in which it is found."""
    found: dict[str, str] = {}
    for file in sorted(PLANS.glob("*.json")):
        outcome = _reviewed(file)
        for each in outcome.findings:
            found.setdefault(each.rule, f"{each.where}: {each.message}")
    return found


def _section(name: str, rows: Iterable[Entry]) -> str:
    return f"\n## {name}\n{_SECTIONS[name]}\n" + "\n".join(_table(rows)) + "\n"


def _table(rows: Iterable[Entry]) -> Iterator[str]:
    yield "| id | | what | why | what to do |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield f"| `{row.id}` | {row.kind} | " + " | ".join(map(_cell, (row.what, row.why, row.remedy))) + " |"


def _cell(text: str) -> str:
    """One line of Markdown: code stays code, and nothing else is taken for markup."""
    parts = re.split(r"``?([^`]+)``?", " ".join(text.split()))
    return "".join(
        f"`{part}`" if index % 2 else re.sub(r"([*_<|\[\]])", r"\\\1", part).replace("\0", "*")
        for index, part in enumerate(parts)
    )


def main() -> None:
    """Write it."""
    for path, text in generated().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()

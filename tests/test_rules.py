"""Every rule and every check has an id of its own, and docs/rules.md knows them all."""

import ast
import gc
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from hikube_kafka.spec.problem import Problem, Rule

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "constructs" / "hikube_kafka"
listing = SimpleNamespace(**runpy.run_path(str(ROOT / "scripts" / "rules" / "regenerate.py")))
ENTRIES = {section: rows for section, rows in listing.entries().items() if rows}


def test_no_id_is_used_twice() -> None:
    ids = [row.id for rows in ENTRIES.values() for row in rows]
    assert len(ids) > 90
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("section", ENTRIES)
def test_each_says_what_it_is_about_why_and_what_to_do(section: str) -> None:
    for row in ENTRIES[section]:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", row.id), row.id
        assert row.what.endswith("."), row.id
        assert row.why, row.id
        # Whoever is told that something cannot be tested has nothing to do.
        assert row.remedy or row.id == "kafka-version", row.id


def test_every_rule_there_is_stands_in_the_list() -> None:
    listed = {rule.id for rule in (*listing.declaration_rules(), *listing.change_rules())}
    there = {each.id for each in gc.get_objects() if isinstance(each, Rule)}
    assert {id_ for id_ in there if not id_.startswith("made-up")} == listed  # other tests have rules of their own


def test_every_finding_has_a_place_in_the_table_of_reviews() -> None:
    page = (ROOT / "docs" / "review.md").read_text("utf-8")
    for rule in (*listing.declaration_rules(), *listing.change_rules()):
        (row,) = (each for each in page.splitlines() if f'<a id="{rule.id}"></a>' in each)
        cells = [each.strip() for each in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert cells[1] == rule.severity
        assert all(cells[:4]), rule.id


def calls(name: str) -> set[str]:
    """The files of the package that call a class by its name."""
    return {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    }


def test_a_problem_is_made_by_its_rule_alone() -> None:
    """So that each carries an id that is listed."""
    assert calls(Problem.__name__) == {"spec/problem.py"}
    assert {file.split("/")[0] for file in calls(Rule.__name__)} == {"spec"}


def test_every_rule_of_a_change_is_broken_by_a_test() -> None:
    folders = ROOT / "tests" / "spec" / "changes", ROOT / "tests" / "review"
    tests = "\n".join(file.read_text("utf-8") for folder in folders for file in folder.glob("test_*.py"))
    assert [rule.id for rule in listing.change_rules() if f'"{rule.id}"' not in tests] == []


def test_facts_are_shown_by_their_names_and_nothing_is_taken_for_markup() -> None:
    shown = listing._cell(listing._with_names("{topic_name!r} = {{*}} in ``code_of``"))
    assert shown == r"*topic name* = {\*} in `code_of`"

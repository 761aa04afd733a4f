"""Every command of ours that a page shows exists, with the options that it shows."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from hikube_kafka.cli import app
from hikube_kafka.smoke.checks import CANARY, OBSERVED

ROOT = Path(__file__).parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").glob("*.md"),
    *(ROOT / "constructs" / "hikube_kafka" / "project" / "files").rglob("*.md"),
]


def unknown(text: str) -> Iterator[str]:
    """The words after ``hikube-kafka``, in code of one line, that are no command and no option."""
    for shown in re.findall(r"hikube-kafka((?: [^\s`|#]+)+)", re.sub(r"<!--.*?-->", "", text)):
        command: Any = get_command(app)
        for word in (each.rstrip(".,:;)") for each in shown.split()):
            if hasattr(command, "commands") and not word.startswith("-"):
                if word not in command.commands:
                    yield f"hikube-kafka{shown}: {word}"
                    break
                command = command.commands[word]
                if command.context_settings.get("ignore_unknown_options"):  # what follows is another program's
                    break
            elif word.startswith("--"):
                options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
                if word.partition("=")[0] not in options | {"--help"}:
                    yield f"hikube-kafka{shown}: {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_shown_exists(page: Path) -> None:
    assert list(unknown(page.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("shown", "word"),
    [
        ("`hikube-kafka provider install --folder mirror`", "--folder"),
        ("`hikube-kafka nwe shop`", "nwe"),
        ("hikube-kafka local stat --json\n", "stat"),
    ],
)
def test_one_that_does_not_is_found(shown: str, word: str) -> None:
    (found,) = unknown(shown)
    assert found.endswith(f": {word}")
    assert (
        list(unknown("`hikube-kafka local kafka topics --list --bootstrap-server x`, `hikube-kafka --version`")) == []
    )


def test_the_outcome_that_the_readme_shows_counts_every_check() -> None:
    ((passed, untested),) = re.findall(
        r"all well: ([0-9]+) checks passed, ([0-9]+) untested", (ROOT / "README.md").read_text("utf-8")
    )
    assert int(passed) + int(untested) == len(OBSERVED) + len(CANARY)

"""Every generated file is what its generator writes; `make generate` renews them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.generate", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_what_needs_nothing_but_python_is_up_to_date() -> None:
    done = generate("--check", "charts", "contract", "policy", "protocol", "reference", "review", "rules")
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


@pytest.mark.ensemble
def test_kafkas_own_definitions_are_up_to_date() -> None:
    done = generate("--check", "definitions")
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_a_file_that_was_changed_by_hand_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from scripts import generate as script  # noqa: PLC0415 - found from the root of the repository

    changed = tmp_path / "changed.json"
    changed.write_text("{}", "utf-8")
    assert script.differing({changed: "{}"}) == []
    assert script.differing({changed: "{ }"}) == [changed]
    assert script.differing({tmp_path / "missing": ""}) == [tmp_path / "missing"]


def test_a_generator_that_does_not_exist_is_refused_by_name() -> None:
    done = generate("--check", "chart")
    assert done.returncode == 2
    assert "no generator is called chart: choose from charts, contract" in done.stderr

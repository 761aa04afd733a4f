"""Every Python example of the documentation is run, each page from its top to its end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)( refused)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if "```python" in page.read_text()
]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    blocks = [(refused, code) for kind, refused, code in BLOCK.findall(page.read_text("utf-8")) if kind == "python"]
    assert blocks
    result = run("\n".join(code for refused, code in blocks if not refused), tmp_path)
    assert result.returncode == 0, result.stderr


def test_the_refusal_that_is_shown_is_the_one_that_comes(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "declaring.md").read_text("utf-8"))
    result = run("\n".join(code for kind, _, code in blocks if kind == "python"), tmp_path)
    (shown,) = (text for kind, _, text in blocks if kind == "text")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    # The examples run as one text, without a file.
    told = re.sub(r"\(<string>:\d+\)", "(main.py:12)", result.stderr)
    for line in shown.splitlines():
        assert line.strip() in told

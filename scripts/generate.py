# ruff: noqa: INP001  # a script, run as a module
"""Writes every generated file of the repository, or tells which are not what they should be.

Usage: python -m scripts.generate [--check] [NAME ...]; without a name, all of them.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from hikube_kafka.ensemble import Patience
from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.jars import provide
from scripts.charts import regenerate as charts
from scripts.definitions import regenerate as definitions
from scripts.reference import regenerate as reference
from scripts.rules import regenerate as rules

ROOT = Path(__file__).parents[1]

Files = Mapping[Path, str]


def _charts() -> Files:
    return {charts.CHARTS / path: text for path, text in charts.generated().items()}


def _contract() -> Files:
    return {ROOT / "docs" / "contract.schema.json": _output(sys.executable, "-m", "hikube_kafka.spec.contract")}


def _policy() -> Files:
    return {ROOT / "docs" / "policy.schema.json": _output(sys.executable, "-m", "hikube_kafka.spec.policy")}


def _review() -> Files:
    return {ROOT / "docs" / "review.schema.json": _output(sys.executable, "-m", "hikube_kafka.review.as_json")}


def _definitions() -> Files:
    jars = provide(None, Conduct(progress=print, cancelled=lambda: False, patience=Patience()))
    return definitions.definitions(jars)


def _protocol() -> Files:
    # A process of its own: loading the compiler prints warnings in some versions, and registers its own messages.
    with tempfile.TemporaryDirectory() as folder:
        _output(sys.executable, str(ROOT / "scripts" / "protocol" / "regenerate.py"), folder)
        plugin = ROOT / "constructs" / "hikube_kafka" / "plugin"
        return {plugin / file.name: file.read_text("utf-8") for file in Path(folder).iterdir()}


def _reference() -> Files:
    return {reference.DESTINATION: reference.generated()}


GENERATORS: Mapping[str, Callable[[], Files]] = {
    "charts": _charts,
    "contract": _contract,
    "definitions": _definitions,
    "policy": _policy,
    "protocol": _protocol,
    "reference": _reference,
    "review": _review,
    "rules": rules.generated,
}
"""By name: what makes the text of each file. The definitions need Java and Kafka's jars, all others nothing."""


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def differing(files: Files) -> list[Path]:
    """The files that are missing, or hold another text."""
    return [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    """Write the files, or only compare them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.generate", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file would change")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(GENERATORS)}")
    asked = parser.parse_args(arguments)
    unknown = set(asked.names) - GENERATORS.keys()
    if unknown:
        parser.error(f"no generator is called {', '.join(sorted(unknown))}: choose from {', '.join(GENERATORS)}")
    changed = []
    for name in asked.names or GENERATORS:
        files = GENERATORS[name]()
        for path in differing(files):
            changed.append(path)
            if not asked.check:
                path.write_text(files[path], "utf-8")
    for path in changed:
        sys.stdout.write(f"{path.relative_to(ROOT)} {'differs: run make generate' if asked.check else 'written'}\n")
    return 1 if changed and asked.check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Whether the schemas can be published: no reader of today's events may fail on tomorrow's, nor the other way round.

    python compatible.py --since origin/main

compares each file of ``schemas/`` with what it was at that revision, prints what breaks, and exits with 1 if anything
does. Needs ``pip install jsoncompat``.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsoncompat

SCHEMAS = Path(__file__).with_name("schemas")


def breaks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Who could no longer read whom.

    Args:
        before: the schema as it was published.
        after: the schema as it would be published.
    """
    found = []
    if not jsoncompat.check_compat(json.dumps(before), json.dumps(after), "serializer"):
        found.append("a reader that knows the former schema may fail on a new event")
    # Whoever wrote the events that are kept wrote the fields that were known, and no others.
    written = before | {"additionalProperties": False}
    if not jsoncompat.check_compat(json.dumps(written), json.dumps(after), "deserializer"):
        found.append("a reader that knows the new schema may fail on an event that is kept")
    return found


def since(revision: str) -> dict[str, list[str]]:
    """What breaks, by the schema's file name; a schema that is new breaks nothing, one that is gone does.

    Raises:
        subprocess.CalledProcessError: Git does not know the revision.
    """
    listed = _git("ls-tree", "--name-only", f"{revision}:./{SCHEMAS.name}").splitlines()
    told: dict[str, list[str]] = {}
    for name in listed:
        now = SCHEMAS / name
        if not now.exists():
            told[name] = ["it is gone, and its events are kept"]
            continue
        before = json.loads(_git("show", f"{revision}:./{SCHEMAS.name}/{name}"))
        if found := breaks(before, json.loads(now.read_text("utf-8"))):
            told[name] = found
    return told


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=SCHEMAS.parent, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    """Print what breaks since a revision."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--since", required=True, metavar="REVISION", help="what is published: origin/main")
    told = since(options.parse_args().since)
    for name, reasons in told.items():
        for reason in reasons:
            print(f"{name}: {reason}")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())

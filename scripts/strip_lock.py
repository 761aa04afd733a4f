# ruff: noqa: INP001  # a script, run by its path
"""Takes the addresses of package indexes out of a Pipfile.lock: which index is used is each machine's own setting."""

import json
import sys
from pathlib import Path

lock = Path(sys.argv[1])
content = json.loads(lock.read_text("utf-8"))
content["_meta"]["sources"] = []
for section in ("default", "develop"):
    for package in content[section].values():
        package.pop("index", None)
lock.write_text(json.dumps(content, indent=4, sort_keys=True) + "\n", "utf-8")

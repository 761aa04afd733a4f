"""Log lines that Terraform shows under TF_LOG: JSON on stderr, as its hclog reads it.

A line tells what was done, of which type, and how long it took, never a value: any value may be a secret. Terraform
reads and parses every line of a provider, whether or not it shows it: lines that nobody asked for are not written.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

Level = Literal["trace", "debug", "info", "warn", "error"]

_SEVERITY: dict[str, int] = {"trace": 0, "debug": 1, "info": 2, "warn": 3, "error": 4}


def least_severity(environment: Mapping[str, str]) -> int:
    """The severity from which on lines are written: what Terraform was asked to show of its providers, and errors.

    Args:
        environment: Terraform's own, which it hands on. ``JSON``, and a level it does not know, mean everything to it.
    """
    asked = (environment.get("TF_LOG_PROVIDER") or environment.get("TF_LOG") or "off").lower()
    return _SEVERITY.get("error" if asked == "off" else asked, _SEVERITY["trace"])


_LEAST = least_severity(os.environ)


def log(level: Level, message: str, **fields: str | float) -> None:
    """Write one line, if it was asked for.

    Args:
        level: Shown from this TF_LOG level on.
        message: What happened.
        fields: Facts about it, no values of the user's.
    """
    if _SEVERITY[level] < _LEAST:
        return
    now = time.time()
    # hclog takes a time of exactly this form: RFC 3339 with microseconds and an offset.
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1_000_000):06d}+00:00"
    line = {"@level": level, "@message": message, "@module": "hikube.protocol", "@timestamp": stamp, **fields}
    with suppress(OSError):  # a Terraform that was killed reads no more, and the running call is still to be finished
        # One write a line: lines of several threads do not mix.
        sys.stderr.write(json.dumps(line) + "\n")
        sys.stderr.flush()

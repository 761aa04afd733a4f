"""Log lines that Terraform shows under TF_LOG: JSON on stderr, as its hclog reads it.

A line tells what was done, of which type, and how long it took, never a value: any value may be a secret.
"""

import json
import sys
import time
from contextlib import suppress
from typing import Literal


def log(level: Literal["trace", "debug", "info", "warn", "error"], message: str, **fields: str | float) -> None:
    """Write one line.

    Args:
        level: Shown from this TF_LOG level on.
        message: What happened.
        fields: Facts about it, no values of the user's.
    """
    now = time.time()
    # hclog takes a time of exactly this form: RFC 3339 with microseconds and an offset.
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1_000_000):06d}+00:00"
    line = {"@level": level, "@message": message, "@module": "hikube.protocol", "@timestamp": stamp, **fields}
    with suppress(OSError):  # a Terraform that was killed reads no more, and the running call is still to be finished
        # One write a line: lines of several threads do not mix.
        sys.stderr.write(json.dumps(line) + "\n")
        sys.stderr.flush()

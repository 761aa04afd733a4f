"""The log of a bridge: one JSON object a line, on the standard error."""

import json
import logging
import sys
from datetime import UTC, datetime

LOG = logging.getLogger("hikube_kafka.bridge")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        facts = record.__dict__.get("facts", {})
        line = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage(), **facts}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr() -> None:
    """Write what the bridge has to say as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False


def tell(event: str, *, level: int = logging.INFO, **facts: object) -> None:
    """Log an event with its facts. Never a payload, and never a secret."""
    LOG.log(level, event, extra={"facts": facts})

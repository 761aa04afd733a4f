"""The file that says on which line of Python each address of a stack is declared."""

import json
from collections.abc import Mapping
from typing import Any

FILE = "declarations.json"
"""Its name, beside the synthesized stack."""
VERSION = 1


def written(lines: Mapping[str, str]) -> str:
    """The text of the file.

    Args:
        lines: ``stacks/events.py:12`` by address: ``hikube_kafka_topic.events_orders``.
    """
    return json.dumps({"version": VERSION, "declared": dict(sorted(lines.items()))}, indent=2) + "\n"


def read(text: str | bytes) -> dict[str, tuple[str, int]]:
    """File and line by address.

    Raises:
        ValueError: It is no such file.
    """
    try:
        content: Any = json.loads(text)
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']!r} is not known")
        return {str(address): _split(place) for address, place in content["declared"].items()}
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not what a synth writes ({type(error).__name__}: {error})") from None


def _split(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return file, int(line)

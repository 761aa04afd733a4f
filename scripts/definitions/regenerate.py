# ruff: noqa: INP001  # a script, run by its path
"""Writes Kafka's configuration definitions, read from Kafka's own jars, into the package.

Usage: python scripts/definitions/regenerate.py [FOLDER_OF_JARS]; without it, HIKUBE_KAFKA_JARS names the folder.
"""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("Definitions.java")
DESTINATION = Path(__file__).parents[2] / "constructs/hikube_kafka/spec/definitions/kafka-3.9.json"


def definitions(jars: Path) -> str:
    """The definitions as JSON, one key per line; raises CalledProcessError when Java refuses."""
    command = ["java", "-cp", f"{jars}/*", str(PROGRAM)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(arguments: list[str]) -> str | None:
    """Regenerates the file; returns what is wrong, if anything is."""
    folder = arguments[0] if arguments else os.environ.get("HIKUBE_KAFKA_JARS")
    if not folder or not any(Path(folder).glob("kafka-clients-3.9.*.jar")):
        return "Name a folder with the jars of Kafka 3.9, as the argument or in HIKUBE_KAFKA_JARS."
    try:
        DESTINATION.write_text(definitions(Path(folder)))
    except subprocess.CalledProcessError as failure:
        return f"Java could not read the definitions:\n{failure.stderr}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

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
CONNECT_DESTINATION = DESTINATION.with_name("connect-3.9.json")


def definitions(jars: Path) -> dict[Path, str]:
    """The text of each file: JSON, one key per line.

    Raises:
        subprocess.CalledProcessError: Java refuses.
    """
    return {DESTINATION: _printed(jars), CONNECT_DESTINATION: _printed(jars, "connect")}


def _printed(jars: Path, *arguments: str) -> str:
    command = ["java", "-cp", f"{jars}/*", str(PROGRAM), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(arguments: list[str]) -> str | None:
    """Regenerates the files; returns what is wrong, if anything is."""
    folder = arguments[0] if arguments else os.environ.get("HIKUBE_KAFKA_JARS")
    if not folder or not any(Path(folder).glob("kafka-clients-3.9.*.jar")):
        return "Name a folder with the jars of Kafka 3.9, as the argument or in HIKUBE_KAFKA_JARS."
    try:
        for destination, text in definitions(Path(folder)).items():
            destination.write_text(text)
    except subprocess.CalledProcessError as failure:
        return f"Java could not read the definitions:\n{failure.stderr}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

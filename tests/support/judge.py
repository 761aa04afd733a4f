"""Kafka itself, asked for its verdict on configurations: a Java program that answers line by line."""

import base64
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.output import next_line


class Judge:
    """Kafka, asked for its verdict line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def verdict(self, scope: str, config: Mapping[str, str]) -> tuple[bool, list[str]]:
        """Whether Kafka takes it, and its texts of a topic's values, or its reason."""
        assert self._process.stdin is not None
        words = [base64.b64encode(word.encode()).decode() for entry in config.items() for word in entry]
        self._process.stdin.write(" ".join([scope, *words]) + "\n")
        self._process.stdin.flush()
        answer, *texts = next_line(self._process).split(" ")
        assert answer in {"accepted", "refused"}
        return answer == "accepted", [base64.b64decode(text).decode() for text in texts]


@contextmanager
def judging(program: Path, jars: Path) -> Iterator[Judge]:
    """A judge that ends with the block."""
    command = ["java", "-cp", f"{jars}/*", str(program)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield Judge(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0

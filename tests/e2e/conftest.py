"""What breaks a cluster beneath a platform: only by hand, with a command that knows how."""

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Literal

import pytest


@pytest.fixture
def testbed() -> Iterator[Callable[[Literal["cut", "heal"], str], None]]:
    """Unplugs a node of the cluster, and plugs it in again: ``$TESTBED cut NODE`` and ``$TESTBED heal NODE``."""
    command = os.environ["TESTBED"]
    unplugged: set[str] = set()

    def run(what: Literal["cut", "heal"], node: str) -> None:
        subprocess.run([command, what, node], check=True, capture_output=True)
        (unplugged.add if what == "cut" else unplugged.discard)(node)

    yield run
    for node in list(unplugged):
        run("heal", node)

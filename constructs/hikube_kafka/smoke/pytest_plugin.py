"""The gate as a pytest plugin: ``pytest --pyargs hikube_kafka.smoke --contract FILE``.

It is loaded into every pytest of whoever has this package installed: it imports nothing of ours before it is needed.
"""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--contract``."""
    parser.getgroup("hikube-kafka", "the quorum gate of hikube-kafka").addoption(
        "--contract",
        metavar="FILE",
        help="contract that the living cluster is held to, or the Terraform outputs that hold one; "
        "used by: pytest --pyargs hikube_kafka.smoke",
    )

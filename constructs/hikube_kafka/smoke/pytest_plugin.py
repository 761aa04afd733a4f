"""The gate as a pytest plugin: ``pytest --pyargs hikube_kafka.smoke --contract FILE``.

It is loaded into every pytest of whoever has this package installed: it imports nothing of ours before it is needed.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hikube_kafka.smoke.report import Report

REPORTS: "pytest.StashKey[dict[str, Report]]" = pytest.StashKey()
"""Where the tests leave the reports, by the place of each contract: one run of the gate is for all tests of it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--contract``, ``--patience``, and how a platform in Kubernetes is reached."""
    group = parser.getgroup("hikube-kafka", "the smoke tests of hikube-kafka")
    group.addoption(
        "--contract",
        metavar="FILE",
        help="contract to check the running cluster against, or the Terraform outputs that contain one; "
        "used by: pytest --pyargs hikube_kafka.smoke",
    )
    group.addoption(
        "--contract-platform",
        metavar="NAME",
        help="check this platform alone, by its name or by the place of its contract (default: all that the file has)",
    )
    group.addoption(
        "--patience",
        metavar="SECONDS",
        type=float,
        default=30.0,
        help="seconds that a cluster that has just been started may take to settle (default: 30)",
    )
    # Others' plugins have options of the short names.
    group.addoption(
        "--contract-kubeconfig",
        metavar="FILE",
        help="for a platform in Kubernetes (default: KUBE_CONFIG_PATH, KUBECONFIG, ~/.kube/config)",
    )
    group.addoption(
        "--contract-context",
        metavar="NAME",
        help="context of the kubeconfig (default: HIKUBE_KAFKA_CONTEXT, the contract's own, KUBE_CTX, the current one)",
    )
    group.addoption(
        "--contract-in-cluster",
        action="store_true",
        help="the tests run inside the Kubernetes cluster: use the cluster's addresses, open no port-forward",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell the figures: no test judges them, so no test shows them."""
    for report in config.stash.get(REPORTS, {}).values():
        from hikube_kafka.smoke.formats import figures  # noqa: PLC0415 - only a run of the gate pays for it

        terminalreporter.section(f"hikube-kafka smoke: {report.title}")
        for line in (report.verdict, *figures(report)):
            terminalreporter.write_line(line)

"""The gate as tests, one per check: ``pytest --pyargs hikube_kafka.smoke --contract FILE``."""

import os
from pathlib import Path

import pytest

from hikube_kafka.smoke.checks import ids
from hikube_kafka.smoke.contract_file import ContractFileError, read_contract
from hikube_kafka.smoke.finding import Status
from hikube_kafka.smoke.formats import told
from hikube_kafka.smoke.gate import CannotCheckError, run
from hikube_kafka.smoke.pytest_plugin import REPORT
from hikube_kafka.smoke.report import Report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuse to collect without a contract: a gate that was skipped looks like one that passed."""
    file = metafunc.config.getoption("--contract")
    if not file:
        raise pytest.Collector.CollectError(
            "hikube_kafka.smoke checks a running cluster against its contract, and no contract was named: add "
            "--contract FILE (the outputs written by `cdktf deploy --outputs-file` or `terraform output -json`, or a "
            "bare contract)"
        )
    try:
        contract = read_contract(Path(file))
    except ContractFileError as error:
        raise pytest.Collector.CollectError(f"--contract: {error}") from error
    metafunc.parametrize("report", [contract], indirect=True, ids=[contract.platform], scope="session")
    metafunc.parametrize("check", ids(contract))


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    """One run of the gate, for all the tests."""
    try:
        report = run(
            request.param,
            patience=request.config.getoption("--patience"),
            kubeconfig=request.config.getoption("--contract-kubeconfig"),
            context=request.config.getoption("--contract-context") or os.environ.get("HIKUBE_KAFKA_CONTEXT"),
            in_cluster=request.config.getoption("--contract-in-cluster"),
        )
    except CannotCheckError as error:
        pytest.exit(f"could not check: {error}", returncode=pytest.ExitCode.INTERNAL_ERROR)
    request.config.stash[REPORT] = report
    return report


def test_quorum(report: Report, check: str) -> None:
    """Every finding of the gate is a test."""
    finding = next(finding for finding in report.findings if finding.check == check)
    if finding.status is Status.UNTESTED:
        pytest.skip(finding.seen[0])
    if finding.is_fault:
        pytest.fail(told(finding), pytrace=False)

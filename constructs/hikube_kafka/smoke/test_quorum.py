"""The gate as tests, one per check: ``pytest --pyargs hikube_kafka.smoke --contract FILE``."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hikube_kafka.smoke.checks import ids
from hikube_kafka.smoke.contract_file import ContractFileError, ContractFound, read_contracts
from hikube_kafka.smoke.finding import Status
from hikube_kafka.smoke.formats import told
from hikube_kafka.smoke.gate import CannotCheckError, run
from hikube_kafka.smoke.pytest_plugin import REPORTS
from hikube_kafka.smoke.report import Report, unchecked

_PLATFORMS: pytest.StashKey[Counter[str]] = pytest.StashKey()
"""How many platforms of each name there are to check."""


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
        found = read_contracts(Path(file), metafunc.config.getoption("--contract-platform"))
    except ContractFileError as error:
        raise pytest.Collector.CollectError(f"--contract: {error}") from error
    if len(found) == 1 and found[0].contract is None:
        raise pytest.Collector.CollectError(f"--contract: {file}: {found[0].fault}")
    names = metafunc.config.stash[_PLATFORMS] = Counter(each.platform for each in found)
    cases = [
        pytest.param(each, check, id=f"{each.place if names[each.platform] > 1 else each.platform}-{check}")
        for each in found
        for check in (ids(each.contract) if each.contract else ["could-not-check"])
    ]
    metafunc.parametrize(("found", "check"), cases)


@pytest.fixture
def report(request: pytest.FixtureRequest, found: ContractFound) -> Report:
    """One run of the gate, for all the tests of a platform."""
    reports = request.config.stash.setdefault(REPORTS, {})
    if found.place not in reports:
        twice = request.config.stash[_PLATFORMS][found.platform] > 1
        reports[found.place] = replace(_checked(found, request.config), place=found.place if twice else "")
    return reports[found.place]


def _checked(found: ContractFound, config: pytest.Config) -> Report:
    if found.contract is None:
        return unchecked(found.platform, found.target, found.fault)
    try:
        return run(
            found.contract,
            patience=config.getoption("--patience"),
            kubeconfig=config.getoption("--contract-kubeconfig"),
            context=config.getoption("--contract-context") or os.environ.get("HIKUBE_KAFKA_CONTEXT"),
            in_cluster=config.getoption("--contract-in-cluster"),
        )
    except CannotCheckError as error:
        if config.stash[_PLATFORMS].total() == 1:  # it is said once, and not by every test
            pytest.exit(f"could not check: {error}", returncode=pytest.ExitCode.INTERNAL_ERROR)
        return unchecked(found.platform, found.target, str(error))


def test_quorum(report: Report, check: str) -> None:
    """Every finding of the gate is a test."""
    if report.unchecked:
        pytest.fail(report.verdict, pytrace=False)
    finding = next(finding for finding in report.findings if finding.check == check)
    if finding.status is Status.UNTESTED:
        pytest.skip(finding.seen[0])
    if finding.is_fault:
        pytest.fail(told(finding), pytrace=False)

"""The skips that are allowed: what a machine need not have. Any other skip means that something is not tested."""

import os

import pytest

NO_CLUSTER = "no cluster: KUBECONFIG is not set"
NO_CHECKOUT = "not a git checkout: which files are tracked is not known"
NO_MIRROR = "no mirror has the provider hashicorp/{provider}"

_ALLOWED = (NO_CLUSTER, NO_CHECKOUT, *(NO_MIRROR.format(provider=each) for each in ("helm", "kubernetes")))


def refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip that is not allowed, where ``CI`` is set."""
    if not report.skipped or hasattr(report, "wasxfail") or not os.environ.get("CI"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(_ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"Skipped, and tests/support/skips.py does not allow it: {reason.removeprefix('Skipped: ')}"

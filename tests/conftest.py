"""For every room: what a test run needs, a living 3+3, a workspace of Terraform."""

import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.support")

from hikube_kafka.ensemble import apply, destroy  # noqa: E402 - what rewrites comes first
from hikube_kafka.provider.install import install  # noqa: E402
from tests.support import skips  # noqa: E402
from tests.support.connect import LivingWorker, living_worker  # noqa: E402
from tests.support.ensemble import LivingEnsemble, small_ensemble  # noqa: E402
from tests.support.terraform import Workspace  # noqa: E402

# A busy machine is no bug: neither an example nor the making of examples has a time to keep.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A shell ignores SIGINT for what it starts in the background, and whoever ignores it passes that on: the children that
# tests send Ctrl-C to must have the default.
signal.signal(signal.SIGINT, signal.default_int_handler)

_UNRAISABLE = pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A connection to the API server that is given up in the middle of its handshake is closed by nobody but Python's
    garbage collector, which says so in whatever test runs by then.
    """
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(_UNRAISABLE)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where a cluster is named, what tests do with it is required; where none is, they are skipped."""
    if item.get_closest_marker("cluster"):
        if not os.environ.get("KUBECONFIG"):
            pytest.skip(skips.NO_CLUSTER)
        if not shutil.which("kubectl"):
            pytest.fail("kubectl is not on the PATH: the cluster tests need it")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    skips.refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    skips.refuse(report)
    return report


@pytest.fixture(scope="session")
def living_ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingEnsemble]:
    """A 3+3 that runs, shared by the whole test run: leave it as you found it. Mark such a test ``ensemble``."""
    living = small_ensemble(tmp_path_factory.mktemp("living"))
    try:
        apply(living.declaration)
        yield living
    finally:
        destroy(living.declaration.directory, keep_data=False)


@pytest.fixture(scope="session")
def provider_mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror that holds the provider of this tree."""
    mirror = tmp_path_factory.mktemp("mirror")
    install(mirror)
    return mirror


@pytest.fixture
def new_workspace(tmp_path: Path, provider_mirror: Path) -> Callable[[str], Workspace]:
    """Makes workspaces, by name."""
    return lambda name: Workspace(tmp_path / name, provider_mirror)


@pytest.fixture
def workspace(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """A fresh Terraform workspace."""
    return new_workspace("workspace")


@pytest.fixture(scope="session")
def connect_worker(living_ensemble: LivingEnsemble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingWorker]:
    """A worker of Connect beside the living 3+3, shared by the whole test run. Mark such a test ``ensemble``."""
    with living_worker(tmp_path_factory.mktemp("connect"), living_ensemble.bootstrap) as worker:
        yield worker

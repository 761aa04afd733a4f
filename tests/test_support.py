"""What the tests share keeps its own promises: a test that waits, skips or interrupts must mean it."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from tests.support import load, skips
from tests.support.ensemble import own_blocks
from tests.support.waiting import until


def skipped(reason: str) -> pytest.TestReport:
    return pytest.TestReport(
        "test", ("test.py", 1, "test"), {}, "skipped", ("test.py", 1, f"Skipped: {reason}"), "setup"
    )


@pytest.mark.parametrize(
    ("reason", "ci", "outcome"),
    [
        ("there is no java on the PATH", "1", "failed"),
        ("there is no java on the PATH", "", "skipped"),
        (skips.NO_CLUSTER, "1", "skipped"),
        (skips.NO_CHECKOUT, "1", "skipped"),
        (skips.NO_MIRROR.format(provider="helm"), "1", "skipped"),
        (skips.NO_MIRROR.format(provider="aws"), "1", "failed"),
    ],
)
def test_a_skip_that_nobody_allowed_fails_where_ci_is_set(
    reason: str, ci: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    report = skipped(reason)
    skips.refuse(report)
    assert report.outcome == outcome


def test_an_expected_failure_is_no_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    report = skipped("a known bug")
    report.wasxfail = "reason: a known bug"
    skips.refuse(report)
    assert report.outcome == "skipped"


def test_waiting_ends_with_the_answer_or_with_what_was_waited_for() -> None:
    numbers: Iterator[int] = count()
    assert until(lambda: next(numbers) > 2 and "there", "three", every=0) == "there"
    with pytest.raises(AssertionError, match=r"not within 0\.01 s: rain, of which 3 drops fell"):
        until(lambda: False, lambda: f"rain, of which {3} drops fell", 0.01, every=0.001)


def test_workers_of_one_run_share_no_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "2")
    blocks: list[set[int]] = []
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        blocks.append(set(own_blocks()))
    assert blocks[0] & blocks[1] == set()
    assert len(blocks[0] | blocks[1]) == len(blocks[0]) + len(blocks[1]) > 2


def test_children_hear_ctrl_c_even_where_a_shell_has_ignored_it() -> None:
    """A shell ignores SIGINT for what it starts in the background: the conftest gives its default back."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    ignoring = (
        "import signal, subprocess, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); import tests.conftest;"
        f"print(subprocess.run([sys.executable, '-c', {code!r}], capture_output=True, text=True).stdout)"
    )
    told = subprocess.run([sys.executable, "-W", "ignore", "-c", ignoring], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True"]


class Nobody:
    """A producer that nobody answers."""

    def __init__(self, _settings: dict[str, object]) -> None: ...

    def produce(self, *_message: object, **_options: object) -> None: ...

    def poll(self, seconds: float) -> None:
        time.sleep(seconds)

    def flush(self, _seconds: float) -> int:
        return 7


def test_a_load_that_cannot_begin_ends_and_says_how_much_was_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_vain(_load: load.Load, _further: int) -> None:
        raise AssertionError

    monkeypatch.setattr(load, "Producer", Nobody)
    monkeypatch.setattr(load.Load, "wait_for", in_vain)
    before = set(threading.enumerate())
    begun = load.Load("nobody:1", "orders", 6)
    with pytest.raises(AssertionError), begun:
        pass
    assert set(threading.enumerate()) <= before
    assert begun.unanswered == 7

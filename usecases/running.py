"""Runs a chain by its name, from its first part to the last one that is ended."""

import fcntl
import importlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from usecases.asking import LIBRARY_ERRORS, named
from usecases.chain import WORK, Chain, Outcome, UnknownUseCaseError
from usecases.process import PartFailedError, end_leftovers, ended_by_themselves

CHAINS: Mapping[str, str] = {
    "event-bus": "usecases.event_bus:EventBus",
    "analytics": "usecases.analytics:Analytics",
    "telemetry": "usecases.telemetry:Telemetry",
    "work-queue": "usecases.work_queue:WorkQueue",
}
"""Where each use case is, by its name."""

_NOTICED_SECONDS = 0.3


def chain_class(name: str) -> type[Chain]:
    """The class of a use case.

    Raises:
        UnknownUseCaseError: there is none of that name.
    """
    if name not in CHAINS:
        raise UnknownUseCaseError(f"there is no use case {name!r}: choose one of {', '.join(sorted(CHAINS))}")
    module, _, attribute = CHAINS[name].partition(":")
    found: type[Chain] = getattr(importlib.import_module(module), attribute)
    return found


def run_chain(
    name: str,
    *,
    short: bool = False,
    options: Mapping[str, str] | None = None,
    watching: Callable[[Chain], object] = lambda _: None,
) -> Outcome:
    """Bring the use case up, run it, end all of it.

    Args:
        name: of the use case.
        short: the form that tests run.
        options: the chain's own options.
        watching: called with the chain before its first part starts.

    Raises:
        UnknownUseCaseError: there is no such use case, or option, or not that value of it.
        PartFailedError: a part could not be had, did not come up, or ended; or the same use case runs already.
    """
    kind = chain_class(name)
    return run(kind, WORK / name, short=short, options=options, watching=watching)


def run(
    kind: type[Chain],
    folder: Path,
    *,
    short: bool = False,
    options: Mapping[str, str] | None = None,
    watching: Callable[[Chain], object] = lambda _: None,
) -> Outcome:
    """As :func:`run_chain`, for a chain of one's own in a folder of one's own.

    The folder stays, with its logs, where the run did not pass.
    """
    options = options or {}
    if unknown := sorted(options.keys() - kind.takes.keys()):
        there = ", ".join(f"{key} ({what})" for key, what in kind.takes.items()) or "none"
        raise UnknownUseCaseError(f"{kind.name} has no option {', '.join(unknown)}; it has: {there}")
    with _in_plain_words(), _alone(folder, kind.name), _ended_in_order() as uninterrupted:
        outcome, chain = Outcome(), kind(folder, short=short, options=options)
        _ = chain.picture  # what it names may not be writable
        watching(chain)
        with ExitStack() as stack:
            try:
                chain.up(stack)
                chain.run(outcome, short=short, options=options)
                chain.heed_threads()
            except (PartFailedError, *LIBRARY_ERRORS) as error:
                raise PartFailedError(_told(error, chain)) from None
            finally:
                ended = ended_by_themselves(chain.parts)
                uninterrupted()  # a second Ctrl-C must not leave half of the parts
        outcome.check(
            "every part ran until it was ended",
            holds=not ended,
            seen="; ".join(ended) or f"{len(chain.parts)} of {len(chain.parts)}",
        )
    if not outcome.failed:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _told(error: BaseException, chain: Chain) -> str:
    """What ended by itself, which comes first; then what went wrong here, and in the chain's threads."""
    text = named(error)
    end = time.monotonic() + (0.0 if type(error) is PartFailedError else _NOTICED_SECONDS)
    while not (ended := ended_by_themselves(chain.parts)) and time.monotonic() < end:
        time.sleep(0.05)  # a connection breaks before its server is seen to have ended
    if hasattr(chain, "deployment"):
        ended += chain.deployment.ended()
    # Who waited may have told it already.
    return "\n".join(dict.fromkeys([*(each for each in ended if each not in text), text, *chain.failures]))


@contextmanager
def _in_plain_words() -> Iterator[None]:
    """Have what a library raises while parts are ended say which; what went wrong before stays its cause."""
    try:
        yield
    except LIBRARY_ERRORS as error:
        raise PartFailedError(named(error)) from error.__context__


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """Nobody else runs in the folder, and it is empty, but for what must outlive a run that was killed: its state."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PartFailedError(f"{name} is running already, in {folder}: end that run first") from None
        folder.mkdir(exist_ok=True)
        end_leftovers(folder)
        for left in folder.iterdir():
            if left.name.partition(".")[2] in {"tfstate", "tfstate.backup"}:
                continue
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()
        yield


@contextmanager
def _ended_in_order() -> Iterator[Callable[[], None]]:
    """Have SIGTERM end a run as Ctrl-C does; what it gives makes the rest of the run deaf to both."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}

    def deaf() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    try:
        yield deaf
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""The highest rate that a chain carries from its source to its destination, and what limits it."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from usecases.chain import Chain, Outcome

_SILENT_SECONDS = 20.0
"""Who has been silent for so long sends no more of it."""
_LOOK_SECONDS = 0.05
_SENDER = "the sender (this program)"
_BUSY = 0.85
"""Share of the processors' time, or of one processor's, beyond which more work would have to wait."""


@dataclass(kw_only=True)
class Load:
    """Who has used the processors for a while."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Processor seconds of each part."""
    busy: float = 0.0
    """Processor seconds of the whole machine."""
    elapsed: float = 0.0
    processors: int = 1

    def limit(self) -> str:
        """The part with the highest share, and whether the processors were what limited it."""
        part = max(self.seconds, key=self.seconds.__getitem__)
        used, share = self.seconds[part] / self.elapsed, min(1.0, self.busy / self.elapsed / self.processors)
        text = f"{part}: {used:.2f} of {self.processors} processors; all of them {share:.0%} busy"
        others = (self.busy - sum(self.seconds.values())) / self.elapsed
        if others > used:
            return f"other programs of this machine: {others:.2f} of {self.processors} processors; then {text}"
        return text if share > _BUSY or used > _BUSY else f"not the processors; most of them by {text}"


@contextmanager
def loaded(chain: Chain) -> Iterator[Load]:
    """Measure who uses the processors meanwhile: what it gives is complete at the end."""
    load = Load(processors=len(os.sched_getaffinity(0)))
    before, busy, began = _spent(chain), _busy(), time.monotonic()
    yield load
    load.elapsed = max(time.monotonic() - began, _LOOK_SECONDS)
    load.busy = _busy() - busy
    load.seconds = {part: max(0.0, spent - before.get(part, 0.0)) for part, spent in _spent(chain).items()}


def measure(
    chain: Chain, outcome: Outcome, send: Callable[[], int], arrived: Callable[[], int], *, destination: str
) -> None:
    """Send as fast as the source takes it, and see when the last has arrived.

    The figure ``highest_per_second`` is what arrived, divided by the time from the first that was sent to the last that
    arrived. ``limited_by`` is :meth:`Load.limit` of that time.

    Args:
        chain: whose parts are measured.
        outcome: takes the figures, and the check that all have arrived.
        send: sends the messages; how many.
        arrived: how many are at the destination.
        destination: its name, for the check.
    """
    chain.tell("messages as fast as the source takes them")
    with loaded(chain) as load:
        began = time.monotonic()
        wanted = send()
        there, last = arrived(), time.monotonic()
        while there < wanted and time.monotonic() < last + _SILENT_SECONDS:
            chain.heed()
            time.sleep(_LOOK_SECONDS)
            if (now := arrived()) > there:
                there, last = now, time.monotonic()
    outcome.check(
        f"all that was sent at once is in {destination}", holds=there >= wanted, seen=f"{there:,} of {wanted:,}"
    )
    report(outcome, there, last - began, load)


def report(outcome: Outcome, messages: int, seconds: float, load: Load) -> None:
    """The two figures.

    Args:
        outcome: takes them.
        messages: how many have arrived.
        seconds: from the first that was sent to the last that arrived.
        load: of that time.
    """
    outcome.figures |= {"highest_per_second": round(messages / seconds), "limited_by": load.limit()}


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _spent(chain: Chain) -> Counter[str]:
    """Processor seconds by part so far. A process counts with its children, also those that have ended."""
    own = psutil.Process().cpu_times()
    spent = Counter({_SENDER: own.user + own.system})
    for part, pids in chain.processes().items():
        for pid in pids:
            with suppress(psutil.NoSuchProcess):
                root = psutil.Process(pid)
                for process in (root, *root.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        spent[part] += sum(process.cpu_times()[:4])
    return spent

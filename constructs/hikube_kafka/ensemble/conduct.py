"""How a long call behaves towards its caller: what it tells, how long it waits, and that it can be ended."""

from collections.abc import Callable
from dataclasses import dataclass

from hikube_kafka.waiting import never, until

POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Longest waits, in seconds. Each is far above what was measured, so that only a real fault reaches it."""

    lock: float = 10
    """For another process that changes the same ensemble."""
    quorum: float = 60
    """From the start of ZooKeeper servers until each serves in the quorum."""
    registered: float = 180
    """From the start of brokers until each is registered; a recovery of logs after a crash comes before that."""
    in_sync: float = 600
    """Until a broker is in the in-sync replicas of every partition that it holds."""
    joined: float = 180
    """From the start of Connect workers until each answers and is a member of its group."""
    balanced: float = 180
    """Until no task waits for a worker, once those that left have been waited for as long as is declared."""
    standstill: float = 60
    """Until a wait for a broker to get in sync, in which nothing changes, says so; it goes on."""
    stop: float = 60
    """From SIGTERM to SIGKILL."""
    answer: float = 30
    """Until a server that listens has answered at all; one that has not hangs."""
    stop_hung: float = 10
    """From SIGTERM to SIGKILL of a server that hangs."""


def silent(_: str) -> None:
    """Nobody is told."""


@dataclass(frozen=True, kw_only=True)
class Conduct:
    """How a long call behaves towards its caller."""

    progress: Callable[[str], None] = silent
    """Told each step, one line."""
    cancelled: Callable[[], bool] = never
    """Asked several times a second; True ends the call."""
    patience: Patience = Patience()

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until the condition holds.

        Returns:
            False when it did not hold within ``seconds``.

        Raises:
            Stopped: the caller wants to stop; the public functions turn it into an ApplyInterruptedError.
        """
        return until(condition, seconds, self.cancelled, every=POLL_SECONDS)

"""What was taken from MQTT and is not acknowledged yet: bounded, and acknowledged in the order in which it came."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition


@dataclass(eq=False, kw_only=True, slots=True)
class Entry:
    """A message on its way to Kafka."""

    mid: int
    """Packet identifier; 0: of QoS 0, which nobody acknowledges."""
    size: int
    taken: float
    """``time.monotonic()`` at which it came."""
    in_kafka: bool = False


class Window:
    """The messages in flight. Its methods may be called by several threads.

    An identifier that was not acknowledged cannot stand for another message while the session lives. So what comes a
    second time after a connection was lost is known by it, and is not sent to Kafka twice.

    Args:
        acknowledge: sends the PUBACK for an identifier. Called in the order in which the messages came, which MQTT
            asks for, and under the window's lock: it must not wait for the window.
        messages: how many may be on their way to Kafka.
        bytes_: how many bytes of them; one message alone may be larger.
    """

    def __init__(self, acknowledge: Callable[[int], None], *, messages: int, bytes_: int) -> None:
        self._acknowledge = acknowledge
        self._messages = messages
        self._bytes = bytes_
        self._changed = Condition()
        self._order: deque[Entry] = deque()
        self._former: dict[int, Entry] = {}
        self._closed = False
        self._given_up = False
        self.in_flight = 0
        self.in_flight_bytes = 0
        self.acknowledged = 0

    @property
    def unacknowledged(self) -> int:
        """Messages of this connection that were taken and not acknowledged."""
        return len(self._order)

    def enter(self, mid: int, size: int, patience: float | None = None) -> Entry | None:
        """Take a message in, and wait for room first.

        Args:
            mid: its packet identifier, 0 for QoS 0.
            size: its bytes.
            patience: the longest wait in seconds; None: it has no end.

        Returns:
            The entry; None: there was no room in that time, or the window was closed.
        """
        taken = time.monotonic()
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or self._has_room(size), patience) or self._closed:
                return None
            entry = Entry(mid=mid, size=size, taken=taken)
            self.in_flight += 1
            self.in_flight_bytes += size
            if mid:
                self._order.append(entry)
            return entry

    def _has_room(self, size: int) -> bool:
        return not self.in_flight or (self.in_flight < self._messages and self.in_flight_bytes + size <= self._bytes)

    def resume(self, mid: int) -> bool:
        """Whether the message came on a former connection of this session; then it is acknowledged on this one."""
        with self._changed:
            entry = self._former.pop(mid, None)
            if entry is None:
                return False
            self._order.append(entry)
            self._acknowledge_first()
            return True

    def delivered(self, entry: Entry) -> None:
        """Kafka has the message: acknowledge it, once all that came before it are in Kafka too."""
        with self._changed:
            entry.in_kafka = True
            self.in_flight -= 1
            self.in_flight_bytes -= entry.size
            self._acknowledge_first()
            self._changed.notify_all()

    def _acknowledge_first(self) -> None:
        while self._order and self._order[0].in_kafka:
            self._acknowledge(self._order.popleft().mid)
            self.acknowledged += 1

    def lost(self) -> None:
        """The connection is gone: what was not acknowledged on it will come again."""
        with self._changed:
            self._former |= {entry.mid: entry for entry in self._order}
            self._order.clear()

    def forget(self) -> None:
        """The session is gone too: identifiers begin anew."""
        with self._changed:
            self._former.clear()

    def close(self) -> None:
        """Take no further message; whoever waits for room gets none."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def give_up(self) -> None:
        """Nothing of what is in flight can reach Kafka any more: nobody is to wait for it."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait until all is in Kafka, or given up; whether it is in Kafka."""
        with self._changed:
            self._changed.wait_for(lambda: self._given_up or not self.in_flight, seconds)
            return not self.in_flight

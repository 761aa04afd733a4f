"""A TCP relay whose connections can be cut: a network that fails between two parts that do not."""

import socket
from contextlib import suppress
from threading import Lock, Thread
from typing import Self

from usecases.asking import asking

_BYTES = 65_536


class Relay:
    """Passes on what comes to a port of 127.0.0.1, as a context manager.

    Args:
        to: port of 127.0.0.1 that it passes to.
        port: that it listens on; 0: one that is free.
    """

    def __init__(self, to: int, port: int = 0) -> None:
        self._to = to
        with asking("relay", f"to listen on 127.0.0.1:{port}"):
            self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self.taken = 0

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break all connections at once."""
        with self._lock:
            broken, self._open = self._open, set()
        for each in broken:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._to))
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:  # nobody is there; or whoever called has gone again
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
                self.taken += 1
            for source, target in ((client, server), (server, client)):
                Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while received := source.recv(_BYTES):
                target.sendall(received)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

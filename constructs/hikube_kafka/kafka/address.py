"""Whether anything listens on an address, with the system's own reason if not."""

import re
import socket


def split(address: str) -> tuple[str, int]:
    """Split ``host:port``; brackets around an IPv6 address are taken off.

    Raises:
        ValueError: There is no port, or it is not a number.
    """
    host, _, port = address.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]+", port):
        raise ValueError(f"{address!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def join(host: str, port: int | str) -> str:
    """``host:port``, with the brackets that an IPv6 address needs there."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def dial(address: str, timeout: float) -> socket.socket:
    """Open a TCP connection that waits at most ``timeout`` seconds for anything.

    Raises:
        OSError: Nobody answers there; the reason is the system's own.
        ValueError: ``address`` is not ``host:port``.
    """
    return socket.create_connection(split(address), timeout=timeout)


def reason(error: BaseException) -> str:
    """Say in one line why something failed: many exceptions of the network have no text of their own."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return one_line(str(error)) or type(error).__name__


def one_line(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())

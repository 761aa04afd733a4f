"""Ports of this machine: which are free, who holds one, and which ones clients are given."""

import errno
import re
import socket
import subprocess
from collections.abc import Container, Iterator
from pathlib import Path

import psutil

from hikube_kafka.ensemble.processes import described

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_RESERVED = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
_SYSCTL = ("sysctl", "-n", "net.inet.ip.portrange.first", "net.inet.ip.portrange.last")
"""Of macOS, which has no /proc."""
_EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what a server may be told to listen on


def given_to_clients() -> tuple[int, int] | None:
    """The first and the last port that this system gives to outgoing connections; None: it does not tell."""
    try:
        text = _RANGE.read_text("ascii")
    except OSError:
        try:
            text = subprocess.run(_SYSCTL, capture_output=True, text=True, timeout=10, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return None
    numbers = [int(each) for each in text.split() if re.fullmatch("[0-9]+", each)]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None  # noqa: PLR2004 - first and last


def kept_from_clients() -> Container[int]:
    """Ports of that range that an administrator has taken out of it (``net.ipv4.ip_local_reserved_ports``)."""
    try:
        text = _RESERVED.read_text("ascii")
    except OSError:
        return frozenset()
    kept: set[int] = set()
    for first, last in re.findall(r"([0-9]+)(?:-([0-9]+))?", text):
        kept.update(range(int(first), int(last or first) + 1))
    return kept


def obstacle(host: str, port: int) -> OSError | None:
    """Why a server could not listen there; None: it could.

    Args:
        host: A name or an address, without brackets; empty for every address of the machine.
        port: The port.
    """
    for family, address in _bindings(host, port):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: who closes is no user
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                probe.listen(1)
        except OSError as error:
            # Of every address, one whose family this machine does not have is none.
            if host not in _EVERY_ADDRESS or error.errno == errno.EADDRINUSE:
                return error
    return None


def _bindings(host: str, port: int) -> Iterator[tuple[socket.AddressFamily, tuple[str, int]]]:
    if host in _EVERY_ADDRESS:
        yield socket.AF_INET, ("0.0.0.0", port)  # noqa: S104 - to see that nobody listens there
        if socket.has_ipv6:
            yield socket.AF_INET6, ("::", port)
        return
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return  # the server itself will say that the name means nothing here
    family, _, _, _, address = found[0]
    yield family, (str(address[0]), int(address[1]))


def holder(port: int) -> tuple[str, bool]:
    """Who has a port: ``by java (pid 17)``, empty where this user may not know; and whether it is a client's.

    A client's is the local end of an outgoing connection: nobody listens there.
    """
    try:
        held = [each for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port]
    except psutil.Error:
        return "", False
    listening = [each for each in held if each.status == psutil.CONN_LISTEN]
    pid = next((each.pid for each in listening or held if each.pid), None)
    try:
        who = f" by {described(psutil.Process(pid))}" if pid else ""
    except psutil.Error:
        who = ""
    return who, bool(held) and not listening

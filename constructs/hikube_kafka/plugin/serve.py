"""The process that Terraform starts: one handshake line on stdout, then gRPC over TLS on a socket of this user's own.

Its end is as quiet: Terraform's Shutdown call, SIGTERM, or the disappearance of Terraform itself; each time the running
call is finished first. Ctrl-C reaches the whole process group, Terraform then says through StopProvider what is wanted:
the signal itself is ignored, since a topic created in that moment must still be recorded.
"""

import base64
import os
import queue
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NoReturn

import grpc

from hikube_kafka.plugin.certificate import fresh_certificate
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.resource import Provider
from hikube_kafka.plugin.servicer import Servicer

# go-plugin's guard against starting a plugin by hand: not a secret, the same for every Terraform provider.
COOKIE_NAME = "TF_PLUGIN_MAGIC_COOKIE"
COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"

_CORE_PROTOCOL = 1
_PLUGIN_PROTOCOL = 6

# Terraform's own limit for a message; what gRPC sends has none.
_LARGEST_MESSAGE = 256 * 1024 * 1024
# Threads start when needed. Terraform calls 10 at once unless told otherwise; StopProvider must always find one.
_THREADS = 128
_LONGEST_DIRECTORY = 95  # bytes; a socket's path takes 103 (macOS) or 107 (Linux)
_PATIENCE = 86_400.0  # seconds for the running calls to finish; who has less uses SIGKILL
_PARENT_CHECK = 1.0  # seconds between looks for a Terraform that was killed

_SOCKET = "socket"

_EMPTY = b""
_SERVING = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse with status = SERVING


def serve(provider_factory: Callable[[], Provider]) -> NoReturn:
    """Be a provider, until Terraform says that it is enough.

    Args:
        provider_factory: Makes the provider. Called after the handshake, while Terraform connects.
    """
    if os.environ.get(COOKIE_NAME) != COOKIE:
        sys.stderr.write(
            "This program is a Terraform provider: Terraform starts it by itself. Name it in required_providers of a "
            "configuration, then run terraform init and terraform plan.\n"
        )
        raise SystemExit(1)
    endings: queue.SimpleQueue[str] = queue.SimpleQueue()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _signal, _frame: endings.put("SIGTERM"))
    terraform = os.getppid()

    servicer = Servicer(provider_factory)
    directory = _private_directory()
    server = _listen(servicer, directory, on_shutdown=lambda: endings.put("Shutdown"))
    try:
        servicer.provider  # noqa: B018 - made now, while Terraform connects; if that fails, every call says why
    except Exception as exception:  # noqa: BLE001
        log("error", "the provider could not be made", exception=type(exception).__name__)

    ending = _wait(endings, terraform)
    log("debug", "ending", because=ending)
    if ending != "Shutdown":
        _stop(servicer)
    server.stop(_PATIENCE).wait()
    _remove(directory)
    # Terraform waits for the end of the process, several times a run: nothing is left that an orderly exit would do.
    os._exit(0)


def _wait(endings: "queue.SimpleQueue[str]", terraform: int) -> str:
    """Wait for a reason to end; a Terraform that was killed is one, or its providers would pile up."""
    while True:
        try:
            return endings.get(timeout=_PARENT_CHECK)
        except queue.Empty:
            if os.getppid() != terraform:
                return "Terraform is gone"


def _stop(servicer: Servicer) -> None:
    try:
        servicer.provider.stop()
    except Exception as exception:  # noqa: BLE001 - the running calls are still to be waited for
        log("error", "stopping failed", exception=type(exception).__name__)


def _private_directory() -> str:
    """A new directory that only this user can enter, with a path short enough for a socket in it."""
    name = f"hikube-provider-{os.getpid()}-{os.urandom(4).hex()}"
    parent = os.environ.get("TMPDIR", "").rstrip("/") or "/tmp"  # noqa: S108 - the name is random, the mode private
    directory = f"{parent}/{name}"
    if len(os.fsencode(directory)) > _LONGEST_DIRECTORY:
        directory = f"/tmp/{name}"  # noqa: S108 - as above
    os.mkdir(directory, mode=0o700)  # noqa: PTH102 - pathlib would lengthen the cold start
    return directory


def _remove(directory: str) -> None:
    with suppress(OSError):  # a directory that somebody cleared away is no reason to fail at the very end
        if os.path.lexists(f"{directory}/{_SOCKET}"):  # gRPC removes its socket as a rule
            os.unlink(f"{directory}/{_SOCKET}")  # noqa: PTH108 - as above
        os.rmdir(directory)  # noqa: PTH106 - as above


def _listen(servicer: Servicer, directory: str, on_shutdown: Callable[[], None]) -> grpc.Server:
    """Start to serve, and tell Terraform where."""
    certificate = fresh_certificate()
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_THREADS),
        handlers=[servicer.handlers(), *_plugin_services(on_shutdown)],
        options=[("grpc.max_receive_message_length", _LARGEST_MESSAGE)],
    )
    address = f"{directory}/{_SOCKET}"
    # grpcio cannot check Terraform's client certificate (its curve is P-521): the directory's mode is the lock.
    server.add_secure_port(
        f"unix:{address}", grpc.ssl_server_credentials([(certificate.key_pem, certificate.certificate_pem)])
    )
    server.start()
    sys.stdout.write(_handshake(address, certificate.certificate_der) + "\n")
    sys.stdout.flush()
    return server


def _handshake(address: str, certificate: bytes) -> str:
    """The line in which Terraform finds the socket and the certificate to trust, in base64 without padding."""
    encoded = base64.b64encode(certificate).decode().rstrip("=")
    return f"{_CORE_PROTOCOL}|{_PLUGIN_PROTOCOL}|unix|{address}|grpc|{encoded}"


def _plugin_services(on_shutdown: Callable[[], None]) -> list[grpc.GenericRpcHandler]:
    """What go-plugin expects beside the provider: to be told of health, to end it, and two streams nobody needs here.

    Their messages are so small that they are written as bytes.
    """

    def shutdown(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        on_shutdown()
        return _EMPTY

    def check(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        return _SERVING

    def nothing(_request: bytes | Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        return iter(())

    return [
        grpc.method_handlers_generic_handler(
            "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
        ),
        grpc.method_handlers_generic_handler(
            "plugin.GRPCController", {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)}
        ),
        # Terraform reads stdout and stderr from the pipes, and opens no second connection: both streams end at once.
        grpc.method_handlers_generic_handler(
            "plugin.GRPCStdio", {"StreamStdio": grpc.unary_stream_rpc_method_handler(nothing)}
        ),
        grpc.method_handlers_generic_handler(
            "plugin.GRPCBroker", {"StartStream": grpc.stream_stream_rpc_method_handler(nothing)}
        ),
    ]

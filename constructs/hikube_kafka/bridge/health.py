"""The address at which a bridge says how it is: /metrics, /healthz, /readyz."""

from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from threading import Thread

from hikube_kafka.kafka.address import split

_SLOWEST_CLIENT_SECONDS = 5


class Health:
    """An HTTP server of its own thread.

    Args:
        address: ``host:port``.
        metrics: what /metrics answers.
        failure: why the bridge is not alive; None: it is.
        waiting_for: what it is not ready for; empty: it is ready.

    Raises:
        OSError: The address cannot be listened on.
        ValueError: It is not an address.
    """

    def __init__(
        self,
        address: str,
        *,
        metrics: Callable[[], str],
        failure: Callable[[], str | None],
        waiting_for: Callable[[], list[str]],
    ) -> None:
        class Answers(BaseHTTPRequestHandler):
            timeout = _SLOWEST_CLIENT_SECONDS

            def do_GET(self) -> None:
                match self.path.partition("?")[0]:
                    case "/metrics":
                        self._answer(HTTPStatus.OK, metrics(), "text/plain; version=0.0.4; charset=utf-8")
                    case "/healthz":
                        why = failure()
                        self._answer(HTTPStatus.SERVICE_UNAVAILABLE if why else HTTPStatus.OK, f"{why or 'ok'}\n")
                    case "/readyz":
                        missing = failure() or ", ".join(waiting_for())
                        status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
                        self._answer(status, f"not ready: {missing}\n" if missing else "ok\n")
                    case _:
                        self._answer(HTTPStatus.NOT_FOUND, "there are /metrics, /healthz and /readyz\n")

            do_HEAD = do_GET  # noqa: N815 - likewise

            def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8") -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
                """Whoever asks every few seconds fills no log."""

        host, port = split(address)
        server = type("Server", (ThreadingHTTPServer,), {"address_family": AF_INET6} if ":" in host else {})
        self._server: ThreadingHTTPServer = server((host, port), Answers)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

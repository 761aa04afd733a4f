"""A server on this machine that answers in place of a Connect worker, as told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def fault(status: int, message: str) -> tuple[int, str]:
    return status, json.dumps({"error_code": status, "message": message})


@contextmanager
def worker(*answers: tuple[int, str]) -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """Something that gives these answers in turn, the last one for ever; and what it was asked, but for whether it is
    there at all.
    """
    asked: list[tuple[str, str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = 200, "{}"
            if self.path != "/":
                asked.append((self.command, self.path, json.loads(body) if body else None))
                status, text = answers[min(len(asked), len(answers)) - 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = answer  # noqa: N815 - their names in the library

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()

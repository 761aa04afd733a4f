"""A host of Git on this machine: comments and notes as GitHub and GitLab keep them, and every call recorded."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "acme/shop"
PROJECT = "42"
NUMBER = 7

_GITHUB = re.compile(r"/repos/acme/shop/issues/(?:7/comments|comments/(\d+))")
_GITLAB = re.compile(r"/projects/42/merge_requests/7/notes(?:/(\d+))?")

Answer = tuple[int, dict[str, str], Any]


@dataclass
class GitHost:
    """What the host has, and what it was asked.

    Attributes:
        url: Where its API is.
        comments: Id → author and text, of GitHub and GitLab alike.
        calls: Method and path of every request, in order.
        tokens: What authenticated them.
        own: Who the token belongs to; None: an app, which may not ask that.
        answers: What the next writing requests are answered with instead of being done.
        before: Called with method and path before each request is answered.
        newest: The commit that the branch is at, for a test that asks for it.
    """

    url: str = ""
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    own: str | None = None
    answers: list[Answer] = field(default_factory=list)
    before: Callable[[str, str], object] = lambda _method, _path: None
    newest: Callable[[], str] = str

    def say(self, author: str, body: str) -> int:
        """Somebody writes a comment; gives its id."""
        number = max(self.comments, default=100) + 1
        self.comments[number] = {"author": author, "body": body}
        return number

    def bodies(self) -> list[str]:
        """The texts of all comments, in order."""
        return [each["body"] for each in self.comments.values()]

    def wrote(self) -> list[str]:
        """The requests that were to change something."""
        return [call for call in self.calls if not call.startswith("GET")]

    def answer(self, method: str, path: str, query: dict[str, list[str]], content: Any) -> Answer:
        """Answer one request."""
        self.before(method, path)
        if path == "/user":
            return self._user()
        found = _GITHUB.fullmatch(path) or _GITLAB.fullmatch(path)
        if not found:
            return 404, {}, {"message": "Not Found"}
        if method == "GET":
            return self._page(path, int(query["page"][0]), int(query["per_page"][0]))
        return self.answers.pop(0) if self.answers else self._write(method, int(found[1] or 0), content)

    def _user(self) -> Answer:
        if self.own is None:
            return 403, {}, {"message": "Resource not accessible by integration"}
        return 200, {}, {"login": self.own, "id": _id(self.own)}

    def _write(self, method: str, number: int, content: Any) -> Answer:
        if method == "POST":
            return 201, {}, self._shown(self.say(self.own or "github-actions[bot]", content["body"]))
        if number not in self.comments:
            return 404, {}, {"message": "Not Found"}
        if method == "DELETE":
            del self.comments[number]
            return 204, {}, None
        self.comments[number]["body"] = content["body"]
        return 200, {}, self._shown(number)

    def _page(self, path: str, page: int, size: int) -> Answer:
        listed = [self._shown(number) for number in sorted(self.comments)]
        more = page * size < len(listed)
        link = {"Link": f'<{self.url}{path}?page={page + 1}>; rel="next"'} if more else {}
        return 200, link, listed[(page - 1) * size : page * size]

    def _shown(self, number: int) -> dict[str, Any]:
        author = self.comments[number]["author"]
        who = {"login": author, "id": _id(author), "type": "Bot" if author.endswith("[bot]") else "User"}
        body = self.comments[number]["body"]
        return {"id": number, "body": body, "user": who, "author": who, "system": author == "system"}


def _id(author: str) -> int:
    return sum(author.encode())


@contextmanager
def git_host() -> Iterator[GitHost]:
    """A host that serves until the end of the block."""
    host = GitHost()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            address = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            content = json.loads(self.rfile.read(length)) if length else None
            host.calls.append(f"{self.command} {address.path}")
            host.tokens.add(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN") or "")
            status, headers, answer = host.answer(self.command, address.path, parse_qs(address.query), content)
            text = (
                answer.encode() if isinstance(answer, str) else b"" if answer is None else json.dumps(answer).encode()
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle  # noqa: N815 - as http.server calls them

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_port}"
    serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield host
    finally:
        server.shutdown()
        serving.join()
        server.server_close()

"""The REST API of a host of Git: what it refuses, and what is worth asking again."""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx

_TIMEOUT_SECONDS = 20.0
LONGEST_PAUSE_SECONDS = 60.0
"""Who asks to be left alone for longer than this gets no further request: a job is not kept waiting for an hour."""
_PAGE = 100
"""Most that GitHub and GitLab give in one page."""
_MOST_PAGES = 1000


class NotWrittenError(Exception):
    """The host refused the comment, or did not answer as it should."""


class RefusedError(NotWrittenError):
    """The host refuses a request.

    Attributes:
        status: With which status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AgainError(Exception):
    """The host could not answer this time.

    Attributes:
        after: Seconds that it asks to wait; None: it does not say.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class GoneError(AgainError):
    """What was there a moment ago is not any more."""


@dataclass(frozen=True)
class Comment:
    """A comment under the request."""

    id: str
    body: str
    mine: bool
    """Whether the token's own user wrote it: nobody else's comment is ever changed."""


class Thread(Protocol):
    """The comments under one pull request or merge request.

    Each method raises ``NotWrittenError``, or ``AgainError`` where it is worth trying once more.
    """

    def comments(self) -> list[Comment]:
        """All of them, the oldest first."""

    def create(self, body: str) -> None:
        """Write one more."""

    def update(self, comment: Comment, body: str) -> None:
        """Give one another text."""

    def delete(self, comment: Comment) -> None:
        """Remove one."""


class Host:
    """A REST API.

    Args:
        url: Where it is, without a path of one request.
        headers: What authenticates a request.
        hints: What to do about a status, by its number.
        authorities: File with more certificates to trust.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], hints: Mapping[int, str], *, authorities: str = ""
    ) -> None:
        verify: bool | ssl.SSLContext = True
        if authorities:
            verify = httpx.create_ssl_context()
            verify.load_verify_locations(authorities)
        # A redirect would turn a POST into a GET, whose answer looks like success: none is followed.
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"User-Agent": "hikube-kafka", **headers},
            timeout=_TIMEOUT_SECONDS,
            follow_redirects=False,
            verify=verify,
        )
        self._hints = hints

    def close(self) -> None:
        """Give up the connections."""
        self._client.close()

    def ask(self, method: str, path: str, content: Mapping[str, str] | None = None) -> Any:
        """Send one request; gives the JSON of the answer, None if it has none.

        Raises:
            RefusedError: It is refused.
            NotWrittenError: The answer is not what the API promises.
            AgainError: It is worth trying once more.
        """
        return self._content(self._send(method, path, content))

    def pages(self, path: str) -> Iterator[Any]:
        """All that a list has, page after page."""
        joint = "&" if "?" in path else "?"
        for page in range(1, _MOST_PAGES + 1):
            response = self._send("GET", f"{path}{joint}per_page={_PAGE}&page={page}")
            listed = self._content(response)
            if not isinstance(listed, list):
                raise NotWrittenError(f"{self._client.base_url.host} answers with something that is no list.")
            yield from listed
            if "next" not in response.links:
                return
        raise NotWrittenError(f"there are more than {_MOST_PAGES * _PAGE} comments.")

    def _send(self, method: str, path: str, content: Mapping[str, str] | None = None) -> httpx.Response:
        host = self._client.base_url.host
        try:
            response = self._client.request(method, path, json=content)
        except httpx.HTTPError as problem:
            raise AgainError(f"{host} does not answer: {problem or type(problem).__name__}") from None
        if response.is_success:
            return response
        status = response.status_code
        said = f"{host} answers {method} {path.partition('?')[0]} with {status}{_reason(response)}."
        if _is_passing(response):
            raise AgainError(said, _pause(response))
        if status == httpx.codes.NOT_FOUND and method in {"PATCH", "PUT", "DELETE"}:
            raise GoneError(said)
        if response.is_redirect:
            raise RefusedError(f"{said} It redirects: name the API's own address.", status)
        hint = self._hints.get(status, "")
        raise RefusedError(f"{said} {hint}".rstrip(), status)

    def _content(self, response: httpx.Response) -> Any:
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        try:
            return response.json()
        except ValueError:
            raise NotWrittenError(f"{self._client.base_url.host} answers with something that is no JSON.") from None


def _is_passing(response: httpx.Response) -> bool:
    """Whether the same request may be answered a little later. GitHub's limits come as 403 as well."""
    status = response.status_code
    if status == httpx.codes.FORBIDDEN:
        return "retry-after" in response.headers or response.headers.get("x-ratelimit-remaining") == "0"
    return status in {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS} or response.is_server_error


def _pause(response: httpx.Response) -> float | None:
    """Seconds that the host asks for: ``Retry-After``, or when GitHub's limit ends."""
    try:
        if "retry-after" in response.headers:
            return max(0.0, float(response.headers["retry-after"]))
        if response.headers.get("x-ratelimit-remaining") == "0":
            return max(0.0, float(response.headers["x-ratelimit-reset"]) - datetime.now(UTC).timestamp())
    except (KeyError, ValueError):  # a date, or nothing
        return None
    return None


def _reason(response: httpx.Response) -> str:
    """What the answer says of itself, in one short line."""
    try:
        content = response.json()
    except ValueError:
        return ""
    said = content.get("message") or content.get("error") if isinstance(content, dict) else None
    return f" ({' '.join(str(said).split())[:200]})" if said else ""

"""A client of the workers' REST interface. Every worker answers for its group: the first that does is asked."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote

from hikube_kafka.connect.errors import AlreadyThere, NotThere, Rebalancing, Refused, Unanswered, Unreachable
from hikube_kafka.connect.seen import ConnectorSeen, KeyFindings, PluginSeen
from hikube_kafka.spec.secret_keys import may_be_secret
from hikube_kafka.waiting import Stopped, never, until

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 10.0
"""For a worker to take a connection, and longer than it needs for any answer that is not about a connector's class."""
ANSWER_SECONDS = 100.0
"""For an answer: a worker gives up by itself after 90 s (ConnectResource.DEFAULT_REST_REQUEST_TIMEOUT_MS)."""
PATIENCE_SECONDS = 60.0
"""For a rebalance to end. A worker that died is missed after session.timeout.ms = 10 s, and its tasks wait for it as
long as scheduled.rebalance.max.delay.ms; only joining the group itself keeps requests from being answered."""
_POLL_SECONDS = 0.5
_HEARD_SECONDS = 5.0
"""As long as an answer tells that its worker lives. Before the next question after that, it is asked for the least that
there is: a worker that is suspended, or whose machine is gone, takes a connection and never answers."""

_GATEWAY = frozenset({502, 503, 504})
"""What a proxy says whose worker does not answer, and a worker that is still starting."""
_NO_SUCH_PATH = "HTTP 404 Not Found"
"""What Connect says of a path that it does not have: no word about a connector."""
_TIMED_OUT = "Request timed out"
"""How a worker begins to say that it has not come to it in its own 90 s."""
_LEADER_AWAY = "IO Error trying to forward REST request"
"""How it begins to say that the leader, which alone changes anything, is away: another one is elected."""

State = Literal["running", "paused", "stopped"]


class ConnectClient:
    """The workers of one group; may be used from many threads at once.

    Args:
        urls: Of workers, ``http://127.0.0.1:8083``; or what tells them, called before the first request and again
            after each that no worker has answered: a port-forward is opened there.
        timeout: Seconds for a worker to take a connection, and for the first sign that it lives.
        answer: Seconds for it to answer.
        patience: Seconds for a rebalance to end before a request is given up with ``Rebalancing``.
        stopped: Whether the user wants to stop; ends that wait with ``Stopped``.
        on_request: Takes method and path of each request, to count them; not of those that ask whether a worker lives.

    Every method raises ``Unreachable`` where no worker answers, ``Rebalancing`` where they are busy with each other
    for longer than the patience, and ``Refused`` where they say no.
    """

    def __init__(
        self,
        urls: Sequence[str] | Callable[[], Sequence[str]],
        *,
        timeout: float = TIMEOUT_SECONDS,
        answer: float = ANSWER_SECONDS,
        patience: float = PATIENCE_SECONDS,
        stopped: Callable[[], bool] = never,
        on_request: Callable[[str, str], None] = lambda _method, _path: None,
    ) -> None:
        self._dial = urls if callable(urls) else lambda: urls
        self._timeout = timeout
        self._answer = answer
        self._patience = patience
        self._stopped = stopped
        self._on_request = on_request
        self._lock = threading.Lock()
        self._urls: tuple[str, ...] = ()
        self._heard: dict[str, float] = {}
        self._http: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None

    # ---- reading ---------------------------------------------------------------------------------------------------

    def root(self) -> Mapping[str, str]:
        """Version and commit of the worker that answers, and the id of the Kafka cluster it is connected to."""
        answer: Mapping[str, str] = self._json("GET", "/", dict)
        return answer

    def plugins(self, *, connectors_only: bool = True) -> tuple[PluginSeen, ...]:
        """The classes that the worker has loaded.

        Args:
            connectors_only: Whether converters, transforms and predicates are left out.
        """
        path = f"/connector-plugins?connectorsOnly={str(connectors_only).lower()}"
        return tuple(
            PluginSeen(class_name=str(each["class"]), kind=str(each.get("type")), version=each.get("version"))
            for each in self._json("GET", path, list)
        )

    def connectors(self) -> dict[str, ConnectorSeen]:
        """All connectors with their tasks, in one request.

        One that is missing may be there all the same: Connect leaves out what it has no status of yet. Ask
        :meth:`connector` before it is taken for gone.
        """
        answer = self._json("GET", "/connectors?expand=info&expand=status", dict)
        return {
            name: ConnectorSeen.of(name, each.get("info") or {}, each.get("status") or {})
            for name, each in answer.items()
        }

    def names(self) -> tuple[str, ...]:
        """The names of all connectors, of those without a status too."""
        return tuple(map(str, self._json("GET", "/connectors", list)))

    def connector(self, name: str) -> ConnectorSeen:
        """One connector with its tasks.

        Raises:
            NotThere: There is none of this name.
        """
        what = f"connector {name}"
        info = self._json("GET", _path(name), dict, what=what)
        status: Mapping[str, Any] = {}
        with contextlib.suppress(NotThere):  # made a moment ago: no worker has written yet how it does
            status = self._json("GET", _path(name, "status"), dict, what=what)
        return ConnectorSeen.of(name, info, status)

    def validate(self, class_name: str, config: Mapping[str, str]) -> tuple[KeyFindings, ...]:
        """What Connect says of a configuration, key by key, in the order in which it defines them.

        Args:
            class_name: The connector's class.
            config: All entries, ``name`` among them; ``connector.class`` is added.

        Raises:
            Refused: It cannot validate it: no worker has this class, or a reference to a config provider leads
                nowhere.
        """
        whole = {**config, "connector.class": class_name}
        path = f"/connector-plugins/{quote(class_name, safe='')}/config/validate"
        answer = self._json("PUT", path, dict, body=whole)
        types = {
            str(each["definition"]["name"]): str(each["definition"].get("type"))
            for each in answer.get("configs") or ()
            if each.get("definition")
        }
        found: list[KeyFindings] = []
        for each in answer.get("configs") or ():
            value = each.get("value") or {}
            key = str(value.get("name"))
            password = types.get(key) == "PASSWORD"
            secrets = {str(value.get("value") or ""), whole.get(key, "")} - {""} if password else set()
            found.append(
                KeyFindings(
                    key=key,
                    password=password,
                    errors=tuple(_without(str(error), secrets) for error in value.get("errors") or ()),
                )
            )
        return tuple(found)

    def offsets(self, name: str) -> list[dict[str, Any]]:
        """Offsets of a connector: each with a ``partition`` and an ``offset``, as the connector understands them.

        Raises:
            NotThere: There is none of this name.
        """
        answer = self._json("GET", _path(name, "offsets"), dict, what=f"connector {name}")
        # One that was reset a moment ago may still be told, with null.
        return [each for each in answer.get("offsets") or () if each.get("offset") is not None]

    # ---- changing --------------------------------------------------------------------------------------------------

    def put_config(self, name: str, config: Mapping[str, str]) -> None:
        """Give a connector its whole configuration; it is created, running, where there is none."""
        self._send("PUT", _path(name, "config"), body=dict(config), secrets=config)

    def create(self, name: str, config: Mapping[str, str], state: State = "running") -> None:
        """Create a connector in a state.

        Raises:
            AlreadyThere: There is one of this name; after an answer that got lost it may be this one.
        """
        body: dict[str, Any] = {"name": name, "config": dict(config)}
        if state != "running":
            body["initial_state"] = state.upper()
        self._send("POST", "/connectors", body=body, secrets=config)

    def pause(self, name: str) -> None:
        """Have a connector and its tasks pause; whether they have is another question.

        Raises:
            NotThere: There is none of this name.
        """
        self._send("PUT", _path(name, "pause"), what=f"connector {name}")

    def resume(self, name: str) -> None:
        """Have a paused or stopped connector run.

        Raises:
            NotThere: There is none of this name.
        """
        self._send("PUT", _path(name, "resume"), what=f"connector {name}")

    def stop(self, name: str) -> None:
        """Have a connector stop: its tasks are shut down.

        Raises:
            NotThere: There is none of this name.
        """
        self._send("PUT", _path(name, "stop"), what=f"connector {name}")

    def restart(self, name: str) -> None:
        """Restart the connector if it failed, and those of its tasks that failed (KIP-745).

        Raises:
            NotThere: There is none of this name, or the workers know of no task yet.
        """
        path = f"{_path(name, 'restart')}?includeTasks=true&onlyFailed=true"
        self._send("POST", path, what=f"connector {name}")

    def alter_offsets(self, name: str, offsets: Sequence[Mapping[str, Any]]) -> str:
        """Set offsets of a connector that is stopped.

        Returns:
            Connect's sentence: it tells whether the connector itself has checked them.

        Raises:
            NotThere: There is none of this name.
        """
        body = {"offsets": [dict(each) for each in offsets]}
        return self._message("PATCH", _path(name, "offsets"), body=body, what=f"connector {name}")

    def reset_offsets(self, name: str) -> str:
        """Forget the offsets of a connector that is stopped.

        Returns:
            Connect's sentence: it tells whether the connector itself takes part.

        Raises:
            NotThere: There is none of this name.
        """
        return self._message("DELETE", _path(name, "offsets"), what=f"connector {name}")

    def delete(self, name: str) -> None:
        """Delete a connector; its offsets stay.

        Raises:
            NotThere: There is none of this name.
        """
        self._send("DELETE", _path(name), what=f"connector {name}")

    # ---- requests --------------------------------------------------------------------------------------------------

    def _message(self, method: str, path: str, *, body: object = None, what: str) -> str:
        answer = self._send(method, path, body=body, what=what)
        return str(answer.get("message") or "") if isinstance(answer, dict) else ""

    def _json(
        self, method: str, path: str, expected: type[Any], *, body: Mapping[str, str] | None = None, what: str = ""
    ) -> Any:
        answer = self._send(method, path, body=body, what=what, secrets=body or {})
        if not isinstance(answer, expected):
            raise Unanswered(self._urls, f"{method} {path}", "what answers there is not Connect: is the URL right?")
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        what: str = "",
        secrets: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request until a worker answers it and no rebalance is in its way; answers the JSON of it.

        Args:
            method: Of HTTP.
            path: With its query.
            body: What is sent as JSON.
            what: What a 404 means that there is none of; empty: nothing that a caller could ask for.
            secrets: Entries whose values are taken out of Connect's sentences.
        """
        busy: list[Rebalancing | Unanswered] = []
        question = f"{method} {path}"

        def asked() -> tuple[Any] | None:
            response = self._answered(method, path, body)
            if response.status_code < 300:  # noqa: PLR2004 - of HTTP: success
                return (_decoded(response),)
            reason = self._reason(response, question)
            if _is_rebalance(response.status_code, reason):
                busy.append(Rebalancing(reason, round(time.monotonic() - begun)))
                return None
            if reason.startswith(_LEADER_AWAY) and method != "POST":  # a creation must not be asked for twice
                busy.append(Unanswered(self._urls, question, reason))
                return None
            raise self._refusal(response.status_code, reason, what, question, secrets or {})

        begun = time.monotonic()
        found = until(asked, self._patience, self._stopped, every=_POLL_SECONDS)
        if found is None:
            raise busy[-1]
        return found[0]

    def _refusal(
        self, status: int, reason: str, what: str, question: str, secrets: Mapping[str, str]
    ) -> NotThere | Refused | Unanswered:
        if status == 404 and what and reason != _NO_SUCH_PATH:  # noqa: PLR2004 - of HTTP: not found
            return NotThere(what, reason)
        if status >= 500 and reason.startswith((_TIMED_OUT, _LEADER_AWAY)):  # noqa: PLR2004 - of HTTP: the server's own faults
            return Unanswered(self._urls, question, reason)
        told = _redacted(reason, secrets)
        return AlreadyThere(status, told) if status == 409 else Refused(status, told)  # noqa: PLR2004

    def _reason(self, response: "httpx.Response", question: str) -> str:
        """Connect's sentence about a request that it did not carry out.

        Raises:
            Unanswered: It is not Connect that says so.
        """
        answer = _decoded(response)
        if isinstance(answer, dict) and isinstance(answer.get("message"), str) and "error_code" in answer:
            return " ".join(answer["message"].split())
        if response.status_code in _GATEWAY:
            raise Unanswered(self._urls, question, f"HTTP {response.status_code} {response.reason_phrase}")
        raise Unanswered(
            self._urls,
            question,
            f"HTTP {response.status_code} {response.reason_phrase}, and not in Connect's words: is the URL right?",
        )

    def _answered(self, method: str, path: str, body: object) -> "httpx.Response":
        """The answer of the first worker that gives one; the one that did is asked first the next time."""
        import httpx

        reasons: dict[str, str] = {}
        for url in self._reached():
            if self._stopped():
                raise Stopped
            self._on_request(method, path)
            if path != "/" and not self._lives(url, reasons):
                continue  # the question itself has not been put: another worker may be asked
            try:
                response = self._connection().request(method, f"{url.rstrip('/')}{path}", json=body)
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                reasons[url] = _words(error)
                if method == "POST" and not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    break  # it may be carried out by now, and must not be asked for twice
                continue
            with self._lock:
                self._heard[url] = time.monotonic()
                self._urls = (url, *(each for each in self._urls if each != url))
            return response
        with self._lock:
            asked, self._urls = self._urls, ()
        several = len(set(reasons.values())) > 1
        told = [f"{url}: {reason}" if several else reason for url, reason in reasons.items()]
        raise Unreachable(asked, "; ".join(dict.fromkeys(told)) or "no URL is known")

    def _lives(self, url: str, reasons: dict[str, str]) -> bool:
        """Whether a worker says anything at all, within the timeout; a moment after its last answer it is not asked."""
        import httpx

        with self._lock:
            heard = self._heard.get(url)
        if heard is not None and time.monotonic() - heard < _HEARD_SECONDS:
            return True
        try:
            # Answered without the worker's group, and without waiting for whatever else it is doing.
            self._connection().get(f"{url.rstrip('/')}/", timeout=self._timeout)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            reasons[url] = _words(error)
            return False
        with self._lock:
            self._heard[url] = time.monotonic()
        return True

    def _reached(self) -> tuple[str, ...]:
        with self._lock:
            urls = self._urls
        if urls:
            return urls
        urls = tuple(self._dial())  # without the lock: a port-forward may take its time
        with self._lock:
            self._urls = self._urls or urls
            return self._urls

    def _connection(self) -> "httpx.Client":
        import httpx

        with self._lock:
            if self._http is None:
                self._http = httpx.Client(
                    timeout=httpx.Timeout(self._answer, connect=self._timeout, pool=None),
                    headers={"Accept": "application/json"},
                    # A proxy of this machine stands between it and the world, and not before a worker.
                    trust_env=False,
                )
            return self._http


def _is_rebalance(status: int, reason: str) -> bool:
    """Whether the workers are busy with each other; requests that only the leader may answer fail so with a 500."""
    return "a rebalance is expected" in reason or (status == 409 and "already exists" not in reason)  # noqa: PLR2004


def _path(name: str, what: str = "") -> str:
    return f"/connectors/{quote(name, safe='')}" + (f"/{what}" if what else "")


def _decoded(response: "httpx.Response") -> Any:
    """The JSON of an answer; None where there is none, or it is something else."""
    try:
        return response.json()
    except ValueError:
        return None


def _words(error: Exception) -> str:
    import httpx

    text = " ".join(str(error).split()) or type(error).__name__
    return f"no answer in time ({text})" if isinstance(error, httpx.TimeoutException) else text


def _without(text: str, secrets: set[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "[hidden]")
    return text


def _redacted(text: str, config: Mapping[str, str]) -> str:
    """A sentence without the values that may be secrets: not every sentence says which key it is about."""
    return _without(text, {value for key, value in config.items() if value and may_be_secret(key, value)})

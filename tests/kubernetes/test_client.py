"""What the Kubernetes API server refuses, each with its own error. On a real cluster: tests/e2e/port_forward."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.kubernetes import client as kubernetes
from hikube_kafka.kubernetes.client import ApiServer, PodState
from hikube_kafka.kubernetes.errors import (
    ApiServerError,
    CredentialsRefusedError,
    ForbiddenError,
    KubernetesError,
    NamespaceMissingError,
    StreamError,
)

NAMESPACE = "/api/v1/namespaces/platform"
POD = f"{NAMESPACE}/pods/kafka-0"
STREAM = f"{POD}/portforward"

Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Ask an API server that answers these paths with these codes, everything else with 200; first for the pod."""
    codes: dict[str, int] = {}
    held = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code = codes.get(self.path.partition("?")[0], 200)
            if code == 0:
                held.wait(30)
                return
            body = json.dumps({"message": f"because {code}"}).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "one",
            }
        )
    )

    async def talk(*, stream: bool, log: bool) -> Any:
        async with ApiServer.connected(str(kubeconfig), None, "platform") as api:
            if log:
                return await api.log("kafka-0", "kafka", lines=3, previous=True)
            if not stream:
                return await api.pod("kafka-0")
            async with api.stream("kafka-0", 19092):
                return None

    def ask(answers: dict[str, int], *, stream: bool = False, log: bool = False) -> Any:
        codes.update(answers)
        return asyncio.run(talk(stream=stream, log=log))

    yield ask
    held.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_missing_pod_is_told_from_a_missing_namespace(ask: Ask) -> None:
    assert ask({POD: 404}) == PodState(uid=None, running=False, summary="there is no such pod")
    # Whoever may not read namespaces sees a missing pod.
    assert ask({POD: 404, NAMESPACE: 403}).summary == "there is no such pod"
    with pytest.raises(NamespaceMissingError, match="platform"):
        ask({POD: 404, NAMESPACE: 404})


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (403, ForbiddenError, "because 403"),
        (401, CredentialsRefusedError, "401"),
        (500, ApiServerError, "500 because 500"),
        (429, ApiServerError, "429 because 429"),
    ],
)
def test_a_pod_that_is_not_shown_says_why(ask: Ask, code: int, error: type[KubernetesError], said: str) -> None:
    with pytest.raises(error, match=said):
        ask({POD: code})


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (403, ForbiddenError, "pods/portforward"),
        (401, StreamError, "401"),
        (500, StreamError, "500 because 500"),
        (200, StreamError, "200"),
        (0, StreamError, "no stream to its node within"),
    ],
)
def test_a_stream_that_is_not_opened_says_why(
    ask: Ask, code: int, error: type[KubernetesError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if code == 0:
        monkeypatch.setattr(kubernetes, "REQUEST_TIMEOUT_SECONDS", 0.3)
    with pytest.raises(error, match=said):
        ask({STREAM: code}, stream=True)


def test_the_log_of_a_container_is_read_or_it_is_said_why_not(ask: Ask) -> None:
    path = f"{POD}/log"
    assert ask({}, log=True) == ['{"message": "because 200"}']
    assert ask({path: 400}, log=True) == []  # it has not been restarted: there is no log from before
    with pytest.raises(ForbiddenError) as refused:
        ask({path: 403}, log=True)
    assert refused.value.resource == "pods/log"

import asyncio
import base64
import contextlib
import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hikube_kafka.kubernetes.client import ApiServer, PodState
from hikube_kafka.kubernetes.errors import (
    ApiServerError,
    ContextUnknownError,
    KubeconfigError,
    KubernetesError,
    LocalPortInUseError,
    PodsUnreachableError,
    StreamError,
)
from hikube_kafka.kubernetes.port_forward import PodPort, _Standing, forward

PORTS = (PodPort(pod="kafka-0", port=19092, local_port=19092), PodPort(pod="zookeeper-0", port=2181))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def kubeconfig(directory: Path, *, current: str | None = "one", user: dict[str, Any] | None = None) -> str:
    """A kubeconfig with two contexts of a cluster that nobody serves."""
    contexts = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")]
    cluster = {"server": f"https://127.0.0.1:{free_port()}", "insecure-skip-tls-verify": True}
    file = directory / "kubeconfig"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": user if user is not None else {"token": "t"}}],
                "contexts": contexts,
                "current-context": current,
            }
        )
    )
    return str(file)


def refused(**declared: Any) -> KubernetesError:
    with pytest.raises(KubernetesError) as caught, forward(PORTS, namespace="platform", **declared):
        pass
    return caught.value


def standing(**declared: Any) -> _Standing:
    return _Standing(
        **{
            "ports": PORTS,
            "namespace": "platform",
            "kubeconfig": None,
            "context": None,
            "require": "any",
            "pod_wait_seconds": 0,
            "port_wait_seconds": 0,
            **declared,
        }
    )


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = refused(kubeconfig=str(tmp_path / "nothing"))
    assert isinstance(error, KubeconfigError)
    assert error.paths == (str(tmp_path / "nothing"),)
    assert "there is no such file" in str(error)


def test_without_a_declared_kubeconfig_the_environment_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/one{os.pathsep}{tmp_path}/two")
    error = refused()
    assert isinstance(error, KubeconfigError)
    assert error.paths == (f"{tmp_path}/one", f"{tmp_path}/two")


def test_without_anything_it_is_looked_for_in_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    error = refused()
    assert isinstance(error, KubeconfigError)
    assert error.paths == (f"{tmp_path}/.kube/config",)


def test_an_unknown_context_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    error = refused(context="three", kubeconfig=kubeconfig(tmp_path))
    assert isinstance(error, ContextUnknownError)
    assert (error.context, error.known) == ("three", ("one", "two"))
    assert "'one', 'two'" in str(error)


@pytest.mark.parametrize("current", ["gone", "", None])
def test_no_other_context_is_taken_for_a_current_one_that_is_not_there(tmp_path: Path, current: str | None) -> None:
    error = refused(kubeconfig=kubeconfig(tmp_path, current=current))
    assert isinstance(error, ContextUnknownError)
    assert (error.context, error.known) == (current or None, ("one", "two"))


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "{unclosed: 'my-secret-token", "- my-secret-token", "\0my-secret-token"]
)
def test_a_file_that_is_no_kubeconfig_is_an_error_that_does_not_quote_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content)
    error = refused(kubeconfig=str(file))
    assert isinstance(error, (KubeconfigError, ContextUnknownError))
    assert "secret" not in f"{error} {error.__cause__}"


def test_a_declared_context_needs_no_current_one(tmp_path: Path) -> None:
    error = refused(context="two", kubeconfig=kubeconfig(tmp_path, current=None))
    assert isinstance(error, ApiServerError), "the kubeconfig itself is fine"


def test_a_login_command_that_is_not_installed_is_named(tmp_path: Path) -> None:
    login = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-login"}}
    error = refused(kubeconfig=kubeconfig(tmp_path, user=login))
    assert isinstance(error, KubeconfigError)
    assert "no-such-login" in str(error)


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path)
    error = refused(kubeconfig=file)
    assert isinstance(error, ApiServerError)
    assert error.server == json.loads(Path(file).read_text())["clusters"][0]["cluster"]["server"]


def test_inline_keys_leave_no_file_behind_even_when_they_are_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    nonsense = base64.b64encode(b"nonsense").decode()
    keys = {"client-key-data": nonsense, "client-certificate-data": nonsense}
    assert isinstance(refused(kubeconfig=kubeconfig(tmp_path, user=keys)), KubeconfigError)
    assert list(temporary.iterdir()) == []


def test_key_files_that_the_kubeconfig_names_are_left_alone(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("nonsense")
    keys = {"client-key": str(key), "client-certificate": str(key)}
    assert isinstance(refused(kubeconfig=kubeconfig(tmp_path, user=keys)), KubeconfigError)
    assert key.exists()


def test_a_port_in_use_is_an_error_that_names_port_pod_and_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with pytest.raises(LocalPortInUseError) as caught:
            asyncio.run(standing()._bound(PodPort(pod="kafka-2", port=19094, local_port=port)))
    assert (caught.value.port, caught.value.pod) == (port, "kafka-2")
    assert caught.value.holder == f"{psutil.Process().name()} (process {os.getpid()})"
    for told in (f"127.0.0.1:{port}", "pod kafka-2", str(os.getpid())):
        assert told in str(caught.value)


# asyncio itself forgets a transport that it is making while its server closes.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("turns", range(6))
def test_a_client_that_connects_while_a_forward_closes_is_not_carried(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop tells of a connection turns after it has taken it: by then the cluster may be closed."""
    carried: list[str] = []
    closed = False

    async def carry(*_: object) -> None:
        carried.append("closed" if closed else "open")

    async def connect_and_close() -> None:
        nonlocal closed
        async with contextlib.AsyncExitStack() as stack:
            address = await standing()._listen(stack, None, PORTS[1])  # type: ignore[arg-type]
            with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))):
                for _ in range(turns):
                    await asyncio.sleep(0)
                await stack.aclose()
                closed = True
                for _ in range(10):
                    await asyncio.sleep(0)

    monkeypatch.setattr(_Standing, "_carry", carry)
    asyncio.run(connect_and_close())
    gc.collect()  # here, and not in another test
    assert "closed" not in carried


def test_a_port_that_is_given_back_is_taken() -> None:
    async def bind_while_it_is_given_back() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = int(taken.getsockname()[1])
            waits = standing(port_wait_seconds=30)._bound(PodPort(pod="kafka-0", port=19092, local_port=port))
            bound = asyncio.create_task(waits)
            await asyncio.sleep(0)
        with await bound as listener:
            assert listener.getsockname()[1] == port

    asyncio.run(bind_while_it_is_given_back())


class Pods:
    """An API server; pod kafka-0 runs, every other pod runs once it has been asked for so often."""

    def __init__(self, **runs_at: int) -> None:
        self.runs_at = {"kafka-0": 1, **runs_at}
        self.asked: Counter[str] = Counter()

    async def pod(self, name: str) -> PodState:
        self.asked[name] += 1
        running = self.asked[name] >= self.runs_at.get(name, 1000)
        return PodState(uid="1", running=running, summary="Running" if running else "Pending")

    @contextlib.asynccontextmanager
    async def stream(self, pod: str, port: int) -> AsyncIterator[None]:
        if (pod, port) == ("kafka-0", 1):
            raise StreamError(pod, port, "connection refused")
        yield


def reached(pods: Pods, *ports: PodPort, **declared: Any) -> dict[str, str]:
    """Why pods were not reached, once those that were required are."""
    forwards = standing(ports=ports or PORTS, pod_wait_seconds=30, **declared)
    asyncio.run(forwards._reached(pods))  # type: ignore[arg-type]
    return forwards._troubles


def test_all_pods_are_waited_for_where_all_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hikube_kafka.kubernetes.port_forward._RETRY_SECONDS", 0.001)
    pods = Pods(**{"zookeeper-0": 3})
    assert reached(pods, require="all") == {}
    assert pods.asked == {"kafka-0": 1, "zookeeper-0": 3}


def test_one_pod_is_enough_where_any_is_required_and_the_others_say_why() -> None:
    pods = Pods()
    assert reached(pods, require="any") == {"zookeeper-0": "Pending"}
    assert pods.asked == {"kafka-0": 1, "zookeeper-0": 1}


def test_pods_that_do_not_come_in_time_are_named_with_the_last_reason() -> None:
    with pytest.raises(PodsUnreachableError) as caught:
        asyncio.run(
            standing(ports=(PodPort(pod="kafka-0", port=1), PORTS[1]))._reached(Pods()),  # type: ignore[arg-type]
        )
    assert caught.value.pods == {"kafka-0": "connection refused", "zookeeper-0": "Pending"}
    assert "describe pod kafka-0" in str(caught.value)


def test_free_ports_are_taken_last_for_they_may_be_those_of_other_forwards(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[int | None] = []

    async def bind(_self: _Standing, target: PodPort) -> socket.socket:
        bound.append(target.local_port)
        return socket.create_server(("127.0.0.1", 0))

    @contextlib.asynccontextmanager
    async def connected(*_: object) -> AsyncIterator[Pods]:
        yield Pods()

    async def stand() -> None:
        kafka_1 = PodPort(pod="kafka-1", port=19093, local_port=19093)
        async with standing(ports=(PORTS[1], kafka_1, PORTS[0])):
            pass

    monkeypatch.setattr(_Standing, "_bound", bind)
    monkeypatch.setattr(ApiServer, "connected", connected)
    asyncio.run(stand())
    assert bound == [19092, 19093, None]


def test_a_refusal_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    refused(kubeconfig=kubeconfig(tmp_path))
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread


def test_importing_costs_nothing_of_kubernetes_and_the_room_knows_nothing_of_a_platform() -> None:
    program = (
        "import sys, hikube_kafka.kubernetes.port_forward, hikube_kafka.kubernetes.stateful_set\n"
        "foreign = {'kr8s', 'httpx', 'anyio', 'wsproto', 'psutil'} & {name.split('.')[0] for name in sys.modules}\n"
        "ours = {name.split('.')[1] for name in sys.modules if name.startswith('hikube_kafka.')}\n"
        "print(sorted(foreign), sorted(ours))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ['kubernetes', 'waiting']"

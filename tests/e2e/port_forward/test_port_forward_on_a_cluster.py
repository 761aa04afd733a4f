import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaError, Producer
from kazoo.client import KazooClient
from wsproto.events import Event, Ping

from hikube_kafka.kubernetes.errors import (
    CredentialsRefusedError,
    ForbiddenError,
    NamespaceMissingError,
    PodsUnreachableError,
)
from hikube_kafka.kubernetes.port_forward import PodPort, _Standing
from hikube_kafka.kubernetes.stream import PodStream
from hikube_kafka.probe.forwards import BrokerPortInUseError, Forwards, forwarded
from hikube_kafka.spec.contract import ReachByPortForward
from tests.support.load import Load, knows, new_topic, read_partitions
from tests.support.output import next_line
from tests.support.waiting import until

PARTITIONS = 6
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

Kubectl = Callable[..., str]


def dial(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def ask(connection: socket.socket, four_letters: str = "srvr") -> str:
    connection.sendall(four_letters.encode())
    answer = b""
    while more := connection.recv(4096):
        answer += more
    return answer.decode()


def is_answered(broker: socket.socket) -> bool:
    broker.sendall(bytes.fromhex("0000000a 0012 0000 00000001 ffff"))  # ApiVersions, version 0
    return bool(broker.recv(4))


@pytest.fixture
def forwards(reach: ReachByPortForward) -> Iterator[Forwards]:
    with forwarded(reach, brokers=[0, 1, 2], zookeeper=[1, 2, 3]) as standing:
        yield standing


@pytest.fixture
def topic(forwards: Forwards) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    new_topic(bootstrap(forwards), name, partitions=PARTITIONS)
    return name


def bootstrap(forwards: Forwards) -> str:
    return ",".join(forwards.brokers.values())


def test_a_complete_kafka_client_works_through_the_forwards(forwards: Forwards, topic: str) -> None:
    refused: list[KafkaError] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap(forwards),
            "enable.idempotence": True,
            "max.in.flight.requests.per.connection": 1,  # as in tests/support/load.py: no duplicate of the client's
            "linger.ms": 5,
            "log_level": 0,
        }
    )
    for number in range(20_000):
        producer.produce(
            topic, str(number).encode(), on_delivery=lambda error, _: refused.append(error) if error else None
        )
        producer.poll(0)
    assert producer.flush(120) == 0

    seen = [[int(value) for value in values] for values in read_partitions(bootstrap(forwards), topic, PARTITIONS)]

    assert refused == []
    assert sorted(number for numbers in seen for number in numbers) == list(range(20_000))
    assert all(numbers == sorted(numbers) for numbers in seen), "reordered"
    assert forwards.brokers == {0: "127.0.0.1:19392", 1: "127.0.0.1:19393", 2: "127.0.0.1:19394"}


def test_a_zookeeper_client_works_through_each_forward(forwards: Forwards) -> None:
    path = f"/port-forward-{uuid.uuid4().hex}"
    clients = [KazooClient(hosts=address) for address in forwards.zookeeper.values()]
    try:
        for client in clients:
            client.start(timeout=30)
        clients[0].create(path, b"written on one")
        for client in clients:
            client.sync(path)
            assert client.get(path)[0] == b"written on one"
        assert {broker for client in clients for broker in client.get_children("/brokers/ids")} == {"0", "1", "2"}
        clients[0].delete(path)
    finally:
        for client in clients:
            client.stop()
            client.close()


def test_each_forward_leads_to_its_own_server(forwards: Forwards) -> None:
    for server, address in forwards.zookeeper.items():
        client = KazooClient(hosts=address)
        client.start(timeout=30)
        session, _ = client.client_id
        client.stop()
        client.close()
        # A ZooKeeper server puts its own id into the first byte of every session that it opens.
        assert session >> 56 & 0xFF == server


def test_many_connections_share_one_forward(forwards: Forwards) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(110):  # an HTTP client's usual limit is 100
            connection = stack.enter_context(dial(forwards.brokers[0]))
            assert is_answered(connection), "no answer while the others stay open"
    assert forwards.troubles == {}


def test_an_idle_connection_outlives_many_pings(forwards: Forwards, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Event] = []
    write = PodStream._write

    async def write_and_note(stream: PodStream, event: Event) -> None:
        sent.append(event)
        await write(stream, event)

    monkeypatch.setattr("hikube_kafka.kubernetes.stream.PING_INTERVAL_SECONDS", 1.0)
    monkeypatch.setattr("hikube_kafka.kubernetes.port_forward._SILENCES_BORNE", 1)
    monkeypatch.setattr(PodStream, "_write", write_and_note)
    with dial(forwards.brokers[0]) as connection:  # which, unlike ZooKeeper, lets it idle for minutes
        # The first ping without an answer would close the connection.
        until(lambda: sum(isinstance(event, Ping) for event in sent) >= 5, "five pings have been sent")
        assert is_answered(connection)
    assert forwards.troubles == {}


def test_a_pod_deleted_under_load_costs_no_acknowledged_message(
    forwards: Forwards, topic: str, reach: ReachByPortForward, kubectl: Kubectl
) -> None:
    def uid() -> str:
        found = ["-n", reach.namespace, "get", "pod", "kafka-1", "--ignore-not-found", "-o"]
        return kubectl(*found, "jsonpath={.metadata.uid}{.status.containerStatuses[0].ready}")

    before = uid()
    with Load(bootstrap(forwards), topic, PARTITIONS) as load:
        kubectl("-n", reach.namespace, "delete", "pod", "kafka-1", "--wait=false")
        until(lambda: (now := uid()).endswith("true") and now != before, "the pod has been replaced", 120)

    assert (load.given_up, load.unanswered) == ([], 0)
    assert load.lost_and_duplicated() == (set(), set())
    # and the same forward leads to the new pod
    until(lambda: knows(forwards.brokers[1], 3), "the new broker knows the cluster")
    assert "kafka-1" not in forwards.troubles


def test_a_port_where_nothing_listens_shows_as_a_closed_connection_and_its_reason(reach: ReachByPortForward) -> None:
    elsewhere = reach.model_copy(update={"zookeeper_port": 2199})
    with forwarded(elsewhere, brokers=[], zookeeper=[1]) as forwards, dial(forwards.zookeeper[1]) as connection:
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        until(lambda: "connection refused" in forwards.troubles.get("zookeeper-0", ""), "the reason is told")


def test_nothing_is_left_when_the_context_ends(
    reach: ReachByPortForward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    process = psutil.Process()
    threads, sockets = set(threading.enumerate()), len(process.net_connections("inet"))

    with forwarded(reach, brokers=[0, 1, 2], zookeeper=[1, 2, 3]) as forwards:
        connections = [dial(address) for address in (*forwards.brokers.values(), *forwards.zookeeper.values())]
        with dial(forwards.zookeeper[2]) as connection:
            assert "Mode: " in ask(connection)
        assert list(tmp_path.iterdir()) == [], "a private key lies in a temporary file"
    for connection in connections:
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b"", "still connected"
        connection.close()

    until(lambda: set(threading.enumerate()) <= threads, "every thread has ended", seconds=10)
    assert len(process.net_connections("inet")) <= sockets
    with socket.create_server(("127.0.0.1", 19392)):
        pass


def test_forwards_can_be_opened_again_and_again_from_any_thread(reach: ReachByPortForward) -> None:
    answers: list[str] = []

    def open_and_ask() -> None:
        for _ in range(3):
            with forwarded(reach, brokers=[], zookeeper=[1]) as forwards, dial(forwards.zookeeper[1]) as connection:
                answers.append(ask(connection))

    threads = [threading.Thread(target=open_and_ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 12
    assert all("Mode: " in answer for answer in answers)


HOLDER = """
import sys, time
from hikube_kafka.probe.forwards import forwarded
from hikube_kafka.spec.contract import ReachByPortForward
reach = ReachByPortForward.model_validate_json(sys.argv[1])
with forwarded(reach, brokers=[0], zookeeper=[], pod_wait_seconds=300):
    print("standing", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_process(reach: ReachByPortForward) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), reach.model_dump_json()]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_port_that_another_process_is_about_to_give_back_is_waited_for(
    reach: ReachByPortForward, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another_process(reach) as other:
        assert next_line(other) == "standing"
        assert other.stdin is not None
        give_back, bind = other.stdin.close, _Standing._bound

        async def bind_while_it_ends(standing: _Standing, target: PodPort) -> socket.socket:
            asyncio.get_running_loop().call_later(0.5, give_back)
            return await bind(standing, target)

        monkeypatch.setattr(_Standing, "_bound", bind_while_it_ends)
        with forwarded(reach, brokers=[0], zookeeper=[]) as forwards, dial(forwards.brokers[0]):
            assert other.wait(30) == 0


def test_a_port_that_another_process_keeps_is_an_error_that_names_it(reach: ReachByPortForward) -> None:
    with another_process(reach) as other:
        assert next_line(other) == "standing"
        with (
            pytest.raises(BrokerPortInUseError) as caught,
            forwarded(reach, brokers=[0], zookeeper=[], port_wait_seconds=1),
        ):
            pass
        assert (caught.value.port, caught.value.broker) == (19392, 0)
        assert str(other.pid) in str(caught.value)


def stands(other: subprocess.Popen[str]) -> bool:
    return next_line(other) == "standing"


def waits_for_a_pod(other: subprocess.Popen[str]) -> bool:
    return connected_to_the_api_server(other.pid)


@pytest.mark.parametrize(("moment", "pods"), [(stands, "kafka"), (waits_for_a_pod, "no-such-pod")])
def test_ctrl_c_closes_everything(
    reach: ReachByPortForward, moment: Callable[[subprocess.Popen[str]], bool], pods: str
) -> None:
    with another_process(reach.model_copy(update={"kafka_pods": pods})) as other:
        assert other.stderr is not None
        until(lambda: moment(other), moment.__name__)
        other.send_signal(signal.SIGINT)
        assert other.wait(30) == -signal.SIGINT
        told = other.stderr.read()
        assert told.rstrip().endswith("KeyboardInterrupt"), told
    with socket.create_server(("127.0.0.1", 19392)):
        pass


def connected_to_the_api_server(pid: int) -> bool:
    return any(c.status == psutil.CONN_ESTABLISHED for c in psutil.Process(pid).net_connections("inet"))


def test_a_namespace_that_is_not_there_is_named_at_once(reach: ReachByPortForward) -> None:
    elsewhere = reach.model_copy(update={"namespace": "no-such-namespace"})
    with pytest.raises(NamespaceMissingError) as caught, forwarded(elsewhere, brokers=[0], zookeeper=[]):
        pass
    assert caught.value.namespace == "no-such-namespace"


def test_pods_out_of_reach_are_named_with_what_holds_them(reach: ReachByPortForward) -> None:
    with (
        pytest.raises(PodsUnreachableError) as caught,
        forwarded(reach, brokers=[0, 3, 4], zookeeper=[1], pod_wait_seconds=1),
    ):
        pass
    assert caught.value.pods == {"kafka-3": "there is no such pod", "kafka-4": "there is no such pod"}


def test_one_pod_within_reach_is_enough_when_any_is_required(reach: ReachByPortForward) -> None:
    with forwarded(reach, brokers=[0, 3], zookeeper=[1], require="any", pod_wait_seconds=1) as forwards:
        assert forwards.troubles == {"kafka-3": "there is no such pod"}
        assert forwards.brokers[3] == "127.0.0.1:19395"
        with dial(forwards.brokers[3]) as connection, contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b"", "a pod that is not there looks like a dead server"
        with dial(forwards.zookeeper[1]) as connection:
            assert "Mode: " in ask(connection)


def test_a_pod_that_cannot_be_scheduled_says_why(reach: ReachByPortForward, kubectl: Kubectl) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "homeless-0"},
        "spec": {"nodeSelector": {"no": "such-node"}, "containers": [{"name": "kafka", "image": "apache/kafka:3.9.2"}]},
    }
    kubectl("-n", reach.namespace, "apply", "-f", "-", stdin=json.dumps(pod))
    elsewhere = reach.model_copy(update={"kafka_pods": "homeless"})

    def told() -> bool:
        with (
            pytest.raises(PodsUnreachableError) as caught,
            forwarded(elsewhere, brokers=[0], zookeeper=[], pod_wait_seconds=0),
        ):
            pass
        return "Pending" in caught.value.pods["homeless-0"] and "node affinity" in caught.value.pods["homeless-0"]

    try:
        until(told, "the scheduler has spoken")
    finally:
        kubectl("-n", reach.namespace, "delete", "pod", "homeless-0", "--grace-period=0", "--force")


def test_the_verbs_that_the_error_asks_for_are_enough(
    reach: ReachByPortForward, kubeconfig_of: Callable[..., str]
) -> None:
    kubeconfig = kubeconfig_of(pods="get", pods_portforward="get create")
    with (
        forwarded(reach, brokers=[0], zookeeper=[1], kubeconfig=kubeconfig) as forwards,
        dial(forwards.zookeeper[1]) as connection,
    ):
        assert "Mode: " in ask(connection)


@pytest.mark.parametrize(
    ("verbs", "resource"),
    [({}, "pods"), ({"pods": "get"}, "pods/portforward"), ({"pods": "get", "pods_portforward": "create"}, None)],
)
def test_a_missing_permission_is_named(
    reach: ReachByPortForward, kubeconfig_of: Callable[..., str], verbs: dict[str, str], resource: str | None
) -> None:
    with (
        pytest.raises(ForbiddenError, match="get and create on pods/portforward") as caught,
        forwarded(reach, brokers=[0], zookeeper=[], kubeconfig=kubeconfig_of(**verbs)),
    ):
        pass
    assert caught.value.resource == (resource or "pods/portforward")
    assert caught.value.namespace == reach.namespace


def test_credentials_that_expired_are_told_from_missing_permissions(
    reach: ReachByPortForward, kubeconfig_of: Callable[..., str]
) -> None:
    kubeconfig = kubeconfig_of(token="no-longer-valid")
    with (
        pytest.raises(CredentialsRefusedError, match="log in again"),
        forwarded(reach, brokers=[0], zookeeper=[], kubeconfig=kubeconfig),
    ):
        pass


def test_credentials_that_expire_while_the_forwards_stand_are_read_anew(
    reach: ReachByPortForward, kubeconfig_of: Callable[..., str]
) -> None:
    kubeconfig = Path(kubeconfig_of(pods="get", pods_portforward="get create"))
    valid = kubeconfig.read_text()
    config = json.loads(valid)
    plugin = kubeconfig.with_name("plugin")
    token_file = kubeconfig.with_name("token")
    token_file.write_text(config["users"][0]["user"]["token"])
    credential = (
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}'
    )
    # The first token is one that the API server does not know; every later one is good.
    plugin.write_text(
        "#!/bin/sh\n"
        f'if [ -e "{plugin}.asked" ]; then token=$(cat "{token_file}"); else token=expired; fi\n'
        f'touch "{plugin}.asked"\n'
        f"printf '{credential}' \"$token\"\n"
    )
    plugin.chmod(0o755)
    config["users"][0]["user"] = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    }
    kubeconfig.write_text(json.dumps(config))
    with (
        forwarded(reach, brokers=[], zookeeper=[1], kubeconfig=str(kubeconfig)) as forwards,
        dial(forwards.zookeeper[1]) as connection,
    ):
        assert "Mode: " in ask(connection)


@pytest.mark.by_hand
def test_a_connection_to_a_node_that_was_unplugged_ends_and_the_forward_stands_again_afterwards(
    reach: ReachByPortForward, kubectl: Kubectl, testbed: Callable[..., None]
) -> None:
    found = [
        "-n",
        reach.namespace,
        "get",
        "pods",
        "-o",
        "jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}\n{end}",
    ]
    nodes = dict(line.split() for line in kubectl(*found).splitlines())
    # node-0 has the API server
    server = next(i for i in (1, 2, 3) if nodes[f"zookeeper-{i - 1}"] != "node-0")
    pod = f"zookeeper-{server - 1}"
    with forwarded(reach, brokers=[], zookeeper=[1, 2, 3]) as forwards:
        with dial(forwards.zookeeper[server]) as connection:
            until(lambda: pod not in forwards.troubles, "the stream is open")
            testbed("cut", nodes[pod])
            try:
                with contextlib.suppress(ConnectionResetError):
                    assert connection.recv(1) == b"", "still connected"
                assert any(words in forwards.troubles[pod] for words in ("has not answered", "no stream to its node"))
                with dial(forwards.zookeeper[server]) as second, contextlib.suppress(ConnectionResetError):
                    assert second.recv(1) == b"", "no stream can be opened to a node that is gone"
                assert "no stream to its node" in forwards.troubles[pod]
            finally:
                testbed("heal", nodes[pod])

        def serves_again() -> bool:
            with dial(forwards.zookeeper[server]) as connection, contextlib.suppress(ConnectionResetError):
                return "Mode: " in ask(connection)
            return False

        until(serves_again, "the forward leads to the server again", seconds=120)

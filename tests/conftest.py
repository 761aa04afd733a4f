"""For every room that needs them: a living 3+3, a load that remembers what was acknowledged, the real Terraform."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import HealthCheck, settings

from hikube_kafka.ensemble import apply, destroy
from hikube_kafka.provider.install import ADDRESS, install
from hikube_kafka.spec.ensemble import EnsembleDeclaration
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.targets.local import LocalLayout

# A busy machine is no bug: neither an example nor the making of examples has a time to keep.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_READ_SECONDS = 60
_BLOCKS = 9
_block = count(os.getpid())  # two test runs at the same time seldom begin with the same ports


class LivingEnsemble(NamedTuple):
    """A declaration, and where its brokers listen."""

    platform: Platform
    layout: LocalLayout
    declaration: EnsembleDeclaration
    bootstrap: str


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_layout() -> LocalLayout:
    """Ports that nobody listens on, below those that the system gives to clients (32768 and up on Linux)."""
    for _ in range(_BLOCKS):
        offset = 10 * (next(_block) % _BLOCKS)
        bases = {"broker_port": 31092, "zookeeper_port": 32181, "peer_port": 32288, "election_port": 32388}
        if all(_is_free(base + offset + server) for base in (*bases.values(), 31192) for server in range(5)):
            return LocalLayout(**{name: base + offset for name, base in bases.items()})
    pytest.fail("no block of free ports: does another test run leave servers behind?")


def small_ensemble(
    directory: Path,
    *,
    name: str = "test",
    brokers: int = 3,
    servers: int = 3,
    layout: LocalLayout | None = None,
    config: dict[str, Any] | None = None,
    zookeeper_config: dict[str, Any] | None = None,
    **platform: Any,
) -> LivingEnsemble:
    """Declare an ensemble with small heaps on free ports; starts nothing."""
    declared = Platform(
        name=name,
        zookeeper={
            "servers": servers,
            "resources": {"cpu": "250m", "memory": "256Mi"},
            "heap": "128Mi",
            "config": zookeeper_config or {},
        },
        kafka={
            "brokers": brokers,
            "resources": {"cpu": "500m", "memory": "512Mi"},
            "heap": "256Mi",
            "config": config or {},
        },
        **platform,
    )
    layout = layout or free_layout()
    declaration = EnsembleDeclaration(
        name=name,
        directory=str(directory),
        zookeeper=layout.zookeeper_processes(declared),
        brokers=layout.broker_processes(declared),
    )
    bootstrap = ",".join(f"127.0.0.1:{layout.broker_port + broker}" for broker in range(brokers))
    return LivingEnsemble(declared, layout, declaration, bootstrap)


@pytest.fixture(scope="session")
def declare_ensemble() -> Callable[..., LivingEnsemble]:
    """The function :func:`small_ensemble`: tests cannot import from here."""
    return small_ensemble


@pytest.fixture(scope="session")
def living_ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingEnsemble]:
    """A 3+3 that runs, shared by the whole test run: leave it as you found it. Mark such a test ``ensemble``."""
    living = small_ensemble(tmp_path_factory.mktemp("living"))
    try:
        apply(living.declaration)
        yield living
    finally:
        destroy(living.declaration.directory, keep_data=False)


class Load:
    """Idempotent acks=all messages from entering to leaving; ``lost`` then tells what a consumer cannot find."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._partitions = partitions
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._produce)
        self.acknowledged: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_for(100)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.wait_for(100)
        self._ended.set()
        self._thread.join()

    def wait_for(self, further: int) -> None:
        """Wait until so many more messages are acknowledged."""
        goal = len(self.acknowledged) + further
        deadline = time.monotonic() + 60
        while len(self.acknowledged) < goal:
            assert time.monotonic() < deadline, "the brokers acknowledge nothing"
            time.sleep(0.01)

    def _produce(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                # More than one, and a refusal in one partition makes librdkafka renew its epoch and send what another
                # partition may hold already a second time (its issue 4953): a duplicate of the client's.
                "max.in.flight.requests.per.connection": 1,
                "acks": "all",
                "linger.ms": 5,
                "log_level": 0,
                "reconnect.backoff.max.ms": 200,
            }
        )

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                value = message.value()
                assert value is not None
                self.acknowledged.append(bytes(value))

        number = 0
        while not self._ended.is_set():
            producer.produce(self._topic, str(number).encode(), partition=number % self._partitions, callback=delivered)
            number += 1
            producer.poll(0.002)
        producer.flush(60)

    def lost_and_duplicated(self) -> tuple[set[bytes], set[bytes]]:
        """Acknowledged messages that are not there, and messages that are there more than once."""
        found = Counter(read_all(self._bootstrap, self._topic, self._partitions))
        return set(self.acknowledged) - found.keys(), {value for value, times in found.items() if times > 1}


def read_all(bootstrap: str, topic: str, partitions: int) -> list[bytes]:
    """Every message of the topic."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "check", "enable.auto.commit": False, "log_level": 0}
    )
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_READ_SECONDS)
            for partition in range(partitions)
        ]
        consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in enumerate(ends)])
        left = sum(high - low for low, high in ends)
        values: list[bytes] = []
        deadline = time.monotonic() + _READ_SECONDS
        while len(values) < left:
            assert time.monotonic() < deadline, f"{len(values)} of {left} messages could be read"
            for message in consumer.consume(5000, timeout=1):
                assert message.error() is None
                values.append(bytes(message.value() or b""))
        return values
    finally:
        consumer.close()


def new_topic(bootstrap: str, topic: str, *, partitions: int = 6, replication_factor: int = 3) -> None:
    """Create a topic, and wait until it is there."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(topic, partitions, replication_factor)])[topic].result(30)


class Traffic:
    """What a test does to topics."""

    Load = Load
    new_topic = staticmethod(new_topic)
    read_all = staticmethod(read_all)


@pytest.fixture(scope="session")
def traffic() -> type[Traffic]:
    """Topics, a load, and what is left of it."""
    return Traffic


class Workspace:
    """One configuration, one state."""

    def __init__(self, directory: Path, mirror: Path) -> None:
        self.directory = directory
        home = directory / "home"
        home.mkdir(parents=True)
        settings = home / "terraform.rc"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "XDG_"))}
        self.environment = {
            **kept,
            "HOME": str(home),
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }

    def write(self, **blocks: Any) -> None:
        """Write the configuration: ``provider``, ``resource`` and so on, as Terraform's JSON has them."""
        required = {"required_providers": {"hikube": {"source": ADDRESS}}}
        (self.directory / "main.tf.json").write_text(json.dumps({"terraform": required, **blocks}, indent=1))
        if not (self.directory / ".terraform").exists():
            assert self.run("init").returncode == 0

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run."""
        return ["terraform", arguments[0], *(["-no-color"] if arguments[0] != "state" else []), *arguments[1:]]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Terraform to its end, whatever that is; its output is in one line a sentence."""
        done = subprocess.run(  # noqa: PLW1510 - the caller looks at the code
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=400,
        )
        done.stdout = " ".join(done.stdout.replace("│", " ").split())
        return done

    def apply(self, *arguments: str) -> str:
        """Apply; it must succeed."""
        done = self.run("apply", "-auto-approve", *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def apply_interrupted(self, after: float) -> None:
        """Apply, and press Ctrl-C: it reaches Terraform and the provider alike, as from a terminal."""
        running = subprocess.Popen(
            self.command("apply", "-auto-approve"),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            running.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGINT)
        running.wait(120)

    def refused(self, *arguments: str) -> str:
        """Run something that must fail; answers what it said."""
        done = self.run(*arguments)
        assert done.returncode == 1, done.stdout
        return done.stdout

    def plan(self) -> str:
        """Plan; answers ``empty``, or what it said of the changes."""
        done = self.run("plan", "-detailed-exitcode")
        assert done.returncode in {0, 2}, done.stdout
        return "empty" if done.returncode == 0 else done.stdout

    def state(self, address: str) -> dict[str, Any]:
        """The attributes of one resource in the state."""
        for resource in self.resources():
            if resource["address"] == address:
                values: dict[str, Any] = resource["values"]
                return values
        raise KeyError(address)

    def resources(self) -> list[dict[str, Any]]:
        """All resources in the state."""
        shown = subprocess.run(
            ["terraform", "show", "-json"],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        found: list[dict[str, Any]] = (
            json.loads(shown.stdout).get("values", {}).get("root_module", {}).get("resources", [])
        )
        return found


@pytest.fixture(scope="session")
def provider_mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror that holds the provider of this tree."""
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed")
    mirror = tmp_path_factory.mktemp("mirror")
    install(mirror)
    return mirror


@pytest.fixture
def workspace(tmp_path: Path, provider_mirror: Path) -> Workspace:
    """A fresh Terraform workspace."""
    return Workspace(tmp_path / "workspace", provider_mirror)


@pytest.fixture
def new_workspace(tmp_path: Path, provider_mirror: Path) -> Callable[[str], Workspace]:
    """Makes further workspaces, by name."""
    return lambda name: Workspace(tmp_path / name, provider_mirror)


@pytest.fixture
def testbed() -> Iterator[Callable[[Literal["cut", "heal"], str], None]]:
    """Unplugs a node of the cluster, and plugs it in again: ``$TESTBED cut NODE`` and ``$TESTBED heal NODE``."""
    command = os.environ.get("TESTBED")
    if not command:
        pytest.skip("TESTBED is not set: it names the command that unplugs a node: cut NODE, and heal NODE")
    unplugged: set[str] = set()

    def run(what: Literal["cut", "heal"], node: str) -> None:
        subprocess.run([command, what, node], check=True, capture_output=True)
        (unplugged.add if what == "cut" else unplugged.discard)(node)

    yield run
    for node in list(unplugged):
        run("heal", node)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A connection to the API server that is given up in the middle of its handshake is closed by nobody but Python's
    garbage collector, which says so in whatever test runs by then.
    """
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"))

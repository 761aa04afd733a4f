"""How long writes pause when a broker dies, is stopped, is unplugged or is rolled: ours and others, side by side.

    KUBECONFIG=... .venv/bin/python benchmarks/failover.py --json results.jsonl [--rounds 2] [--peer-rounds 1]
        [--events NAME ...] [--configurations NAME ...] [--producer-node NODE] [--helm helm]
        [--unplug 'COMMAND {node}' --plug 'COMMAND {node}'] [--picture docs/failover.png]
    .venv/bin/python benchmarks/failover.py --table results.jsonl [--picture docs/failover.png]

Installs the charts, three ZooKeeper servers and three brokers, on the cluster in KUBECONFIG, anew for each turn of a
configuration, into a namespace of its own; and a privileged pod on each node in a second one, <namespace>-nodes, which
kills and stops processes as only their node can. Both are removed at the end. A producer in the cluster writes all the
time; each event happens, and has ended when every broker is registered anew, every replica in sync, every pod ready
and every partition written to. Prints Markdown for docs/benchmarks.md.
"""

import argparse
import json
import logging
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, ElectionType, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError

from hikube_kafka.probe.forwards import Forwards, forwarded
from hikube_kafka.probe.observation import Unreadable
from hikube_kafka.probe.zookeeper import read_status
from hikube_kafka.spec import Kafka, KubernetesLayout, Platform, Resources, Storage, ZooKeeper
from installation import PROGRESS, Installation, MeasurementError, command, container, in_sync, restricted_pod, wait
from peers import Configuration, apache, bitnami, strimzi

PLATFORM = Platform(
    name="bench",
    zookeeper=ZooKeeper(servers=3, resources=Resources(cpu="300m", memory="512Mi"), storage=Storage("1Gi")),
    kafka=Kafka(brokers=3, resources=Resources(cpu="800m", memory="1Gi"), storage=Storage("5Gi")),
)
"""What three nodes of two cores have room for, beside the producer."""
TOPIC = "measured"
PARTITIONS = 6
RATE = 300
"""Messages per second, of all partitions."""
KEYS = 60
"""Messages take turns among so many keys, so that each partition has messages all the time."""

PRODUCER = {
    "acks": "all",
    "enable.idempotence": "true",
    # VerifiableProducer would give up at once.
    "retries": "2147483647",
    "delivery.timeout.ms": "120000",
    # A broker that answers no more is left after so long, and its partitions' new leader is asked for.
    "request.timeout.ms": "8000",
    "socket.connection.setup.timeout.ms": "2000",
}
"""The same for everybody."""
FRESH_ADDRESSES = "-Dsun.net.inetaddr.ttl=3 -Dsun.net.inetaddr.negative.ttl=1"
"""As docs/kubernetes.md advises: Java would dial the address that a pod had before for 30 s more."""

QUIET_SECONDS = 10
RESUMED_SECONDS = 120
"""For the others to take over from a broker that is stopped or unplugged. Twice the longest session, and a client's
patience."""
WELL_SECONDS = 240
"""For everything to be as it was. Kubernetes starts a container that has ended three times after 40 s."""
STEADY_LOOKS = 3
"""In a row, before it is believed that all is well."""

SIGNAL = """
found=
for process in /proc/[0-9]*; do
  if tr '\\0' '\\n' <"$process/cmdline" 2>/dev/null | grep -qx kafka.Kafka && [[ $(<"$process/comm") == java ]]; then
    environment=$'\\n'$(tr '\\0' '\\n' <"$process/environ" 2>/dev/null)$'\\n'
    if [[ $environment == *$'\\n'HOSTNAME=$2$'\\n'* && $environment == *$'\\n'NAMESPACE=$3$'\\n'* ]]; then
      found+=" ${process##*/}"
    fi
  fi
done
set -- "$1" $found
if (($# != 2)); then echo "$(($# - 1)) brokers are the pod's:$found" >&2; exit 1; fi
kill "-$1" "$2"
"""
"""Sends a signal to a broker's JVM, which is not the only one while its pod asks whether it is ready. From outside: the
first process of a container ignores it from inside."""

KILL_FOLLOWER = "kill-follower"
KILL_LEADER = "kill-leader"
KILL_CONTROLLER = "kill-controller"
STOP = "stop"
DELETE = "delete"
UNPLUG = "unplug"
UNPLUG_WITH_BOTH = "unplug-leaders"
ROLL = "roll"
QUIET = "quiet"
RETURN = "leaders-return"

EVENTS = {
    QUIET: f"nothing, for {QUIET_SECONDS} s: what the machine itself costs",
    KILL_FOLLOWER: "kill -9 of the broker that leads nothing",
    KILL_LEADER: "kill -9 of a leader's broker",
    KILL_CONTROLLER: "kill -9 of the controller, which leads too",
    STOP: "SIGSTOP of a leader's broker: nobody knows",
    DELETE: "a leader's pod deleted by force",
    UNPLUG: "node unplugged, with a leader's broker",
    UNPLUG_WITH_BOTH: "node unplugged, with ZooKeeper's leader and the controller",
    ROLL: "roll of all brokers",
    RETURN: "preferred leaders back, after each of these",
}
"""What the table calls each; `RETURN` follows each of the others."""
GOALS: Mapping[str, tuple[float | None, float | None]] = {
    **dict.fromkeys((KILL_FOLLOWER, KILL_LEADER, KILL_CONTROLLER), (1.0, 2.0)),
    **dict.fromkeys((UNPLUG, UNPLUG_WITH_BOTH), (6.0, 10.0)),
    ROLL: (1.0, None),
}
"""Seconds: of all partitions, and of the worst."""
OURS, OFF = "ours", "ours, fast_failover=False"
NAMES = {"ours": OURS, "off": OFF, "apache": "Apache's", "bitnami": "Bitnami's", "strimzi": "Strimzi's"}
"""What the options call each configuration, and what the table does."""
FOOT = f"""\
Load: {RATE} idempotent messages a second with acks=all, from one producer in the cluster, to {PARTITIONS} partitions of
three replicas, which two of the three brokers lead. Figures: the longest pause between two acknowledgements, seconds,
of all partitions together / of the one with the longest, from the event until every broker is registered anew, every
replica in sync, every pod ready and every partition written to; medians, with the range where there was more than one.

What is ours in the columns of the others: the pods with their probes, gates, resources and options of the JVM, of which
the short-lived addresses spare a broker that comes back up to 30 s; the topic's replicas and min.insync.replicas=2; the
client's settings; and that a broker waits for ZooKeeper before it starts. Theirs are server.properties and ZooKeeper's
timing. Without TLS, which Strimzi would use.
"""


_LATE = ("after producer has been closed", "Producer closed while send in progress")
"""Of messages that come when the producer is closed: the tool goes on for a moment when it is told to end."""


@dataclass(kw_only=True)
class Acknowledged:
    """What the producer has told so far."""

    times: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds since 1970 on the producer's clock, by partition."""
    values: list[str] = field(default_factory=list)
    given_up: int = 0

    def take(self, line: str) -> None:
        """A line of VerifiableProducer; it prints others too."""
        if not line.startswith("{"):
            return
        told = json.loads(line)
        if told["name"] == "producer_send_success":
            self.times[told["partition"]].append(told["timestamp"] / 1000)
            self.values.append(told["value"])
        elif told["name"] == "producer_send_error" and not any(said in str(told["message"]) for said in _LATE):
            self.given_up += 1

    def all_since(self, moment: float) -> bool:
        """Whether every partition was written to after that moment."""
        return len(self.times) == PARTITIONS and all(times[-1] > moment for times in self.times.values())

    def pauses(self, begin: float, end: float) -> tuple[float, dict[int, float]]:
        """The longest of all partitions together, and of each; what reaches into the window, at its full length."""
        each = {partition: longest(times, begin, end) for partition, times in sorted(self.times.items())}
        return longest(sorted(time for times in self.times.values() for time in times), begin, end), each


def longest(times: Sequence[float], begin: float, end: float) -> float:
    """The longest pause between two of these times, in order, that reaches into the window from begin to end."""
    return max((after - before for before, after in pairwise(times) if after > begin and before < end), default=0.0)


class ProducerPod:
    """A producer in a pod of its own, and what it tells, as it tells it."""

    def __init__(self, installation: Installation, node: str, client: Mapping[str, str]) -> None:
        self._installation = installation
        settings = "".join(f"{key}={value}\n" for key, value in {**PRODUCER, **client}.items())
        produce = (
            'printf %s "$SETTINGS" >/tmp/producer.properties; '
            "/opt/kafka/bin/kafka-run-class.sh org.apache.kafka.tools.VerifiableProducer "
            f"--bootstrap-server {installation.kafka}:9092 --topic {TOPIC} --throughput {RATE} --acks -1 "
            f"--repeating-keys {KEYS} --producer.config /tmp/producer.properties >/tmp/acknowledged 2>/tmp/errors; "
            "touch /tmp/ended; sleep infinity"  # the shell stays, so that the file can be read to its end
        )
        environment = {"LOG_DIR": "/tmp", "KAFKA_OPTS": FRESH_ADDRESSES, "SETTINGS": settings}  # noqa: S108 - in its own pod
        self._pod = restricted_pod(
            "load",
            container(
                "load",
                ["bash", "-c", produce],
                env=[{"name": key, "value": value} for key, value in environment.items()],
                resources={"requests": {"cpu": "300m", "memory": "512Mi"}},
            ),
            nodeName=node,
        )
        self.acknowledged = Acknowledged()
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._bytes = 0
        self._ahead = 0.0
        """Seconds by which the producer's clock is ahead of this machine's."""

    def begin(self) -> None:
        """Write, and wait until every partition is written to."""
        self._installation.run(self._pod)
        before = time.time()
        there = float(self._bash("date +%s.%N"))
        self._ahead = there - (before + time.time()) / 2
        self._reader.start()
        self.written()

    def now(self) -> float:
        """On the producer's clock."""
        return time.time() + self._ahead

    def written(self, seconds: float = RESUMED_SECONDS) -> None:
        """Wait until every partition is written to once more."""
        moment = self.now()
        wait("every partition written to", lambda: self.acknowledged.all_since(moment), seconds=seconds)

    def end(self) -> None:
        """Let it deliver what it has taken, and read all that it tells."""
        # SIGTERM to the JVM alone.
        self._bash("kill -TERM $(pidof java); until [[ -e /tmp/ended ]]; do sleep 0.2; done")
        size = int(self._bash("stat -c %s /tmp/acknowledged"))
        wait("the rest of what the producer tells", lambda: self._bytes >= size, seconds=60)
        self._away()

    def _away(self) -> None:
        self._ended.set()
        self._installation.kubectl("delete", "pod/load", "--ignore-not-found", "--timeout=2m")
        if self._reader.is_alive():
            self._reader.join(10)

    @contextmanager
    def running(self) -> Iterator["ProducerPod"]:
        """From its begin until the end of the context; it goes away in any case."""
        try:
            self.begin()
            yield self
        finally:
            self._away()

    def _bash(self, script: str) -> str:
        return self._installation.kubectl("exec", "load", "--", "bash", "-c", script)

    def _read(self) -> None:
        namespace = self._installation.layout.namespace
        while not self._ended.is_set():
            follow = ["tail", "-f", "-c", f"+{self._bytes + 1}", "/tmp/acknowledged"]  # noqa: S108 - in its own pod
            with subprocess.Popen(
                ["kubectl", "--namespace", namespace, "exec", "load", "--", *follow],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ) as kubectl:
                assert kubectl.stdout is not None  # noqa: S101 - a pipe
                for line in kubectl.stdout:
                    if not line.endswith(b"\n"):
                        break  # cut off: read anew from its beginning
                    self.acknowledged.take(line.decode())
                    self._bytes += len(line)
                kubectl.kill()
            self._ended.wait(0.5)


class Ensemble:
    """What ZooKeeper says of the brokers, asked on the node that is never unplugged."""

    def __init__(self, forwards: Forwards, server: int) -> None:
        self._forwards = forwards
        silent = logging.getLogger("kazoo.silent")
        silent.addHandler(logging.NullHandler())
        silent.propagate = False
        self._client = KazooClient(hosts=forwards.zookeeper[server], timeout=10, logger=silent)

    @contextmanager
    def connected(self) -> Iterator["Ensemble"]:
        """Connected as long as the context lasts."""
        self._client.start(60)
        try:
            yield self
        finally:
            with suppress(KazooException, KazooTimeoutError):
                self._client.stop()
                self._client.close()

    def registrations(self) -> dict[int, int]:
        """Transaction that created the registration of each broker."""
        brokers = self._client.get_children("/brokers/ids")
        return {int(each): self._client.get(f"/brokers/ids/{each}")[1].czxid for each in brokers}

    def controller(self) -> int | None:
        """Its id; None while there is none."""
        try:
            return int(json.loads(self._client.get("/controller")[0])["brokerid"])
        except NoNodeError:
            return None

    def depose(self) -> None:
        """Make the brokers elect a controller."""
        with suppress(NoNodeError):
            self._client.delete("/controller")

    def partitions(self) -> dict[int, tuple[int, set[int]]]:
        """Leader and ISR of each partition of the topic."""
        found = {}
        for partition in range(PARTITIONS):
            state = json.loads(self._client.get(f"/brokers/topics/{TOPIC}/partitions/{partition}/state")[0])
            found[partition] = state["leader"], set(state["isr"])
        return found

    def leader(self) -> int | None:
        """Id of ZooKeeper's leader; None unless all servers serve and one of them leads."""
        modes = {server: self._mode(address) for server, address in self._forwards.zookeeper.items()}
        leaders = [server for server, mode in modes.items() if mode == "leader"]
        return leaders[0] if len(leaders) == 1 and None not in modes.values() else None

    def _mode(self, address: str) -> str | None:
        status = read_status(address, timeout=3)
        return None if isinstance(status, Unreadable) else status.mode


def asked(condition: Callable[[], bool]) -> Callable[[], bool]:
    """The same, and not so while ZooKeeper or the API server does not answer."""

    def answer() -> bool:
        try:
            return condition()
        except (KazooException, KazooTimeoutError, MeasurementError, OSError):
            return False

    return answer


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What stands outside of the releases: the nodes, and how they are reached."""

    producer_node: str
    unplug: str | None
    plug: str | None

    def nodes_namespace(self, installation: Installation) -> str:
        """Where the pods are that reach a node's processes."""
        return f"{installation.layout.namespace}-nodes"

    def begin(self, installation: Installation) -> None:
        """A privileged pod on every node."""
        namespace = self.nodes_namespace(installation)
        command("kubectl", "create", "namespace", namespace)
        for node in nodes():
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": node},
                "spec": {
                    "hostPID": True,
                    "nodeName": node,
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 0,
                    "containers": [
                        {
                            **container("send", ["sleep", "infinity"]),
                            "securityContext": {"privileged": True, "runAsUser": 0},
                        }
                    ],
                },
            }
            command("kubectl", "--namespace", namespace, "apply", "--filename=-", stdin=json.dumps(pod))
        command(
            *("kubectl", "--namespace", namespace, "wait", "pods", "--all", "--for=condition=Ready", "--timeout=3m")
        )

    def end(self, installation: Installation) -> None:
        """Take them away."""
        namespace = self.nodes_namespace(installation)
        command("kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--timeout=5m")

    def send(self, installation: Installation, name: str, broker: int, node: str) -> None:
        """Send it to a broker's JVM."""
        namespace, pod = self.nodes_namespace(installation), installation.reach.broker_pod(broker)
        words = ("bash", "-c", SIGNAL, "send", name, pod, installation.layout.namespace)
        command("kubectl", "--namespace", namespace, "exec", node, "--", *words)


def nodes() -> list[str]:
    """Names of the cluster's nodes, in order."""
    return sorted(command("kubectl", "get", "nodes", "--output=jsonpath={.items[*].metadata.name}").split())


@dataclass(frozen=True, kw_only=True)
class Result:
    """One event, in the file line by line."""

    configuration: str
    turn: int
    event: str
    all: float
    """Seconds."""
    worst: float
    each: Mapping[int, float]
    took: float
    """Until all was well."""
    load: float
    """Of the machine that measures, when it began."""
    kind: str = "event"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What became of the messages of one turn."""

    configuration: str
    turn: int
    acknowledged: int
    lost: int
    duplicated: int
    given_up: int
    kind: str = "delivery"


class Turn:
    """One configuration, from its installation to the count of its messages."""

    def __init__(
        self, installation: Installation, machine: Machine, configuration: Configuration, turn: int, path: Path
    ) -> None:
        self._installation = installation
        self._machine = machine
        self._configuration = configuration
        self._turn = turn
        self._path = path
        self._producer = ProducerPod(installation, machine.producer_node, configuration.client)
        self._node_of: dict[str, str] = {}
        self._brokers = set(range(PLATFORM.kafka.brokers))
        self._follower = 0
        self._ensemble: Ensemble

    def run(self, events: Sequence[str]) -> None:
        """All of them, one after the other.

        Raises:
            MeasurementError: It did not become well after one of them; what was measured before is in the file.
        """
        configuration = self._configuration
        zookeeper = {"config": {**self._installation.zookeeper_values.config, **configuration.zookeeper}}
        self._installation.uninstall()
        self._installation.install(broker=configuration.values(), zookeeper=zookeeper)
        pods = json.loads(self._installation.kubectl("get", "pods", "--output=json"))["items"]
        self._node_of = {pod["metadata"]["name"]: pod["spec"].get("nodeName", "") for pod in pods}
        self._follower = self._broker_on(self._machine.producer_node)
        self._create_topic()
        servers = range(1, PLATFORM.zookeeper.servers + 1)
        here = next(each for each in servers if self._server_node(each) == self._machine.producer_node)
        with (
            forwarded(self._installation.reach, brokers=[], zookeeper=servers) as forwards,
            Ensemble(forwards, here).connected() as self._ensemble,
            self._producer.running(),
        ):
            self._well({})
            self._return_leaders()
            unwell = None
            try:
                for event in events:
                    self._measure(event)
            except MeasurementError as error:
                unwell = error  # what was acknowledged until then must be there all the same
            self._producer.end()
            self._count()
            if unwell:
                raise unwell

    def _broker_on(self, node: str) -> int:
        return next(each for each in self._brokers if self._broker_node(each) == node)

    def _broker_node(self, broker: int) -> str:
        return self._node_of[self._installation.reach.broker_pod(broker)]

    def _server_node(self, server: int) -> str:
        return self._node_of[self._installation.reach.zookeeper_pod(server)]

    def _create_topic(self) -> None:
        first, second = leading = sorted(self._brokers - {self._follower})
        orders = [first, second, self._follower], [second, first, self._follower]
        assignment = [orders[partition % len(leading)] for partition in range(PARTITIONS)]
        topic = NewTopic(TOPIC, PARTITIONS, replica_assignment=assignment, config={"min.insync.replicas": "2"})
        with self._installation.client() as servers:
            admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
            wait("three brokers", lambda: len(admin.list_topics(timeout=10).brokers) == len(self._brokers))
            admin.create_topics([topic])[TOPIC].result(60)
            wait("topic in sync", lambda: in_sync(admin, TOPIC))

    def _measure(self, event: str) -> None:
        strike, changed = self._prepared(event)
        before = self._ensemble.registrations()
        self._producer.written()
        load, begin = os.getloadavg()[0], self._producer.now()
        strike()
        self._well({broker: before[broker] for broker in changed})
        self._keep(event, begin, load)
        if changed:
            load, begin = os.getloadavg()[0], self._producer.now()
            self._return_leaders()
            self._keep(RETURN, begin, load)

    def _keep(self, event: str, begin: float, load: float) -> None:
        end = self._producer.now()
        together, each = self._producer.acknowledged.pauses(begin, end)
        result = Result(
            configuration=self._configuration.name,
            turn=self._turn,
            event=event,
            all=round(together, 3),
            worst=round(max(each.values()), 3),
            each={partition: round(pause, 3) for partition, pause in each.items()},
            took=round(end - begin, 1),
            load=load,
        )
        PROGRESS.print(f"{result.configuration}, {event}: {result.all:.1f} / {result.worst:.1f} s, {result.took:.0f} s")
        self._write(asdict(result))

    def _write(self, line: Mapping[str, Any]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _prepared(self, event: str) -> tuple[Callable[[], None], set[int]]:
        """Bring everything where the event needs it; give what happens, and the brokers that will register anew."""
        if event == QUIET:
            return lambda: time.sleep(QUIET_SECONDS), set()
        if event == ROLL:
            return self._roll, self._brokers
        victim = self._victim(event)
        strikes = {STOP: self._stop, DELETE: self._delete, UNPLUG: self._unplug, UNPLUG_WITH_BOTH: self._unplug}
        return lambda: strikes.get(event, self._kill)(victim), {victim}

    def _victim(self, event: str) -> int:
        """The broker that the event needs."""
        leading = self._brokers - {self._follower}
        if event == KILL_FOLLOWER:
            self._control(leading)
            return self._follower
        if event == KILL_CONTROLLER:
            return self._control(leading)
        if event == UNPLUG_WITH_BOTH:
            return self._control({self._lead_zookeeper_beside(leading)})
        server = self._ensemble.leader() if event == UNPLUG else None
        away = {broker for broker in leading if server and self._broker_node(broker) == self._server_node(server)}
        victim = min(leading - away - {self._ensemble.controller()}, default=min(leading - away))
        self._control(self._brokers - {victim})
        return victim

    def _control(self, allowed: set[int]) -> int:
        """Have one of these brokers be the controller."""

        def settled() -> bool:
            controller = self._ensemble.controller()
            if controller not in {None, *allowed}:
                self._ensemble.depose()
            return controller in allowed

        if not asked(settled)():
            wait(f"one of {sorted(allowed)} the controller", asked(settled), seconds=60, every=0.5)
            self._well({})
        controller = self._ensemble.controller()
        if controller not in allowed:
            raise MeasurementError(f"the controller is {controller}, and none of {sorted(allowed)}")
        return controller

    def _lead_zookeeper_beside(self, brokers: set[int]) -> int:
        """Have ZooKeeper's leader be on the node of one of these brokers, and give that broker."""
        beside = {self._broker_node(broker): broker for broker in brokers}
        for _ in range(2 * PLATFORM.zookeeper.servers):
            wait("ZooKeeper led", asked(lambda: self._ensemble.leader() is not None), seconds=60)
            leader = self._ensemble.leader()
            if leader is not None and self._server_node(leader) in beside:
                return beside[self._server_node(leader)]
            if leader is not None:
                self._installation.kubectl("delete", f"pod/{self._installation.reach.zookeeper_pod(leader)}")
                self._well({})
        raise MeasurementError(f"ZooKeeper's leader did not come to a node of {sorted(brokers)}")

    def _kill(self, broker: int) -> None:
        self._signal("KILL", broker)

    def _signal(self, name: str, broker: int) -> None:
        self._machine.send(self._installation, name, broker, self._broker_node(broker))

    def _delete(self, broker: int) -> None:
        pod = self._installation.reach.broker_pod(broker)
        self._installation.kubectl("delete", f"pod/{pod}", "--grace-period=0", "--force", "--wait=false")

    def _roll(self) -> None:
        release = f"statefulset/{self._installation.kafka}"
        self._installation.kubectl("rollout", "restart", release)
        self._installation.kubectl("rollout", "status", release, "--timeout=10m")

    def _stop(self, broker: int) -> None:
        self._signal("STOP", broker)
        try:
            self._resumed_without(broker)
        finally:
            self._signal("CONT", broker)

    def _unplug(self, broker: int) -> None:
        node = self._broker_node(broker)
        assert self._machine.unplug is not None  # noqa: S101 - main() leaves the event out otherwise
        assert self._machine.plug is not None  # noqa: S101 - likewise
        try:
            command(*(word.format(node=node) for word in shlex.split(self._machine.unplug)))
            self._resumed_without(broker)
        finally:
            command(*(word.format(node=node) for word in shlex.split(self._machine.plug)))

    def _resumed_without(self, broker: int) -> None:
        """Wait until the others have taken over, and everything is written to again."""

        def taken_over() -> bool:
            return all(leader not in {broker, -1} and broker not in isr for leader, isr in self._partitions().values())

        try:
            wait(f"others in place of broker {broker}", asked(taken_over), seconds=RESUMED_SECONDS)
            self._producer.written()
        except MeasurementError as error:  # a pause of so long is a figure too
            PROGRESS.print(str(error), markup=False)

    def _partitions(self) -> dict[int, tuple[int, set[int]]]:
        return self._ensemble.partitions()

    def _well(self, before: Mapping[int, int]) -> None:
        """Wait until all is as it should be.

        Args:
            before: brokers that must have registered since, and the transaction that created their registration.
        """
        looks = 0

        def well() -> bool:
            nonlocal looks
            looks = looks + 1 if asked(lambda: self._is_well(before))() else 0
            return looks >= STEADY_LOOKS

        wait("all well", well, seconds=WELL_SECONDS, every=0.5)
        self._producer.written()

    def _is_well(self, before: Mapping[int, int]) -> bool:
        registrations = self._ensemble.registrations()
        return (
            registrations.keys() == self._brokers
            and all(registrations[broker] != transaction for broker, transaction in before.items())
            and self._ensemble.controller() is not None
            and all(leader >= 0 and isr == self._brokers for leader, isr in self._partitions().values())
            and self._ensemble.leader() is not None
            and self._pods_ready()
        )

    def _pods_ready(self) -> bool:
        reach = self._installation.reach
        servers = range(1, PLATFORM.zookeeper.servers + 1)
        expected = {*map(reach.broker_pod, self._brokers), *map(reach.zookeeper_pod, servers)}
        pods = json.loads(self._installation.kubectl("get", "pods", "--output=json"))["items"]
        ready = {
            pod["metadata"]["name"]
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and {"Ready", "True"} in ({each["type"], each["status"]} for each in pod["status"].get("conditions", ()))
        }
        return expected <= ready

    def _return_leaders(self) -> None:
        """To the first replica of each partition."""
        first, second = sorted(self._brokers - {self._follower})

        def returned() -> bool:
            preferred = {partition: (first, second)[partition % 2] for partition in range(PARTITIONS)}
            return {partition: leader for partition, (leader, _) in self._partitions().items()} == preferred

        if not returned():
            with self._installation.client() as servers:
                admin = AdminClient({"bootstrap.servers": servers, "log_level": 0, "socket.timeout.ms": 20_000})
                partitions = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]

                def elected() -> bool:
                    admin.elect_leaders(ElectionType.PREFERRED, partitions).result(30)
                    return returned()

                wait("preferred leaders", asked(elected), seconds=60, every=0.5)
        self._producer.written()

    def _count(self) -> None:
        """Read all, and compare with what was acknowledged."""
        found: Counter[str] = Counter()
        with self._installation.client() as servers:
            settings = {"bootstrap.servers": servers, "log_level": 0, "group.id": "count", "enable.auto.commit": False}
            consumer = Consumer({**settings, "auto.offset.reset": "earliest"})
            try:
                ends = {}
                for partition in range(PARTITIONS):
                    where = TopicPartition(TOPIC, partition)
                    ends[partition] = consumer.get_watermark_offsets(where, timeout=60)[1]
                consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in ends])
                deadline = time.monotonic() + 180
                while sum(found.values()) < sum(ends.values()) and time.monotonic() < deadline:
                    for message in consumer.consume(10_000, 1.0):
                        if message.error() is None:
                            found[(message.value() or b"").decode()] += 1
                if sum(found.values()) < sum(ends.values()):
                    raise MeasurementError(f"read {sum(found.values())} of {sum(ends.values())} messages in 180 s")
            finally:
                consumer.close()
        acknowledged = self._producer.acknowledged
        delivery = Delivery(
            configuration=self._configuration.name,
            turn=self._turn,
            acknowledged=len(acknowledged.values),
            lost=len(set(acknowledged.values) - found.keys()),
            duplicated=sum(1 for times in found.values() if times > 1),
            given_up=acknowledged.given_up,
        )
        PROGRESS.print(str(delivery))
        self._write(asdict(delivery))


def configurations(ours: Mapping[str, str]) -> list[Configuration]:
    """All of them, ours first.

    Args:
        ours: the brokers' properties as they are deployed.
    """
    off = Configuration(name=OFF, fast_failover=False)
    return [Configuration(name=OURS), off, apache(ours), bitnami(ours), strimzi(ours)]


def measure(installation: Installation, machine: Machine, chosen: argparse.Namespace) -> None:
    """Every turn; one that fails is told of, and the next one begins with new servers."""
    wanted = {NAMES[each] for each in chosen.configurations}
    for number in range(max(chosen.rounds, chosen.peer_rounds)):
        for configuration in configurations(installation.values.config):
            rounds = chosen.rounds if configuration.name == OURS else chosen.peer_rounds
            if number >= rounds or configuration.name not in wanted:
                continue
            began = time.monotonic()
            try:
                Turn(installation, machine, configuration, number, chosen.json).run(chosen.events)
            except MeasurementError as error:
                PROGRESS.print(f"{configuration.name}, round {number + 1}: {error}", markup=False)
            except Exception:  # noqa: BLE001 - it must not cost the other turns
                PROGRESS.print_exception()
            PROGRESS.print(f"{configuration.name}, round {number + 1}: {time.monotonic() - began:.0f} s")


def read(path: Path) -> tuple[list[Result], list[Delivery]]:
    """What a file of results holds."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    results = [Result(**line) for line in lines if line["kind"] == "event"]
    return results, [Delivery(**line) for line in lines if line["kind"] == "delivery"]


Figures = Mapping[tuple[str, str], Sequence[Result]]
"""By event and configuration."""


def figures(results: Sequence[Result]) -> tuple[Figures, list[str], list[str]]:
    """The results of each cell; the events and the configurations that there are, in their order."""
    cells: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        cells[result.event, result.configuration].append(result)
    events = [event for event in EVENTS if any(event == each for each, _ in cells)]
    return cells, events, list(dict.fromkeys(result.configuration for result in results))


def table(results: Sequence[Result], deliveries: Sequence[Delivery]) -> str:
    """Markdown: a row for each event, a column for each configuration."""
    cells, events, names = figures(results)
    lines = [f"| event | {' | '.join(names)} | goal |", "|---" * (len(names) + 2) + "|"]
    lines += [
        f"| {' | '.join([EVENTS[event], *(cell(cells.get((event, name), ())) for name in names)])} "
        f"| {verdict(event, cells.get((event, OURS), ()))} |"
        for event in events
    ]
    lines += ["", FOOT]
    for name in names:
        of = [each for each in deliveries if each.configuration == name]
        if of:
            acknowledged, lost, duplicated, given_up = (
                sum(getattr(each, what) for each in of) for what in ("acknowledged", "lost", "duplicated", "given_up")
            )
            lines.append(
                f"- {name}: {acknowledged:,} messages acknowledged in {len(of)} turn{'s' * (len(of) > 1)}, "
                f"{lost} of them lost, {duplicated} duplicated, {given_up} given up."
            )
    loads = [result.load for result in results]
    return "\n".join([*lines, "", f"Load {min(loads):.0f} to {max(loads):.0f}."])


def cell(results: Sequence[Result]) -> str:
    """Of all partitions and of the worst: medians, with the range where there is one."""
    if not results:
        return "-"
    return " / ".join(spread([getattr(each, which) for each in results]) for which in ("all", "worst"))


def spread(values: Sequence[float]) -> str:
    """Median, and the range where there is one."""
    least, most = f"{min(values):.1f}", f"{max(values):.1f}"
    return f"{statistics.median(values):.1f}" + (f" ({least} to {most})" if least != most else "")


def verdict(event: str, ours: Sequence[Result]) -> str:
    """The goal, and whether our medians meet it."""
    goals = dict(zip(("all", "worst"), GOALS.get(event, (None, None)), strict=True))
    named = {which: goal for which, goal in goals.items() if goal is not None}
    if not named:
        return ""
    text = " / ".join("-" if goal is None else f"{goal:.1f}" for goal in goals.values())
    if not ours:
        return text
    met = all(statistics.median(getattr(each, which) for each in ours) <= goal for which, goal in named.items())
    return f"{text}: {'met' if met else 'missed'}"


def draw(results: Sequence[Result], picture: Path) -> None:
    """Bars of the worst partition, within them those of all partitions, and the goals."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only who asks for a picture waits for it
    from matplotlib.lines import Line2D  # noqa: PLC0415 - likewise
    from matplotlib.patches import Patch  # noqa: PLC0415 - likewise

    cells, events, names = figures(results)
    events = [event for event in events if event not in {QUIET, RETURN}]
    thick = 0.8 / len(names)
    figure = Figure(figsize=(9, 1.1 + 0.75 * len(events)), dpi=90, layout="constrained")
    axes = figure.subplots()
    for row, event in enumerate(events):
        for number, name in enumerate(names):
            found = cells.get((event, name))
            if not found:
                continue
            at = row + (number - (len(names) - 1) / 2) * thick
            worst = statistics.median(each.worst for each in found)
            together = statistics.median(each.all for each in found)
            axes.barh(at, worst, 0.85 * thick, color=f"C{number}", alpha=0.45)
            axes.barh(at, together, 0.85 * thick, color=f"C{number}")
            axes.text(1.04 * worst, at, f"{together:.1f} / {worst:.1f}", va="center", fontsize=6.5)
        for goal, style in zip(GOALS.get(event, ()), ("-", ":"), strict=False):
            if goal is not None:
                axes.plot([goal, goal], [row - 0.46, row + 0.46], style, color="black", lw=1.3)
    axes.set(
        xscale="log",
        xlabel="seconds without an acknowledgement: of all partitions (dark), of the worst (light)",
        yticks=range(len(events)),
        yticklabels=[EVENTS[event].replace(" with ", "\nwith ").replace(": ", ":\n") for event in events],
    )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlim(left=0.1, right=2.2 * max(each.worst for each in results))
    axes.invert_yaxis()
    figure.legend(
        handles=[
            *(Patch(color=f"C{number}", label=name) for number, name in enumerate(names)),
            Line2D([], [], linestyle="-", color="black", lw=1.3, label="goal, all partitions"),
            Line2D([], [], linestyle=":", color="black", lw=1.3, label="goal, worst partition"),
        ],
        loc="outside upper center",
        ncols=4,
        fontsize=8,
    )
    figure.savefig(picture)


def tell(path: Path, picture: Path | None) -> None:
    """Table and picture of what is in the file."""
    results, deliveries = read(path)
    if not results:
        sys.exit(f"{path} has no results")
    print(table(results, deliveries))
    if picture:
        draw(results, picture)


def main() -> None:
    """Measure, and print."""
    happen = [event for event in EVENTS if event != RETURN]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=2, help="of ours")
    parser.add_argument("--peer-rounds", type=int, default=1, help="of the others, and of ours with the feature off")
    parser.add_argument("--events", nargs="+", choices=happen, default=happen, metavar="EVENT", help=", ".join(happen))
    parser.add_argument(
        "--configurations", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME", help=", ".join(NAMES)
    )
    parser.add_argument("--json", type=Path, help="file to which each result is added as it comes")
    parser.add_argument("--table", type=Path, help="measure nothing: table and picture of the results in that file")
    parser.add_argument("--picture", type=Path, help="file of the picture")
    parser.add_argument("--producer-node", help="where messages come from, and never unplugged; else the first")
    parser.add_argument("--unplug", help="command that unplugs {node}; without it no node is unplugged")
    parser.add_argument("--plug", help="command that plugs {node} in again")
    parser.add_argument("--namespace", default="bench-failover")
    parser.add_argument("--helm", default="helm")
    chosen = parser.parse_args()
    if chosen.table:
        tell(chosen.table, chosen.picture)
        return
    if not chosen.json:
        parser.error("--json: name the file of the results")
    if not (chosen.unplug and chosen.plug):
        chosen.events = [event for event in chosen.events if event not in {UNPLUG, UNPLUG_WITH_BOTH}]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # plug in, and take away, also then
    # Ports of its own, for others may have forwards open; and no policy, for the configurations' ports differ.
    layout = KubernetesLayout(namespace=chosen.namespace, forward_port=24092, network_policy=False)
    machine = Machine(producer_node=chosen.producer_node or nodes()[0], unplug=chosen.unplug, plug=chosen.plug)
    with tempfile.TemporaryDirectory() as folder:
        installation = Installation(PLATFORM, layout, Path(folder), chosen.helm)
        installation.begin()
        try:
            machine.begin(installation)
            measure(installation, machine, chosen)
        finally:
            machine.end(installation)
            installation.end()
    tell(chosen.json, chosen.picture)


if __name__ == "__main__":
    try:
        main()
    except MeasurementError as error:
        sys.exit(str(error))

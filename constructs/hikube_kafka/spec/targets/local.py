"""A platform on this machine: which server listens where, what cannot be there, and the contract that follows."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from hikube_kafka.spec import rules
from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.connect_worker import worker_properties
from hikube_kafka.spec.contract import Contract, ReachByAddress
from hikube_kafka.spec.definitions.zookeeper import further_ports
from hikube_kafka.spec.ensemble import ServerProcess
from hikube_kafka.spec.model import Declared, Whole
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.properties import BrokerAddress, server_properties
from hikube_kafka.spec.rules.brokers import LISTENER_PLAINTEXT
from hikube_kafka.spec.security import Protocol
from hikube_kafka.spec.targets import assembly
from hikube_kafka.spec.zoo_cfg import ZooKeeperAddress, zoo_cfg, zookeeper_connect, zookeeper_settings

LISTENER_PROTOCOL = Rule(
    id="local-listener-protocol",
    severity="error",
    message="protocol {protocol}, but servers on this machine have neither certificates nor users.",
    why="The local target makes neither certificates nor users; nothing leaves 127.0.0.1.",
    remedy="Declare PLAINTEXT for the local target.",
)
PORT_TWICE = Rule(
    id="local-port-twice",
    severity="error",
    message="port {port} is given to {servers}.",
    why="Of two servers with one port the second does not start.",
    remedy="Move broker_port, zookeeper_port, peer_port, election_port and connect_port further apart.",
)
PORT_RANGE = Rule(
    id="local-port-range",
    severity="error",
    message="the ports of {servers} would be {first} to {last}, and there are 1 to 65535.",
    why="A server cannot listen on another port.",
    remedy="Move {field}, or declare fewer servers.",
)
CONNECT_WORKERS = Rule(
    id="local-connect-workers",
    severity="error",
    message="{workers} workers, and a Connect cluster on this machine has {most} at most.",
    why="Each Connect cluster of a platform has {most} ports, from connect_port on.",
    remedy="Declare fewer workers for the local target: one runs as many tasks as its heap and the processors allow.",
    message_in_general="more workers than a Connect cluster on this machine has ports.",
)
PLUGIN_SOURCE = Rule(
    id="local-plugin-source",
    severity="error",
    message="{sources} cannot be had on this machine.",
    why="Workers that are processes of this machine get a plugin from Maven, or from an archive.",
    remedy="Declare maven= or archive= too, with a checksum: each target takes the source that it can have.",
)
CONNECTOR_CLASS = Rule(
    id="local-connector-class",
    severity="error",
    message="{name} is in Kafka's distribution, and not among the jars that run on this machine.",
    why="Workers would not know the class, and would refuse the connector.",
    remedy='Declare Plugin("mirror", version="3.9.2", maven="org.apache.kafka:connect-mirror:3.9.2", '
    'classes=["{name}"]), or LocalTarget(kafka_home=...).',
)
ZOOKEEPER_PORT = Rule(
    id="local-zookeeper-port",
    severity="error",
    message="{key} = {port} is {whose}.",
    why="All servers share the ports of this machine: the second one that opens it does not start.",
    remedy="Leave it out, or declare a single server and a port of its own.",
    message_in_general="a port in zookeeper.config is one for all servers, or another one's.",
)
PLACE = Rule(
    id="local-place",
    severity="error",
    message="{place!r} is not a folder.",
    why="Servers would be started somewhere else, or not at all.",
    remedy="Declare its path without control characters, or leave it out for the default.",
)
ENSEMBLE_NAME = Rule(
    id="local-ensemble-name",
    severity="error",
    message="{name!r} is not a valid name of an ensemble.",
    why="The name is that of a folder.",
    remedy="Use letters, digits, '.', '_' and '-', with a letter or a digit first.",
)
APP_PORTS_TWICE = Rule(
    id="app-local-ports-twice",
    severity="error",
    message="ports of this machine belong to {other} as well: {things}.",
    why="Of two servers with one port the second does not start, or a client meets the other cluster.",
    remedy="Declare other ones for one of the two: LocalTarget(LocalLayout({layout})).",
    remedy_in_general="Declare another LocalLayout for one of the two.",
)
APP_DIRECTORY_TWICE = Rule(
    id="app-local-directory-twice",
    severity="error",
    message="{other} is in {things} as well.",
    why="The second would take over the servers and the data of the first.",
    remedy="Give one of the two another name, or another directory: LocalTarget(directory=...).",
)

_LOOPBACK = "127.0.0.1"
_DATA = "data"


class LocalLayout(Declared):
    """Ports on 127.0.0.1. The defaults stand clear of Kafka's and ZooKeeper's own, which others may be using."""

    broker_port: Whole = 29092
    """Port of broker 0's first listener; broker ``i`` has the ``i``-th after it, a further listener 100 more."""
    zookeeper_port: Whole = 22181
    """Client port of the first ZooKeeper server; the next server has the next."""
    peer_port: Whole = 22888
    """Port on which the first server meets its followers."""
    election_port: Whole = 23888
    """Port on which the first server votes."""
    connect_port: Whole = 28083
    """Port of the first Connect worker's REST interface; the next worker has the next, the next cluster 20 more."""

    def zookeeper_addresses(self, platform: Platform) -> dict[int, ZooKeeperAddress]:
        """Where each ZooKeeper server is met, by its id."""
        return {
            server: ZooKeeperAddress(
                host=_LOOPBACK,
                client_port=self.zookeeper_port + server - 1,
                peer_port=self.peer_port + server - 1,
                election_port=self.election_port + server - 1,
            )
            for server in range(1, platform.zookeeper.servers + 1)
        }

    def broker_addresses(self, platform: Platform, broker: int) -> dict[str, BrokerAddress]:
        """Where each listener of the broker is met, by the listener's name."""
        return {
            listener.name: BrokerAddress(bind=address, advertised=address)
            for index, listener in enumerate(platform.kafka.listeners)
            for address in [f"{_LOOPBACK}:{self.broker_port + _APART * index + broker}"]
        }

    def zookeeper_processes(self, platform: Platform) -> tuple[ServerProcess, ...]:
        """The ZooKeeper servers, complete."""
        addresses = self.zookeeper_addresses(platform)
        return tuple(
            ServerProcess(
                kind="zookeeper",
                id=server,
                properties=zoo_cfg(platform, server, addresses=addresses, data=_DATA),
                heap=platform.zookeeper.effective_heap.java,
            )
            for server in addresses
        )

    def broker_processes(self, platform: Platform) -> tuple[ServerProcess, ...]:
        """The brokers, complete."""
        connect = zookeeper_connect(platform, self.zookeeper_addresses(platform))
        return tuple(
            ServerProcess(
                kind="broker",
                id=broker,
                properties=server_properties(
                    platform,
                    broker=str(broker),
                    rack=platform.kafka.rack(broker),
                    listeners=platform.kafka.listeners,
                    addresses=self.broker_addresses(platform, broker),
                    coordinator={"zookeeper.connect": connect},
                    data=_DATA,
                ),
                heap=platform.kafka.effective_heap.java,
            )
            for broker in range(platform.kafka.brokers)
        )

    def connect_processes(self, platform: Platform, cluster: ConnectCluster) -> tuple[ServerProcess, ...]:
        """The workers of one of the platform's Connect clusters, complete."""
        client = platform.kafka.listeners[0].name
        bootstrap = ",".join(
            self.broker_addresses(platform, broker)[client].advertised for broker in range(platform.kafka.brokers)
        )
        quick = {} if _REBALANCE_DELAY in cluster.config else {_REBALANCE_DELAY: _DELAY_HERE}
        return tuple(
            ServerProcess(
                kind="worker",
                id=worker,
                properties=worker_properties(
                    platform,
                    cluster,
                    bootstrap_servers=bootstrap,
                    listeners=f"http://{_LOOPBACK}:{port}",
                    advertised=(_LOOPBACK, port),
                    plugin_path="plugins",
                    secrets="../secrets",
                )
                | quick,
                heap=cluster.effective_heap.java,
            )
            for worker, port in enumerate(self._connect_ports(platform, cluster))
        )

    def connect_urls(self, platform: Platform, cluster: ConnectCluster) -> tuple[str, ...]:
        """Where the REST interface of each worker of one of the platform's Connect clusters is met."""
        return tuple(f"http://{_LOOPBACK}:{port}" for port in self._connect_ports(platform, cluster))

    def _connect_ports(self, platform: Platform, cluster: ConnectCluster) -> range:
        first = self.connect_port + _CLUSTERS_APART * platform.connect.index(cluster)
        return range(first, first + cluster.workers)

    def contract(self, platform: Platform) -> Contract:
        """What must be true of the local cluster after the apply."""
        first = platform.kafka.listeners[0].name
        return assembly.contract(
            platform,
            target="local",
            reach=ReachByAddress(),
            zookeeper=self.zookeeper_addresses(platform),
            brokers=[
                self.broker_addresses(platform, broker)[first].advertised for broker in range(platform.kafka.brokers)
            ],
            workers={
                cluster.name: assembly.WorkersMet(urls=self.connect_urls(platform, cluster))
                for cluster in platform.connect
            },
        )


def check(
    platform: Platform, layout: LocalLayout, *, directory: str | None = None, kafka_home: str | None = None
) -> Iterator[Problem]:
    """Every problem of the declaration on this machine.

    Args:
        platform: the declaration.
        layout: the ports.
        directory: folder of configuration, data and logs; None means the default.
        kafka_home: an unpacked Kafka distribution; None means the default.
    """
    # Nobody else reads what stays on 127.0.0.1.
    yield from (problem for problem in rules.check(platform) if problem.rule != LISTENER_PLAINTEXT.id)
    yield from rules.asked(_listeners_need_no_secret, platform)
    yield from rules.asked(_ports_fit, platform, layout)
    yield from rules.asked(_plugins_are_for_processes, platform)
    if kafka_home is None:
        yield from rules.asked(_connectors_are_among_the_jars, platform)
    yield from rules.asked(_zookeepers_own_ports_are_free, platform, layout)
    yield from place_problems("directory", directory)
    yield from place_problems("kafka_home", kafka_home)


def place_problems(where: str, place: str | None) -> Iterator[Problem]:
    """A folder that has no name, or one that no file system shows.

    Args:
        where: the field.
        place: its path. None means the default.
    """
    if place is not None and (not place.strip() or any(unicodedata.category(char) == "Cc" for char in place)):
        yield PLACE(where, place=place)


def ensemble_problems(
    name: str | None, directory: str | None, kafka_home: str | None, *, servers: Sequence[ServerProcess]
) -> Iterator[Problem]:
    """Every problem of an ensemble that is declared server by server.

    Args:
        name: its name; None where it is not known yet.
        directory: folder of configuration, data and logs; None means the default, or that it is not known yet.
        kafka_home: an unpacked Kafka distribution; None as for the directory.
        servers: all of them.
    """
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        yield ENSEMBLE_NAME("name", name=name)
    wanted: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for server in servers:
        for host, port in server.written_bindings:
            wanted[port].append((host, server.name))
    for port, bound in sorted(wanted.items()):
        hosts, names = [host for host, _ in bound], " and ".join(name for _, name in bound)
        if not 1 <= port < _PORTS:
            yield PORT_RANGE("ensemble", servers=names, first=port, last=port, field="it")
        elif len(hosts) > len(set(hosts)) or ("" in hosts and len(hosts) > 1):
            yield PORT_TWICE("ensemble", port=port, servers=names)
    yield from place_problems("directory", directory)
    yield from place_problems("kafka_home", kafka_home)


def _ports_fit(platform: Platform, layout: LocalLayout) -> Iterator[Problem]:
    outside = [*_workers_fit(platform), *_ports_are_ports(platform, layout)]
    yield from outside or _ports_are_apart(platform, layout)


def _workers_fit(platform: Platform) -> Iterator[Problem]:
    for cluster in platform.connect:
        if cluster.workers > _CLUSTERS_APART:
            yield CONNECT_WORKERS(f"Connect cluster {cluster.name}", workers=cluster.workers, most=_CLUSTERS_APART)


def _ports_are_ports(platform: Platform, layout: LocalLayout) -> Iterator[Problem]:
    servers, brokers = platform.zookeeper.servers, platform.kafka.brokers
    further = _APART * (len(platform.kafka.listeners) - 1)
    workers = sum(cluster.workers for cluster in platform.connect)
    last_cluster = platform.connect[-1].workers if platform.connect else 0
    further_clusters = _CLUSTERS_APART * (len(platform.connect) - 1) + last_cluster - workers
    for field, count, offset, what in (
        ("broker_port", brokers, further, "brokers"),
        ("zookeeper_port", servers, 0, "ZooKeeper servers"),
        ("peer_port", servers if servers > 1 else 0, 0, "ZooKeeper servers"),
        ("election_port", servers if servers > 1 else 0, 0, "ZooKeeper servers"),
        ("connect_port", workers, further_clusters, "workers"),
    ):
        first = getattr(layout, field)
        last = first + offset + count - 1
        if count and not 1 <= first <= last <= _PORTS - 1:
            yield PORT_RANGE(f"layout.{field}", servers=f"{count} {what}", first=first, last=last, field=field)


def _zookeepers_own_ports_are_free(platform: Platform, layout: LocalLayout) -> Iterator[Problem]:
    taken = {port: name for name, server in _processes(platform, layout) for port in server.ports}
    for key, port in further_ports(zookeeper_settings(platform.zookeeper)).items():
        # The administration server may fail, and ZooKeeper starts without it.
        if key == "admin.serverPort":
            continue
        if platform.zookeeper.servers > 1:
            whose = f"the same port for {platform.zookeeper.servers} servers"
            yield ZOOKEEPER_PORT("zookeeper.config", key=key, port=port, whose=whose)
        elif port in taken:
            yield ZOOKEEPER_PORT("zookeeper.config", key=key, port=port, whose=f"the port of {taken[port]}")


def _listeners_need_no_secret(platform: Platform) -> Iterator[Problem]:
    for listener in platform.kafka.listeners:
        if listener.protocol is not Protocol.PLAINTEXT:
            yield LISTENER_PROTOCOL(f"listener {listener.name}", protocol=listener.protocol)


def _plugins_are_for_processes(platform: Platform) -> Iterator[Problem]:
    for plugin in (plugin for cluster in platform.connect for plugin in cluster.plugins):
        sources = [name for name in ("image", "volume") if getattr(plugin, name)]
        if sources and not (plugin.maven or plugin.archive):
            yield PLUGIN_SOURCE(f"plugin {plugin.name}", sources=" and ".join(sources))


def _connectors_are_among_the_jars(platform: Platform) -> Iterator[Problem]:
    for cluster in platform.connect:
        brought = {name for plugin in cluster.plugins for name in plugin.classes}
        for connector in cluster.connectors:
            name = connector.connector_class
            if name.startswith("org.apache.kafka.connect.mirror.") and name not in brought:
                yield CONNECTOR_CLASS(f"connector {connector.name}", name=name)


def _ports_are_apart(platform: Platform, layout: LocalLayout) -> Iterator[Problem]:
    wanted: defaultdict[int, list[str]] = defaultdict(list)
    for name, server in _processes(platform, layout):
        for port in server.ports:
            wanted[port].append(name)
    for port, servers in sorted(wanted.items()):
        if len(servers) > 1:
            yield PORT_TWICE("layout", port=port, servers=" and ".join(servers))


def _processes(platform: Platform, layout: LocalLayout) -> Iterator[tuple[str, ServerProcess]]:
    """Every process with the name by which a problem speaks of it."""
    for server in (*layout.zookeeper_processes(platform), *layout.broker_processes(platform)):
        yield server.name, server
    for cluster in platform.connect:
        for worker in layout.connect_processes(platform, cluster):
            yield f"{worker.name} of Connect cluster {cluster.name}", worker


def apart_from(taken: AbstractSet[int], zookeeper: Sequence[ServerProcess], brokers: Sequence[ServerProcess]) -> str:
    """Ports like those of the servers, and free: as the fields of a :class:`LocalLayout` are written.

    Args:
        taken: ports that are not free.
        zookeeper: the ZooKeeper servers, with their present ports.
        brokers: the brokers, with their present ports.
    """
    ports = {port for server in (*zookeeper, *brokers) for port in server.ports}
    shift = next(
        shift for shift in range(_SHIFT, _PORTS, _SHIFT) if not taken & {(port + shift) % _PORTS for port in ports}
    )
    first: dict[str, int] = {}
    if brokers:
        first["broker_port"] = min(brokers[0].ports)
    if zookeeper:
        client = int(zookeeper[0].properties["clientPort"])
        peers = sorted({*zookeeper[0].ports} - {client})
        first |= {"zookeeper_port": client} | dict(zip(("peer_port", "election_port"), peers, strict=False))
    return ", ".join(f"{field}={port + shift}" for field, port in first.items())


_SHIFT = 1_000
_APART = 100
"""Ports between the first listener of a broker and the next one."""
_CLUSTERS_APART = 20
"""Ports between the first worker of a Connect cluster and that of the next one."""
_REBALANCE_DELAY = "scheduled.rebalance.max.delay.ms"
_DELAY_HERE = "10000"
"""A worker on this machine is back within 10 s; until then the tasks of one that restarts wait."""
_PORTS = 65_536

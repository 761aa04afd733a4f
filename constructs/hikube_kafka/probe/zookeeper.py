"""Reading ZooKeeper: the four-letter words over a socket, and the tree through kazoo."""

import contextlib
import json
import logging
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from hikube_kafka.kafka.address import dial, reason
from hikube_kafka.probe.observation import (
    BrokerRegistration,
    Followers,
    KafkaRegistry,
    ReadBack,
    ServerStatus,
    Unreadable,
    VotingView,
    ZooKeeperSeen,
    ZooKeeperServerSeen,
)

_LOG = logging.getLogger(f"{__name__}.kazoo")
"""Kazoo warns of each lost connection; here that is an answer and told as one, so it goes nowhere unless asked for."""
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False

_NOT_SERVING = "not currently serving requests"
"""From ZooKeeper's reply while a server is in no quorum (ZooKeeperServer, ``ZK_NOT_SERVING``)."""

_VOTER = re.compile(r"^server\.([0-9]+)=(.+?):participant(?:;.*)?$", re.MULTILINE)
"""From the answer to ``conf``: ``server.1=host:2888:3888:participant;0.0.0.0:2181``; an observer says ``observer``."""


def observe_zookeeper(
    addresses: Sequence[str], *, chroot: str = "", timeout: float = 5.0, dial: Mapping[str, str] | None = None
) -> ZooKeeperSeen:
    """Look at every server by itself, all at once; nothing is written.

    Args:
        addresses: ``host:port`` of the client port of each server.
        chroot: Where Kafka lives in the tree: ``""`` or a path such as ``/kafka``.
        timeout: Seconds that each read may take.
        dial: Where to dial an address, if elsewhere: the local end of its port-forward.
    """
    dial = dial or {}

    def look(address: str) -> ZooKeeperServerSeen:
        return _server(address, dial.get(address, address), chroot, timeout)

    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        return ZooKeeperSeen(servers=tuple(pool.map(look, addresses)))


def exchange_writes(
    addresses: Sequence[str], *, chroot: str = "", timeout: float = 5.0, dial: Mapping[str, str] | None = None
) -> tuple[ReadBack, ...]:
    """Write a value on every server and read it, after a sync, on every server.

    Each value is an ephemeral node of its own, ``hikube-kafka-probe-…`` below the chroot, that is gone when this
    returns, or, should the caller be killed, when its session ends.

    Args:
        addresses: ``host:port`` of the client port of each server.
        chroot: Where Kafka lives in the tree: ``""`` or a path such as ``/kafka``.
        timeout: Seconds that each read and each write may take.
        dial: Where to dial an address, if elsewhere: the local end of its port-forward.
    """
    dial = dial or {}
    run = uuid.uuid4().hex
    nodes = {address: f"{chroot}/hikube-kafka-probe-{run}-{number}" for number, address in enumerate(addresses)}
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(max(1, len(addresses))) as pool:

        def join(address: str) -> KazooClient | Unreadable:
            dialled = dial.get(address, address)
            try:
                # It says at once why it serves nobody, where a session would be tried until its time is over.
                four_letter_word(dialled, "srvr", timeout)
                return stack.enter_context(_session(dialled, timeout))
            except Exception as error:  # noqa: BLE001 - kazoo's errors have no common base, and each is the reason
                return Unreadable(f"session with {address}", reason(error))

        clients = dict(zip(addresses, pool.map(join, addresses), strict=True))

        def write(address: str) -> Unreadable | None:
            client = clients[address]
            if isinstance(client, Unreadable):
                return client
            try:
                client.create_async(nodes[address], run.encode(), ephemeral=True).get(timeout=timeout)
            except Exception as error:  # noqa: BLE001 - as above
                return Unreadable(f"write on {address}", reason(error))
            return None

        writes = dict(zip(addresses, pool.map(write, addresses), strict=True))

        def read(reader: str) -> list[ReadBack]:
            return [
                ReadBack(
                    writer=writer,
                    reader=reader,
                    written=run,
                    read=writes[writer] or _read_back(reader, clients[reader], nodes[writer], timeout),
                )
                for writer in addresses
            ]

        return tuple(read_back for read_backs in pool.map(read, addresses) for read_back in read_backs)


def four_letter_word(address: str, word: str, timeout: float) -> str:
    """Ask a server one of its four-letter words.

    Raises:
        OSError: It did not answer within ``timeout`` seconds, or it refuses the word.
    """
    deadline = time.monotonic() + timeout
    answer = bytearray()
    with dial(address, timeout) as connection:
        connection.sendall(word.encode())
        while chunk := connection.recv(65536):
            answer += chunk
            connection.settimeout(max(0.001, deadline - time.monotonic()))
    text = answer.decode(errors="replace")
    if not text:
        raise OSError(f"closed the connection without an answer to {word}")
    if "is not in the whitelist" in text:
        raise OSError(f"refuses {word}: its 4lw.commands.whitelist must name it")
    if _NOT_SERVING in text:
        raise OSError("runs, but serves no requests: it is in no quorum")
    return text


def read_status(address: str, *, timeout: float, dialled: str | None = None) -> ServerStatus | Unreadable:
    """Ask a server whether it serves, and as what. ``imok`` would not do: it is said while a leader is still sought.

    Args:
        address: ``host:port`` of its client port.
        timeout: Seconds that it has to answer.
        dialled: Where to dial it, if elsewhere.
    """
    try:
        fields = _fields(four_letter_word(dialled or address, "srvr", timeout), ":")
        return ServerStatus(
            mode=fields["Mode"], zxid=int(fields["Zxid"], 16), version=fields["Zookeeper version"].partition("-")[0]
        )
    except OSError as error:
        return Unreadable(f"srvr of {address}", reason(error))
    except (ValueError, KeyError):
        return Unreadable(f"srvr of {address}", "what answers there is not a ZooKeeper server")


def _server(address: str, dialled: str, chroot: str, timeout: float) -> ZooKeeperServerSeen:
    status = read_status(address, timeout=timeout, dialled=dialled)
    if isinstance(status, Unreadable):
        # It serves nobody: asking on would cost a timeout each and tell nothing more.
        return ZooKeeperServerSeen(
            address=address,
            status=status,
            followers=Unreadable(f"mntr of {address}", status.reason),
            voting_view=Unreadable(f"conf of {address}", status.reason),
            kafka=Unreadable(f"Kafka's nodes on {address}", status.reason),
        )
    return ZooKeeperServerSeen(
        address=address,
        status=status,
        followers=_followers(address, dialled, timeout),
        voting_view=_voting_view(address, dialled, timeout),
        kafka=_kafka(address, dialled, chroot, timeout),
    )


def _followers(address: str, dialled: str, timeout: float) -> Followers | Unreadable:
    try:
        fields = _fields(four_letter_word(dialled, "mntr", timeout), "\t")
        synced, pending = fields.get("zk_synced_followers"), fields.get("zk_pending_syncs")
        return Followers(
            synced=None if synced is None else int(synced), pending_syncs=None if pending is None else int(pending)
        )
    except (OSError, ValueError) as error:
        return Unreadable(f"mntr of {address}", reason(error))


def _voting_view(address: str, dialled: str, timeout: float) -> VotingView | Unreadable:
    try:
        answer = four_letter_word(dialled, "conf", timeout)
        if "membership:" not in answer:
            return VotingView(own_id=None, voters={}, version=None)
        fields = _fields(answer, "=")
        return VotingView(
            own_id=int(fields["serverId"]),
            voters={int(id_): peers for id_, peers in _VOTER.findall(answer)},
            version=fields["version"],
        )
    except (OSError, ValueError, KeyError) as error:
        return Unreadable(f"conf of {address}", reason(error))


def _kafka(address: str, dialled: str, chroot: str, timeout: float) -> KafkaRegistry | Unreadable:
    try:
        with _session(dialled, timeout) as client:
            client.sync_async(chroot or "/").get(timeout=timeout)
            return KafkaTree(client, chroot=chroot, timeout=timeout).registry()
    except Exception as error:  # noqa: BLE001 - kazoo's errors have no common base, and each of them is the reason
        return Unreadable(f"Kafka's nodes on {address}", reason(error))


class KafkaTree:
    """Kafka's nodes, read through a session that is the caller's: each read raises kazoo's errors.

    Args:
        client: The session, which is connected.
        chroot: Where Kafka lives in the tree: ``""`` or a path such as ``/kafka``.
        timeout: Seconds that each read may take.
    """

    def __init__(self, client: KazooClient, *, chroot: str = "", timeout: float) -> None:
        self._client = client
        self._chroot = chroot
        self._timeout = timeout

    def registry(self) -> KafkaRegistry:
        """Who is registered, who is the controller, the cluster's id, and which topics there are."""
        cluster = self._json("/cluster/id")
        return KafkaRegistry(
            brokers={
                broker: BrokerRegistration(rack=node.get("rack"), endpoints=tuple(node["endpoints"]))
                for broker in sorted(self.broker_ids())
                # A broker that leaves between the listing and the reading is no longer registered.
                if (node := self._json(f"/brokers/ids/{broker}")) is not None
            },
            controller=self.controller(),
            cluster_id=None if cluster is None else str(cluster["id"]),
            topics=self.topics() - self.leaving_topics(),
        )

    def broker_ids(self) -> frozenset[int]:
        """The brokers that hold a registration."""
        return frozenset(map(int, self._children("/brokers/ids")))

    def controller(self) -> int | None:
        """The broker that holds ``/controller``; None: nobody does."""
        node = self._json("/controller")
        return None if node is None else int(node["brokerid"])

    def topics(self) -> frozenset[str]:
        """The topics, with those that are being deleted."""
        return frozenset(self._children("/brokers/topics"))

    def leaving_topics(self) -> frozenset[str]:
        """The topics that are being deleted."""
        return frozenset(self._children("/admin/delete_topics"))

    def assignment(self, topic: str) -> dict[int, tuple[int, ...]]:
        """The brokers that hold each partition of a topic; empty: there is no such topic."""
        node = self._json(f"/brokers/topics/{topic}")
        return {} if node is None else {int(number): tuple(brokers) for number, brokers in node["partitions"].items()}

    def _children(self, path: str) -> list[str]:
        try:
            return list(self._client.get_children_async(self._chroot + path).get(timeout=self._timeout))
        except NoNodeError:
            return []

    def _json(self, path: str) -> Any:
        try:
            value, _ = self._client.get_async(self._chroot + path).get(timeout=self._timeout)
        except NoNodeError:
            return None
        return json.loads(value)


@contextlib.contextmanager
def _session(dialled: str, timeout: float) -> Iterator[KazooClient]:
    client = KazooClient(hosts=dialled, timeout=timeout, logger=_LOG)
    client.start(timeout=timeout)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def _read_back(reader: str, client: KazooClient | Unreadable, node: str, timeout: float) -> str | Unreadable | None:
    if isinstance(client, Unreadable):
        return client
    try:
        client.sync_async(node).get(timeout=timeout)
        value, _ = client.get_async(node).get(timeout=timeout)
        return str(value.decode())
    except NoNodeError:
        return None
    except Exception as error:  # noqa: BLE001 - as above
        return Unreadable(f"sync and read on {reader}", reason(error))


def _fields(answer: str, separator: str) -> dict[str, str]:
    pairs = (line.partition(separator) for line in answer.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}

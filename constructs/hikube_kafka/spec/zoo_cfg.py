"""The complete ``zoo.cfg`` of each ZooKeeper server, where it is met, and which entries a user's own replaced.

Every number that a ZooKeeper server runs with is computed here, from the declaration: no template and no start script
adds another.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hikube_kafka.spec.definitions.zookeeper import tick_time
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.properties import Override, replaced, text
from hikube_kafka.spec.zookeeper import ZooKeeper

FOUR_LETTER_WORDS = "conf,mntr,ruok,srvr"
"""What the probes use, and nothing else: ``srvr`` shows the Mode, ``mntr`` the followers, ``conf`` the members."""


@dataclass(frozen=True, kw_only=True)
class ZooKeeperAddress:
    """Where one ZooKeeper server is met, and by whom."""

    host: str
    client_port: int
    peer_port: int
    election_port: int

    @property
    def client(self) -> str:
        """``host:port`` for clients."""
        return f"{self.host}:{self.client_port}"

    @property
    def voter(self) -> str:
        """As ZooKeeper lists a server that votes: ``host:2888:3888:participant;2181``."""
        return f"{self.host}:{self.peer_port}:{self.election_port}:participant;{self.client_port}"


def zookeeper_connect(platform: Platform, servers: Mapping[int, ZooKeeperAddress]) -> str:
    """Kafka's ``zookeeper.connect``: these servers, and the chroot once at the end."""
    return ",".join(servers[server].client for server in sorted(servers)) + platform.zookeeper.chroot


def zoo_cfg(platform: Platform, server: int, *, addresses: Mapping[int, ZooKeeperAddress], data: str) -> dict[str, str]:
    """The complete ``zoo.cfg`` of one ZooKeeper server.

    Args:
        platform: the declaration.
        server: the server's ``myid``.
        addresses: where every server of the ensemble is met, by its id.
        data: the folder of snapshots and transaction log, absolute or relative to the process's own folder.
    """
    own = {
        "dataDir": data,
        "clientPort": str(addresses[server].client_port),
        "clientPortAddress": addresses[server].host,
    }
    members = {
        f"server.{each}": f"{address.host}:{address.peer_port}:{address.election_port}"
        for each, address in addresses.items()
    }
    return dict(
        sorted((zookeeper_settings(platform.zookeeper) | own | (members if len(addresses) > 1 else {})).items())
    )


def zookeeper_settings(zookeeper: ZooKeeper) -> dict[str, str]:
    """Entries of ``zoo.cfg`` that are the same on every server: what was computed, with the user's own on top."""
    return computed_zoo_cfg(zookeeper) | {key: text(value) for key, value in zookeeper.config.items()}


_TICK_MS = 500
"""ZooKeeper's clock: a leader pings its followers twice a tick, and sessions end at the turn of a tick, none of them
before two. ZooKeeper's sample configuration has 2000. Source for this and the times below: ``Leader``, ``Learner``,
``LearnerHandler``, ``SessionTrackerImpl`` and ``ExpiryQueue`` of 3.9.5; docs/decisions/zookeeper-timing.md has what was
measured."""
_LOAD_MS = 30_000
"""``initLimit`` as time: for a follower to load a snapshot, and for a new leader to gather a quorum. With the sample
configuration 20 s."""
_SILENCE_MS = 2_000
"""``syncLimit`` as time: a leader and a follower part that do not hear from each other. With the sample configuration
10 s. Longer than the second between two pings of a tick of 2000 ms, so that servers of both ticks serve together while
they are restarted one by one; shorter than the two thirds of its session after which a broker looks for another
server."""
_LONGEST_SESSION_MS = 40_000
"""``maxSessionTimeout``: the 20 ticks of the sample configuration. A shorter tick shortens nobody's session."""


def computed_zoo_cfg(zookeeper: ZooKeeper) -> dict[str, str]:
    """Entries that are the same on every server, without the user's own.

    ``initLimit`` and ``syncLimit`` are numbers of ticks: where the user declares another ``tickTime``, they follow, and
    the time that they stand for stays; two ticks are the least that ZooKeeper measures.
    """
    tick = tick_time(zookeeper.config) or _TICK_MS
    return {
        "4lw.commands.whitelist": FOUR_LETTER_WORDS,
        # The admin server opens a port (8080) that nothing here uses.
        "admin.enableServer": "false",
        # ZooKeeper's own default keeps every snapshot for ever: the disk fills, and the quorum is lost.
        "autopurge.purgeInterval": "1",
        "autopurge.snapRetainCount": "3",
        "initLimit": str(_ticks(_LOAD_MS, tick)),
        "syncLimit": str(_ticks(_SILENCE_MS, tick)),
        "tickTime": str(_TICK_MS),
        "maxSessionTimeout": str(max(_LONGEST_SESSION_MS, 20 * tick)),
    }


def _ticks(milliseconds: int, tick: int) -> int:
    return max(2, -(-milliseconds // tick))


ZOOKEEPER_PLATFORM_KEYS = {
    "clientPort": "the target",
    "clientPortAddress": "the target",
    "dataDir": "zookeeper.storage",
    "dataLogDir": "zookeeper.log_storage",
    "dynamicConfigFile": "zookeeper.servers",
    "quorumListenOnAllIPs": "the target",
    "reconfigEnabled": "the target",
    "standaloneEnabled": "the target",
    "4lw.commands.whitelist": "the probes",
    "DigestAuthenticationProvider.digestAlg": "the target",
    "DigestAuthenticationProvider.enabled": "the target",
    "version": "zookeeper.servers",
}
"""Entries of ``zoo.cfg`` that belong to the platform, with who sets them; ``server.N`` belongs to it as well."""


def overrides(zookeeper: ZooKeeper) -> list[Override]:
    """Every entry of the user's that replaced a computed one of the ZooKeeper servers."""
    return replaced("zookeeper.config", zookeeper.config, computed_zoo_cfg(zookeeper))

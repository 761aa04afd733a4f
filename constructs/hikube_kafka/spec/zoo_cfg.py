"""The complete ``zoo.cfg`` of each ZooKeeper server, where it is met, and which entries a user's own replaced.

Every number that a ZooKeeper server runs with is computed here, from the declaration: no template and no start script
adds another.
"""

from collections.abc import Mapping
from dataclasses import dataclass

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
    return _computed_zoo_cfg() | {key: text(value) for key, value in zookeeper.config.items()}


def _computed_zoo_cfg() -> dict[str, str]:
    return {
        "4lw.commands.whitelist": FOUR_LETTER_WORDS,
        # The admin server opens a port (8080) that nothing here uses.
        "admin.enableServer": "false",
        # ZooKeeper's own default keeps every snapshot for ever: the disk fills, and the quorum is lost.
        "autopurge.purgeInterval": "1",
        "autopurge.snapRetainCount": "3",
        # In ticks: 20 s for a follower to load a snapshot, 10 s to fall behind. ZooKeeper's own sample configuration
        # has 10 and 5.
        "initLimit": "10",
        "syncLimit": "5",
        # Milliseconds; the shortest session is two ticks, so 6 s (above) is within bounds.
        "tickTime": "2000",
    }


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
    return replaced("zookeeper.config", zookeeper.config, _computed_zoo_cfg())

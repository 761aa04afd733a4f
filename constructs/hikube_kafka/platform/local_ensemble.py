"""ZooKeeper servers and brokers on this machine as a construct: ``hikube_local_ensemble``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os.path import expanduser, normpath
from typing import Any

from hikube_kafka.platform import terraform
from hikube_kafka.platform.apart import Parts
from hikube_kafka.platform.arguments import checked_part, refuse_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource
from hikube_kafka.spec.ensemble import ServerProcess
from hikube_kafka.spec.rules.apart import Taken
from hikube_kafka.spec.targets.local import APP_DIRECTORY_TWICE, APP_PORTS_TWICE, apart_from, ensemble_problems


class LocalEnsemble(HikubeResource):
    """Real servers as processes of this machine, which outlive Terraform and stop when it destroys them.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        name: name of the ensemble.
        zookeeper: the ZooKeeper servers, complete.
        brokers: the brokers, complete.
        directory: folder of configuration, data and logs; ``~`` is the user's home. None means
            ``~/.local/share/hikube-kafka/<name>``.
        kafka_home: an unpacked Kafka distribution to run from; None means the jars that Maven brings into the cache.
        fast_failover: run each broker under a supervisor that closes its session with ZooKeeper as soon as its process
            has ended. None means true.
        keep_data: keep the data when the ensemble is destroyed. None means true.
        provider: the provider's block; None means the stack's default.
        depends_on: what must be applied before.
    """

    promised = frozenset({"zookeeper", "brokers"})

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        name: str,
        zookeeper: Iterable[ServerProcess],
        brokers: Iterable[ServerProcess],
        directory: str | None = None,
        kafka_home: str | None = None,
        fast_failover: bool | None = None,
        keep_data: bool | None = None,
        provider: HikubeProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        self._zookeeper, self._brokers = tuple(zookeeper), tuple(brokers)
        if wrong := list(
            ensemble_problems(
                *(None if terraform.is_reference(each) else each for each in (name, directory, kafka_home)),
                servers=(*self._zookeeper, *self._brokers),
            )
        ):
            refuse_part(self, {"scope": scope, "id": id}, wrong)
            return
        super().__init__(
            scope,
            id,
            "hikube_local_ensemble",
            {
                "name": name,
                "directory": directory,
                "zookeeper": [_server(server) for server in self._zookeeper],
                "brokers": [_server(server) for server in self._brokers],
                "kafka_home": kafka_home,
                "fast_failover": fast_failover,
                "keep_data": keep_data,
            },
            provider=provider,
            depends_on=depends_on,
        )

    def occupies(self, parts: Parts) -> Iterator[Taken]:
        """Ports of this machine, a folder on it, and a place in the tree of somebody else's ZooKeeper."""
        part = parts.part(self)
        everywhere = {port for each in parts.all if isinstance(each, LocalEnsemble) for port in each._ports()}  # noqa: SLF001
        for port in sorted(self._ports()):
            yield Taken(
                by=part,
                part=part,
                thing=str(port),
                rule=APP_PORTS_TWICE,
                keys=frozenset({port}),
                facts={"layout": apart_from(everywhere, self._zookeeper, self._brokers)},
            )
        directory = self.declared["directory"] or f"~/.local/share/hikube-kafka/{self.declared['name']}"
        if "${" not in directory:
            yield Taken(
                by=part,
                part=part,
                thing=directory,
                rule=APP_DIRECTORY_TWICE,
                keys=frozenset({normpath(expanduser(directory))}),  # noqa: PTH111 - Path's own raises a RuntimeError
            )

    def _ports(self) -> frozenset[int]:
        return frozenset(
            port
            for server in (*self._zookeeper, *self._brokers)
            # One without is refused by the provider.
            if {"clientPort", "listeners"} & server.properties.keys()
            for port in server.ports
        )

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` of every broker's first listener: a reference."""
        return self.get_string_attribute("bootstrap_servers")

    @property
    def zookeeper_servers(self) -> str:
        """``host:port`` of every ZooKeeper server, and the chroot: a reference."""
        return self.get_string_attribute("zookeeper_servers")

    @property
    def path(self) -> str:
        """The absolute path of its folder: a reference."""
        return self.get_string_attribute("path")

    @property
    def owner(self) -> str:
        """Id of its creation, which is written into its folder too: a reference."""
        return self.get_string_attribute("owner")

    @property
    def cluster_id(self) -> str:
        """Kafka's cluster id: a reference."""
        return self.get_string_attribute("cluster_id")

    @property
    def processes(self) -> Mapping[str, str]:
        """Each server by name with what it is, ``running`` or not: a reference."""
        return self.get_string_map_attribute("processes")


def _server(server: ServerProcess) -> dict[str, Any]:
    return {"id": server.id, "heap": server.heap, "properties": terraform.literal(dict(server.properties))}

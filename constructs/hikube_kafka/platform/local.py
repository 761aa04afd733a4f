"""The embedded default: real ZooKeeper servers and brokers as processes of this machine."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from hikube_kafka.platform import terraform
from hikube_kafka.platform.alias import alias_blocks
from hikube_kafka.platform.arguments import checked, mistaken
from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.local_connect import LocalConnect
from hikube_kafka.platform.local_ensemble import LocalEnsemble
from hikube_kafka.platform.provider import HikubeProvider
from hikube_kafka.platform.target import ConnectDelivery, Delivery, Target
from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.connect_worker import group_id
from hikube_kafka.spec.ensemble import PluginSource
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.targets import local
from hikube_kafka.spec.targets.local import LocalLayout


class LocalTarget(Target):
    """This machine: processes on 127.0.0.1, without a cluster, an account or a container.

    The declared memory sets the heap. Sizes and classes of storage have no effect: the servers share the disk of the
    machine.

    Args:
        layout: the ports.
        directory: folder of configuration, data and logs. None means the provider's own:
            ``~/.local/share/hikube-kafka/<name>``.
        kafka_home: an unpacked Kafka distribution to run from; None means the jars that Maven brings into the cache.
        keep_data: keep the messages when the servers are destroyed.
    """

    @checked()
    def __init__(
        self,
        layout: LocalLayout | None = None,
        *,
        directory: str | None = None,
        kafka_home: str | None = None,
        keep_data: bool = True,
    ) -> None:
        self.layout = layout or LocalLayout()
        self.directory = directory
        self.kafka_home = kafka_home
        self.keep_data = keep_data

    def mistakes(self) -> Iterable[Problem]:
        """What is mistaken in the options and the layout."""
        return [*mistaken(self), *self.layout.problems("LocalTarget")]

    def check(self, platform: Platform) -> Iterator[Problem]:
        """Every problem of the declaration on this machine."""
        return local.check(platform, self.layout, directory=self.directory, kafka_home=self.kafka_home)

    def deliver(self, scope: Construct, platform: Platform) -> Delivery:
        """Add the provider, configured for this machine, and the ensemble."""
        provider = self._provider(scope, platform)
        ensemble = LocalEnsemble(
            scope,
            "ensemble",
            name=platform.name,
            directory=self.directory,
            zookeeper=self.layout.zookeeper_processes(platform),
            brokers=self.layout.broker_processes(platform),
            kafka_home=self.kafka_home,
            # The provider's own default is left out: a plan of what runs already stays empty.
            fast_failover=None if platform.kafka.fast_failover else False,
            keep_data=self.keep_data,
            provider=provider,
        )
        return Delivery(
            contract=self.layout.contract(platform),
            provider=provider,
            servers=[terraform.named(ensemble, terraform.name(scope))],
        )

    def withdraw(self, scope: Construct, platform: Platform) -> None:
        """Add the provider alone."""
        self._provider(scope, platform)

    def deliver_connect(
        self,
        scope: Construct,
        platform: Platform,
        cluster: ConnectCluster,
        *,
        beside: Delivery | None,
        bootstrap_servers: str | None = None,
        depends_on: Sequence[ITerraformDependable] = (),
    ) -> ConnectDelivery:
        """Add the workers as processes of this machine, and the block with their URLs."""
        provider = self._connect_provider(scope, platform, cluster)
        workers = self.layout.connect_processes(platform, cluster)
        if bootstrap_servers is not None:
            workers = tuple(
                replace(each, properties={**each.properties, "bootstrap.servers": bootstrap_servers})
                for each in workers
            )
        ready = LocalConnect(
            scope,
            "workers",
            name=group_id(platform, cluster),
            directory=self._connect_directory(cluster),
            workers=workers,
            plugins=[
                PluginSource(
                    name=each.name,
                    maven=each.maven,
                    archive=None if each.maven else each.archive,
                    checksum=each.checksum,
                )
                for each in cluster.plugins
            ],
            kafka_home=self.kafka_home,
            provider=beside.provider if beside else provider,
            depends_on=depends_on,
        )
        named = terraform.named(ready, terraform.name(scope))
        # Beside the folders of the workers: the one to which their config providers are confined.
        return ConnectDelivery(provider=provider, ready=[named], secrets=f"{ready.path}/secrets")

    def withdraw_connect(self, scope: Construct, platform: Platform, cluster: ConnectCluster) -> None:
        """Add the block that leads to the workers alone.

        Their ports follow from the clusters that are declared; the folder knows those that they were started with.
        """
        name = group_id(platform, cluster)
        provider = HikubeProvider(scope, "provider", local_connect=self._connect_directory(cluster) or name)
        alias_blocks(scope, name, self.directory, provider)

    def _connect_directory(self, cluster: ConnectCluster) -> str | None:
        # Beside the folder of the servers, which is theirs alone.
        return self.directory and f"{self.directory.rstrip('/')}-connect-{cluster.name}"

    def _connect_provider(self, scope: Construct, platform: Platform, cluster: ConnectCluster) -> HikubeProvider:
        # Known values, as for the topics: a plan then has Connect validate each connector.
        provider = HikubeProvider(scope, "provider", connect_url=",".join(self.layout.connect_urls(platform, cluster)))
        alias_blocks(scope, group_id(platform, cluster), self.directory, provider)
        return provider

    def _provider(self, scope: Construct, platform: Platform) -> HikubeProvider:
        contract = self.layout.contract(platform)
        provider = HikubeProvider(
            scope,
            "provider",
            # Known values, not references to the ensemble: a plan can then ask the live cluster, and refuse.
            bootstrap_servers=contract.bootstrap_servers,
            zookeeper_servers=contract.zookeeper_connect,
        )
        alias_blocks(scope, platform.name, self.directory, provider)
        return provider

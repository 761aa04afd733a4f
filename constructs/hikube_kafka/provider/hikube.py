"""The provider ``hikube``: its settings, resources and data source."""

from collections.abc import Iterable

from hikube_kafka.plugin.diagnostics import Diagnostic
from hikube_kafka.plugin.resource import Provider, State
from hikube_kafka.provider import settings
from hikube_kafka.provider.resources.brokers import BrokersResource
from hikube_kafka.provider.resources.connector import ConnectorResource
from hikube_kafka.provider.resources.kubernetes_cluster import KubernetesClusterDataSource
from hikube_kafka.provider.resources.local_connect import LocalConnectResource
from hikube_kafka.provider.resources.local_ensemble import LocalEnsembleResource
from hikube_kafka.provider.resources.quorum import QuorumDataSource
from hikube_kafka.provider.resources.rollout import RolloutResource
from hikube_kafka.provider.resources.topic import TopicResource
from hikube_kafka.provider.resources.volume_claims import VolumeClaimsResource
from hikube_kafka.provider.resources.zookeeper_members import ZooKeeperMembersResource
from hikube_kafka.provider.session import Session


class HikubePlugin(Provider):
    """Kafka with ZooKeeper: topics, connectors, brokers, voters, claims that grow, rollouts, local ensembles."""

    schema = settings.SCHEMA

    def __init__(self) -> None:
        self.session = Session()
        self.resources = (
            TopicResource(self.session),
            ConnectorResource(self.session),
            BrokersResource(self.session),
            VolumeClaimsResource(self.session),
            ZooKeeperMembersResource(self.session),
            RolloutResource(self.session),
            LocalEnsembleResource(self.session),
            LocalConnectResource(self.session),
        )
        self.data_sources = (QuorumDataSource(self.session), KubernetesClusterDataSource())

    def validate(self, config: State) -> Iterable[Diagnostic]:
        """What is wrong with the provider block in itself."""
        return settings.faults(config)

    def configure(self, config: State) -> Iterable[Diagnostic]:
        """Take the settings; the cluster is first dialled when something has to be known of it."""
        self.session.configure(settings.Settings.of(config))
        return ()

    def stop(self) -> None:
        """End all waits: the user pressed Ctrl-C."""
        self.session.stopped.set()

"""ZooKeeper servers in Kubernetes as a construct of their own."""

from collections.abc import Sequence

from hikube_kafka.platform.arguments import checked_part, refuse_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable, TerraformProvider
from hikube_kafka.platform.release import PATIENCE, ChartRepository, HelmRelease
from hikube_kafka.spec.chart_values import zookeeper_values
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.targets.kubernetes import KubernetesLayout, Patience, SharedZooKeeper
from hikube_kafka.spec.targets.kubernetes_rules import check_zookeeper


class ZooKeeperRelease(HelmRelease):
    """A release of the chart ``zookeeper``: part of a platform, or one ensemble for several.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        platform: the declaration; only its ZooKeeper servers matter here; its name is the first part of the release's.
        layout: where it goes.
        charts: where the chart comes from. None means the installed package.
        patience: how long Helm waits for the servers.
        wait: whether Helm waits for the servers; see :class:`~hikube_kafka.platform.release.HelmRelease`.
        provider: the block of the helm provider. None means the stack's default.
        depends_on: what must be applied before.

    Attributes:
        servers: the declaration of the servers.
        connect: Kafka's ``zookeeper.connect``, without a chroot.
        shared: the release as platforms see it that share it.
    """

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        platform: Platform,
        layout: KubernetesLayout,
        charts: ChartRepository | None = None,
        patience: Patience = PATIENCE,
        wait: bool = True,
        provider: TerraformProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        # Inside of a platform they have been asked already, and have found none.
        if errors := [each for each in check_zookeeper(platform, layout) if each.severity == "error"]:
            refuse_part(self, {"scope": scope, "id": id}, errors)
            return
        super().__init__(
            scope,
            id,
            chart="zookeeper",
            name=layout.zookeeper_release(platform),
            namespace=layout.namespace,
            values=zookeeper_values(platform, layout).to_chart(),
            charts=charts,
            patience=patience,
            wait=wait,
            provider=provider,
            depends_on=depends_on,
        )
        self.servers = platform.zookeeper.model_copy(update={"chroot": ""})
        self.shared = SharedZooKeeper(release=self.name, layout=layout, servers=self.servers)
        self.connect = layout.zookeeper_connect(platform.model_copy(update={"coordinator": self.servers}))

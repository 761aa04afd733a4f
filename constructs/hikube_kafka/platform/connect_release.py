"""Workers of Kafka Connect in Kubernetes as a construct of their own."""

from collections.abc import Sequence

from hikube_kafka.platform.arguments import checked_part, refuse_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable, TerraformProvider
from hikube_kafka.platform.release import PATIENCE, ChartRepository, HelmRelease
from hikube_kafka.spec.chart_values import connect_values
from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.targets.kubernetes import KubernetesLayout, Patience
from hikube_kafka.spec.targets.kubernetes_rules import check_connect


class ConnectRelease(HelmRelease):
    """A release of the chart ``connect``: part of a platform, or workers for a Kafka that already exists.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        platform: the declaration: its name and the number of brokers matter.
        layout: where it goes.
        cluster: the workers.
        bootstrap_servers: ``host:port`` of brokers, separated by commas. None means the service of the platform's own
            release.
        charts: where the chart comes from. None means the installed package.
        patience: how long Helm waits for the workers.
        wait: whether Helm waits for the workers; see :class:`~hikube_kafka.platform.release.HelmRelease`.
        provider: the block of the helm provider. None means the stack's default.
        depends_on: what must be applied before: the topics of the workers.
    """

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        platform: Platform,
        layout: KubernetesLayout,
        cluster: ConnectCluster,
        bootstrap_servers: str | None = None,
        charts: ChartRepository | None = None,
        patience: Patience = PATIENCE,
        wait: bool = True,
        provider: TerraformProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        # Inside of a platform they have been asked already, and have found none.
        if errors := [each for each in check_connect(platform, layout, cluster) if each.severity == "error"]:
            refuse_part(self, {"scope": scope, "id": id}, errors)
            return
        super().__init__(
            scope,
            id,
            chart="connect",
            name=layout.connect_release(platform, cluster),
            namespace=layout.namespace,
            values=connect_values(platform, layout, cluster, bootstrap_servers=bootstrap_servers).to_chart(),
            charts=charts,
            patience=patience,
            wait=wait,
            provider=provider,
            depends_on=depends_on,
        )

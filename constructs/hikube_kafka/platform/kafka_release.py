"""Brokers in Kubernetes as a construct of their own."""

from collections.abc import Sequence

from hikube_kafka.platform.cdk import Construct, ITerraformDependable, TerraformProvider
from hikube_kafka.platform.release import PATIENCE, ChartRepository, HelmRelease
from hikube_kafka.spec.chart_values import kafka_values
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.quantities import Duration
from hikube_kafka.spec.targets.kubernetes import KubernetesLayout


class KafkaRelease(HelmRelease):
    """A release of the chart ``kafka``: part of a platform, or brokers for a ZooKeeper ensemble that already exists.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        platform: the declaration; only its brokers matter here; its name is the first part of the release's.
        layout: where it goes.
        connect: ``zookeeper.connect`` of the ensemble, chroot included. None means that of the platform's own release.
        charts: where the chart comes from. None means the installed package.
        patience: how long Helm waits for the brokers.
        wait: whether Helm waits for the brokers; see :class:`~hikube_kafka.platform.release.HelmRelease`.
        provider: the block of the helm provider. None means the stack's default.
        depends_on: what must be applied before.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        platform: Platform,
        layout: KubernetesLayout,
        connect: str | None = None,
        charts: ChartRepository | None = None,
        patience: Duration = PATIENCE,
        wait: bool = True,
        provider: TerraformProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            chart="kafka",
            name=layout.kafka_release(platform),
            namespace=layout.namespace,
            values=kafka_values(platform, layout, connect=connect).to_chart(),
            charts=charts,
            patience=patience,
            wait=wait,
            provider=provider,
            depends_on=depends_on,
        )

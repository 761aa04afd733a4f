"""Brokers in Kubernetes as a construct of their own."""

from collections.abc import Iterator, Sequence

from hikube_kafka.platform.apart import Parts
from hikube_kafka.platform.arguments import checked_part, refuse_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable, TerraformProvider
from hikube_kafka.platform.release import PATIENCE, ChartRepository, HelmRelease
from hikube_kafka.spec.chart_values import kafka_values
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import shortened
from hikube_kafka.spec.rules.apart import Taken
from hikube_kafka.spec.targets.kubernetes import KubernetesLayout, Patience
from hikube_kafka.spec.targets.kubernetes_rules import (
    CHROOT_TWICE,
    NODE_PORTS_TWICE,
    RELEASE_TWICE,
    check_kafka,
    zookeeper_server,
)


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

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        platform: Platform,
        layout: KubernetesLayout,
        connect: str | None = None,
        charts: ChartRepository | None = None,
        patience: Patience = PATIENCE,
        wait: bool = True,
        provider: TerraformProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        # Inside of a platform they have been asked already, and have found none.
        if errors := [each for each in check_kafka(platform, layout, connect) if each.severity == "error"]:
            refuse_part(self, {"scope": scope, "id": id}, errors)
            return
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
        self._layout = layout
        self._platform = platform
        self._connect = connect or layout.zookeeper_connect(platform)

    @property
    def services(self) -> Sequence[str]:
        """One service for each broker that is met from outside the cluster."""
        outside = self._layout.external.type != "None"
        return [f"{self.name}-{broker}" for broker in range(self._platform.kafka.brokers)] if outside else []

    def occupies(self, parts: Parts) -> Iterator[Taken]:
        """The names of its objects, its place in ZooKeeper's tree, and ports of the nodes."""
        yield from super().occupies(parts)
        cluster, path, part = parts.cluster(self.resource, "helm"), self.node.path, parts.part(self)
        servers, _, chroot = self._connect.partition("/")
        if "${" not in self._connect:
            yield Taken(
                by=path,
                part=part,
                thing=f"/{chroot} of ZooKeeper {shortened(servers.split(','), 1)}",
                rule=CHROOT_TWICE,
                keys=frozenset(
                    (zookeeper_server(server, self.namespace, cluster), chroot) for server in servers.split(",")
                ),
                follows=frozenset({RELEASE_TWICE.id}),
                facts={"name": self._platform.name},
            )
        external = self._layout.external
        for port in range(external.node_port, external.node_port + self._platform.kafka.brokers):
            if external.type == "NodePort":
                yield Taken(
                    by=path,
                    part=part,
                    thing=f"port {port}",
                    rule=NODE_PORTS_TWICE,
                    keys=frozenset({(cluster, port)}),
                    follows=frozenset({RELEASE_TWICE.id}),
                )

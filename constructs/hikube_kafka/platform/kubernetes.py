"""Kubernetes: ZooKeeper and Kafka as two Helm releases, on Hikube or on any other cluster."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary

from hikube_kafka.platform import terraform
from hikube_kafka.platform.brokers import KafkaBrokers
from hikube_kafka.platform.cdk import (
    FAMILY,
    Construct,
    ITerraformDependable,
    IValidation,
    TerraformProvider,
    TerraformResourceLifecycle,
    TerraformStack,
    bindings,
    implements,
)
from hikube_kafka.platform.kafka_release import KafkaRelease
from hikube_kafka.platform.provider import HikubeProvider, ThroughKubernetes
from hikube_kafka.platform.release import PATIENCE, Chart, ChartRepository, helm_provider
from hikube_kafka.platform.target import Delivery, Target
from hikube_kafka.platform.volume_claims import ClaimTemplate, VolumeClaims
from hikube_kafka.platform.zookeeper_members import ZooKeeperMembers
from hikube_kafka.platform.zookeeper_release import ZooKeeperRelease
from hikube_kafka.spec.contract import Contract
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.quantities import Duration
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import KubernetesLayout

_LABELS = {
    "app.kubernetes.io/part-of": "hikube-kafka",
    # The charts' pods keep to the strictest of the Pod Security Standards: nothing laxer is let in beside them.
    "pod-security.kubernetes.io/enforce": "restricted",
}


class KubernetesTarget(Target):
    """A cluster, known by a kubeconfig: ``KubernetesTarget(namespace="events")``.

    Args:
        kubeconfig: path of the kubeconfig, for Helm, for Kubernetes and for the provider alike; ``~`` is the user's
            home. A reference to a variable keeps it out of the stack.
        create_namespace: whether the namespace belongs to the stack. It then holds whatever holds messages, so no plan
            deletes it. False means that it is there already.
        zookeeper: an ensemble of this stack that serves several platforms, each below a chroot of its own. None means
            that the platform has its own.
        charts: where the charts come from. None means the installed package.
        zookeeper_values: values of the chart ``zookeeper`` that are to be otherwise: merged over those computed.
        kafka_values: values of the chart ``kafka`` that are to be otherwise: merged over those computed.
        drain: whether an apply with fewer brokers moves the replicas of those that go, and waits for it. Otherwise such
            a plan is refused while they hold any.
        patience: how long Helm waits for the pods of each release.
        layout: fields of :class:`~hikube_kafka.spec.targets.kubernetes.KubernetesLayout`: ``namespace``, ``context``,
            images, external access, pods.

    Attributes:
        layout: names and addresses on the cluster.

    Raises:
        pydantic.ValidationError: a field of the layout is not of its type, or there is no such field.
    """

    def __init__(
        self,
        *,
        kubeconfig: str = "~/.kube/config",
        create_namespace: bool = True,
        zookeeper: ZooKeeperRelease | None = None,
        charts: ChartRepository | None = None,
        zookeeper_values: Mapping[str, Any] | None = None,
        kafka_values: Mapping[str, Any] | None = None,
        drain: bool = False,
        patience: Duration = PATIENCE,
        **layout: Any,
    ) -> None:
        self.layout = KubernetesLayout(**layout)
        self._kubeconfig = kubeconfig
        self._create_namespace = create_namespace
        self._zookeeper = zookeeper
        self._charts = charts
        self._zookeeper_values = zookeeper_values
        self._kafka_values = kafka_values
        self._drain = drain
        self._patience = patience

    def check(self, platform: Platform) -> Iterator[Problem]:
        """Every problem of the declaration on a cluster."""
        yield from super().check(platform)
        yield from self.layout.check(platform)
        if self._zookeeper and self._zookeeper.namespace != self.layout.namespace:
            yield Problem(
                rule="kubernetes-shared-zookeeper",
                severity="error",
                where="namespace",
                message=f"{self.layout.namespace}, but ZooKeeper's release {self._zookeeper.name} is in "
                f"{self._zookeeper.namespace}, and lets in the brokers of its own namespace alone.",
                remedy="Put both into one namespace.",
            )
        if self._zookeeper and not platform.zookeeper.chroot:
            yield Problem(
                rule="kubernetes-shared-zookeeper",
                severity="error",
                where="zookeeper.chroot",
                message=f"release {self._zookeeper.name} serves several platforms, and this one has no place of its "
                "own in its tree: the brokers of two platforms would take each other for their own.",
                remedy=f'Declare one: ZooKeeper(chroot="/{platform.name}").',
            )

    def deliver(self, scope: Construct, platform: Platform) -> Delivery:
        """Bring in the providers, the namespace, both releases, and what must be done before them."""
        # Always an alias: a second platform in the stack then changes nothing about the first.
        helm = helm_provider(
            scope,
            "helm",
            alias=terraform.name(scope),
            kubeconfig=self._kubeconfig,
            context=self.layout.context,
        )
        namespace = [self._namespace(scope)] if self._create_namespace else []
        provider = HikubeProvider(
            scope,
            "provider",
            alias=terraform.name(scope),
            kubernetes=ThroughKubernetes(
                namespace=self.layout.namespace,
                release=self.layout.kafka_release(platform),
                kubeconfig=self._kubeconfig,
                context=self.layout.context,
                forward_port=self.layout.forward_port,
                zookeeper_release=self._zookeeper.name if self._zookeeper else self.layout.zookeeper_release(platform),
                zookeeper_chroot=platform.zookeeper.chroot or None,
            ),
        )
        scope.node.add_validation(_ForwardPorts(scope, self.layout, platform))
        zookeeper = self._zookeeper or self._own_zookeeper(scope, platform, helm, provider, namespace)
        brokers = terraform.named(
            KafkaBrokers(
                scope,
                "brokers",
                brokers=platform.kafka.brokers,
                drain=self._drain or None,
                provider=provider,
                depends_on=[*namespace, zookeeper.resource],
            ),
            terraform.name(scope),
        )
        claims = _claims(
            scope,
            "kafka",
            self.layout.kafka_release(platform),
            {"data": platform.kafka.storage},
            provider=provider,
            depends_on=namespace,
        )
        kafka = KafkaRelease(
            scope,
            "kafka",
            platform=platform,
            layout=self.layout,
            connect=zookeeper.connect + platform.zookeeper.chroot,
            overrides=self._kafka_values,
            charts=self._charts,
            patience=self._patience,
            provider=helm,
            depends_on=[*namespace, zookeeper.resource, claims, brokers],
        )
        return Delivery(contract=self._contract(platform), provider=provider, servers=[kafka.resource])

    def _own_zookeeper(
        self,
        scope: Construct,
        platform: Platform,
        helm: TerraformProvider,
        provider: HikubeProvider,
        namespace: Sequence[ITerraformDependable],
    ) -> ZooKeeperRelease:
        storage = {"data": platform.zookeeper.storage}
        if platform.zookeeper.log_storage:
            storage["log"] = platform.zookeeper.log_storage
        claims = _claims(
            scope,
            "zookeeper",
            self.layout.zookeeper_release(platform),
            storage,
            provider=provider,
            depends_on=namespace,
        )
        before = self._members(scope, platform, "before", provider=provider, depends_on=namespace)
        release = ZooKeeperRelease(
            scope,
            "zookeeper",
            platform=platform,
            layout=self.layout,
            overrides=self._zookeeper_values,
            charts=self._charts,
            patience=self._patience,
            provider=helm,
            depends_on=[*namespace, claims, before],
        )
        self._members(scope, platform, "after", provider=provider, depends_on=[release.resource])
        return release

    def _members(
        self,
        scope: Construct,
        platform: Platform,
        applied: Literal["before", "after"],
        *,
        provider: HikubeProvider,
        depends_on: Sequence[ITerraformDependable],
    ) -> ZooKeeperMembers:
        """Who votes: servers are taken out before their pods go, and brought in after their pods have come."""
        release = self.layout.zookeeper_release(platform)
        addresses = self.layout.zookeeper_addresses(platform)
        return terraform.named(
            ZooKeeperMembers(
                scope,
                f"members-{applied}",
                stateful_set=release,
                servers={
                    server: f"{each.host}:{each.peer_port}:{each.election_port}:participant;{each.client_port}"
                    for server, each in addresses.items()
                },
                secret=f"{release}-membership",
                applied=applied,
                provider=provider,
                depends_on=depends_on,
            ),
            terraform.name(scope, applied),
        )

    def _contract(self, platform: Platform) -> Contract:
        if self._zookeeper is None:
            return self.layout.contract(platform)
        servers = self._zookeeper.servers.model_copy(update={"chroot": platform.zookeeper.chroot})
        layout = self.layout.model_copy(update={"zookeeper": self._zookeeper.name})
        return layout.contract(platform.model_copy(update={"coordinator": servers}))

    def _namespace(self, scope: Construct) -> ITerraformDependable:
        provider = bindings("kubernetes", "provider").KubernetesProvider(
            scope,
            "kubernetes",
            alias=terraform.name(scope),
            config_path=self._kubeconfig,
            config_context=self.layout.context,
        )
        module = bindings("kubernetes", "namespace_v1")
        metadata = module.NamespaceV1Metadata(name=self.layout.namespace, labels={**_LABELS, **self.layout.labels})
        namespace: ITerraformDependable = terraform.named(
            module.NamespaceV1(
                scope,
                "namespace",
                metadata=metadata if FAMILY == "cdktf" else [metadata],
                lifecycle=TerraformResourceLifecycle(prevent_destroy=True),
                provider=provider,
            ),
            terraform.name(scope),
        )
        return namespace


def _claims(
    scope: Construct,
    chart: Chart,
    release: str,
    storage: Mapping[str, Storage],
    *,
    provider: HikubeProvider,
    depends_on: Sequence[ITerraformDependable],
) -> VolumeClaims:
    """The claims of a release: they grow before it does."""
    templates = {
        name: ClaimTemplate(size=str(each.size), storage_class=each.storage_class or None)
        for name, each in storage.items()
    }
    return terraform.named(
        VolumeClaims(
            scope,
            f"{chart}-claims",
            stateful_set=release,
            templates=templates,
            provider=provider,
            depends_on=depends_on,
        ),
        terraform.name(scope, chart),
    )


@implements(IValidation)
class _ForwardPorts:
    """Port-forwards of all platforms of a stack stand on this machine at the same time, each on a port of its own."""

    _all: ClassVar[WeakKeyDictionary[TerraformStack, list["_ForwardPorts"]]] = WeakKeyDictionary()

    def __init__(self, scope: Construct, layout: KubernetesLayout, platform: Platform) -> None:
        self.path = scope.node.path
        self.ports = range(layout.forward_port, layout.forward_port + platform.kafka.brokers)
        self._others = self._all.setdefault(TerraformStack.of(scope), [])
        self._others.append(self)

    def validate(self) -> list[str]:
        return [
            f"{self.path}: port-forwards to its brokers stand on {self.ports[0]} to {self.ports[-1]} of the machine "
            f"that applies, and so do those of {other.path}. Declare another forward_port for one of the two: "
            f"KubernetesTarget(forward_port={max(self.ports[-1], other.ports[-1]) + 100}). "
            "[kubernetes-forward-ports-twice]"
            for other in self._others
            if other is not self and {*self.ports} & {*other.ports}
        ]

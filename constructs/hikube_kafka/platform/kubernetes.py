"""Kubernetes: ZooKeeper, Kafka and Connect's workers as Helm releases, on Hikube or on any other cluster."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar, Unpack
from weakref import WeakKeyDictionary

from hikube_kafka.platform import apart, terraform
from hikube_kafka.platform.alias import alias_blocks
from hikube_kafka.platform.apart import Parts
from hikube_kafka.platform.arguments import checked, mistaken
from hikube_kafka.platform.brokers import KafkaBrokers
from hikube_kafka.platform.cdk import (
    FAMILY,
    Construct,
    ITerraformDependable,
    TerraformProvider,
    TerraformResource,
    TerraformResourceLifecycle,
    TerraformStack,
    bindings,
)
from hikube_kafka.platform.connect_release import ConnectRelease
from hikube_kafka.platform.kafka_release import KafkaRelease
from hikube_kafka.platform.kubernetes_cluster import KubernetesCluster, config_files
from hikube_kafka.platform.provider import HikubeProvider, ThroughKubernetes
from hikube_kafka.platform.release import PATIENCE, Chart, ChartRepository, HelmRelease, helm_block
from hikube_kafka.platform.rollout import Rollout
from hikube_kafka.platform.target import ConnectDelivery, Delivery, Target
from hikube_kafka.platform.volume_claims import ClaimTemplate, VolumeClaims
from hikube_kafka.platform.zookeeper_members import ZooKeeperMembers
from hikube_kafka.platform.zookeeper_release import ZooKeeperRelease
from hikube_kafka.spec.chart_values import undeclared
from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.connect_worker import group_id
from hikube_kafka.spec.mistakes import FIELD_MISSING, FIELD_UNKNOWN
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.quantities import Duration
from hikube_kafka.spec.rules.apart import Taken
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets import kubernetes_rules
from hikube_kafka.spec.targets.kubernetes import (
    KubernetesLayout,
    LayoutFields,
    Patience,
    SharedZooKeeper,
    kafka_claims,
    zookeeper_claims,
)
from hikube_kafka.spec.targets.kubernetes_rules import NAMESPACE_TWICE

_FORMER: Mapping[str, Literal["zookeeper", "kafka"]] = {"zookeeper_values": "zookeeper", "kafka_values": "kafka"}
"""Fields that older releases took, and the charts that they were for."""

_NAMESPACES: WeakKeyDictionary[TerraformStack, dict[tuple[str | None, str | None, str], ITerraformDependable]] = (
    WeakKeyDictionary()
)
"""What creates a namespace, by kubeconfig, context and name."""

_LABELS = {
    "app.kubernetes.io/part-of": "hikube-kafka",
    # The charts' pods meet the strictest of the Pod Security Standards: no pod that does not may run beside them.
    "pod-security.kubernetes.io/enforce": "restricted",
}


class KubernetesTarget(Target):
    """A cluster, known by a kubeconfig: ``KubernetesTarget(namespace="events")``.

    Args:
        kubeconfig: path of the kubeconfig, or several joined as in ``KUBECONFIG``, for Helm, for Kubernetes and for the
            provider alike; ``~`` is the user's home. None, also as the value of a variable, means what the environment
            of the plan says: the first of ``KUBE_CONFIG_PATH``, ``KUBE_CONFIG_PATHS`` and ``KUBECONFIG``, then
            ``~/.kube/config``, then the service account of the pod.
        create_namespace: whether the namespace belongs to the stack. No plan deletes it then, because it contains
            the messages. False means that it already exists, or is to outlive the stack: a namespace that the stack
            has created is forgotten and kept; needs Terraform 1.7. ``"never"`` means that the stack has never created
            it, and does not need the provider ``hashicorp/kubernetes``.
        zookeeper: an ensemble of this stack that serves several platforms, each below its own chroot. None means
            that the platform has its own.
        charts: where the charts come from. None means the installed package.
        drain: whether an apply with fewer brokers moves the replicas of those that are removed, and waits. Otherwise
            such a plan is refused while they hold any.
        patience: how long the pods of each release are waited for: ``"2h"``.
        layout: fields of :class:`~hikube_kafka.spec.targets.kubernetes.KubernetesLayout`: ``namespace``, ``context``,
            images, external access, pods, options of the JVM, times.

    Attributes:
        layout: names and addresses on the cluster.
    """

    @checked(hands_on=[*KubernetesLayout.model_fields, *_FORMER])
    def __init__(
        self,
        *,
        kubeconfig: str | None = None,
        create_namespace: bool | Literal["never"] = True,
        zookeeper: ZooKeeperRelease | None = None,
        charts: ChartRepository | None = None,
        drain: bool = False,
        patience: Patience = PATIENCE,
        **layout: Unpack[LayoutFields],
    ) -> None:
        given: dict[str, Any] = {**layout}
        self._former = [
            FIELD_UNKNOWN(
                "KubernetesTarget",
                model="KubernetesTarget",
                field=field,
                instead=undeclared(chart, given.pop(field) or {}),
            )
            for field, chart in _FORMER.items()
            if field in given
        ]
        self.layout = KubernetesLayout(**given)
        self._kubeconfig = kubeconfig
        self._create_namespace = create_namespace
        self._zookeeper = zookeeper
        self._charts = charts
        self._drain = drain
        self._patience = Duration(patience)

    @property
    def _shared(self) -> SharedZooKeeper | None:
        return self._zookeeper.shared if self._zookeeper else None

    def mistakes(self) -> Iterable[Problem]:
        """What is mistaken in the options and the layout."""
        charts = self._charts.problems("KubernetesTarget.charts") if self._charts else []
        own = [*mistaken(self), *charts, *self._former]
        meant = " ".join(problem.remedy for problem in own)
        of_layout = (
            replace(problem, remedy=problem.remedy.replace("KubernetesLayout(", "KubernetesTarget("))
            for problem in self.layout.problems("KubernetesTarget")
            # Missing, because it is misspelt.
            if problem.rule != FIELD_MISSING.id or f"Did you mean {problem.path[0]}?" not in meant
        )
        return [*own, *of_layout]

    def check(self, platform: Platform) -> Iterator[Problem]:
        """Every problem of the declaration on a cluster."""
        yield from kubernetes_rules.check(platform, self.layout, self._shared)
        if self._create_namespace is True:
            yield from kubernetes_rules.namespace_is_new(self.layout)

    def deliver(self, scope: Construct, platform: Platform) -> Delivery:
        """Add the providers, the namespace, and each part: what is done before its release, that, and after it."""
        place = self._place(scope, platform)
        shared = self._zookeeper
        zookeeper, serving = (shared, shared.resource) if shared else _delivered(_ZooKeeper(place))
        _, brokers = _delivered(_Kafka(place, zookeeper=zookeeper, serving=serving, drain=self._drain))
        return _Delivered(
            contract=self.layout.contract(platform, self._shared),
            provider=place.provider,
            servers=[brokers],
            cluster=place.cluster.uid,
            place=place,
        )

    def withdraw(self, scope: Construct, platform: Platform) -> None:
        """Add the providers alone, and keep the namespace: what contains the messages goes by hand only."""
        blocks = self._blocks(scope, platform)
        if blocks.kubernetes is not None:
            terraform.forget(scope, f"kubernetes_namespace_v1.{terraform.name(scope)}")

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
        """Add the workers' release, what waits for it, and the block that reaches them through port-forwards."""
        place = beside.place if isinstance(beside, _Delivered) else self._place(scope, platform)
        release = ConnectRelease(
            scope,
            "workers",
            platform=platform,
            layout=self.layout,
            cluster=cluster,
            bootstrap_servers=bootstrap_servers,
            charts=self._charts,
            patience=self._patience,
            wait=False,
            provider=place.helm,
            depends_on=[*place.namespace, *depends_on],
        )
        rollout = Rollout(
            scope,
            "rollout",
            stateful_set=release.name,
            replicas=cluster.workers,
            trigger=release.digest,
            patience=self._patience,
            one_per_node=self.layout.pods_of("connect").anti_affinity == "required" or None,
            provider=place.provider,
            depends_on=[release.resource],
        )
        return ConnectDelivery(
            provider=self._connect_block(scope, platform, cluster),
            ready=[terraform.named(rollout, terraform.name(scope))],
        )

    def withdraw_connect(self, scope: Construct, platform: Platform, cluster: ConnectCluster) -> None:
        """Add the block that reaches the workers alone."""
        self._connect_block(scope, platform, cluster)

    def _connect_block(self, scope: Construct, platform: Platform, cluster: ConnectCluster) -> HikubeProvider:
        provider = HikubeProvider(
            scope,
            "connect",
            kubernetes=self._reach(platform, connect_release=self.layout.connect_release(platform, cluster)),
        )
        alias_blocks(scope, group_id(platform, cluster), self._place_of_aliases(scope), provider)
        return provider

    def _place(self, scope: Construct, platform: Platform) -> "_Place":
        blocks = self._blocks(scope, platform)
        created = _NAMESPACES.setdefault(TerraformStack.of(scope), {})
        key = (self._kubeconfig, self.layout.context, self.layout.namespace)
        own = None
        if self._create_namespace is True:
            own = created[key] = self._namespace(scope, blocks.kubernetes)
        elif blocks.kubernetes is not None:
            terraform.forget(scope, f"kubernetes_namespace_v1.{terraform.name(scope)}")
        return _Place(
            scope=scope,
            platform=platform,
            layout=self.layout,
            charts=self._charts,
            patience=self._patience,
            helm=blocks.helm,
            provider=blocks.hikube,
            cluster=blocks.cluster,
            # Another platform of the stack may be what creates it.
            namespace=[created[key]] if key in created else [],
            created_namespace=own.get_string_attribute("id") if own else "",
        )

    def _blocks(self, scope: Construct, platform: Platform) -> "_Blocks":
        hikube = HikubeProvider(
            scope,
            "provider",
            kubernetes=self._reach(platform),
        )
        where = {"kubeconfig": self._kubeconfig, "context": self.layout.context}
        cluster = terraform.named(KubernetesCluster(scope, "cluster", **where, provider=hikube), terraform.name(scope))
        helm = helm_block(scope, "helm", **where, cluster=cluster)
        kubernetes: TerraformProvider | None = None
        # The state of a stack that once created the namespace still needs the block.
        if self._create_namespace != "never":
            kubernetes = bindings("kubernetes", "provider").KubernetesProvider(
                scope, "kubernetes", **config_files(self._kubeconfig, cluster), config_context=self.layout.context
            )
            apart.leads_to(kubernetes, **where)
        place = self._place_of_aliases(scope)
        alias_blocks(scope, platform.name, place, *(each for each in (helm, kubernetes, hikube) if each is not None))
        return _Blocks(helm=helm, kubernetes=kubernetes, hikube=hikube, cluster=cluster)

    def _reach(self, platform: Platform, connect_release: str | None = None) -> ThroughKubernetes:
        return ThroughKubernetes(
            namespace=self.layout.namespace,
            release=self.layout.kafka_release(platform),
            kubeconfig=self._kubeconfig,
            context=self.layout.context,
            forward_port=self.layout.forward_port,
            zookeeper_release=self._zookeeper.name if self._zookeeper else self.layout.zookeeper_release(platform),
            zookeeper_chroot=platform.zookeeper.chroot or None,
            connect_release=connect_release,
        )

    def _place_of_aliases(self, scope: Construct) -> Hashable:
        """What differs where a stack has two platforms of one name."""
        kubeconfig = terraform.resolved(self._kubeconfig or "~/.kube/config", scope)
        return kubeconfig, self.layout.context, self.layout.namespace, self.layout.release_prefix

    def _namespace(self, scope: Construct, provider: TerraformProvider | None) -> TerraformResource:
        module = bindings("kubernetes", "namespace_v1")
        metadata = module.NamespaceV1Metadata(name=self.layout.namespace, labels={**_LABELS, **self.layout.labels})
        namespace: TerraformResource = terraform.named(
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


@dataclass(frozen=True, kw_only=True)
class _Blocks:
    """The providers of a platform."""

    helm: TerraformProvider
    kubernetes: TerraformProvider | None
    """None: the stack has never created the namespace."""
    hikube: HikubeProvider
    cluster: KubernetesCluster


@apart.look_into("kubernetes_namespace")
@apart.look_into("kubernetes_namespace_v1")
def _namespace(parts: Parts, resource: TerraformResource) -> Iterator[Taken]:
    ((namespace,),) = (each.values() for each in resource.to_terraform()["resource"].values())
    metadata = namespace.get("metadata") or {}
    name = terraform.resolved(metadata[0] if isinstance(metadata, list) else metadata, resource).get("name")
    if name and "${" not in name:
        yield Taken(
            by=parts.part(resource),
            part=parts.part(resource),
            thing=f"namespace {name}",
            rule=NAMESPACE_TWICE,
            keys=frozenset({(parts.cluster(resource, "kubernetes"), name)}),
        )


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where the parts of a platform are delivered, and through which providers."""

    scope: Construct
    platform: Platform
    layout: KubernetesLayout
    charts: ChartRepository | None
    patience: Duration
    helm: TerraformProvider
    provider: HikubeProvider
    cluster: KubernetesCluster
    namespace: Sequence[ITerraformDependable]
    """What creates the namespace, if the stack does."""
    created_namespace: str
    """The namespace, if this platform creates it: a reference; empty if not."""

    def claims(
        self, chart: Chart, release: str, storage: Mapping[str, Storage], *, depends_on: Sequence[ITerraformDependable]
    ) -> VolumeClaims:
        """The claims of a release: they grow before it does, and whatever they depend on outlives its pods."""
        templates = {
            name: ClaimTemplate(size=str(each.size), storage_class=each.storage_class or None)
            for name, each in storage.items()
        }
        return terraform.named(
            VolumeClaims(
                self.scope,
                f"{chart}-claims",
                stateful_set=release,
                templates=templates,
                created_namespace=self.created_namespace,
                provider=self.provider,
                depends_on=depends_on,
            ),
            terraform.name(self.scope, chart),
        )

    def rollout(self, chart: Chart, release: HelmRelease, *, replicas: int) -> Rollout:
        """What waits after a release until its servers are there. Helm's own wait would be silent, and a lock."""
        return terraform.named(
            Rollout(
                self.scope,
                f"{chart}-rollout",
                stateful_set=release.name,
                replicas=replicas,
                trigger=release.digest,
                patience=self.patience,
                one_per_node=self.layout.pods_of(chart).anti_affinity == "required" or None,
                provider=self.provider,
                depends_on=[release.resource],
            ),
            terraform.name(self.scope, chart),
        )


@dataclass(frozen=True, kw_only=True)
class _Delivered(Delivery):
    """What this target returns, and keeps for the workers of Connect."""

    place: _Place


Release_co = TypeVar("Release_co", bound=HelmRelease, covariant=True)


class _Part(Protocol[Release_co]):
    """A part of the platform that is a release, and what must be done around it."""

    def before(self) -> Sequence[ITerraformDependable]:
        """What is applied before the release, and destroyed after it."""

    def release(self, before: Sequence[ITerraformDependable]) -> Release_co:
        """The release itself."""

    def after(self, release: HelmRelease) -> ITerraformDependable:
        """What is applied after the release; answers what is done once its servers are there."""


def _delivered(part: _Part[Release_co]) -> tuple[Release_co, ITerraformDependable]:
    release = part.release(part.before())
    return release, part.after(release)


class _ZooKeeper:
    """The ensemble: servers leave before their pods are removed, and join after their pods have started."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._release = place.layout.zookeeper_release(place.platform)

    def before(self) -> Sequence[ITerraformDependable]:
        place = self._place
        storage = zookeeper_claims(place.platform.zookeeper)
        claims = place.claims("zookeeper", self._release, storage, depends_on=place.namespace)
        return [*place.namespace, claims, self._members("before", depends_on=place.namespace)]

    def release(self, before: Sequence[ITerraformDependable]) -> ZooKeeperRelease:
        place = self._place
        return ZooKeeperRelease(
            place.scope,
            "zookeeper",
            platform=place.platform,
            layout=place.layout,
            charts=place.charts,
            patience=place.patience,
            wait=False,
            provider=place.helm,
            depends_on=before,
        )

    def after(self, release: HelmRelease) -> ITerraformDependable:
        place = self._place
        rollout = place.rollout("zookeeper", release, replicas=place.platform.zookeeper.servers)
        self._members("after", depends_on=[rollout])
        return rollout

    def _members(
        self, applied: Literal["before", "after"], *, depends_on: Sequence[ITerraformDependable]
    ) -> ZooKeeperMembers:
        place = self._place
        addresses = place.layout.zookeeper_addresses(place.platform)
        return terraform.named(
            ZooKeeperMembers(
                place.scope,
                f"members-{applied}",
                stateful_set=self._release,
                servers={server: address.voter for server, address in addresses.items()},
                secret=place.layout.membership_secret(place.platform),
                applied=applied,
                provider=place.provider,
                depends_on=depends_on,
            ),
            terraform.name(place.scope, applied),
        )


class _Kafka:
    """The brokers: none is removed while it holds replicas."""

    def __init__(
        self, place: _Place, *, zookeeper: ZooKeeperRelease, serving: ITerraformDependable, drain: bool
    ) -> None:
        self._place = place
        self._zookeeper = zookeeper
        self._serving = serving
        self._drain = drain

    def before(self) -> Sequence[ITerraformDependable]:
        place = self._place
        ready = [*place.namespace, self._serving]
        brokers = terraform.named(
            KafkaBrokers(
                place.scope,
                "brokers",
                brokers=place.platform.kafka.brokers,
                drain=self._drain or None,
                provider=place.provider,
                depends_on=ready,
            ),
            terraform.name(place.scope),
        )
        release = place.layout.kafka_release(place.platform)
        # Destroyed in the reverse order: ZooKeeper stays until the claims have seen the last broker's pod go.
        claims = place.claims("kafka", release, kafka_claims(place.platform.kafka), depends_on=ready)
        return [*ready, claims, brokers]

    def release(self, before: Sequence[ITerraformDependable]) -> KafkaRelease:
        place = self._place
        return KafkaRelease(
            place.scope,
            "kafka",
            platform=place.platform,
            layout=place.layout,
            connect=self._zookeeper.connect + place.platform.zookeeper.chroot,
            charts=place.charts,
            patience=place.patience,
            wait=False,
            provider=place.helm,
            depends_on=before,
        )

    def after(self, release: HelmRelease) -> ITerraformDependable:
        return self._place.rollout("kafka", release, replicas=self._place.platform.kafka.brokers)

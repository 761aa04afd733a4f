"""A Helm release of one of this project's charts as a construct: ``helm_release``."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from hikube_kafka.platform import apart, declarations, refusal, terraform
from hikube_kafka.platform.apart import Parts
from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import (
    AssetType,
    Construct,
    IConstruct,
    ITerraformDependable,
    TerraformAsset,
    TerraformProvider,
    TerraformResource,
    TerraformStack,
    bindings,
    require_family,
)
from hikube_kafka.platform.kubernetes_cluster import KubernetesCluster, config_files
from hikube_kafka.platform.provider import HikubeProvider
from hikube_kafka.spec.model import Declared
from hikube_kafka.spec.quantities import Duration
from hikube_kafka.spec.rules.apart import Taken
from hikube_kafka.spec.targets.kubernetes import Patience
from hikube_kafka.spec.targets.kubernetes_rules import RELEASE_TWICE

Chart = Literal["zookeeper", "kafka", "connect"]

PATIENCE = Duration("1h")
"""How long the pods of a release are waited for. A rolling update restarts the brokers one by one, each back in
sync before the next, and one with a large disk may take minutes: a wait that is too short reports a failure that
is none."""

_REVISIONS = 10
"""Revisions that Helm keeps, each as a Secret; for ``helm rollback`` after an apply that was killed."""


_CHART_VALUES = ("values", "set", "set_list", "set_sensitive", "set_wo")
"""Attributes of ``helm_release`` through which a chart gets values."""


class ChartRepository(Declared):
    """Where the charts are taken from, in place of the installed package."""

    url: str
    """``https://charts.example.com``, or an OCI reference: ``oci://mirror.example.com/charts``."""
    version: str
    """Version of the charts there: that of the package's own charts, or the values may not fit."""


class HelmRelease(Construct):
    """One release of a chart, with explicit values, which all follow from the declaration.

    The chart is copied into the stack, under a path that contains a hash of its content: the plan is the same from
    every machine, and shows when the chart itself has changed. ``atomic`` is off, because it would restart the brokers
    a second time when the first time was slow, and so is ``cleanup_on_fail``, which would uninstall what holds
    messages. An install that was interrupted is continued by the next apply.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        chart: which of the charts.
        name: name of the release.
        namespace: its namespace.
        values: what the charts are given, complete.
        charts: where the chart comes from. None means the installed package.
        patience: how long Helm waits for the pods.
        wait: whether Helm waits for the pods. It says nothing meanwhile and locks the release: with a
            :class:`~hikube_kafka.platform.rollout.Rollout` after it, it need not.
        provider: the block of the helm provider. None means the stack's default.
        depends_on: what must be applied before.

    Attributes:
        chart: which of the charts.
        name: name of the release.
        namespace: its namespace.
        resource: the ``helm_release`` itself.
        digest: of everything that the release is given, chart and values.
    """

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        chart: Chart,
        name: str,
        namespace: str,
        values: Mapping[str, Any],
        charts: ChartRepository | None = None,
        patience: Patience = PATIENCE,
        wait: bool = True,
        provider: TerraformProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        require_family(scope)
        super().__init__(scope, id)
        apart.watch(self)
        declarations.remember(self)
        self.chart = chart
        self.name = name
        self.namespace = namespace
        self._values = _yaml(values)
        where = (
            {"chart": chart, "repository": charts.url, "version": charts.version}
            if charts
            # Without its version the plan expects the one before, and the provider's apply gives another.
            else {"chart": f"./{_asset(self, chart).path}", "version": _version(chart)}
        )
        self.digest = _digest(*where.values(), self._values)
        self.resource: TerraformResource = terraform.named(
            bindings("helm", "release").Release(
                self,
                "release",
                **where,
                name=name,
                namespace=namespace,
                values=[self._values],
                wait=wait,
                timeout=Duration(patience).milliseconds // 1000,
                atomic=False,
                # After a first install that was interrupted Terraform's state is empty, and the name is taken.
                upgrade_install=True,
                max_history=_REVISIONS,
                provider=provider,
                depends_on=list(depends_on or ()),
            ),
            terraform.name(self),
        )

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What a refused release never got.

            Raises:
                RefusedError: why it was refused.
            """
            if (why := refusal.reasons(self)) is not None:
                raise refusal.RefusedError(why)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def occupies(self, parts: Parts) -> Iterator[Taken]:
        """The names of its objects in the namespace."""
        yield _release(
            parts,
            self,
            self.resource,
            name=self.name,
            namespace=self.namespace,
            objects=[self.name, f"{self.name}-headless", *self.services],
        )

    @property
    def services(self) -> Sequence[str]:
        """Names of the services, besides the one of its own name and the headless one."""
        return ()

    def values(self) -> Mapping[str, Any]:
        """What the chart is given, as it was declared: an override of ``helm_release.values`` is not in it."""
        values: Mapping[str, Any] = yaml.safe_load(self._values)
        return values

    def broken_promises(self) -> list[str]:
        """By which of its attributes the release gives the chart other values than those that were declared."""
        (resources,) = self.resource.to_terraform()["resource"].values()
        (release,) = resources.values()
        declared = {"values": [self._values]}
        return [attribute for attribute in _CHART_VALUES if release.get(attribute) != declared.get(attribute)]


@apart.look_into("helm_release")
def _somebody_elses(parts: Parts, resource: TerraformResource) -> Iterator[Taken]:
    if isinstance(resource.node.scope, HelmRelease):
        return
    ((release,),) = (each.values() for each in resource.to_terraform()["resource"].values())
    name, namespace = terraform.resolved([release.get("name"), release.get("namespace") or "default"], resource)
    if "${" not in f"{name}{namespace}":
        yield _release(parts, resource, resource, name=name, namespace=namespace, objects=[])


def _release(
    parts: Parts, by: IConstruct, resource: TerraformResource, *, name: str, namespace: str, objects: Sequence[str]
) -> Taken:
    cluster = parts.cluster(resource, "helm")
    return Taken(
        by=by.node.path,
        part=parts.part(by),
        thing=f"release {name}",
        rule=RELEASE_TWICE,
        keys=frozenset(
            {
                (cluster, namespace, "release", name),
                *((cluster, namespace, "service", service) for service in objects),
            }
        ),
        facts={"namespace": namespace},
    )


def helm_provider(
    scope: Construct,
    id: str,  # noqa: A002 - the CDK's own name for it
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    alias: str | None = None,
) -> TerraformProvider:
    """A ``provider "helm"`` block, for releases that stand alone.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        kubeconfig: as for :class:`~hikube_kafka.platform.kubernetes.KubernetesTarget`.
        context: its context. None means ``KUBE_CTX``, then the current one.
        alias: name by which resources choose this block; None makes it the stack's default.
    """
    cluster = None
    if terraform.is_reference(kubeconfig) or kubeconfig is None:
        # Only the provider hikube can tell; its own settings do not matter for that.
        alone = HikubeProvider(scope, f"{id}-hikube", alias=f"{terraform.name(scope, id).strip('_')}-kubeconfig")
        cluster = terraform.named(
            KubernetesCluster(scope, f"{id}-cluster", kubeconfig=kubeconfig, context=context, provider=alone),
            terraform.name(scope, id).strip("_"),
        )
    return helm_block(scope, id, kubeconfig=kubeconfig, context=context, alias=alias, cluster=cluster)


def helm_block(
    scope: Construct,
    id: str,  # noqa: A002 - the CDK's own name for it
    *,
    kubeconfig: str | None,
    context: str | None,
    cluster: KubernetesCluster | None,
    alias: str | None = None,
) -> TerraformProvider:
    """A ``provider "helm"`` block for a cluster that is declared, or that a plan looks up."""
    module = bindings("helm", "provider")
    provider: TerraformProvider = module.HelmProvider(
        scope,
        id,
        alias=alias,
        kubernetes=module.HelmProviderKubernetes(**config_files(kubeconfig, cluster), config_context=context),
    )
    apart.leads_to(provider, kubeconfig, context)
    return provider


def _asset(scope: Construct, chart: Chart) -> TerraformAsset:
    """The chart, once for each stack: a path with the id of a construct would be another one when the id changes."""
    stack = TerraformStack.of(scope)
    there = stack.node.try_find_child(f"chart-{chart}")
    if isinstance(there, TerraformAsset):
        return there
    with as_file(files("hikube_kafka") / "charts" / chart) as folder:
        return TerraformAsset(
            stack,
            f"chart-{chart}",
            path=str(folder),
            type=AssetType.DIRECTORY,
            asset_hash=_content_hash(folder),
        )


def _version(chart: Chart) -> str:
    about = yaml.safe_load((files("hikube_kafka") / "charts" / chart / "Chart.yaml").read_text("utf-8"))
    return str(about["version"])


def _content_hash(folder: Path) -> str:
    """Of names and contents alone: neither the order nor the dates of a file system get into a plan."""
    files_ = sorted(path for path in folder.rglob("*") if path.is_file())
    return _digest(*(part for file in files_ for part in (file.relative_to(folder).as_posix(), file.read_bytes())))


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        text = part if isinstance(part, bytes) else part.encode()
        digest.update(len(text).to_bytes(8) + text)
    return digest.hexdigest()[:16]


def _yaml(values: Mapping[str, Any]) -> str:
    """One value per line, in the order given, so that the difference of two plans is what was changed."""
    text: str = yaml.safe_dump(terraform.literal(dict(values)), sort_keys=False, width=10_000, allow_unicode=True)
    return text

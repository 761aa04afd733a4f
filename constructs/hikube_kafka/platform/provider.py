"""The Terraform provider ``hikube`` as a construct."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import WrapValidator

from hikube_kafka import __version__
from hikube_kafka.platform import apart, declarations, lock_file, refusal, terraform
from hikube_kafka.platform.arguments import checked, mistaken
from hikube_kafka.platform.cdk import (
    Construct,
    ITerraformDependable,
    TerraformProvider,
    TerraformProviderGeneratorMetadata,
    TerraformResource,
    TerraformStack,
    require_family,
)
from hikube_kafka.spec.mistakes import is_reference
from hikube_kafka.spec.model import Declared

SOURCE = "terraform.local/hikube/hikube"
"""Where Terraform looks for it: a name that no registry has, so that only an installed provider is ever used."""

METADATA = TerraformProviderGeneratorMetadata(provider_name="hikube", provider_version=__version__)


def _or_reference(value: Any, check: Callable[[Any], Any]) -> Any:
    return value if is_reference(value) else check(value)


class ThroughKubernetes(Declared):
    """Reach a cluster in Kubernetes with nothing but a kubeconfig: the provider opens the port-forwards itself."""

    namespace: str
    """Namespace of the brokers."""
    release: str
    """Name of the brokers' StatefulSet: its pods are ``<release>-0`` and so on."""
    kubeconfig: str | None = None
    """Path of the kubeconfig, or several joined as in ``KUBECONFIG``. None means what the plan's environment says."""
    context: str | None = None
    """Its context. None means ``KUBE_CTX``, then the current one."""
    forward_port: Annotated[int | None, WrapValidator(_or_reference)] = None
    """Port of broker 0's forward listener. None means 19092."""
    zookeeper_release: str | None = None
    """Name of the ZooKeeper servers' StatefulSet; needed by the quorum's data source."""
    zookeeper_chroot: str | None = None
    """Kafka's chroot in ZooKeeper, if it has one."""
    connect_release: str | None = None
    """Name of the StatefulSet of a Connect cluster's workers; needed by connectors."""
    connect_port: Annotated[int | None, WrapValidator(_or_reference)] = None
    """Port of a worker's REST interface in its pod. None means 8083."""


class HikubeProvider(TerraformProvider):
    """A ``provider "hikube"`` block: where the cluster is, and how a client proves itself.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        alias: name by which resources choose this block; None makes it the stack's default.
        bootstrap_servers: ``host:port`` of brokers, separated by commas.
        zookeeper_servers: ``host:port`` of ZooKeeper servers, separated by commas, then the chroot.
        security_protocol: ``PLAINTEXT`` (the provider's default), ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``.
        sasl_mechanism: ``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``.
        username: SASL user.
        password: SASL password: a reference to a sensitive variable, never the text itself.
        ca_certificate: the authorities' certificates, in PEM. None means those of the system.
        client_certificate: the client's own certificate chain, in PEM.
        client_key: the client's own key, in PEM: a reference to a sensitive variable, never the text itself.
        kubernetes: in place of addresses.
        connect_url: URLs of the workers of a Connect cluster, separated by commas: ``http://127.0.0.1:8083``.
        local_connect: in place of URLs, name or folder of a Connect cluster of the machine on which Terraform runs: its
            workers are met where they were last declared to be.

    Attributes:
        kubernetes: as it was given.
    """

    @checked()
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        alias: str | None = None,
        bootstrap_servers: str | None = None,
        zookeeper_servers: str | None = None,
        security_protocol: str | None = None,
        sasl_mechanism: str | None = None,
        username: str | None = None,
        password: str | None = None,
        ca_certificate: str | None = None,
        client_certificate: str | None = None,
        client_key: str | None = None,
        kubernetes: ThroughKubernetes | None = None,
        connect_url: str | None = None,
        local_connect: str | None = None,
    ) -> None:
        require_family(scope)
        super().__init__(
            scope,
            id,
            terraform_resource_type="hikube",
            terraform_generator_metadata=METADATA,
            terraform_provider_source=SOURCE,
        )
        lock_file.keep(TerraformStack.of(self))
        self._alias = alias
        self.kubernetes = kubernetes
        self._bootstrap_servers = bootstrap_servers
        self._connect_url = connect_url
        self._local_connect = local_connect
        self._attributes = {
            "bootstrap_servers": bootstrap_servers,
            "zookeeper_servers": zookeeper_servers,
            "security_protocol": security_protocol,
            "sasl_mechanism": sasl_mechanism,
            "username": username,
            "password": password,
            "ca_certificate": ca_certificate,
            "client_certificate": client_certificate,
            "client_key": client_key,
            "kubernetes": kubernetes.model_dump() if kubernetes else None,
            "connect_url": connect_url,
            "local_connect": local_connect,
        }
        of_kubernetes = kubernetes.problems(f"{type(self).__name__}.kubernetes") if kubernetes else []
        if found := [*mistaken(self), *of_kubernetes]:
            self.kubernetes = None
            apart.watch(self)
            refusal.refuse(self, found)

    # The CDK's own property ignores what is assigned to it: each binding has to define it.
    @property
    def alias(self) -> str | None:
        """Name by which resources choose this block."""
        return self._alias

    @alias.setter
    def alias(self, value: str | None) -> None:
        self._alias = value

    @property
    def bootstrap_servers(self) -> str | None:
        """``host:port`` of brokers, separated by commas, as it was declared."""
        return self._bootstrap_servers

    @cached_property
    def clusters(self) -> frozenset[Hashable]:
        """What tells the cluster apart from others; a cluster that is known by several addresses has several."""
        if self.kubernetes is not None:
            reach = self.kubernetes
            cluster = apart.cluster(apart.settings(reach.kubeconfig, reach.context), self)
            return frozenset({(cluster, reach.namespace, reach.release)})
        addresses = self._bootstrap_servers or ""
        if "${" in addresses:
            return frozenset({(TerraformStack.of(self).node.path, terraform.resolved(addresses, self))})
        return frozenset(address.strip().replace("localhost", "127.0.0.1") for address in addresses.split(","))

    @cached_property
    def connect_clusters(self) -> frozenset[Hashable]:
        """What tells the Connect cluster apart from others, as for :attr:`clusters`; empty where there is none."""
        if self.kubernetes is not None and self.kubernetes.connect_release is not None:
            reach = self.kubernetes
            cluster = apart.cluster(apart.settings(reach.kubeconfig, reach.context), self)
            return frozenset({(cluster, reach.namespace, reach.connect_release)})
        if self._local_connect is not None:
            return frozenset({terraform.resolved(self._local_connect, self)})
        urls = self._connect_url or ""
        if "${" in urls:
            return frozenset({(TerraformStack.of(self).node.path, terraform.resolved(urls, self))})
        # http://localhost:8083/ and http://127.0.0.1:8083 are one worker.
        each = (url.strip().rstrip("/").lower().replace("//localhost:", "//127.0.0.1:") for url in urls.split(","))
        return frozenset(url for url in each if url)

    def _synthesize_attributes(self) -> Mapping[str, Any]:
        return self._attributes


class HikubeResource(TerraformResource):
    """A resource of the provider: its type, and the attributes that were declared of it."""

    promised: ClassVar[frozenset[str]] = frozenset()
    """Attributes whose values the contract of a platform promises, or follows from."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        resource_type: str,
        attributes: Mapping[str, Any],
        *,
        provider: HikubeProvider | None,
        depends_on: Sequence[ITerraformDependable] | None,
    ) -> None:
        super().__init__(
            scope,
            id,
            terraform_resource_type=resource_type,
            terraform_generator_metadata=METADATA,
            provider=provider,
            depends_on=depends_on,
        )
        apart.watch(self)
        declarations.remember(self)
        self._attributes = attributes
        self._overridden: dict[str, object] = {}

    def add_override(self, path: str, value: Any) -> None:
        """Change what is synthesized, as the CDK's own does; :meth:`broken_promises` knows of it.

        Args:
            path: where, with dots between the parts.
            value: what it becomes; None removes it.
        """
        super().add_override(path, value)
        self._overridden[path] = value

    @property
    def declared(self) -> Mapping[str, Any]:
        """The attributes that were declared of it, each as it was overridden."""
        return {**self._attributes, **self._overridden}

    def given(self) -> Mapping[str, Any]:
        """What Terraform is given: the attributes, with what was overridden at any depth."""
        if not self._overridden:
            return self._attributes
        (resources,) = self.to_terraform()["resource"].values()
        (attributes,) = resources.values()
        # What is null is left out there.
        return dict.fromkeys(self._attributes) | dict(attributes)

    def broken_promises(self) -> list[str]:
        """What was overridden of what the contract promises, by path, but for what stayed the same."""
        return [
            path
            for path, value in self._overridden.items()
            if path.partition(".")[0] in self.promised
            and (path not in self._attributes or self._attributes[path] != value)
        ]

    def _synthesize_attributes(self) -> Mapping[str, Any]:
        # One that is refused never got any, and its guard is asked after it.
        return getattr(self, "_attributes", {})

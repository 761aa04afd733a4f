"""The cluster of Kubernetes that a plan is about, as a construct: the data source ``hikube_kubernetes_cluster``."""

import os
from collections.abc import Mapping
from typing import Any

from hikube_kafka.platform import terraform
from hikube_kafka.platform.cdk import Construct, TerraformDataSource
from hikube_kafka.platform.provider import METADATA, HikubeProvider


class KubernetesCluster(TerraformDataSource):
    """Looked up at every plan: which kubeconfig leads to it, and what tells it apart. Properties are references.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        kubeconfig: path of the kubeconfig, or several joined as in ``KUBECONFIG``. None means what the environment of
            the plan says.
        context: its context. None means ``KUBE_CTX``, then the current one.
        provider: the block that looks it up; None means the stack's default.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        provider: HikubeProvider | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            terraform_resource_type="hikube_kubernetes_cluster",
            terraform_generator_metadata=METADATA,
            provider=provider,
        )
        self._attributes = {"kubeconfig": kubeconfig, "context": context}

    @property
    def config_path(self) -> str:
        """The one kubeconfig, for a provider's setting of that name; null where there are several, or none."""
        return self.get_string_attribute("config_path")

    @property
    def config_paths(self) -> list[str]:
        """The kubeconfigs, for a provider's setting of that name; null where there is one, or none."""
        return self.get_list_attribute("config_paths")

    @property
    def server(self) -> str:
        """Address of its API server; null where it could not be asked."""
        return self.get_string_attribute("server")

    @property
    def id(self) -> str:
        """Context, kubeconfig and server in words."""
        return self.get_string_attribute("id")

    @property
    def uid(self) -> str:
        """UID of its namespace ``kube-system``; null where it cannot be read."""
        return self.get_string_attribute("uid")

    def _synthesize_attributes(self) -> Mapping[str, Any]:
        return self._attributes


def config_files(kubeconfig: str | None, cluster: KubernetesCluster | None) -> dict[str, Any]:
    """Settings of the providers ``helm`` and ``kubernetes``: the declared files, or those that a plan finds.

    Args:
        kubeconfig: as it was declared.
        cluster: what looks it up, unless it is declared.
    """
    if kubeconfig is not None and not terraform.is_reference(kubeconfig):
        files = [path for path in kubeconfig.split(os.pathsep) if path]
        return {"config_path": kubeconfig} if len(files) == 1 else {"config_paths": files}
    if cluster is None:
        raise ValueError("a kubeconfig that is not declared has to be looked up")
    return {"config_path": cluster.config_path, "config_paths": cluster.config_paths}

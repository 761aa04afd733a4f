"""``hikube_kubernetes_cluster``: which kubeconfig leads to the cluster, and what tells it apart from every other."""

from hikube_kafka.kubernetes.errors import ContextUnknownError, KubeconfigError, KubernetesError
from hikube_kafka.kubernetes.kubeconfig import contradictions, kubeconfig
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.resource import DataSource, State
from hikube_kafka.plugin.schema import STRING, Attribute, List, Schema


class KubernetesClusterDataSource(DataSource):
    """Read at every plan. A cluster that does not answer, or does not say what it is, is an answer."""

    type_name = "hikube_kubernetes_cluster"
    schema = Schema(
        description="Which kubeconfig and context lead to the cluster, by the same rule as the provider's `kubernetes` "
        "block and `hikube-kafka smoke`: for the settings of other providers, which do not read `KUBECONFIG`. It does "
        "not need the cluster to answer.",
        attributes={
            "kubeconfig": Attribute(
                STRING,
                optional=True,
                description="Path of the kubeconfig, or several joined as in `KUBECONFIG`. Default: the first that is "
                "set of `KUBE_CONFIG_PATH`, `KUBE_CONFIG_PATHS` and `KUBECONFIG`, then `~/.kube/config`, then the "
                "service account of the pod that Terraform runs in.",
            ),
            "context": Attribute(
                STRING, optional=True, description="Its context. Default: `KUBE_CTX`, then the current one."
            ),
            "config_path": Attribute(
                STRING,
                computed=True,
                description="The kubeconfig, as it was named; null: there are several, or none.",
            ),
            "config_paths": Attribute(
                List(STRING), computed=True, description="The kubeconfigs; null: there is one, or none."
            ),
            "server": Attribute(
                STRING, computed=True, description="Address of the API server; null: it could not be asked."
            ),
            "uid": Attribute(
                STRING,
                computed=True,
                description="UID of the namespace `kube-system`, which no other cluster has; null: the user may not "
                "read it, or the API server could not be asked.",
            ),
            "id": Attribute(
                STRING, computed=True, description="Context, kubeconfig and server in words: a plan shows it."
            ),
        },
    )

    def read(self, config: State) -> State:
        """Find the kubeconfig, and ask its cluster who it is."""
        found = kubeconfig(config["kubeconfig"], config["context"])
        for each in contradictions(found):
            warn("The environment leads to two clusters", each)
        context, server, uid = found.context, None, None
        try:
            context, server, uid = _asked(config)
        except ContextUnknownError as problem:
            raise Refusal(_not_found(problem)) from None
        except KubeconfigError as problem:
            # A file that is declared, or the default, may be what an apply writes; who set a variable means one that
            # is there, and other providers would say no more than that localhost does not answer.
            if found.source not in {"declared", "default"}:
                raise Refusal(_not_found(problem)) from None
        except KubernetesError:
            pass
        several = len(found.paths) > 1
        where = f"{f'context {context}' if context else 'current context'} of {found.where}"
        return {
            **config,
            "config_path": found.paths[0] if len(found.paths) == 1 else None,
            "config_paths": list(found.paths) if several else None,
            "server": server,
            "uid": uid,
            "id": where + (f", {server}" if server else ""),
        }


def _not_found(problem: KubernetesError) -> Diagnostic:
    text = str(problem)
    return Diagnostic("The kubeconfig does not lead to a cluster", f"{text[:1].upper()}{text[1:]}")


def _asked(config: State) -> tuple[str | None, str, str | None]:
    from hikube_kafka.kubernetes.client import ApiServer, ask

    async def who(api: ApiServer) -> tuple[str | None, str, str | None]:
        return api.context, api.server, await api.cluster()

    # Its namespace does not matter here.
    return ask(config["kubeconfig"], config["context"], "default", who)

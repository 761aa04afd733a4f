"""The rollout of a StatefulSet as a construct: ``hikube_rollout``."""

from collections.abc import Mapping, Sequence

from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource
from hikube_kafka.platform.release import PATIENCE
from hikube_kafka.spec.quantities import Duration
from hikube_kafka.spec.targets.kubernetes import Patience


class Rollout(HikubeResource):
    """Waits after a release until every pod of its StatefulSet is ready, and says what stands in the way.

    It must depend on the release, and whatever needs the servers on it.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        stateful_set: name of the StatefulSet, in the namespace of the provider's ``kubernetes``.
        replicas: how many pods it is to have. Changed by hand, it is drift, which the next apply heals.
        trigger: changes with whatever the release is given, such as :attr:`.HelmRelease.digest`: the apply then waits.
        patience: how long the pods may take.
        one_per_node: whether no two of its pods may share a node: a plan then says where there are too few nodes.
            None means that they may.
        release: name of the Helm release. None means that of the StatefulSet.
        provider: the block whose cluster has it; None means the stack's default.
        depends_on: what must be applied before: the release.
    """

    promised = frozenset({"replicas"})

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        stateful_set: str,
        replicas: int,
        trigger: str,
        patience: Patience = PATIENCE,
        one_per_node: bool | None = None,
        release: str | None = None,
        provider: HikubeProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            "hikube_rollout",
            {
                "stateful_set": stateful_set,
                "replicas": replicas,
                "trigger": trigger,
                "patience": Duration(patience).milliseconds // 1000,
                "one_per_node": one_per_node,
                "release": release,
            },
            provider=provider,
            depends_on=depends_on,
        )

    @property
    def servers(self) -> Mapping[str, str]:
        """What each pod is, by name: a reference."""
        return self.get_string_map_attribute("servers")

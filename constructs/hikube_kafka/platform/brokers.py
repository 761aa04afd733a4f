"""The number of brokers as a construct: ``hikube_kafka_brokers``."""

from collections.abc import Sequence

from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource


class KafkaBrokers(HikubeResource):
    """The number of brokers: none is removed while it holds replicas, and a plan counts on those that are added.

    It starts and stops none. What does, usually a release, must depend on it, and the topics on that.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        brokers: number of brokers; their ids are 0 to one less than it.
        drain: move the replicas of brokers that are removed, and wait for it. None means false: such a plan is refused.
        provider: the block whose cluster has them; None means the stack's default.
        depends_on: what must be applied before.
    """

    promised = frozenset({"brokers"})

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        brokers: int,
        drain: bool | None = None,
        provider: HikubeProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            "hikube_kafka_brokers",
            {"brokers": brokers, "drain": drain},
            provider=provider,
            depends_on=depends_on,
        )

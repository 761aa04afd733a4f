"""The number of brokers as a construct: ``hikube_kafka_brokers``."""

from collections.abc import Iterator, Sequence

from hikube_kafka.platform.apart import Parts
from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable, TerraformStack
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource
from hikube_kafka.spec.rules.apart import Taken
from hikube_kafka.spec.targets.kubernetes import FORWARD_PORT
from hikube_kafka.spec.targets.kubernetes_rules import FORWARD_PORTS_TWICE


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

    @checked_part
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
        self._brokers = brokers

    def occupies(self, parts: Parts) -> Iterator[Taken]:
        """The ports of this machine that lead to the brokers."""
        ports = self._forwarded(parts)
        if not ports:
            return
        stack = TerraformStack.of(self)
        others = (each for each in parts.all if isinstance(each, KafkaBrokers) and TerraformStack.of(each) is stack)
        yield Taken(
            by=parts.part(self),
            part=parts.part(self),
            thing=f"{ports[0]} to {ports[-1]}",
            rule=FORWARD_PORTS_TWICE,
            # Platforms of two stacks are usually applied one after the other.
            keys=frozenset((stack.node.path, port) for port in ports),
            facts={"free": max(last for each in others for last in each._forwarded(parts)[-1:]) + 100},  # noqa: SLF001
        )

    def _forwarded(self, parts: Parts) -> range:
        provider = parts.provider(self, "hikube")
        reach = provider.kubernetes if isinstance(provider, HikubeProvider) else None
        first = reach.forward_port or FORWARD_PORT if reach else 0
        return range(first, first + self._brokers) if reach else range(0)

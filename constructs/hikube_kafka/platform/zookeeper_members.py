"""Who votes in a ZooKeeper ensemble, as a construct: ``hikube_zookeeper_members``."""

from collections.abc import Mapping, Sequence
from typing import Literal

from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource


class ZooKeeperMembers(HikubeResource):
    """The voters of an ensemble: one before the release, where servers leave, and one after it, where servers join.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        stateful_set: name of the servers' StatefulSet: server 1 is its pod 0.
        servers: those that are to vote, by ``myid``, each as ZooKeeper lists it:
            ``host:2888:3888:participant;2181``. An odd number.
        secret: name of the Secret whose ``password`` is that of ZooKeeper's user ``super``.
        applied: before or after the release.
        provider: the block whose cluster has them; None means the stack's default.
        depends_on: what must be applied before.
    """

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        stateful_set: str,
        servers: Mapping[int, str],
        secret: str,
        applied: Literal["before", "after"],
        provider: HikubeProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            "hikube_zookeeper_members",
            {
                "stateful_set": stateful_set,
                "servers": {str(server): address for server, address in servers.items()},
                "secret": secret,
                "applied": applied,
            },
            provider=provider,
            depends_on=depends_on,
        )

    @property
    def voters(self) -> Sequence[float]:
        """The servers that vote, by ``myid``: a reference."""
        return self.get_number_list_attribute("voters")

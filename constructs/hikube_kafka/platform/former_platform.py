"""A platform that is no longer declared, for as long as it takes to take it away."""

from collections.abc import Iterable

from hikube_kafka.platform import apart, refusal
from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import Construct, require_family
from hikube_kafka.platform.target import Target
from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.zookeeper import ZooKeeper


class FormerPlatform(Construct):
    """In place of a :class:`KafkaPlatform` that is taken away, until the apply has done it.

    It keeps the blocks of the providers, without which Terraform cannot plan ("Provider configuration not present").
    The plan deletes the topics and the servers, and everything that protects them is asked as always. The claims stay,
    and the namespace as well.

    Args:
        scope: what held the platform.
        id: the platform's id.
        target: the platform's target.
        zookeeper: the platform's ZooKeeper servers: matters for a chroot, and on this machine for their addresses.
        kafka: the platform's brokers: matters on this machine for their addresses.
        name: the platform's name. None means the id.
        connect: the platform's Connect clusters: their names matter.
    """

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        target: Target,
        zookeeper: ZooKeeper | None = None,
        kafka: Kafka | None = None,
        name: str | None = None,
        connect: Iterable[ConnectCluster] = (),
    ) -> None:
        require_family(scope)
        super().__init__(scope, id)
        apart.watch(self, whole=True)
        declared = Platform(
            name=name or id, zookeeper=zookeeper or ZooKeeper(), kafka=kafka or Kafka(), connect=tuple(connect)
        )
        if found := [*declared.problems("FormerPlatform"), *target.mistakes()]:
            refusal.refuse(self, found)
            return
        target.withdraw(self, declared)
        if declared.connect:
            clusters = Construct(self, "connect")
            for cluster in declared.connect:
                target.withdraw_connect(Construct(clusters, cluster.name), declared, cluster)

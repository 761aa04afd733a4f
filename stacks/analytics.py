"""Analytics: the changes of a PostgreSQL database in ClickHouse, in Elasticsearch and in a second database at once."""

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import Kafka, LocalLayout, Resources, Topic, ZooKeeper


class AnalyticsPlatform(TerraformStack):
    """The platform ``analytics``.

    Args:
        scope: the app.
        id: name of the stack.
        small: one broker, one ZooKeeper server and one worker: a failure of one interrupts.
    """

    def __init__(self, scope: Construct, id: str, *, small: bool = False) -> None:  # noqa: A002 - the CDK's name
        super().__init__(scope, id)
        LocalBackend(self, path=f"../../../{id}.tfstate")
        self.platform = KafkaPlatform(
            self,
            "analytics",
            target=LocalTarget(
                LocalLayout(broker_port=32092, zookeeper_port=32181, peer_port=32288, election_port=32388),
                keep_data=False,
            ),
            zookeeper=ZooKeeper(servers=1 if small else 3, resources=Resources(cpu="250m", memory="256Mi")),
            kafka=Kafka(brokers=1 if small else 3, resources=Resources(cpu=1, memory="1Gi")),
            topics=[
                Topic("shop.orders", partitions=3, config={"cleanup.policy": "compact"}, deletion_protection=False),
            ],
        )

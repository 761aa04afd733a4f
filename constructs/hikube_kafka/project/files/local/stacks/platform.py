"""The platform PLATFORM: three ZooKeeper servers and three brokers as processes of this machine."""

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import Duration, Kafka, Resources, Topic, ZooKeeper


class PlatformStack(TerraformStack):
    """The platform, and the state that remembers it."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)

        # Terraform runs in cdktf.out/stacks/<id>: the state stays beside this project when cdktf.out is deleted.
        LocalBackend(self, path=f"../../../{id}.tfstate")

        self.platform = KafkaPlatform(
            self,
            "PLATFORM",
            target=LocalTarget(),
            zookeeper=ZooKeeper(servers=3, resources=Resources(cpu="250m", memory="256Mi")),
            kafka=Kafka(brokers=3, resources=Resources(cpu=1, memory="1Gi")),
            topics=[
                Topic("orders", partitions=6, config={"retention.ms": Duration("7d").milliseconds}),
                Topic("customers", partitions=3, config={"cleanup.policy": "compact"}),
            ],
        )

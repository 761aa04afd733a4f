"""The platform PLATFORM: three ZooKeeper servers and three brokers in a namespace of a Kubernetes cluster."""

from hikube_kafka.platform import KafkaPlatform, KubernetesTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import Duration, Kafka, Resources, Storage, Topic, ZooKeeper


class PlatformStack(TerraformStack):
    """The platform, and the state that remembers it."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)

        # Terraform runs in cdktf.out/stacks/<id>: the state stays beside this project when cdktf.out is deleted. A team
        # keeps it where all of it can reach and lock it: S3Backend, GcsBackend, HttpBackend.
        LocalBackend(self, path=f"../../../{id}.tfstate")

        self.platform = KafkaPlatform(
            self,
            "PLATFORM",
            target=KubernetesTarget(namespace="PLATFORM"),
            # Storage("5Gi", storage_class="replicated") chooses a class; the default is the cluster's own.
            zookeeper=ZooKeeper(servers=3, storage=Storage("1Gi")),
            kafka=Kafka(brokers=3, storage=Storage("4Gi"), resources=Resources.preset("medium")),
            topics=[
                Topic("orders", partitions=6, config={"retention.ms": Duration("7d").milliseconds}),
                Topic("customers", partitions=3, config={"cleanup.policy": "compact"}),
            ],
        )

"""A declaration as people write it: mypy and editors must take all of it, with their pydantic plugin and without."""

from hikube_kafka.platform import KafkaPlatform, KubernetesTarget, LocalTarget
from hikube_kafka.platform.cdk import TerraformStack
from hikube_kafka.spec import (
    ClaimRetention,
    ClientPods,
    ExternalAccess,
    Image,
    Kafka,
    KubernetesLayout,
    Listener,
    LocalLayout,
    Pods,
    Resources,
    Storage,
    Toleration,
    Topic,
    Workload,
    ZooKeeper,
)


def in_kubernetes(stack: TerraformStack) -> KafkaPlatform:
    zones = ["zone-a", "zone-b", "zone-c"]
    entries = {"num.partitions": 6}
    return KafkaPlatform(
        stack,
        "natural",
        target=KubernetesTarget(
            namespace="events",
            patience="2h",
            kafka_image=Image(repository="apache/kafka", tag="3.9.2"),
            image_pull_secrets=["registry"],
            claims=ClaimRetention(when_scaled="Retain"),
            pods=Pods(
                anti_affinity="preferred",
                node_selector={"disk": "fast"},
                tolerations=[Toleration(key="kafka", effect="NoSchedule")],
            ),
            kafka_jvm_options=["-XX:+UseG1GC"],
            kafka_startup="6h",
            kafka_clients=[ClientPods(namespace="shop", labels={"app": "orders"})],
            external=ExternalAccess(type="NodePort", listener="external", node_port=30092, sources=["203.0.113.0/24"]),
            labels={"team": "orders"},
        ),
        zookeeper=ZooKeeper(servers=3, heap="256m", resources=Resources(cpu="500m", memory="512Mi")),
        kafka=Kafka(
            brokers=3,
            storage=Storage("100Gi"),
            resources=Resources(cpu=0.5, memory="4Gi"),
            heap="1500m",
            listeners=[Listener("client", port=9092), Listener("external", port=9094)],
            racks=zones,
            config=entries,
        ),
        topics=[Topic("orders", partitions=6, config={"cleanup.policy": "compact", "retention.ms": 604_800_000})],
    )


def on_this_machine(stack: TerraformStack) -> KafkaPlatform:
    return KafkaPlatform(
        stack,
        "local",
        target=LocalTarget(LocalLayout(broker_port=31092)),
        workload=Workload(write="1MB/s", retention="7d", fan_out=2, message_size="2Ki"),
    )


def layout() -> KubernetesLayout:
    return KubernetesLayout(namespace="events", zookeeper="shared-zookeeper", kafka_startup="1h")

"""Declarations with one mistake each, never run: strict mypy names an ignored error that is none."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hikube_kafka.platform import KubernetesTarget
    from hikube_kafka.spec import ExternalAccess, Kafka, KubernetesLayout, Pods, Resources, Storage, Topic, ZooKeeper

    KubernetesTarget(name_space="events")  # type: ignore[call-arg]
    KubernetesTarget()  # type: ignore[call-arg]
    KubernetesTarget(namespace="events", forward_port="y")  # type: ignore[arg-type]
    KubernetesTarget(namespace="events", labels=["team"])  # type: ignore[arg-type]
    KubernetesTarget(namespace="events", pods={"anti_affinity": "preferred"})  # type: ignore[arg-type]
    KubernetesTarget(namespace="events", kafka_startup=60)  # type: ignore[arg-type]
    KubernetesTarget(namespace="events", patience=3600)  # type: ignore[arg-type]
    KubernetesTarget(namespace="events", image_pull_secrets="registry")  # type: ignore[arg-type]
    KubernetesLayout(namespace="events", forwardport=19092)  # type: ignore[call-arg]
    Kafka(heap=1.5)  # type: ignore[arg-type]
    Kafka(racks="zone-a")  # type: ignore[arg-type]
    Kafka(broker=3)  # type: ignore[call-arg]
    Kafka(storage="100Gi")  # type: ignore[arg-type]
    Kafka(config={"num.partitions": None})  # type: ignore[dict-item]
    ZooKeeper(heap=512, server=3)  # type: ignore[arg-type,call-arg]
    Pods(anti_affinity="never")  # type: ignore[arg-type]
    ExternalAccess(type="NodePort", sources="203.0.113.0/24")  # type: ignore[arg-type]
    Resources(cpu=1, memory=2)  # type: ignore[arg-type]
    Storage(100)  # type: ignore[arg-type]
    Topic("orders", partitions="6")  # type: ignore[arg-type]
    Kafka().config["num.partitions"] = 1  # type: ignore[index]

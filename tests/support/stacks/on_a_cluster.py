"""The stack that tests deliver to a cluster. Usage: FOLDER KUBECONFIG NAMESPACE DECLARED CREATE_NAMESPACE."""

import json
import sys

from hikube_kafka.platform import App, KafkaPlatform, KubernetesTarget
from hikube_kafka.platform.cdk import LocalBackend, TerraformStack
from hikube_kafka.spec import Kafka, Pods, Resources, Storage, Topic, ZooKeeper

out, kubeconfig, namespace, declared, create = *sys.argv[1:4], json.loads(sys.argv[4]), json.loads(sys.argv[5])
app = App(outdir=out)
stack = TerraformStack(app, "shop")
LocalBackend(stack, path="../../../shop.tfstate")
KafkaPlatform(
    stack,
    "shop",
    target=KubernetesTarget(
        namespace=namespace,
        kubeconfig=kubeconfig,
        create_namespace=create or "never",
        drain=declared["drain"],
        # A fourth broker has to find a place on three nodes.
        pods=Pods(anti_affinity="preferred"),
    ),
    zookeeper=ZooKeeper(
        servers=declared["servers"],
        storage=Storage("1Gi"),
        resources=Resources(cpu="250m", memory="512Mi"),
    ),
    kafka=Kafka(
        brokers=declared["brokers"],
        storage=Storage(declared["storage"]),
        resources=Resources(cpu="500m", memory="1Gi"),
        config=declared["config"],
    ),
    topics=[
        Topic("orders", partitions=6, deletion_protection=False),
        Topic("audit", partitions=3, config={"retention.ms": 3_600_000}, deletion_protection=False),
    ],
)
app.synth()

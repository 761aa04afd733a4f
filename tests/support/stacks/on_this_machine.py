"""The stack that tests deliver to this machine. Usage: FOLDER LAYOUT DIRECTORY."""

import sys

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import App, LocalBackend, TerraformStack
from hikube_kafka.spec import Kafka, LocalLayout, Resources, Topic, ZooKeeper

app = App(outdir=sys.argv[1])
stack = TerraformStack(app, "shop")
LocalBackend(stack, path="shop.tfstate")
KafkaPlatform(
    stack,
    "shop",
    target=LocalTarget(LocalLayout.model_validate_json(sys.argv[2]), directory=sys.argv[3], keep_data=False),
    zookeeper=ZooKeeper(servers=3, resources=Resources(cpu="250m", memory="256Mi")),
    kafka=Kafka(brokers=3, resources=Resources(cpu=1, memory="512Mi")),
    topics=[
        Topic("orders", partitions=6, deletion_protection=False),
        Topic("cache", partitions=1, replication_factor=1, deletion_protection=False),
    ],
)
app.synth()

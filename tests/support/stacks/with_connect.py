"""A platform with two Connect workers on this machine. Usage: FOLDER LAYOUT DIRECTORY SOURCE SINK."""

import sys

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import App, LocalBackend, TerraformStack
from hikube_kafka.spec import ConnectCluster, Connector, Kafka, LocalLayout, Plugin, Resources, Topic, ZooKeeper

_, folder, layout, directory, source, sink = sys.argv
FILE = "org.apache.kafka.connect.file.FileStream"
LINES = {"value.converter": "org.apache.kafka.connect.storage.StringConverter"}

app = App(outdir=folder)
stack = TerraformStack(app, "shop")
LocalBackend(stack, path="shop.tfstate")
KafkaPlatform(
    stack,
    "shop",
    target=LocalTarget(LocalLayout.model_validate_json(layout), directory=directory, keep_data=False),
    zookeeper=ZooKeeper(servers=1, resources=Resources(cpu="250m", memory="256Mi")),
    kafka=Kafka(brokers=1, resources=Resources(cpu=1, memory="768Mi")),
    topics=[Topic("lines", partitions=2, deletion_protection=False)],
    connect=[
        ConnectCluster(
            "files",
            workers=2,
            resources=Resources(cpu="500m", memory="768Mi"),
            plugins=[
                Plugin(
                    "file",
                    version="3.9.2",
                    classes=[f"{FILE}SourceConnector", f"{FILE}SinkConnector"],
                    maven="org.apache.kafka:connect-file:3.9.2",
                )
            ],
            connectors=[
                Connector("in", f"{FILE}SourceConnector", config={"file": source, "topic": "lines", **LINES}),
                Connector("out", f"{FILE}SinkConnector", config={"file": sink, "topics": "lines", **LINES}),
            ],
            deletion_protection=False,
        )
    ],
)
app.synth()

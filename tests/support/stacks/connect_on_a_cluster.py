"""The stack with a Connect cluster that tests deliver to a cluster. Usage: FOLDER KUBECONFIG NAMESPACE DECLARED _."""

import json
import sys

from hikube_kafka.platform import App, KafkaPlatform, KubernetesTarget
from hikube_kafka.platform.cdk import LocalBackend, TerraformStack
from hikube_kafka.spec import ConnectCluster, Connector, Kafka, Plugin, Resources, Storage, Topic, ZooKeeper

out, kubeconfig, namespace, declared = *sys.argv[1:4], json.loads(sys.argv[4])
CAPTURE, JDBC = "io.debezium.connector.postgresql.PostgresConnector", "io.debezium.connector.jdbc.JdbcSinkConnector"
WITH_SCHEMA = {
    f"{part}.converter{key}": value
    for part in ("key", "value")
    for key, value in (("", "org.apache.kafka.connect.json.JsonConverter"), (".schemas.enable", True))
}
FILE = "org.apache.kafka.connect.file.FileStreamSourceConnector"
QUICKLY = ["-XX:TieredStopAtLevel=1"]
PASSWORD = "${dir:/secrets/database:password}"
app = App(outdir=out)
stack = TerraformStack(app, "shop")
LocalBackend(stack, path="../../../shop.tfstate")
KafkaPlatform(
    stack,
    "shop",
    target=KubernetesTarget(
        namespace=namespace,
        kubeconfig=kubeconfig,
        create_namespace="never",
        forward_port=declared["forward_port"],
        # What a server does in a test is not worth the compiler that optimizes: it starts sooner.
        zookeeper_jvm_options=QUICKLY,
        kafka_jvm_options=QUICKLY,
        connect_jvm_options=QUICKLY,
    ),
    zookeeper=ZooKeeper(servers=1, storage=Storage("1Gi"), resources=Resources(cpu="500m", memory="512Mi")),
    kafka=Kafka(brokers=1, storage=Storage("1Gi"), resources=Resources(cpu="1", memory="1Gi")),
    topics=[Topic("shop.public.orders", partitions=1, deletion_protection=False)],
    connect=[
        ConnectCluster(
            "changes",
            workers=2,
            resources=Resources(cpu="1500m", memory="1Gi"),
            plugins=[
                # A file of an image that is there; the others are archives.
                Plugin(
                    "file",
                    version="3.9.2",
                    classes=[FILE],
                    image="apache/kafka:3.9.2",
                    image_path="/opt/kafka/libs/connect-file-3.9.2.jar",
                ),
                *(
                    Plugin(
                        name,
                        version=version,
                        classes=[class_name],
                        archive=f"{declared['files']}/{file}",
                        checksum=checksum,
                    )
                    for name, version, class_name, (file, checksum) in (
                        ("capture", "3.1.3.Final", CAPTURE, declared["capture"]),
                        ("jdbc", "3.1.2.Final", JDBC, declared["jdbc"]),
                    )
                ),
            ],
            connectors=[
                Connector(
                    "orders",
                    CAPTURE,
                    config={
                        "database.hostname": "outside",
                        "database.user": "shop",
                        "database.password": PASSWORD,
                        "database.dbname": "shop",
                        "plugin.name": "pgoutput",
                        "publication.autocreate.mode": "filtered",
                        "table.include.list": "public.orders",
                        "topic.prefix": "shop",
                        "snapshot.mode": "initial",
                        **WITH_SCHEMA,
                    },
                ),
                Connector(
                    "copy",
                    JDBC,
                    config={
                        "topics": "shop.public.orders",
                        "connection.url": "jdbc:postgresql://outside:5432/shop",
                        "connection.username": "shop",
                        "connection.password": PASSWORD,
                        "collection.name.format": "copied",
                        "insert.mode": "upsert",
                        "primary.key.mode": "record_key",
                        "schema.evolution": "basic",
                        **WITH_SCHEMA,
                    },
                ),
            ],
            # Both plugins name what they bring: no class has to be searched for.
            config={"plugin.discovery": "service_load", **declared["config"]},
            secrets=["database"],
            deletion_protection=False,
        )
    ],
)
app.synth()

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
PASSWORD = "${dir:/secrets/database:password}"
app = App(outdir=out)
stack = TerraformStack(app, "shop")
LocalBackend(stack, path="../../../shop.tfstate")
KafkaPlatform(
    stack,
    "shop",
    target=KubernetesTarget(
        namespace=namespace, kubeconfig=kubeconfig, create_namespace="never", forward_port=declared["forward_port"]
    ),
    zookeeper=ZooKeeper(servers=1, storage=Storage("1Gi"), resources=Resources(cpu="250m", memory="512Mi")),
    kafka=Kafka(brokers=1, storage=Storage("1Gi"), resources=Resources(cpu="600m", memory="1Gi")),
    topics=[Topic("shop.public.orders", partitions=1, deletion_protection=False)],
    connect=[
        ConnectCluster(
            "changes",
            workers=2,
            resources=Resources(cpu="800m", memory="1Gi"),
            plugins=[
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

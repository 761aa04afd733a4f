"""Analytics: the rows of a PostgreSQL database in ClickHouse, in Elasticsearch and in a second database at once.

``docs/usecases/analytics.md`` has the systems around it.
"""

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import ConnectCluster, Connector, Kafka, LocalLayout, Plugin, Resources, Topic, ZooKeeper

DATABASE_PORT = 26432
"""PostgreSQL, on this machine."""

_JSON = "org.apache.kafka.connect.json.JsonConverter"
TYPED: dict[str, str | bool] = {
    # A connector's own entries of a converter count only beside its own converter: else they are the worker's.
    "key.converter": _JSON,
    "key.converter.schemas.enable": True,
    "value.converter": _JSON,
    "value.converter.schemas.enable": True,
}
"""Messages with their schema beside them: ``{"schema": ..., "payload": row}``."""

CAPTURE = Connector(
    "shop",
    "io.debezium.connector.postgresql.PostgresConnector",
    config={
        "database.hostname": "127.0.0.1",
        "database.port": DATABASE_PORT,
        "database.user": "shop",
        "database.password": "${env:CONNECT_SHOP_PASSWORD}",
        "database.dbname": "shop",
        # Topics are <prefix>.<schema>.<table>.
        "topic.prefix": "shop",
        "table.include.list": "public.orders",
        # The decoder that PostgreSQL has itself.
        "plugin.name": "pgoutput",
        # The slot holds what has not been read yet, also while no worker runs: a stopped connector must keep it, and
        # max_slot_wal_keep_size bounds what it may hold.
        "slot.name": "analytics",
        "slot.drop.on.stop": False,
        # Created by whoever owns the tables: shop.sql.
        "publication.name": "analytics",
        "publication.autocreate.mode": "disabled",
        # Rows that are there already come first, once. A slot that was lost is an error that somebody must see:
        # `when_needed` would read everything again by itself.
        "snapshot.mode": "initial",
        # The slot moves on although the tables that are captured rest and others do not.
        "heartbeat.interval.ms": 10_000,
        "heartbeat.action.query": "insert into heartbeat (id, at) values (1, now()) "
        "on conflict (id) do update set at = excluded.at",
        # 12.30 stays 12.30: as numbers of JSON amounts would be rounded, as bytes only Java would read them.
        "decimal.handling.mode": "string",
        # The row itself in place of an envelope of before and after. Each row with its position in PostgreSQL's log,
        # which is its version at every destination, and a deleted one with __deleted=true. No tombstones: the reader of
        # ClickHouse 18.16 dies of a message without a value.
        "transforms": "row",
        "transforms.row.type": "io.debezium.transforms.ExtractNewRecordState",
        "transforms.row.delete.tombstone.handling.mode": "rewrite",
        "transforms.row.add.fields": "op,lsn,source.ts_ms",
        # The JDBC sink needs types. What the schema adds to each message, compression takes away again.
        **TYPED,
        "producer.override.compression.type": "lz4",
        "producer.override.linger.ms": 5,
        # How long it waits where there was nothing to read: 500 ms by default.
        "poll.interval.ms": 50,
        # After a lost connection. 10 s by default.
        "retriable.restart.connector.wait.ms": 2000,
    },
)
WAREHOUSE = Connector(
    "warehouse",
    "io.debezium.connector.jdbc.JdbcSinkConnector",
    config={
        "topics": "shop.public.orders",
        # The driver leaves it to PostgreSQL which type a text is meant to be: amounts travel as texts.
        "connection.url": f"jdbc:postgresql://127.0.0.1:{DATABASE_PORT}/warehouse?stringtype=unspecified",
        "connection.username": "shop",
        "connection.password": "${env:CONNECT_WAREHOUSE_PASSWORD}",
        # Behind the view `orders`, which leaves out what was deleted: warehouse.sql.
        "collection.name.format": "orders_all",
        # Written again, a row stays one row.
        "insert.mode": "upsert",
        "primary.key.mode": "record_key",
        # Tables change by migrations, not by what a message happens to contain.
        "schema.evolution": "none",
        "transforms": "own",
        "transforms.own.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
        "transforms.own.exclude": "__op,__lsn,__source_ts_ms",
        "transforms.own.renames": "__deleted:deleted",
        **TYPED,
        # A database that is away for a minute is no reason for a task to fail.
        "flush.max.retries": 60,
        "flush.retry.delay.ms": 1000,
        "consumer.override.fetch.max.wait.ms": 100,
        # How long what a killed worker was reading stays unread, even where it is back at once: 45 s by default.
        "consumer.override.session.timeout.ms": 10_000,
        # The records of one poll are one transaction.
        "batch.size": 500,
        "consumer.override.max.poll.records": 500,
    },
)
PLUGINS = (
    Plugin(
        "debezium-postgres",
        version="3.1.3.Final",
        classes=[CAPTURE.connector_class],
        maven="io.debezium:debezium-connector-postgres:3.1.3.Final:tar.gz:plugin",
        checksum="sha256:2ed3f0b1dd3ee3b1180cc975e0464b675cca5f972db6a9ae3a75f5376874f652",
    ),
    Plugin(
        "debezium-jdbc",
        version="3.1.2.Final",
        classes=[WAREHOUSE.connector_class],
        maven="io.debezium:debezium-connector-jdbc:3.1.2.Final:tar.gz:plugin",
        checksum="sha256:66c7ea0635b10e7b51622136a223d1dc130b1d3b1d600ad94ce7c7b63e0c9cc6",
    ),
)


TUNED = frozenset(
    {
        "producer.override.compression.type",
        "producer.override.linger.ms",
        "poll.interval.ms",
        "retriable.restart.connector.wait.ms",
        "batch.size",
        "consumer.override.max.poll.records",
        "consumer.override.fetch.max.wait.ms",
        "consumer.override.session.timeout.ms",
    }
)
"""Entries above that concern speed alone."""


def untuned(connector: Connector) -> Connector:
    """The connector with the defaults of those entries, for a comparison."""
    return connector.model_copy(
        update={"config": {key: value for key, value in connector.config.items() if key not in TUNED}}
    )


class AnalyticsPlatform(TerraformStack):
    """The platform ``analytics``.

    Args:
        scope: the app.
        id: name of the stack.
        small: one broker, one ZooKeeper server and one worker: a failure of one interrupts.
        tuned: False leaves the connectors' own settings where they only cost time, for a comparison.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's name
        *,
        small: bool = False,
        tuned: bool = True,
    ) -> None:
        super().__init__(scope, id)
        LocalBackend(self, path=f"../../../{id}.tfstate")
        self.platform = KafkaPlatform(
            self,
            "analytics",
            target=LocalTarget(
                LocalLayout(
                    broker_port=26092, zookeeper_port=26181, peer_port=26288, election_port=26388, connect_port=26083
                ),
                keep_data=False,
            ),
            zookeeper=ZooKeeper(servers=1 if small else 3, resources=Resources(cpu="250m", memory="256Mi")),
            kafka=Kafka(brokers=1 if small else 3, resources=Resources(cpu=1, memory="1Gi")),
            topics=[
                # The last state of each row for ever: a destination that is new, or empty again, reads it from here.
                Topic.changelog("shop.public.orders", partitions=3, deletion_protection=False),
                Topic("__debezium-heartbeat.shop", partitions=1, deletion_protection=False),
                # Of the program that writes to Elasticsearch; Connect's sinks have theirs by themselves.
                Topic.dead_letters(of="elasticsearch-orders", deletion_protection=False),
            ],
            connect=[
                ConnectCluster(
                    "changes",
                    workers=1 if small else 2,
                    resources=Resources(cpu=1, memory="1Gi"),
                    plugins=PLUGINS,
                    connectors=[each if tuned else untuned(each) for each in (CAPTURE, WAREHOUSE)],
                    deletion_protection=False,
                )
            ],
        )

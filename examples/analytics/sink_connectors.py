"""The same two destinations by sink connectors, for whoever has them: neither is on Maven Central.

Their projects publish them as archives; here they are in a volume of plugins. Add the plugins and the connectors to a
Connect cluster of a platform: ``ConnectCluster("sinks", plugins=[...], connectors=[...])``.

The one for Elasticsearch deletes a document by the tombstone of its row, which Debezium's transform leaves out with
``delete.tombstone.handling.mode=rewrite``: declare ``rewrite-with-tombstone`` there.
"""

from hikube_kafka.spec import Connector, Plugin

CLICKHOUSE_PLUGIN = Plugin(
    "clickhouse-sink",
    version="v1.3.1",
    classes=["com.clickhouse.kafka.connect.ClickHouseSinkConnector"],
    volume="connect-plugins",
)
CLICKHOUSE = Connector(
    "clickhouse-orders",
    CLICKHOUSE_PLUGIN.classes[0],
    tasks_max=3,
    config={
        "topics": "shop.public.orders",
        "hostname": "clickhouse.analytics.svc",
        "port": 8443,
        "ssl": True,
        "database": "default",
        "username": "connect",
        "password": "${dir:/secrets/clickhouse:password}",
        "topic2TableMap": "shop.public.orders=orders",
        # In a ReplacingMergeTree(__lsn) what comes twice is one row: no state has to be kept in a KeeperMap.
        "exactlyOnce": False,
        # A row says __deleted by itself; the tombstone after it has nothing that ClickHouse could insert.
        "transforms": "rows",
        "transforms.rows.type": "org.apache.kafka.connect.transforms.Filter",
        "transforms.rows.predicate": "tombstone",
        "predicates": "tombstone",
        "predicates.tombstone.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
        # Few large blocks: each insert writes a part, and ClickHouse refuses inserts where parts are too many.
        "consumer.override.max.poll.records": 10_000,
        "consumer.override.fetch.min.bytes": 1_048_576,
    },
)

ELASTICSEARCH_PLUGIN = Plugin(
    "elasticsearch-sink",
    version="15.0.1",
    classes=["io.confluent.connect.elasticsearch.ElasticsearchSinkConnector"],
    volume="connect-plugins",
)
ELASTICSEARCH = Connector(
    "elasticsearch-orders",
    ELASTICSEARCH_PLUGIN.classes[0],
    tasks_max=3,
    config={
        "topics": "shop.public.orders",
        "connection.url": "https://elasticsearch.analytics.svc:9200",
        "connection.username": "connect",
        "connection.password": "${dir:/secrets/elasticsearch:password}",
        # The primary key is the document's id: what comes twice is one document.
        "key.ignore": False,
        "transforms": "id,own",
        "transforms.id.type": "org.apache.kafka.connect.transforms.ExtractField$Key",
        "transforms.id.field": "id",
        "transforms.own.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
        "transforms.own.exclude": "__op,__lsn,__source_ts_ms,__deleted",
        "write.method": "insert",
        # The tombstone deletes the document.
        "behavior.on.null.values": "delete",
        # The mapping is the index's own.
        "schema.ignore": True,
        "behavior.on.malformed.documents": "fail",
        "max.retries": 30,
        "retry.backoff.ms": 1000,
        "flush.synchronously": True,
    },
)

from examples.analytics.sink_connectors import CLICKHOUSE, CLICKHOUSE_PLUGIN, ELASTICSEARCH, ELASTICSEARCH_PLUGIN
from hikube_kafka.spec import ConnectCluster, Platform, Topic
from hikube_kafka.spec.connect_worker import all_topics
from hikube_kafka.spec.rules import check


def test_no_rule_finds_anything_in_the_configurations_of_the_page() -> None:
    cluster = ConnectCluster(
        "sinks",
        plugins=[CLICKHOUSE_PLUGIN, ELASTICSEARCH_PLUGIN],
        connectors=[CLICKHOUSE, ELASTICSEARCH],
        secrets=["clickhouse", "elasticsearch"],
    )
    platform = Platform(name="analytics", topics=(Topic.changelog("shop.public.orders"),), connect=(cluster,))
    assert [each for each in check(platform) if each.rule != "listener-plaintext"] == []
    assert {"clickhouse-orders.dead-letters", "elasticsearch-orders.dead-letters"} <= {
        topic.name for topic in all_topics(platform)
    }

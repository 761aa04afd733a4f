import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from hikube_kafka.review import as_json, judge, markdown
from hikube_kafka.review.outcome import Total
from hikube_kafka.review.picture import mermaid
from hikube_kafka.review.plan import Action, Plan, read_plan
from hikube_kafka.review.totals import parts, totals

KAFKA = {
    "replicas": 3,
    "heap": "512m",
    "resources": {"cpu": "500m", "memory": "1Gi"},
    "claimRetention": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    "config": {"zookeeper.connect": "events-zookeeper-0.events-zookeeper-headless.events.svc:2181/kafka"},
    "storage": {"data": {"size": "4Gi", "storageClass": ""}},
    "forwardPort": 19092,
    "shutdownGateSeconds": 180,
    "startupSeconds": 86400,
    "labels": {"hikube.kafka/platform": "events"},
}
ZOOKEEPER = {
    "replicas": 3,
    "heap": "384m",
    "resources": {"cpu": "1", "memory": "512Mi"},
    "claimRetention": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    "config": {},
    "storage": {"data": {"size": "1Gi"}, "log": {"size": "512Mi"}},
    "membershipSecret": "",
    "labels": {"hikube.kafka/platform": "events"},
}


def release(chart: str, values: Mapping[str, Any] | None, **more: Any) -> dict[str, Any] | None:
    if values is None:
        return None
    name = {"name": f"events-{chart}", "namespace": "events", "chart": f"./assets/chart-{chart}/310d", **more}
    return {**name, "values": [json.dumps(values)]}


def topic(partitions: int | None = 6, factor: int | None = 3, name: str = "orders") -> dict[str, Any]:
    return {"name": name, "partitions": partitions, "replication_factor": factor}


def change(address: str, before: Any, after: Any, *actions: str, provider: str = "hikube/hikube", **more: Any) -> Any:
    type_ = next(each for each in address.split(".") if each.startswith(("hikube_", "helm_", "kubernetes_")))
    if not actions:
        actions = ("create",) if before is None else ("delete",) if after is None else ("update",)
    what = {"actions": list(actions), "before": before, "after": after, "after_unknown": {}, **more}
    return {
        "address": address,
        "mode": "managed",
        "type": type_,
        "name": "this",
        "provider_name": f"example.com/{provider}",
        "change": what,
    }


def of_release(chart: str, before: Any, after: Any, **more: Any) -> Any:
    return change(
        f"helm_release.events_{chart}",
        release(chart, before),
        release(chart, after),
        provider="hashicorp/helm",
        **more,
    )


def plan(*changes: Any, **more: Any) -> Plan:
    content = {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": list(changes), **more}
    return read_plan(json.dumps(content).encode())


def told(found: tuple[Total, ...]) -> dict[tuple[str, str], tuple[str, str]]:
    return {(each.of, each.what): (each.before, each.after) for each in found}


def test_a_release_has_its_servers_times_what_each_has() -> None:
    found = told(totals(plan(of_release("zookeeper", ZOOKEEPER, ZOOKEEPER | {"replicas": 5}))))
    assert found == {
        ("events-zookeeper", "ZooKeeper servers"): ("3", "5"),
        ("events-zookeeper", "storage"): ("4608Mi", "7680Mi"),
        ("events-zookeeper", "memory"): ("1536Mi", "2560Mi"),
        ("events-zookeeper", "CPU"): ("3", "5"),
        ("events-zookeeper", "heap"): ("1152Mi", "1920Mi"),
    }


def test_claims_that_stay_when_their_servers_go_are_told() -> None:
    scaled = told(totals(plan(of_release("kafka", KAFKA | {"replicas": 4}, KAFKA))))
    assert scaled["events-kafka", "storage"] == ("16Gi", "12Gi and 4Gi in claims that stay")
    gone = told(totals(plan(of_release("kafka", KAFKA, None))))
    assert gone["events-kafka", "storage"] == ("12Gi", "12Gi in claims that stay")
    assert gone["events-kafka", "brokers"] == ("3", "")
    deleting = KAFKA | {"claimRetention": {"whenDeleted": "Delete", "whenScaled": "Delete"}}
    assert told(totals(plan(of_release("kafka", deleting, None))))["events-kafka", "storage"] == ("12Gi", "")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"replicas": "many"}, "brokers"),
        ({"replicas": True}, "brokers"),
        ({"replicas": -1}, "brokers"),
        ({"storage": {"data": {"size": "much"}}}, "storage"),
        ({"storage": "much"}, "storage"),
        ({"storage": {"data": {"size": None}}}, "storage"),
        ({"resources": {"cpu": [], "memory": "1Gi"}}, "CPU"),
        ({"heap": "1e999999999"}, "heap"),
        ({"heap": {}}, "heap"),
    ],
)
def test_what_cannot_be_read_is_unknown_and_never_nothing(values: dict[str, Any], what: str) -> None:
    assert told(totals(plan(of_release("kafka", KAFKA, KAFKA | values))))["events-kafka", what][1] == "unknown"


def test_what_only_the_apply_will_tell_is_unknown() -> None:
    later = of_release("kafka", KAFKA, KAFKA, after_unknown={"values": True})
    assert {each.after for each in totals(plan(later))} == {"unknown"}
    assert {each.before for each in totals(plan(later))} == {"3", "12Gi", "3Gi", "1500m", "1536Mi"}


def test_what_the_plan_hides_is_unknown_and_not_in_the_picture() -> None:
    hidden = plan(
        of_release("kafka", KAFKA, KAFKA, after_sensitive={"values": True}, before_sensitive={"values": True})
    )
    assert {(each.before, each.after) for each in totals(hidden)} == {("unknown", "unknown")}
    assert [each.what for each in parts(hidden)] == ["brokers of events-kafka"]


def test_topics_are_counted_with_their_partitions_and_replicas() -> None:
    found = told(
        totals(
            plan(
                of_release("kafka", KAFKA, KAFKA),
                change("hikube_kafka_topic.a", topic(6), topic(12)),
                change("hikube_kafka_topic.b", topic(4, 1), None),
                change('hikube_kafka_topic.c["x.y"]', topic(1000), topic(1000), "no-op"),
                change("hikube_kafka_topic.d", topic(7), None, "forget"),
            )
        )
    )
    assert found["events-kafka", "topics"] == ("4", "3")
    assert found["events-kafka", "partitions"] == ("1,017", "1,019")
    assert found["events-kafka", "replicas of partitions"] == ("3,043", "3,057")


def test_partitions_of_which_one_is_not_known_are_unknown() -> None:
    later = change("hikube_kafka_topic.a", None, topic(None), after_unknown={"partitions": True})
    found = told(totals(plan(later, change("hikube_kafka_topic.b", topic(), topic()))))
    assert found["Kafka", "partitions"] == ("6", "unknown")
    assert found["Kafka", "replicas of partitions"] == ("18", "unknown")
    assert found["Kafka", "topics"] == ("1", "2")


def test_topics_of_two_clusters_are_told_apart_by_what_their_provider_reaches() -> None:
    def provider(release: str) -> dict[str, Any]:
        return {"expressions": {"kubernetes": {"release": {"constant_value": release}}}}

    configuration = {
        "provider_config": {"hikube.eu": provider("eu-kafka"), "hikube.us": {"expressions": {}}},
        "root_module": {
            "resources": [{"address": "hikube_kafka_topic.a", "provider_config_key": "hikube.eu"}],
            "module_calls": {
                "us": {
                    "module": {"resources": [{"address": "hikube_kafka_topic.b", "provider_config_key": "hikube.us"}]}
                }
            },
        },
    }
    found = totals(
        plan(
            change('hikube_kafka_topic.a["x"]', None, topic()),
            change('module.us["]."].hikube_kafka_topic.b[0]', None, topic()),
            configuration=configuration,
        )
    )
    assert [each.of for each in found if each.what == "topics"] == ["eu-kafka", "us"]


def test_claims_without_their_servers_are_told_for_each_of_them() -> None:
    def claims(size: str) -> dict[str, Any]:
        return {"stateful_set": "events-kafka", "templates": {"data": {"size": size, "storage_class": None}}}

    alone = plan(change("hikube_volume_claims.a", claims("4Gi"), claims("5Gi")))
    assert told(totals(alone)) == {("events-kafka", "storage of each server"): ("4Gi", "5Gi")}
    with_servers = plan(
        of_release("kafka", KAFKA, KAFKA), change("hikube_volume_claims.a", claims("4Gi"), claims("5Gi"))
    )
    assert ("events-kafka", "storage of each server") not in told(totals(with_servers))


def test_an_ensemble_of_this_machine_has_servers_and_heap() -> None:
    def ensemble(brokers: int) -> dict[str, Any]:
        server = {"id": 1, "heap": "256m", "properties": {}}
        return {"name": "demo", "zookeeper": [server], "brokers": [server] * brokers}

    found = told(totals(plan(change("hikube_local_ensemble.demo", ensemble(3), ensemble(5)))))
    assert found["demo", "brokers"] == ("3", "5")
    assert found["demo", "ZooKeeper servers"] == ("1", "1")
    assert found["demo", "heap"] == ("1Gi", "1536Mi")


def test_a_plan_of_something_else_has_no_totals() -> None:
    foreign = change(
        "helm_release.web",
        None,
        {"name": "web", "chart": "nginx", "values": []},
        provider="hashicorp/helm",
    )
    assert totals(plan(foreign)) == ()
    assert [each.what for each in parts(plan(foreign))] == ["release web"]


def test_a_sensitive_variable_is_in_no_name() -> None:
    with_secret = plan(
        change("hikube_kafka_topic.a", topic(), topic(name="q-hunter22")),
        variables={"password": {"value": "hunter22"}},
        configuration={"root_module": {"variables": {"password": {"sensitive": True}}}},
    )
    review = judge.review(with_secret, title="t", today=date(2026, 1, 1))
    assert [each.what for each in review.parts] == ["topic q-(sensitive)"]
    for written in (markdown.render(review), as_json.render(review)):
        assert "hunter22" not in written


def test_topics_stand_on_brokers_brokers_on_zookeeper_and_zookeeper_in_its_namespace() -> None:
    namespace = {"metadata": [{"name": "events"}]}
    found = parts(
        plan(
            change("hikube_kafka_topic.a", topic(), None),
            of_release("kafka", KAFKA, KAFKA | {"replicas": 4}),
            of_release("zookeeper", ZOOKEEPER, ZOOKEEPER),
            change("hikube_volume_claims.k", None, {"stateful_set": "events-kafka", "templates": {}}),
            change("kubernetes_namespace_v1.n", namespace, namespace, "no-op", provider="hashicorp/kubernetes"),
        )
    )
    assert [(each.kind, each.what, each.action, each.belongs_to) for each in found] == [
        ("namespace", "namespace events", Action.NOTHING, ""),
        ("brokers", "3 → 4 brokers of events-kafka", Action.UPDATE, "helm_release.events_zookeeper"),
        ("ZooKeeper", "3 ZooKeeper servers of events-zookeeper", Action.UPDATE, "kubernetes_namespace_v1.n"),
        ("storage", "claims of events-kafka", Action.CREATE, "helm_release.events_kafka"),
        ("topic", "topic orders", Action.DELETE, "helm_release.events_kafka"),
    ]
    assert 'n1[["~ update: 3 → 4 brokers of events-kafka"]]' in mermaid(found)

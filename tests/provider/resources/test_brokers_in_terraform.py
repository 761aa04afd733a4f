"""Brokers that come and go, through the real Terraform, on a real cluster."""

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from hikube_kafka.ensemble import apply, destroy
from tests.support.ensemble import LivingEnsemble, small_ensemble
from tests.support.load import Load
from tests.support.terraform import Workspace
from tests.support.waiting import until

pytestmark = [pytest.mark.terraform, pytest.mark.ensemble, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def four_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One ZooKeeper server and four brokers."""
    living = small_ensemble(tmp_path_factory.mktemp("four"), name="four", brokers=4, servers=1)
    try:
        apply(living.declaration)
        yield living
    finally:
        destroy(living.declaration.directory, keep_data=False)


def write(workspace: Workspace, bootstrap: str, brokers: dict[str, Any], **topics: dict[str, Any]) -> None:
    resources: dict[str, Any] = {"hikube_kafka_brokers": {"this": brokers}}
    if topics:
        after = {"depends_on": ["hikube_kafka_brokers.this"], "deletion_protection": False}
        resources["hikube_kafka_topic"] = {name: {"name": name, **topic, **after} for name, topic in topics.items()}
    workspace.write(provider={"hikube": {"bootstrap_servers": bootstrap}}, resource=resources)


def replicas_of(kafka: AdminClient, broker: int) -> list[str]:
    topics = kafka.list_topics(timeout=10).topics
    return [
        f"{name}-{number}"
        for name, topic in topics.items()
        for number, partition in topic.partitions.items()
        if broker in partition.replicas
    ]


def is_in_sync_on(kafka: AdminClient, topic: str, brokers: list[int]) -> bool:
    partitions = kafka.list_topics(timeout=10).topics[topic].partitions.values()
    return all(sorted(its.isrs) == brokers for its in partitions)


def test_a_broker_goes_once_it_is_drained_and_no_message_is_lost(
    workspace: Workspace,
    four_brokers: LivingEnsemble,
) -> None:
    kafka = AdminClient({"bootstrap.servers": four_brokers.bootstrap})
    topics = {
        "drained": {"partitions": 12, "replication_factor": 3},
        "single": {"partitions": 4, "replication_factor": 1},
    }
    write(workspace, four_brokers.bootstrap, {"brokers": 4}, **topics)
    workspace.apply()
    assert workspace.plan() == "empty"
    assert replicas_of(kafka, 3)

    write(workspace, four_brokers.bootstrap, {"brokers": 3}, **topics)
    said = workspace.refused("plan")
    assert "Broker 3: it cannot be removed: it holds replicas" in said
    assert "kafka-reassign-partitions.sh" in said
    assert workspace.state("hikube_kafka_brokers.this")["brokers"] == 4

    write(workspace, four_brokers.bootstrap, {"brokers": 3, "drain": True}, **topics)
    assert "Broker 3: it will be drained first" in workspace.plan()
    with Load(four_brokers.bootstrap, "drained", 12) as load:
        workspace.apply()
    # The broker that answers may hear of the last move a moment after the one that the apply asked.
    until(
        lambda: not replicas_of(kafka, 3) and is_in_sync_on(kafka, "drained", [0, 1, 2]),
        lambda: f"broker 3 is drained: {replicas_of(kafka, 3)}",
        30,
    )
    assert load.lost_and_duplicated() == (set(), set())
    assert workspace.plan() == "empty"


def test_a_topic_wider_than_the_brokers_that_stay_keeps_them_all(
    workspace: Workspace, four_brokers: LivingEnsemble
) -> None:
    wide = {"partitions": 1, "replication_factor": 4}
    write(workspace, four_brokers.bootstrap, {"brokers": 4}, wide=wide)
    workspace.apply()
    write(workspace, four_brokers.bootstrap, {"brokers": 3, "drain": True}, wide=wide)
    assert "Topic wide: it has 4 copies, and 3 live brokers would stay" in workspace.refused("plan")
    # Nor is a new topic planned on a broker that the same plan lets go.
    write(workspace, four_brokers.bootstrap, {"brokers": 4})
    workspace.apply()
    write(workspace, four_brokers.bootstrap, {"brokers": 3, "drain": True}, another=wide)
    assert "a replication factor of 4 needs 4 brokers" in workspace.refused("plan")


def test_more_brokers_and_more_copies_pass_in_one_plan(workspace: Workspace, living_ensemble: LivingEnsemble) -> None:
    topic = {"partitions": 1, "replication_factor": 3}
    write(workspace, living_ensemble.bootstrap, {"brokers": 3}, copied=topic)
    workspace.apply()
    more = {"partitions": 1, "replication_factor": 4}
    write(workspace, living_ensemble.bootstrap, {"brokers": 3}, copied=more)
    assert "a replication factor of 4 needs 4 brokers" in workspace.refused("plan")
    write(workspace, living_ensemble.bootstrap, {"brokers": 4}, copied=more)
    assert "2 to change" in workspace.plan()
    write(workspace, living_ensemble.bootstrap, {"brokers": 5}, copied={**more, "replication_factor": 6})
    assert "the cluster will have 5" in workspace.refused("plan")
    write(workspace, living_ensemble.bootstrap, {"brokers": 3}, copied=topic)
    assert "2 destroyed" in workspace.run("destroy", "-auto-approve").stdout

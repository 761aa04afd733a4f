"""A principal that loses the permission to see something: neither topics nor replicas are taken for gone."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from hikube_kafka.kafka.errors import Forbidden
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.stored import unseen
from hikube_kafka.provider.topics import KafkaCluster
from tests.e2e.secured.test_secured_brokers import provider
from tests.support.terraform import Workspace
from tests.support.waiting import until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.ensemble,
    pytest.mark.timeout(400),
]

NAME, PASSWORD = "bob", "bob-s3cret"
EVERYTHING, SEEING, CONFIGURATION = AclOperation.ALL, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS
YES, NO = AclPermissionType.ALLOW, AclPermissionType.DENY


class Restricted:
    """Somebody who may do what he is told."""

    def __init__(self, door: Any) -> None:
        self.door = replace(door, key={"username": NAME, "password": PASSWORD})
        self.admin = AdminClient({"bootstrap.servers": door.administrators})

    def may(
        self, verb: AclPermissionType, operation: AclOperation, name: str, kind: ResourceType = ResourceType.TOPIC
    ) -> None:
        """Add an ACL; each broker hears of it by itself."""
        acl = AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{NAME}", "*", operation, verb)
        self.admin.create_acls([acl])[acl].result(30)

    def cluster(self, bootstrap: str = "") -> KafkaCluster:
        """The cluster as he sees it, in a process of its own."""
        security = Credentials(protocol="SASL_PLAINTEXT", mechanism="PLAIN", username=NAME, password=PASSWORD)
        return KafkaCluster(
            Settings(bootstrap_servers=bootstrap or self.door.bootstrap, security=security), threading.Event()
        )

    def is_refused(self, name: str) -> bool:
        """Whether every broker refuses to tell of the topic."""
        return all(self._refuses(address, name) for address in self.door.bootstrap.split(","))

    def _refuses(self, address: str, name: str) -> bool:
        try:
            self.cluster(address).topic(name)
        except Forbidden:
            return True
        return False


@pytest.fixture
def bob(secured: Any) -> Restricted:
    return Restricted(secured.doors["PLAIN"])


@pytest.fixture
def names(bob: Restricted) -> Mapping[str, str]:
    """Topics that bob may do everything with."""
    names = {name: f"{name}-{uuid4().hex[:8]}" for name in ("orders", "payments")}
    for name in names.values():
        bob.may(YES, EVERYTHING, name)
    return names


@pytest.mark.terraform
def test_a_topic_that_its_user_may_no_longer_describe_stays_in_the_state(
    bob: Restricted, names: Mapping[str, str], workspace: Workspace
) -> None:
    workspace.environment["TF_VAR_password"] = PASSWORD
    topics = {key: {"name": name, "partitions": 1, "replication_factor": 1} for key, name in names.items()}
    workspace.write(**provider(bob.door, bob.door.key), resource={"hikube_kafka_topic": topics})
    workspace.apply()
    orders = names["orders"]
    bob.may(NO, SEEING, orders)
    until(lambda: bob.is_refused(orders), "the denial to be in force")

    told = workspace.refused("plan", "-input=false")

    assert f"The provider is not allowed to Describe topic {orders}" in told
    assert f"--add --allow-principal 'User:{NAME}' --operation Describe --topic {orders}" in told
    assert f"topic {names['payments']}" not in told
    assert "will be created" not in told
    workspace.refused("apply", "-auto-approve", "-input=false")
    assert {each["values"]["name"] for each in workspace.resources()} == set(names.values())


def test_each_topic_has_its_own_answer_and_what_is_really_gone_is_gone(
    bob: Restricted, names: Mapping[str, str]
) -> None:
    made = bob.admin.create_topics([NewTopic(name, 1, 1) for name in names.values()])
    for answer in made.values():
        answer.result(30)
    hidden, lost = f"hidden-{uuid4().hex[:8]}", f"lost-{uuid4().hex[:8]}"
    bob.may(YES, EVERYTHING, lost)
    bob.may(NO, CONFIGURATION, names["orders"])
    until(lambda: bob.is_refused(names["orders"]), "the denial to be in force")
    cluster = bob.cluster()
    until(lambda: names["payments"] in cluster.layout(fresh=True).replicas, "the topics to be shown")
    with pytest.raises(Forbidden, match="DescribeConfigs on topic orders"):
        cluster.topic(names["orders"])
    assert cluster.topic(names["payments"]) is not None
    with pytest.raises(Forbidden, match=f"Describe on topic {hidden}"):
        cluster.topic(hidden)
    assert cluster.topic(lost) is None
    assert not {hidden, lost} & bob.admin.list_topics(timeout=10).topics.keys(), "asking makes no topic"


def test_who_may_see_but_not_change_a_topic_learns_that_it_is_gone_from_all_brokers(bob: Restricted) -> None:
    lost, seen = f"lost-{uuid4().hex[:8]}", f"seen-{uuid4().hex[:8]}"
    bob.admin.create_topics([NewTopic(seen, 1, 1)])[seen].result(30)
    bob.may(YES, SEEING, lost)
    bob.may(YES, SEEING, seen)
    until(lambda: not bob.is_refused(lost) and seen in bob.cluster().layout().replicas, "the permission to be in force")
    assert bob.cluster().topic(lost) is None


def test_a_broker_tells_of_all_that_it_stores_whoever_may_describe_the_cluster(bob: Restricted) -> None:
    hidden = f"hidden-{uuid4().hex[:8]}"
    bob.admin.create_topics([NewTopic(hidden, 1, 2)])[hidden].result(30)
    cluster = bob.cluster()
    with pytest.raises(Forbidden, match="Describe on the cluster"):
        unseen(cluster, cluster.layout(), [1])
    bob.may(YES, SEEING, "kafka-cluster", ResourceType.BROKER)  # librdkafka's name for the cluster

    def told() -> list[str]:
        try:
            return [*unseen(cluster, cluster.layout(), [1])[1]]
        except (Forbidden, KeyError):
            return []

    until(lambda: hidden in told(), "the permission to be in force")

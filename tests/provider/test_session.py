"""What an apply refuses while settings are still unknown: every change of every resource that needs the cluster."""

from collections.abc import Callable
from typing import Any

import pytest

from hikube_kafka.plugin.diagnostics import Refusal
from hikube_kafka.provider.resources.brokers import BrokersResource
from hikube_kafka.provider.resources.topic import TopicResource
from hikube_kafka.provider.resources.volume_claims import VolumeClaimsResource
from hikube_kafka.provider.resources.zookeeper_members import ZooKeeperMembersResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings

TOPIC = {"name": "orders", "partitions": 1, "replication_factor": 1, "config": None, "deletion_protection": False}
MEMBERS = {"stateful_set": "zk", "servers": {"1": "zk-0:2888:3888:participant;2181"}, "applied": "after", "secret": "s"}
CLAIMS = {"stateful_set": "kafka", "templates": {"data": {"size": "1Gi", "storage_class": None}}, "claims": None}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda session: TopicResource(session).create(TOPIC, b""), "The provider cannot create topic orders"),
        (lambda session: TopicResource(session).delete(TOPIC, b""), "The provider cannot delete topic orders"),
        (
            lambda session: BrokersResource(session).update({"brokers": 3}, {"brokers": 2, "drain": None}, b""),
            "The provider cannot let brokers go",
        ),
        (
            lambda session: VolumeClaimsResource(session).create(CLAIMS, b""),
            "The claims of StatefulSet kafka cannot be changed",
        ),
        (
            lambda session: ZooKeeperMembersResource(session).create(MEMBERS, b""),
            "The voters of ZooKeeper zk cannot be changed",
        ),
    ],
)
def test_a_change_with_settings_that_are_still_unknown_is_refused_by_their_names(
    change: Callable[[Session], Any], problem: str
) -> None:
    session = Session()
    session.configure(Settings(unknown=("bootstrap_servers", "kubernetes.namespace")))
    with pytest.raises(Refusal) as refused:
        change(session)
    (told,) = refused.value.diagnostics
    assert told.summary == problem
    assert "bootstrap_servers, kubernetes.namespace" in told.detail

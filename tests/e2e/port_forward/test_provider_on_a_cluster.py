"""Topics and quorum through the real Terraform, on a cluster that is met with nothing but a kubeconfig."""

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient

from hikube_kafka.probe.forwards import forwarded
from hikube_kafka.spec.contract import ReachByPortForward
from tests.support.terraform import Workspace

pytestmark = [pytest.mark.cluster, pytest.mark.terraform, pytest.mark.timeout(900)]

Declare = Callable[..., None]


@pytest.fixture
def name(reach: ReachByPortForward) -> Iterator[str]:
    name = f"orders-{uuid4().hex[:8]}"
    yield name
    with forwarded(reach, brokers=[0, 1, 2], zookeeper=[]) as forwards:
        admin = AdminClient({"bootstrap.servers": ",".join(forwards.brokers.values())})
        if name in admin.list_topics(timeout=30).topics:
            admin.delete_topics([name], operation_timeout=30)[name].result(30)


@pytest.fixture
def declare(workspace: Workspace, reach: ReachByPortForward, name: str) -> Declare:
    def write(kubernetes: dict[str, Any] | None = None, **topic: Any) -> None:
        block = {
            "kubeconfig": os.environ["KUBECONFIG"],
            "namespace": reach.namespace,
            "release": reach.kafka_pods,
            "forward_port": reach.forward_port,
            "zookeeper_release": reach.zookeeper_pods,
        }
        workspace.write(
            provider={"hikube": {"kubernetes": block | (kubernetes or {})}},
            resource={
                "hikube_kafka_topic": {"this": {"name": name, "partitions": 3, "replication_factor": 2, **topic}}
            },
            data={"hikube_kafka_quorum": {"this": {"expected_brokers": 3, "depends_on": ["hikube_kafka_topic.this"]}}},
        )

    return write


def test_topics_are_made_changed_moved_and_deleted_and_the_quorum_is_read(
    workspace: Workspace, declare: Declare, reach: ReachByPortForward
) -> None:
    declare()
    workspace.apply()
    quorum = workspace.state("data.hikube_kafka_quorum.this")
    assert (quorum["brokers"], quorum["healthy"], quorum["reasons"]) == ([0, 1, 2], True, [])
    assert [server["address"] for server in quorum["zookeeper"]] == [f"zookeeper-{number}:2181" for number in range(3)]
    assert sorted(server["mode"] for server in quorum["zookeeper"]) == ["follower", "follower", "leader"]
    assert workspace.plan() == "empty"
    declare(replication_factor=3, partitions=6, config={"retention.ms": "60000"}, deletion_protection=False)
    workspace.apply()
    assert workspace.state("hikube_kafka_topic.this")["replication_factor"] == 3
    assert workspace.plan() == "empty"
    assert "Destroy complete" in workspace.run("destroy", "-auto-approve").stdout
    with forwarded(reach, brokers=[0], zookeeper=[]):  # the ports are free again
        pass


def test_a_release_that_is_not_there_is_named_with_its_namespace(workspace: Workspace, declare: Declare) -> None:
    declare()
    workspace.apply()
    declare(kubernetes={"release": "another", "zookeeper_release": "another"})
    told = workspace.run("plan")
    assert "release another in namespace" in told.stdout
    assert "there is no such pod" in told.stdout
    declare(deletion_protection=False)
    workspace.apply()
    workspace.run("destroy", "-auto-approve")


def test_a_context_that_is_not_there_is_refused(workspace: Workspace, declare: Declare) -> None:
    declare(kubernetes={"context": "elsewhere"})
    assert "no context 'elsewhere'" in workspace.refused("plan")

"""What the declaration promises, before anything is deployed."""

import json
from typing import Any

import pytest

from hikube_kafka.platform import cdk
from stacks.platform import PlatformStack


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    """The stack as Terraform reads it. An invalid declaration fails here, with the reasons."""
    content: dict[str, Any] = json.loads(cdk.Testing.synth(PlatformStack(cdk.Testing.app(), "PLATFORM"), True))
    return content


def test_no_topic_is_lost_with_a_broker(stack: dict[str, Any]) -> None:
    topics = stack["resource"]["hikube_kafka_topic"].values()
    assert {topic["name"]: topic["replication_factor"] for topic in topics} == {"orders": 3, "customers": 3}


def test_no_plan_deletes_a_topic(stack: dict[str, Any]) -> None:
    topics = stack["resource"]["hikube_kafka_topic"].values()
    assert [topic["name"] for topic in topics if topic.get("deletion_protection") is False] == []

"""How many requests Kafka gets: counted by the client itself, in librdkafka's statistics."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hikube_kafka.ensemble import apply, destroy
from hikube_kafka.provider.gathering import Gathering
from hikube_kafka.provider.resources.topic import TopicResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster, NewTopic
from tests.support.ensemble import small_ensemble

pytestmark = [pytest.mark.ensemble, pytest.mark.timeout(400)]

TOPICS = 1000
AT_ONCE = 10  # Terraform's own default


class Counted:
    """The topics of a provider process, whose cluster counts its requests."""

    def __init__(self, bootstrap: str) -> None:
        self.session = Session()
        settings = Settings(bootstrap_servers=bootstrap)
        self.session.configure(settings)
        self.cluster = KafkaCluster(settings, self.session.stopped, on_statistics=self._take)
        self.session._cluster = self.cluster
        self.topics = TopicResource(self.session)
        self._sent: dict[str, Counter[str]] = {}
        self._taken: Counter[str] = Counter()

    def _take(self, statistics: str) -> None:
        taken = json.loads(statistics)
        sent: Counter[str] = Counter()
        for broker in taken["brokers"].values():
            sent.update({kind: count for kind, count in broker["req"].items() if count})
        self._sent[taken["name"]] = sent
        self._taken[taken["name"]] += 1

    def requests(self) -> Counter[str]:
        """All requests so far of all connections: of statistics that were taken after this call began."""
        clients = [self.cluster._admin(), *(each.client for each in self.cluster._creators)]
        before, deadline = self._taken.copy(), time.monotonic() + 30
        while len(self._taken) < len(clients) or min((self._taken - before).get(each, 0) for each in self._taken) < 2:
            assert time.monotonic() < deadline
            for client in clients:
                client.poll(0.05)
        return sum(self._sent.values(), Counter())


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with a thousand topics."""
    living = small_ensemble(tmp_path_factory.mktemp("thousand"), servers=1, brokers=1)
    try:
        apply(living.declaration)
        cluster = KafkaCluster(Settings(bootstrap_servers=living.bootstrap), threading.Event())
        cluster.layout()
        wanted = NewTopic(partitions=1, replication_factor=1, config={"retention.ms": "3600000"})
        for answer in cluster._create({f"topic-{number}": wanted for number in range(TOPICS)}).values():
            answer.result()
        yield living.bootstrap
    finally:
        destroy(living.declaration.directory, keep_data=False)


def state(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "partitions": 1,
        "replication_factor": 1,
        "config": {"retention.ms": "3600000"},
        "deletion_protection": True,
    }


def test_a_refresh_and_plan_of_a_thousand_topics_takes_at_most_ten_requests(bootstrap: str) -> None:
    from hikube_kafka.plugin.resource import PlanRequest  # noqa: PLC0415 - read beside its use

    counted = Counted(bootstrap)
    states = [state(f"topic-{number}") for number in range(TOPICS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        read = list(pool.map(lambda each: counted.topics.read(each, b""), states))
    assert read == states
    for each in states:
        plan = counted.topics.plan(PlanRequest(prior=each, proposed=each, config=each, private=b"1"))
        assert plan.planned == each
    requests = counted.requests()
    assert requests["DescribeConfigs"] >= 1
    assert requests.total() <= 10, requests


def test_two_topics_among_a_thousand_do_not_read_them_all(bootstrap: str) -> None:
    counted = Counted(bootstrap)
    for name in ("topic-1", "topic-2"):
        assert counted.topics.read(state(name), b"") == state(name)
    assert set(counted.cluster._configs) == {"topic-1", "topic-2"}


def test_topics_created_at_the_same_time_share_requests(bootstrap: str) -> None:
    counted = Counted(bootstrap)
    counted.cluster._creations = Gathering(counted.cluster._create, window=1)
    together = threading.Barrier(100)

    def create(number: int) -> Any:
        planned = {**state(f"made-{number}"), "config": None}
        together.wait()
        return counted.topics.create(planned, b"")

    with ThreadPoolExecutor(100) as pool:
        made = list(pool.map(create, range(100)))
    assert [each["name"] for each in made] == [f"made-{number}" for number in range(100)]
    assert counted.requests()["CreateTopics"] <= 50

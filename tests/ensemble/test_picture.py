"""What one look at ZooKeeper and the brokers says of a broker. Real ones: test_living.py, test_lifecycle.py."""

from collections.abc import Mapping

import pytest

from hikube_kafka.ensemble.living import Picture
from hikube_kafka.probe.observation import Metadata, Partition, Unreadable

Topics = Mapping[str, Mapping[int, Partition] | Unreadable]
BEHIND = Partition(leader=0, replicas=(0, 1), in_sync=(0,))
IN_SYNC = Partition(leader=0, replicas=(0, 1), in_sync=(1, 0))


def picture(views: Mapping[int, Topics], *, in_zookeeper: frozenset[int] = frozenset({0, 1})) -> Picture:
    known = {broker: f"127.0.0.1:{broker}" for broker in views}
    return Picture(
        in_zookeeper=in_zookeeper,
        topics=frozenset({"orders"}),
        controller=0,
        views={
            broker: Metadata(cluster_id="c", controller=0, brokers=known, topics=topics)
            for broker, topics in views.items()
        },
    )


def test_a_healthy_broker_is_registered_and_nothing_is_told_of_it() -> None:
    seen = picture({0: {"orders": {0: IN_SYNC}}, 1: {"orders": {0: IN_SYNC}}})

    assert (seen.is_registered(1), seen.behind(1), seen.short(1)) == (True, [], [])


def test_a_replica_that_is_not_in_sync_is_behind_and_keeps_the_other_from_stopping() -> None:
    seen = picture({0: {"orders": {0: BEHIND}}, 1: {"orders": {0: IN_SYNC}}})

    assert (seen.behind(1), seen.short(1)) == (["orders-0"], ["orders-0"])
    assert (seen.behind(0), seen.short(0)) == ([], ["orders-0"])
    assert (seen.behind(2), seen.short(2)) == ([], [])


@pytest.mark.parametrize("topics", [{}, {"orders": Unreadable("topic orders", "no leader")}])
def test_a_broker_that_cannot_tell_of_a_topic_is_not_taken_for_one_in_sync(topics: Topics) -> None:
    seen = picture({0: {"orders": {0: IN_SYNC}}, 1: topics})

    assert seen.behind(0) == seen.short(0) == ["orders (not known to broker-1 yet)"]


def test_a_broker_that_one_of_the_others_does_not_know_is_not_registered() -> None:
    assert not picture({0: {}}).is_registered(1)
    assert not picture({0: {}, 1: {}}, in_zookeeper=frozenset({0})).is_registered(1)

"""Where replicas go when a replication factor changes."""

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hikube_kafka.provider.placement import spread

Case = tuple[dict[int, list[int]], int, dict[int, str | None], dict[int, int]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A topic on brokers that may be dead, a cluster of live brokers in racks, and a factor that they can hold."""
    brokers = list(range(draw(st.integers(1, 9))))
    racks = {broker: draw(st.sampled_from(["a", "b", "c", None])) for broker in brokers}
    known = [*brokers, 90, 91]  # the last two are dead
    replicas = st.lists(st.sampled_from(known), min_size=1, max_size=len(known), unique=True)
    current = {partition: draw(replicas) for partition in range(draw(st.integers(1, 12)))}
    load = {broker: draw(st.integers(0, 30)) for broker in brokers}
    return current, draw(st.integers(1, len(brokers))), racks, load


def per_rack(replicas: tuple[int, ...], racks: dict[int, str | None]) -> Counter[str | None]:
    return Counter(racks[broker] for broker in replicas)


@given(cases())
def test_every_partition_has_its_number_of_distinct_live_brokers(case: Case) -> None:
    current, factor, racks, load = case
    wanted = spread(current, factor, racks, load)
    assert wanted.keys() == current.keys()
    for replicas in wanted.values():
        assert len(replicas) == len(set(replicas)) == factor
        assert set(replicas) <= racks.keys()


@given(cases())
def test_racks_are_filled_as_evenly_as_their_brokers_allow(case: Case) -> None:
    current, factor, racks, load = case
    capacity = Counter(racks.values())
    for replicas in spread(current, factor, racks, load).values():
        filled = per_rack(replicas, racks)
        for rack, count in filled.items():
            for other in capacity:
                # No replica could move to a rack that has two fewer and a broker to spare.
                assert count - filled[other] <= 1 or filled[other] == capacity[other], (rack, other)


@given(cases())
def test_no_more_replicas_move_than_the_racks_demand(case: Case) -> None:
    current, factor, racks, load = case
    for partition, replicas in spread(current, factor, racks, load).items():
        live = [broker for broker in current[partition] if broker in racks]
        filled = per_rack(replicas, racks)
        present = per_rack(tuple(live), racks)
        kept = len(set(live) & set(replicas))
        assert kept == sum(min(present[rack], filled[rack]) for rack in filled)
        # Nor would another choice of the racks that get one more have kept more.
        level = min((filled[rack] for rack in set(racks.values())), default=0)
        for rack in filled:
            spare = [o for o in set(racks.values()) if filled[o] == filled[rack] - 1 and present[o] > filled[o]]
            assert not spare or present[rack] >= filled[rack] or filled[rack] <= level


@given(cases())
def test_a_topic_that_is_placed_well_already_is_left_alone(case: Case) -> None:
    current, factor, racks, load = case
    once = spread(current, factor, racks, load)
    assert spread(once, factor, racks, load) == once


@given(cases())
def test_a_preferred_leader_that_stays_keeps_leading(case: Case) -> None:
    current, factor, racks, load = case
    for partition, replicas in spread(current, factor, racks, load).items():
        leader = current[partition][0]
        assert replicas[0] == leader or leader not in replicas


@example(  # found by search: choosing the least loaded broker one replica after another is not enough here
    (
        {0: [0, 1, 2], 1: [4, 0, 1, 2, 3], 2: [3, 2], 3: [0, 4], 4: [0, 4], 5: [2], 6: [1], 7: [0]},
        3,
        {0: "b", 1: "a", 2: "a", 3: "a", 4: "b"},
        {0: 5, 1: 4, 2: 0, 3: 3, 4: 2},
    )
)
@given(cases())
def test_no_new_replica_would_stand_better_on_another_broker_of_its_rack(case: Case) -> None:
    current, factor, racks, load = case
    wanted = spread(current, factor, racks, load)
    count = Counter(broker for replicas in wanted.values() for broker in replicas)
    for partition, replicas in wanted.items():
        for broker in set(replicas) - set(current[partition]):
            others = [each for each in racks if racks[each] == racks[broker] and each not in replicas]
            assert all(count[broker] - count[other] <= 1 for other in others)


@given(cases())
def test_no_follower_that_stays_should_rather_have_given_way_to_one_that_went(case: Case) -> None:
    current, factor, racks, load = case
    wanted = spread(current, factor, racks, load)
    count = Counter(broker for replicas in wanted.values() for broker in replicas)
    for partition, replicas in wanted.items():
        live = [broker for broker in current[partition] if broker in racks]
        for broker in set(replicas) & set(live[1:]):
            went = [each for each in live if racks[each] == racks[broker] and each not in replicas]
            assert all(count[broker] - count[other] <= 1 for other in went)


def test_leaders_that_must_change_are_spread() -> None:
    wanted = spread({partition: [9] for partition in range(6)}, 1, {0: None, 1: None, 2: None})
    assert Counter(replicas[0] for replicas in wanted.values()) == {0: 2, 1: 2, 2: 2}


def test_growth_prefers_the_broker_that_other_topics_load_least() -> None:
    assert spread({0: [0]}, 2, {0: None, 1: None, 2: None}, {1: 50, 2: 10})[0] == (0, 2)


@pytest.mark.parametrize("factor", [0, 3])
def test_more_replicas_than_live_brokers_are_refused(factor: int) -> None:
    with pytest.raises(ValueError, match="cannot stand on 2 live brokers"):
        spread({0: [0]}, factor, {0: None, 1: None})

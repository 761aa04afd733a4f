"""What the failover benchmark makes of what it has seen; the seeing itself needs a cluster and half an hour."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import failover
from failover import KILL_LEADER, OFF, OURS, PARTITIONS, QUIET, RETURN, ROLL, Acknowledged, Delivery, Result, longest
from hikube_kafka.spec.chart_values import KafkaValues, ZooKeeperValues
from peers import Configuration
from tests.support.releases import DEFAULTS

EVENT, WELL = 10.0, 20.0


def result(**changed: Any) -> Result:
    usual: dict[str, Any] = {"configuration": OURS, "turn": 0, "event": KILL_LEADER, "took": 9.0, "load": 3.0}
    return Result(**{**usual, "all": 0.5, "worst": 1.5, "each": {0: 1.5}, **changed})


def acknowledged(*told: tuple[int, float]) -> Acknowledged:
    seen = Acknowledged()
    for partition, seconds in told:
        line = {"name": "producer_send_success", "partition": partition, "timestamp": seconds * 1000, "value": "1"}
        seen.take(json.dumps(line))
    return seen


@pytest.mark.parametrize(
    ("times", "pause"),
    [
        ([9.0, 9.9, 12.4, 12.5, 21.0], 8.5),  # the last one begins in the window, and ends behind it
        ([2.0, 11.0, 11.5, 20.5], 9.0),  # the first one began before the event
        ([0.0, 9.0, 9.5, 10.5, 11.0, 20.0, 20.5, 29.0], 9.0),  # those that end before it or begin after it do not count
        ([0.0, 9.0, 21.0, 30.0], 12.0),  # nothing at all was acknowledged in between
        ([], 0.0),
        ([11.0], 0.0),
    ],
)
def test_a_pause_counts_for_the_event_into_whose_time_it_reaches(times: list[float], pause: float) -> None:
    assert longest(times, EVENT, WELL) == pause


def test_partitions_that_take_turns_hide_no_pause_of_one_of_them() -> None:
    seen = acknowledged((0, 9.0), (1, 9.5), (0, 10.5), (0, 11.5), (0, 12.5), (1, 13.0), (0, 20.5), (1, 20.5))

    assert seen.pauses(EVENT, 13.0) == (1.0, {0: 8.0, 1: 3.5})


def test_all_is_written_to_once_the_last_partition_is() -> None:
    seen = acknowledged(*((partition, 11.0) for partition in range(PARTITIONS - 1)))
    assert not seen.all_since(EVENT)

    seen.take(json.dumps({"name": "producer_send_success", "partition": 5, "timestamp": 9_000, "value": "1"}))
    assert not seen.all_since(EVENT)

    seen.take(json.dumps({"name": "producer_send_success", "partition": 5, "timestamp": 11_000, "value": "2"}))
    assert seen.all_since(EVENT)


def test_what_the_producer_gives_up_is_no_acknowledgement() -> None:
    seen = acknowledged((0, 1.0))
    for line in ("[2026-01-01] WARN something", '{"name": "tool_data"}'):
        seen.take(line)
    late = ("Cannot perform operation after producer has been closed", "Producer closed while send in progress")
    for why in ("Expiring 1 record(s)", *late):
        seen.take(json.dumps({"name": "producer_send_error", "message": why}))

    assert (seen.values, seen.given_up) == (["1"], 1)


def test_the_table_has_medians_with_their_ranges_and_says_whether_a_goal_is_met() -> None:
    results = [
        result(all=0.4, worst=1.0),
        result(all=0.8, worst=1.4),
        result(configuration=OFF, all=6.0, worst=7.0, load=40.0),
        result(event=ROLL, all=1.1),
        result(event=QUIET, all=0.1, worst=0.2),
    ]
    delivered = Delivery(configuration=OURS, turn=0, acknowledged=1234, lost=0, duplicated=1, given_up=2)

    told = failover.table(results, [delivered, delivered]).splitlines()

    assert told[0] == "| event | ours | ours, fast_failover=False | goal |"
    assert told[2:5] == [
        "| nothing, for 10 s: what the machine itself costs | 0.1 / 0.2 | - |  |",
        "| kill -9 of a leader's broker | 0.6 (0.4 to 0.8) / 1.2 (1.0 to 1.4) | 6.0 / 7.0 | 1.0 / 2.0: met |",
        "| roll of all brokers | 1.1 / 1.5 | - | 1.0 / -: missed |",
    ]
    assert "- ours: 2,468 messages acknowledged in 2 turns, 0 of them lost, 2 duplicated, 4 given up." in told
    assert told[-1] == "Load 3 to 40."


@pytest.mark.parametrize(("together", "worst", "said"), [(1.0, 2.0, "met"), (1.1, 0.1, "missed"), (0.1, 2.1, "missed")])
def test_a_goal_is_met_only_by_both_figures(together: float, worst: float, said: str) -> None:
    assert failover.verdict(KILL_LEADER, [result(all=together, worst=worst)]) == f"1.0 / 2.0: {said}"


def test_a_file_of_results_gives_back_what_was_measured_and_the_same_picture(tmp_path: Path) -> None:
    file, pictures = tmp_path / "results.jsonl", [tmp_path / "one.png", tmp_path / "two.png"]
    measured = [result(), result(event=RETURN), result(configuration=OFF, worst=20.0), result(event=ROLL)]
    delivered = Delivery(configuration=OURS, turn=0, acknowledged=1, lost=0, duplicated=0, given_up=0)
    lines = [*map(asdict, measured), asdict(delivered)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    results, deliveries = failover.read(file)
    for picture in pictures:
        failover.draw(results, picture)

    assert ([each.event for each in results], deliveries) == ([each.event for each in measured], [delivered])
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


@pytest.mark.parametrize(
    "configuration", failover.configurations(DEFAULTS["kafka"]["config"]), ids=lambda each: each.name
)
def test_every_configuration_is_one_that_the_charts_take(configuration: Configuration) -> None:
    broker = {**DEFAULTS["kafka"], **configuration.values()}
    zookeeper = {**DEFAULTS["zookeeper"], "config": {**DEFAULTS["zookeeper"]["config"], **configuration.zookeeper}}

    assert KafkaValues.model_validate(broker).to_chart()["config"] == broker["config"]
    assert ZooKeeperValues.model_validate(zookeeper).to_chart()["config"] == zookeeper["config"]

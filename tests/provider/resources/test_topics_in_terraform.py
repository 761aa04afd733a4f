"""Topics through the real Terraform, on a real cluster."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from hikube_kafka.kafka.security import Credentials
from hikube_kafka.provider.moves import client, read_moves, read_sizes
from tests.support.ensemble import LivingEnsemble
from tests.support.terraform import Workspace
from tests.support.waiting import until

pytestmark = [pytest.mark.terraform, pytest.mark.ensemble, pytest.mark.timeout(400)]

ADDRESS = "hikube_kafka_topic.this"


@pytest.fixture
def kafka(living_ensemble: LivingEnsemble) -> AdminClient:
    return AdminClient({"bootstrap.servers": living_ensemble.bootstrap})


@pytest.fixture
def name(kafka: AdminClient) -> Iterator[str]:
    """A name of a topic; topics whose name begins with it are removed afterwards."""
    name = f"orders-{uuid4().hex[:8]}"
    yield name
    left = [topic for topic in kafka.list_topics(timeout=10).topics if topic.startswith(name)]
    if left:
        for answer in kafka.delete_topics(left).values():
            answer.result()


@pytest.fixture
def declare(workspace: Workspace, living_ensemble: LivingEnsemble, name: str) -> Callable[..., None]:
    """Write a configuration with one topic."""

    def write(**attributes: Any) -> None:
        topic = {"name": name, "partitions": 2, "replication_factor": 2, **attributes}
        workspace.write(
            provider={"hikube": {"bootstrap_servers": living_ensemble.bootstrap}},
            resource={"hikube_kafka_topic": {"this": topic}} if attributes.get("name", name) else {},
        )

    return write


def exists(kafka: AdminClient, name: str) -> bool:
    return name in kafka.list_topics(timeout=10).topics


def live(kafka: AdminClient, name: str, partitions: int = 1) -> Any:
    """The topic, once the broker that answers has heard of it: the controller tells the others a moment later."""

    def known() -> Any:
        topic = kafka.list_topics(timeout=10).topics.get(name)
        return topic if topic is not None and len(topic.partitions) >= partitions else None

    return until(known, f"{name} is known with {partitions} partitions")


def holds_entries(kafka: AdminClient, name: str, wanted: dict[str, str]) -> None:
    """The topic has these entries and no other.

    Each broker reads them from its own ZooKeeper server, which may be a moment behind.
    """

    def read() -> bool:
        (answer,) = kafka.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
        return {key: entry.value for key, entry in answer.result().items() if entry.source == 1} == wanted

    until(read, f"{name} has {wanted}")


def alter(kafka: AdminClient, name: str, **entries: str | None) -> None:
    changes = [
        ConfigEntry(
            key.replace("_", "."),
            value,
            incremental_operation=AlterConfigOpType.SET if value is not None else AlterConfigOpType.DELETE,
        )
        for key, value in entries.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=changes)
    for answer in kafka.incremental_alter_configs([resource]).values():
        answer.result()


def test_a_topic_is_made_as_declared_and_the_next_plan_is_empty(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare(config={"retention.ms": " 86400000 ", "cleanup.policy": "compact , delete", "preallocate": "True"})
    workspace.apply()
    topic = live(kafka, name)
    assert len(topic.partitions) == 2
    assert {len(partition.replicas) for partition in topic.partitions.values()} == {2}
    holds_entries(
        kafka,
        name,
        {
            "retention.ms": "86400000",
            "cleanup.policy": "compact,delete",
            "preallocate": "true",
        },
    )
    assert workspace.plan() == "empty"
    # Another spelling of the same values is no change either.
    declare(config={"retention.ms": "86400000", "cleanup.policy": "compact,delete", "preallocate": "TRUE"})
    assert workspace.plan() == "empty"
    assert workspace.state(ADDRESS)["deletion_protection"] is True


def test_entries_change_in_place_and_an_entry_removed_here_is_removed_there(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare(config={"retention.ms": "1000000", "segment.bytes": "1048576"})
    workspace.apply()
    declare(config={"segment.bytes": "2097152", "max.message.bytes": "4096"})
    assert "1 to change" in workspace.apply()
    holds_entries(kafka, name, {"segment.bytes": "2097152", "max.message.bytes": "4096"})
    declare()
    workspace.apply()
    holds_entries(kafka, name, {})
    assert workspace.plan() == "empty"


def test_partitions_are_added_in_place_and_never_removed(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare(partitions=2)
    workspace.apply()
    declare(partitions=5)
    assert "1 to change" in workspace.apply()
    assert len(live(kafka, name, 5).partitions) == 5
    declare(partitions=3)
    assert "cannot shrink from 5 to 3 partitions" in workspace.refused("plan")
    declare(partitions=5)
    assert workspace.plan() == "empty"


def test_a_topic_grown_outside_is_told_apart_and_the_way_out_works(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare(partitions=2)
    workspace.apply()
    for answer in kafka.create_partitions([NewPartitions(name, 4)]).values():
        answer.result()
    live(kafka, name, 4)
    assert "was grown outside Terraform: set partitions = 4" in workspace.refused("plan")
    declare(partitions=4)
    assert workspace.plan() == "empty"


def test_a_change_made_outside_is_shown_and_undone(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare(config={"retention.ms": "1000000"})
    workspace.apply()
    alter(kafka, name, retention_ms="5", segment_bytes="1048576")
    shown = workspace.plan()
    assert '"5" -> "1000000"' in shown
    assert "segment.bytes" in shown
    workspace.apply()
    holds_entries(kafka, name, {"retention.ms": "1000000"})


def test_a_topic_that_vanished_is_planned_anew(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare()
    workspace.apply()
    kafka.delete_topics([name])[name].result()
    until(lambda: not exists(kafka, name), f"{name} is gone")
    assert "1 to add" in workspace.plan()
    workspace.apply()
    assert live(kafka, name) is not None


def test_a_topic_of_somebody_else_is_not_taken_over_until_it_is_imported(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    kafka.create_topics([NewTopic(name, 3, 2, config={"retention.ms": "7000000"})])[name].result()
    live(kafka, name)
    declare(partitions=3)
    said = workspace.refused("plan")
    assert "exists already, made by somebody else" in said
    assert f"terraform import hikube_kafka_topic.this {name}" in said
    assert workspace.run("import", ADDRESS, name).returncode == 0
    state = workspace.state(ADDRESS)
    assert (state["partitions"], state["config"]) == (3, {"retention.ms": "7000000"})
    assert state["deletion_protection"] is True
    declare(partitions=3, config={"retention.ms": "7000000"})
    assert workspace.plan() == "empty"


def test_importing_a_topic_that_is_not_there_is_an_error(
    workspace: Workspace, declare: Callable[..., None], name: str
) -> None:
    declare()
    assert "Cannot import non-existent remote object" in workspace.refused("import", ADDRESS, name)


def test_a_topic_that_appeared_after_the_plan_is_not_taken_over_either(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare()
    assert workspace.run("plan", "-out=p").returncode == 0
    kafka.create_topics([NewTopic(name, 3, 2)])[name].result()
    assert f"terraform import hikube_kafka_topic.this {name}" in workspace.refused("apply", "p")
    assert workspace.resources() == []


def test_a_protected_topic_survives_destroy_rename_and_replace(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare()
    workspace.apply()
    assert "is protected from deletion" in workspace.refused("plan", "-destroy")
    assert "is protected from deletion" in workspace.refused("plan", f"-replace={ADDRESS}")
    workspace.expect("taint", ADDRESS)
    assert "terraform untaint" in workspace.refused("plan")
    workspace.expect("untaint", ADDRESS)
    declare(name=f"{name}-renamed")
    said = workspace.refused("plan")
    assert "is protected from deletion" in said
    assert "cannot rename a topic" in said
    # Giving up the protection in the same breath is not enough: it must have been applied.
    declare(name=f"{name}-renamed", deletion_protection=False)
    assert "is protected from deletion" in workspace.refused("plan")
    assert live(kafka, name) is not None
    declare(deletion_protection=False)
    workspace.apply()
    declare(name=f"{name}-renamed", deletion_protection=False)
    assert "1 added, 0 changed, 1 destroyed" in workspace.apply()
    assert live(kafka, f"{name}-renamed") is not None
    assert "1 added, 0 changed, 1 destroyed" in workspace.apply(f"-replace={ADDRESS}")
    assert "1 destroyed" in workspace.run("destroy", "-auto-approve").stdout
    until(lambda: not exists(kafka, f"{name}-renamed"), f"{name}-renamed is gone")


def test_many_protected_topics_are_refused_in_one_error_with_all_their_names(
    workspace: Workspace, living_ensemble: LivingEnsemble, name: str
) -> None:
    topic = {"count": 12, "name": f"{name}-${{count.index}}", "partitions": 1, "replication_factor": 1}
    workspace.write(
        provider={"hikube": {"bootstrap_servers": living_ensemble.bootstrap}},
        resource={"hikube_kafka_topic": {"this": topic}},
    )
    workspace.apply()
    said = workspace.refused("plan", "-destroy")
    # One of all, unless this machine is so busy that Terraform's calls come with pauses between them.
    assert said.count("Error:") < 4
    assert "more: it is protected from deletion, and the plan would delete it [topic-protected]" in said
    told = [each for listed in re.findall(r"All \d+: ([^.]+)\.", said) for each in listed.split(", ")]
    assert len(told) >= 10
    assert set(told) <= {f"{name}-{number}" for number in range(12)}


def test_a_topic_whose_address_changes_is_kept_by_the_block_that_the_refusal_shows(
    workspace: Workspace, living_ensemble: LivingEnsemble, kafka: AdminClient, name: str
) -> None:
    def declare(address: str, **blocks: Any) -> None:
        workspace.write(
            provider={"hikube": {"bootstrap_servers": living_ensemble.bootstrap}},
            resource={"hikube_kafka_topic": {address: topic}},
            **blocks,
        )

    topic = {"name": name, "partitions": 1, "replication_factor": 2, "deletion_protection": False}
    declare("old")
    workspace.apply()
    declare("new")
    said = workspace.refused("plan")
    assert "[same-thing-at-another-address]" in said
    assert "moved { from = hikube_kafka_topic.<old address> to = hikube_kafka_topic.<new address> }" in said
    declare("new", moved={"from": "hikube_kafka_topic.old", "to": "hikube_kafka_topic.new"})
    assert "0 added, 0 changed, 0 destroyed" in workspace.apply()
    assert exists(kafka, name)
    # A replacement of itself is no second address.
    assert "1 added, 0 changed, 1 destroyed" in workspace.apply("-replace=hikube_kafka_topic.new")


def test_more_copies_than_live_brokers_are_refused_at_plan(workspace: Workspace, declare: Callable[..., None]) -> None:
    declare(replication_factor=4)
    said = workspace.refused("plan")
    assert "a replication factor of 4 needs 4 brokers" in said
    assert "3 live: 0, 1, 2" in said


def test_a_replication_factor_changes_by_a_move_that_is_waited_for(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare(partitions=6, replication_factor=1)
    workspace.apply()
    declare(partitions=9, replication_factor=3)
    workspace.apply()
    topic = live(kafka, name, 9)
    assert len(topic.partitions) == 9
    # The broker that answers may hear of the last partition a moment after the one that the apply asked.
    until(
        lambda: all(sorted(its.isrs) == [0, 1, 2] for its in live(kafka, name, 9).partitions.values()),
        "every copy is in sync",
    )
    declare(partitions=9, replication_factor=4)
    assert "needs 4 brokers" in workspace.refused("plan")
    declare(partitions=9, replication_factor=2)
    workspace.apply()

    def two_copies() -> list[tuple[int, ...]]:
        replicas = [tuple(its.replicas) for its in live(kafka, name, 9).partitions.values()]
        return replicas if all(len(its) == 2 for its in replicas) else []

    replicas = until(two_copies, "two copies of each partition are left")
    held = [sum(broker in each for each in replicas) for broker in (0, 1, 2)]
    assert sum(held) == 18
    assert max(held) - min(held) <= 2  # the leaders stay, wherever Kafka put them
    assert workspace.plan() == "empty"


@pytest.fixture
def slowly(kafka: AdminClient, name: str) -> Iterator[Callable[[], None]]:
    """Replicas of the topic arrive anywhere at a byte a second, until this is called."""

    def throttle(rate: str | None) -> None:
        for broker in range(3):
            entry = ConfigEntry(
                "follower.replication.throttled.rate",
                rate,
                incremental_operation=AlterConfigOpType.SET if rate else AlterConfigOpType.DELETE,
            )
            resource = ConfigResource(ResourceType.BROKER, str(broker), incremental_configs=[entry])
            for answer in kafka.incremental_alter_configs([resource]).values():
                answer.result()

    def copied() -> None:
        throttle(None)
        until(lambda: moving(kafka, name) == {}, "the move has ended", 60)

    throttle("1")
    yield copied
    throttle(None)


def bootstrap_of(kafka: AdminClient) -> str:
    return ",".join(f"{broker.host}:{broker.port}" for broker in kafka.list_topics(timeout=10).brokers.values())


def fill(kafka: AdminClient, name: str) -> None:
    """Some data in each partition, and the entry of the topic that has the throttles apply to it."""
    producer = Producer({"bootstrap.servers": bootstrap_of(kafka)})
    for partition in live(kafka, name).partitions:
        for _ in range(8):  # a throttled broker still fetches one of them in eleven seconds
            producer.produce(name, bytes(900_000), partition=partition)
    assert producer.flush(30) == 0
    alter(kafka, name, **{"follower.replication.throttled.replicas": "*"})


def moving(kafka: AdminClient, name: str) -> dict[int, list[int]]:
    """The partitions of the topic that Kafka moves, and the brokers that are added."""
    moves = read_moves(bootstrap_of(kafka), Credentials()) or {}
    return {partition: sorted({*its.target} - {*its.before}) for partition, its in moves.get(name, {}).items()}


def test_a_reassignment_of_somebody_else_is_told_and_left_alone(
    workspace: Workspace,
    declare: Callable[..., None],
    kafka: AdminClient,
    name: str,
    slowly: Callable[[], None],
) -> None:
    from kafka import TopicPartition  # noqa: PLC0415 - slow to load

    declare()
    workspace.apply()
    fill(kafka, name)
    stays, goes = live(kafka, name).partitions[0].replicas
    (comes,) = {0, 1, 2} - {stays, goes}
    with client(bootstrap_of(kafka), Credentials()) as admin:
        admin.alter_partition_reassignments({TopicPartition(name, 0): [stays, comes]})
    until(lambda: moving(kafka, name) == {0: [comes]}, "the move has begun")

    said = workspace.expect("plan", "-detailed-exitcode")
    assert "Replicas are being moved by somebody else" in said
    assert f"partition 0 from brokers {stays}+{goes} to brokers {stays}+{comes}" in said
    declare(partitions=3)
    assert "its partitions cannot change while its replicas are being moved" in workspace.refused("plan")
    declare(replication_factor=1)
    assert "its replication_factor cannot change while its replicas are being moved" in workspace.refused("plan")
    declare(config={"retention.ms": "1000000"})
    assert "1 to change" in workspace.apply()
    assert moving(kafka, name) == {0: [comes]}
    holds_entries(kafka, name, {"retention.ms": "1000000", "follower.replication.throttled.replicas": "*"})
    slowly()
    assert workspace.plan() == "empty"


def test_a_move_of_our_own_that_was_cut_short_is_gone_on_with(
    workspace: Workspace,
    declare: Callable[..., None],
    kafka: AdminClient,
    name: str,
    slowly: Callable[[], None],
) -> None:
    declare()
    workspace.apply()
    fill(kafka, name)
    declare(replication_factor=3)
    workspace.apply_interrupted("Modifying...", also=lambda: len(moving(kafka, name)) == 2)
    (comes,) = moving(kafka, name)[0]
    sizes = read_sizes(
        bootstrap_of(kafka), Credentials(), name, {live(kafka, name).partitions[0].leader: [0], comes: [0]}
    )
    assert sizes is not None
    assert len(sizes) == 2
    assert max(sizes.values()) > 7_000_000, "what has arrived is told in bytes"
    assert len(moving(kafka, name)) == 2
    said = workspace.plan()
    assert "replication_factor = 2 -> 3" in said
    assert "A move of replicas that an earlier apply began is not finished" in said
    slowly()
    workspace.apply()
    assert {len(each.isrs) for each in live(kafka, name).partitions.values()} == {3}
    assert workspace.plan() == "empty"


def test_wrong_entries_and_numbers_are_found_by_validate(workspace: Workspace, declare: Callable[..., None]) -> None:
    declare(
        name="bad name",
        partitions=0,
        replication_factor=3,
        config={"retentionMs": "5", "segment.bytes": "1"},
    )
    said = workspace.refused("validate")
    assert "Kafka does not allow this name" in said
    assert "partitions must be a whole number of at least 1" in said
    assert "retention.ms" in said
    assert "segment.bytes" in said


def test_settings_unknown_at_plan_put_the_checks_off_until_the_apply(
    workspace: Workspace, living_ensemble: LivingEnsemble, kafka: AdminClient, name: str
) -> None:
    topic = {"name": name, "partitions": 1, "replication_factor": 1, "deletion_protection": False}
    workspace.write(
        provider={"hikube": {"bootstrap_servers": "${terraform_data.address.output}"}},
        resource={
            "terraform_data": {"address": {"input": living_ensemble.bootstrap}},
            "hikube_kafka_topic": {"this": topic},
        },
        data={"hikube_kafka_quorum": {"this": {}}},
        output={"reasons": {"value": "${data.hikube_kafka_quorum.this.reasons}"}},
    )
    said = workspace.apply()
    assert "not read yet" in said
    assert live(kafka, name) is not None
    assert workspace.run("plan", "-detailed-exitcode", "-destroy").returncode == 2


def test_one_topic_that_kafka_refuses_takes_no_other_with_it(
    workspace: Workspace, living_ensemble: LivingEnsemble, kafka: AdminClient, name: str
) -> None:
    """The odd one appears after the plan; all of them go to Kafka in one request."""
    topics = {
        f"t{number}": {"name": f"{name}-{number}", "partitions": 1, "replication_factor": 1} for number in range(5)
    }
    workspace.write(
        provider={"hikube": {"bootstrap_servers": living_ensemble.bootstrap}},
        resource={"hikube_kafka_topic": topics},
    )
    assert workspace.run("plan", "-out=p").returncode == 0
    kafka.create_topics([NewTopic(f"{name}-3", 1, 1)])[f"{name}-3"].result()
    assert "exists already" in workspace.refused("apply", "p")
    made = {resource["values"]["name"] for resource in workspace.resources()}
    assert made == {f"{name}-{number}" for number in (0, 1, 2, 4)}


def test_an_unreachable_cluster_keeps_the_topics_in_the_state_and_says_so_once(
    workspace: Workspace, living_ensemble: LivingEnsemble, name: str
) -> None:
    topics = {f"t{number}": {"name": f"{name}-{number}", "partitions": 1, "replication_factor": 1} for number in (1, 2)}
    workspace.write(
        provider={"hikube": {"bootstrap_servers": living_ensemble.bootstrap}}, resource={"hikube_kafka_topic": topics}
    )
    workspace.apply()
    workspace.write(provider={"hikube": {"bootstrap_servers": "127.0.0.1:9"}}, resource={"hikube_kafka_topic": topics})
    done = workspace.run("plan", "-detailed-exitcode")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("The topics were not read") == 1
    assert "connection refused" in done.stdout


def test_a_plan_before_the_cluster_exists_succeeds(workspace: Workspace, name: str) -> None:
    workspace.write(
        provider={"hikube": {"bootstrap_servers": "127.0.0.1:9"}},
        resource={"hikube_kafka_topic": {"this": {"name": name, "partitions": 1, "replication_factor": 3}}},
    )
    assert "1 to add" in workspace.plan()


def test_a_missing_address_is_told_with_the_setting_to_add(workspace: Workspace, name: str) -> None:
    workspace.write(
        provider={"hikube": {}},
        resource={"hikube_kafka_topic": {"this": {"name": name, "partitions": 1, "replication_factor": 1}}},
    )
    assert "does not know where the cluster is" in workspace.refused("plan")


@pytest.mark.parametrize("at", [": Creating...", "Creation complete", "t59: Creating..."])
def test_an_interrupted_apply_loses_sight_of_no_topic_and_the_next_one_ends_well(
    workspace: Workspace, living_ensemble: LivingEnsemble, kafka: AdminClient, name: str, at: str
) -> None:
    """Ctrl-C reaches Terraform and the provider alike, as from a terminal, at several moments of the apply."""
    topics = {
        f"t{number}": {"name": f"{name}-{number}", "partitions": 1, "replication_factor": 1} for number in range(60)
    }
    workspace.write(
        provider={"hikube": {"bootstrap_servers": living_ensemble.bootstrap}}, resource={"hikube_kafka_topic": topics}
    )
    workspace.apply_interrupted(at)

    def made() -> set[str]:
        return {topic for topic in kafka.list_topics(timeout=10).topics if topic.startswith(name)}

    recorded = {resource["values"]["name"] for resource in workspace.resources()}
    until(lambda: made() == recorded, lambda: f"what is recorded is what was made: {made() ^ recorded}", 30)
    workspace.apply()
    until(lambda: len(made()) == 60, "all 60 topics are there", 30)
    assert workspace.plan() == "empty"


def test_numbers_that_only_the_apply_tells_and_kafka_cannot_take_are_errors_of_their_topics_alone(
    workspace: Workspace, living_ensemble: LivingEnsemble, name: str
) -> None:
    topic = {"replication_factor": 1, "deletion_protection": False}
    workspace.write(
        provider={"hikube": {"bootstrap_servers": living_ensemble.bootstrap}},
        resource={
            "terraform_data": {"told": {"input": 3_000_000_000}},
            "hikube_kafka_topic": {
                "fine": {"count": 9, "name": f"{name}-${{count.index}}", "partitions": 1, **topic},
                "huge": {"name": f"{name}-huge", "partitions": "${terraform_data.told.output}", **topic},
            },
        },
    )
    said = workspace.refused("apply", "-auto-approve")
    assert said.count("Error: ") == 1
    assert "partitions must be a whole number of at most 100000" in said
    made = [each["address"] for each in workspace.resources() if each["type"] == "hikube_kafka_topic"]
    assert sorted(made) == [f"hikube_kafka_topic.fine[{each}]" for each in range(9)]


def test_an_entry_that_is_null_is_not_declared(
    workspace: Workspace, declare: Callable[..., None], kafka: AdminClient, name: str
) -> None:
    declare(config={"retention.ms": None, "cleanup.policy": "compact"}, deletion_protection=False)
    workspace.apply()
    live(kafka, name, 2)
    assert workspace.plan() == "empty"
    declare(config={"cleanup.policy": "compact"}, deletion_protection=False)
    assert workspace.plan() == "empty"


def test_what_terraform_writes_for_imported_topics_is_valid_and_changes_nothing(
    workspace: Workspace, living_ensemble: LivingEnsemble, kafka: AdminClient, name: str
) -> None:
    entries: dict[str, dict[str, str]] = {"a": {"min.insync.replicas": "2", "retention.ms": "7000000"}, "b": {}}
    for answer in kafka.create_topics([NewTopic(f"{name}-{each}", 1, 2, config=entries[each]) for each in entries]):
        live(kafka, answer)
    blocks = [{"to": f"hikube_kafka_topic.{each}", "id": f"{name}-{each}"} for each in entries]
    workspace.write(provider={"hikube": {"bootstrap_servers": living_ensemble.bootstrap}}, **{"import": blocks})
    said = workspace.expect("plan", "-generate-config-out=generated.tf")
    assert f"Warning: Topic {name}-a: min.insync.replicas = 2 leaves no room" in said
    workspace.expect("validate")
    workspace.apply()
    assert workspace.plan() == "empty"

"""What a plan of a rollout says; where it asks a cluster, the answer is given here."""

from collections.abc import Callable
from typing import Any

import pytest

from hikube_kafka.kubernetes.errors import ApiServerError, ForbiddenError
from hikube_kafka.kubernetes.release import Revision
from hikube_kafka.plugin.diagnostics import Refusal, collected_warnings
from hikube_kafka.plugin.resource import Plan, PlanRequest
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider import rollout
from hikube_kafka.provider.resources.rollout import RolloutResource
from hikube_kafka.provider.resources.topic import TopicResource
from hikube_kafka.provider.rollout import Survey
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach, Settings
from hikube_kafka.provider.topics import KafkaCluster
from tests.kubernetes.test_obstacles import Change, recorded

REACH = KubernetesReach(kubeconfig=None, context=None, namespace="events", release="well")
DEPLOYED = Revision(secret="sh.helm.release.v1.well.v2", number=2, status="deployed", since="2026-01-01T00:00:00Z")
WELL = {"well-0": "running", "well-1": "running"}
Living = Callable[[Any], None]


@pytest.fixture
def resource() -> RolloutResource:
    session = Session()
    session.configure(Settings(kubernetes=REACH))
    return RolloutResource(session)


@pytest.fixture
def living(monkeypatch: pytest.MonkeyPatch) -> Living:
    """Set what the cluster answers, or the error that comes in place of an answer."""

    def answer(found: Survey | Exception) -> None:
        def survey(*_: Any) -> Survey:
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(rollout, "survey", survey)

    answer(seen())
    return answer


def seen(change: Change = lambda _: None, newest: Revision | None = DEPLOYED, nodes: int | None = 3) -> Survey:
    return Survey(seen=recorded("well", change), newest=newest, nodes=nodes)


def config(**changed: Any) -> dict[str, Any]:
    attributes = {"patience": None, "one_per_node": None, "release": None, "servers": None}
    return {"stateful_set": "well", "replicas": 2, "trigger": "a", **attributes, **changed}


def planned(resource: RolloutResource, prior: dict[str, Any] | None, wanted: dict[str, Any]) -> Plan:
    """As Terraform asks: what the configuration leaves out is carried over where it is computed."""
    proposed = {**wanted, "servers": (prior or {}).get("servers")}
    return resource.plan(PlanRequest(prior=prior, proposed=proposed, config=wanted))


def said(plan: Plan) -> list[str]:
    return [each.summary for each in plan.diagnostics]


@pytest.mark.usefixtures("living")
def test_what_is_as_declared_plans_nothing(resource: RolloutResource) -> None:
    prior = resource.read(config(), b"")
    assert prior["servers"] == WELL
    plan = planned(resource, prior, config())
    assert (plan.planned, said(plan)) == (prior, [])


@pytest.mark.usefixtures("living")
def test_another_release_is_waited_for(resource: RolloutResource) -> None:
    prior = config(servers=WELL)
    plan = planned(resource, prior, config(trigger="b"))
    assert plan.planned == {**prior, "trigger": "b"}
    assert plan.planned != prior


@pytest.mark.usefixtures("living")
def test_what_only_the_apply_will_tell_is_no_fault(resource: RolloutResource) -> None:
    for unknown in ("stateful_set", "replicas", "trigger", "release"):
        plan = planned(resource, None, config(**{unknown: UNKNOWN}))
        assert not plan.diagnostics


@pytest.mark.parametrize(
    ("change", "drift", "told"),
    [
        (
            lambda it: it["stateful_set"]["spec"].update(replicas=0),
            {"well-0": "away", "well-1": "away"},
            ["0 replicas"],
        ),
        (lambda it: it["pods"].pop("well-1"), {"well-0": "running", "well-1": "away"}, []),
        (
            lambda it: it.update(stateful_set=None, pods={}),
            {"well-0": "away", "well-1": "away"},
            ["does not exist any more"],
        ),
        (
            lambda it: (
                it["stateful_set"]["status"].update(updateRevision="new"),
                it["stateful_set"]["spec"].update(updateStrategy={"type": "OnDelete"}),
            ),
            {"well-0": "of another revision", "well-1": "of another revision"},
            ["OnDelete"],
        ),
    ],
)
def test_a_change_by_hand_is_drift_that_the_plan_heals(
    resource: RolloutResource, living: Living, change: Change, drift: dict[str, str], told: list[str]
) -> None:
    living(seen(change))
    prior = resource.read(config(servers=WELL), b"")
    assert prior["servers"] == drift
    plan = planned(resource, prior, config())
    assert plan.planned == {**prior, "servers": WELL}
    assert len(said(plan)) == len(told)
    assert all(words in "".join(said(plan)) for words in told)


def test_servers_that_somebody_added_are_told_of_and_not_removed(resource: RolloutResource, living: Living) -> None:
    living(seen(lambda it: it["stateful_set"]["spec"].update(replicas=3)))
    prior = resource.read(config(servers=WELL), b"")
    assert prior["servers"] == {**WELL, "well-2": "not declared"}
    plan = planned(resource, prior, config())
    assert plan.planned == prior
    assert said(plan) == ["StatefulSet well: it has 3 replicas, and 2 are declared [rollout-scaled-up]"]


def test_fewer_servers_are_planned_without_those_that_go(resource: RolloutResource, living: Living) -> None:
    living(seen(lambda it: it["stateful_set"]["spec"].update(replicas=3)))
    plan = planned(resource, config(replicas=3, servers={**WELL, "well-2": "running"}), config())
    assert plan.planned == config(servers=WELL)
    assert said(plan) == []


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_a_release_that_was_cut_short_is_refused_with_what_helps(
    resource: RolloutResource, living: Living, status: str
) -> None:
    pending = Revision(secret="sh.helm.release.v1.well.v3", number=3, status=status, since="2026-01-01T00:00:00Z")
    living(seen(newest=pending))
    for prior in (None, config(servers=WELL)):
        (error,) = planned(resource, prior, config()).diagnostics
        assert error.severity == "error"
        assert error.summary.endswith("[release-locked]")
        assert f"{REACH.command()} delete secret sh.helm.release.v1.well.v3." in error.detail
    assert not resource.plan(PlanRequest(prior=config(servers=WELL), proposed=None, config=None)).diagnostics


@pytest.mark.parametrize(("nodes", "told"), [(1, ["rollout-too-few-nodes"]), (2, []), (None, [])])
def test_too_few_nodes_are_said_before_the_apply(
    resource: RolloutResource, living: Living, nodes: int | None, told: list[str]
) -> None:
    living(seen(nodes=nodes))
    plan = planned(resource, None, config(one_per_node=True))
    assert [each.rpartition("[")[2].rstrip("]") for each in said(plan)] == told


def test_what_cannot_be_read_is_not_gone(resource: RolloutResource, living: Living) -> None:
    state = config(servers=WELL)
    living(ApiServerError("https://cluster", "connection refused"))
    with collected_warnings() as warnings:
        assert resource.read(state, b"") == state
    assert "nothing is taken for lost" in warnings[0].detail
    assert not planned(resource, state, config()).diagnostics

    resource._session.changed()  # another process
    living(ForbiddenError("events", "pods", "pods is forbidden"))
    with pytest.raises(Refusal):
        resource.read(state, b"")
    (error,) = planned(resource, state, config()).diagnostics
    assert error.summary == "StatefulSet well cannot be read"


def test_the_wait_is_for_the_declared_time_and_nothing_else_is_recorded(
    resource: RolloutResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[Any] = []
    monkeypatch.setattr(rollout, "roll_out", lambda _reach, wanted, _session: waited.append(wanted))
    plan = config(servers=WELL)
    assert resource.create(plan, b"") == plan
    assert resource.update(plan, {**plan, "patience": 60, "release": "other"}, b"")["patience"] == 60
    assert [(each.seconds, each.release) for each in waited] == [(3600, "well"), (60, "other")]


class OneBroker(KafkaCluster):
    """A cluster of which one broker has registered so far."""

    def exists(self, name: str) -> bool:  # noqa: ARG002 - whatever it is called
        return False

    def live_brokers(self, at_least: int) -> frozenset[int]:  # noqa: ARG002 - as many as there are
        return frozenset({0})

    def away(self, brokers: int) -> bool:  # noqa: ARG002 - it has never met more
        return False


@pytest.fixture
def topic(resource: RolloutResource) -> Callable[[], list[str]]:
    """What the plan of a topic with two copies says."""
    session = resource._session
    session._cluster = OneBroker(Settings(bootstrap_servers="localhost:1"), session.stopped)
    wanted = {"name": "orders", "partitions": 1, "replication_factor": 2, "config": None, "deletion_protection": None}

    def plan() -> list[str]:
        config = {"id": None, **wanted}
        return said(TopicResource(session).plan(PlanRequest(prior=None, proposed=config, config=config)))

    return plan


@pytest.mark.usefixtures("living")
def test_brokers_that_are_waited_for_count_for_topics(
    resource: RolloutResource, topic: Callable[[], list[str]]
) -> None:
    (refused,) = topic()
    assert "replication-factor-above-brokers" in refused
    planned(resource, None, config())  # as after an apply that was cut short while the brokers were starting
    assert topic() == []
    resource._session.changed()
    assert topic() == [refused]


@pytest.mark.usefixtures("living")
def test_brokers_that_nobody_waits_for_are_not_there(resource: RolloutResource, topic: Callable[[], list[str]]) -> None:
    planned(resource, resource.read(config(), b""), config())  # nothing is to be done
    planned(resource, None, config(stateful_set="shop-zookeeper"))  # other servers
    assert topic() != []

"""What a plan of voters says; what the servers say of themselves is given here."""

import base64
from typing import Any

import pytest

from hikube_kafka.plugin.diagnostics import Refusal, collected_warnings
from hikube_kafka.plugin.resource import Plan, PlanRequest
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.membership import Membership
from hikube_kafka.provider.resources import zookeeper_members
from hikube_kafka.provider.resources.zookeeper_members import ZooKeeperMembersResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach, Settings

REACH = KubernetesReach(kubeconfig=None, context=None, namespace="kafka", release="events-kafka")


class Members(ZooKeeperMembersResource):
    """Its servers say what the test says."""

    def __init__(self) -> None:
        session = Session()
        session.configure(Settings(kubernetes=REACH))
        super().__init__(session)
        self.seen: Membership | None = None
        self.deployed = False

    def _seen(self, state: dict[str, Any], servers: frozenset[int]) -> Membership | None:  # noqa: ARG002
        return self.seen

    def _look(self, state: dict[str, Any], servers: frozenset[int], *_: Any) -> Membership | None:  # noqa: ARG002
        return self.seen

    def _is_deployed(self, planned: dict[str, Any]) -> bool:  # noqa: ARG002
        return self.deployed


@pytest.fixture
def members() -> Members:
    return Members()


def declared(*servers: int, applied: object = "before", **values: Any) -> dict[str, Any]:
    return {
        "stateful_set": "zk",
        "servers": {str(server): f"zk-{server - 1}.zk:2888:3888:participant;2181" for server in servers},
        "secret": "zk-membership",
        "applied": applied,
        "voters": None,
        **values,
    }


def planned(resource: Members, prior: dict[str, Any] | None, wanted: dict[str, Any]) -> Plan:
    proposed = {**wanted, "voters": (prior or {}).get("voters")}
    return resource.plan(PlanRequest(prior=prior, proposed=proposed, config=wanted))


def voters(plan: Plan) -> Any:
    assert plan.planned is not None
    return plan.planned["voters"]


def serving(*servers: int, of: tuple[int, ...]) -> Membership:
    modes = dict.fromkeys(servers, "follower") | {servers[0]: "leader"}
    return Membership(modes=modes, views=dict.fromkeys(servers, frozenset(of)))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            declared(1, 2),
            "2 servers need 2 for a quorum",
        ),
        (
            declared(1, 2, 3, 4),
            "4 servers need 3 for a quorum",
        ),
        (declared(), "servers is empty"),
        (declared(1, applied="later"), "applied has no value 'later'"),
        (declared(1, servers={"0": "zk:2888:3888:participant;2181"}), "'0' is not the id of a server"),
        (declared(1, servers={"1": "zk:2181"}), "'zk:2181' is not how ZooKeeper lists a server"),
    ],
)
def test_what_makes_no_ensemble_is_found_before_it_is_asked(
    members: Members, wanted: dict[str, Any], said: str
) -> None:
    (fault,) = members.validate(wanted)
    assert said in fault.summary


def test_unknown_values_are_no_faults(members: Members) -> None:
    for wanted in (declared(servers=UNKNOWN), declared(1, servers={"1": UNKNOWN}), declared(1, applied=UNKNOWN)):
        assert not list(members.validate(wanted))
        assert voters(planned(members, None, wanted)) is UNKNOWN


def test_growth_is_shown_after_the_release_and_changes_no_voter_before_it(members: Members) -> None:
    before, after = declared(1, 2, 3, voters=[1, 2, 3]), declared(1, 2, 3, applied="after", voters=[1, 2, 3])
    assert voters(planned(members, before, declared(1, 2, 3, 4, 5))) == [1, 2, 3]
    assert voters(planned(members, after, declared(1, 2, 3, 4, 5, applied="after"))) == [1, 2, 3, 4, 5]
    # A voter that somebody took out by hand is drift that heals.
    assert voters(planned(members, {**after, "voters": [1, 2]}, declared(1, 2, 3, applied="after"))) == [1, 2, 3]


def test_servers_that_go_are_shown_before_the_release(members: Members) -> None:
    members.seen = serving(1, 2, 3, 4, 5, of=(1, 2, 3, 4, 5))
    plan = planned(members, declared(1, 2, 3, 4, 5, voters=[1, 2, 3, 4, 5]), declared(1, 2, 3))
    assert voters(plan) == [1, 2, 3]
    assert not plan.diagnostics


def test_a_plan_that_could_lose_the_quorum_is_refused(members: Members) -> None:
    prior = declared(1, 2, 3, 4, 5, voters=[1, 2, 3, 4, 5])
    members.seen = serving(1, 3, 4, 5, of=(1, 2, 3, 4, 5))
    (fault,) = planned(members, prior, declared(1, 2, 3)).diagnostics
    assert fault.summary == (
        "ZooKeeper servers 4, 5: they cannot be taken out now: server 2 stays and does not serve "
        "[zookeeper-quorum-at-risk]"
    )
    members.seen = serving(1, 2, 3, of=(1, 2, 3))
    (fault,) = planned(members, declared(1, 2, 3, voters=[1, 2, 3]), declared(4, 5, 6)).diagnostics
    assert "none of those that stay votes" in fault.summary
    # One that goes may be away.
    members.seen = serving(1, 2, 3, 4, of=(1, 2, 3, 4, 5))
    assert not planned(members, prior, declared(1, 2, 3)).diagnostics


def test_a_read_tells_who_votes_and_keeps_what_is_known_where_nobody_answers(members: Members) -> None:
    state = declared(1, 2, 3, voters=[1, 2, 3])
    members.seen = serving(1, 2, of=(1, 2))
    assert members.read(state, b"")["voters"] == [1, 2]
    for seen in (None, Membership(modes={1: "follower"}, views={1: frozenset({1, 2}), 2: frozenset({1, 2, 3})})):
        members.seen = seen
        with collected_warnings() as warnings:
            assert members.read(state, b"") == state
        assert [each.summary for each in warnings] == ["The voters of ZooKeeper zk were not read"]


@pytest.mark.parametrize("seen", [None, Membership(modes={}, views={})])
def test_servers_that_are_there_and_do_not_answer_are_not_servers_that_do_not_vote(
    members: Members, seen: Membership | None
) -> None:
    members.seen, members.deployed = seen, True
    with pytest.raises(Refusal, match="The voters of ZooKeeper zk cannot be read"):
        members.create(declared(1, 2, 3, voters=UNKNOWN), b"")


def test_servers_that_do_not_agree_are_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    session.configure(Settings(kubernetes=REACH))
    looks: list[frozenset[int]] = []

    def look(_: Any, __: Any, servers: frozenset[int], *___: Any) -> Membership:
        looks.append(servers)
        return Membership(modes={}, views={})

    monkeypatch.setattr(ZooKeeperMembersResource, "_look", look)
    resource = ZooKeeperMembersResource(session)
    for applied in ("before", "after"):
        state = declared(1, 2, 3, applied=applied, voters=[1, 2, 3])
        with collected_warnings():
            assert resource.read(state, b"") == state
    assert len(looks) == 1


def test_before_the_first_release_nobody_votes_and_nothing_is_done(members: Members) -> None:
    assert members.create(declared(1, 2, 3, voters=UNKNOWN), b"")["voters"] == []
    plan = planned(members, declared(1, 2, 3, voters=[]), declared(1, 2, 3))
    assert voters(plan) == []


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_password_is_read_as_the_servers_read_it(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Secret that was made from a file often ends with a line break."""
    found = {"data": {"password": base64.b64encode(f"secret{ending}".encode()).decode()}}
    monkeypatch.setattr("hikube_kafka.kubernetes.client.ask", lambda *_: found)
    assert zookeeper_members._password(REACH, "zk-membership") == "secret"


def test_a_secret_whose_password_is_empty_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"data": {"password": base64.b64encode(b"\n").decode()}}
    monkeypatch.setattr("hikube_kafka.kubernetes.client.ask", lambda *_: found)
    with pytest.raises(Refusal) as refused:
        zookeeper_members._password(REACH, "zk-membership")
    assert "has no password" in str(refused.value)

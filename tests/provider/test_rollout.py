"""A wait for a rollout ends: with what stands in the way, at the end of the patience, or with Ctrl-C."""

import asyncio
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import count
from typing import Any

import pytest

from hikube_kafka.kubernetes.errors import ApiServerError, ChangeRefusedError
from hikube_kafka.kubernetes.release import Revision
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.provider import rollout
from hikube_kafka.provider.rollout import Wanted, roll_out, telling, wrong_cluster
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach
from tests.kubernetes.test_obstacles import RECORDED, Change, claims_say, recorded

REACH = KubernetesReach(kubeconfig=None, context=None, namespace="events", release="well")
IDS = "rXnPfHskTXaNGY8DZJ2gKQ", "3pP0zTPPRuO8ZxVQbX7n1A"
INCONSISTENT = (
    "RuntimeException: Invalid cluster.id in: /data/log/meta.properties. Expected {}, but read {}".format(*IDS),
    "The Cluster ID {} doesn't match stored clusterId Some({}) in meta.properties.".format(*IDS),
)


class Api:
    """An API server that notes what it is asked to change."""

    namespace = "events"

    def __init__(self) -> None:
        self.changes: list[tuple[str, Any]] = []
        self.lines: list[str] = []

    async def patch(self, path: str, change: Any) -> None:
        self.changes.append((path, change))

    async def create(self, path: str, body: Any) -> None:
        self.changes.append((path, body))

    async def log(self, *_: Any, **__: Any) -> list[str]:
        return self.lines


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api()
    monkeypatch.setattr(rollout, "ask", lambda *given: asyncio.run(given[-1](api)))
    monkeypatch.setattr(rollout, "_POLL_SECONDS", 0.0)
    return api


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set what is seen at each look; the last is seen for ever."""

    def answer(*looks: Any) -> None:
        left: Iterator[Any] = iter(looks)
        last: list[Any] = []

        async def observe(*_: Any) -> Any:
            last[:] = [next(left, *last)]
            if isinstance(last[0], Exception):
                raise last[0]
            return last[0]

        monkeypatch.setattr(rollout, "observe_rollout", observe)

    return answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "_PATIENCE", dict.fromkeys(rollout._PATIENCE, 0.0))


def wait(name: str, replicas: int = 2, seconds: int = 30, session: Session | None = None) -> None:
    wanted = Wanted(stateful_set=name, release=name, replicas=replicas, seconds=seconds)
    roll_out(REACH, wanted, session or Session())


def refused(name: str, **given: Any) -> tuple[Diagnostic, ...]:
    with pytest.raises(Refusal) as said:
        wait(name, **given)
    assert said.value.state is None, "a creation that failed is not recorded"
    return said.value.diagnostics


def test_it_ends_once_every_pod_is_ready(api: Api, seen: Callable[..., None]) -> None:
    coming = recorded("well", lambda it: it["pods"].pop("well-1"))
    seen(recorded("well"), coming, coming, recorded("well"))
    wait("well")
    assert api.changes == []


@pytest.mark.usefixtures("impatient")
def test_pods_with_the_same_in_their_way_are_one_error(api: Api, seen: Callable[..., None]) -> None:
    seen(recorded("image"))
    (error,) = refused("image")
    assert error.summary.startswith("Pods image-0, image-1: the image cannot be pulled: ")
    assert error.summary.endswith("[rollout-image]")
    assert api.changes == []


@pytest.mark.usefixtures("api", "impatient")
def test_a_refusal_of_long_ago_is_not_taken_for_one_of_now(seen: Callable[..., None]) -> None:
    again = deepcopy(RECORDED["quota"]["events"])
    for each in again:
        each["count"] = each.get("count", 1) + 1
    old = recorded("quota")
    seen(old, old, recorded("quota", lambda it: it.update(events=again)))
    (error,) = refused("quota")
    assert "[rollout-quota]" in error.summary
    seen(old)
    (error,) = refused("quota", seconds=1)
    assert "[rollout-not-ready]" in error.summary


def test_after_a_refusal_the_controller_is_asked_to_try_now(api: Api, seen: Callable[..., None]) -> None:
    seen(recorded("quota"), recorded("well"))
    wait("quota")
    ((path, change),) = api.changes
    assert path == "/apis/apps/v1/namespaces/events/statefulsets/quota"
    assert "hikube.kafka/asked" in change["metadata"]["annotations"]


@pytest.mark.usefixtures("api")
def test_what_stood_in_the_way_before_does_not_count_once_it_is_over(
    seen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = count(0, 10)
    monkeypatch.setattr(rollout, "monotonic", lambda: next(now))
    makes = recorded("noclass", claims_say(("Provisioning", "makes it")))
    unbound = recorded("noclass", lambda it: it.update(claims={}))
    seen(unbound, unbound, *[makes] * 9, unbound, recorded("well"))
    wait("noclass")


def test_who_may_not_ask_the_controller_waits_all_the_same(
    api: Api, seen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forbidden(*_: Any) -> None:
        raise ChangeRefusedError("forbidden")

    monkeypatch.setattr(api, "patch", forbidden)
    seen(recorded("quota"), recorded("well"))
    wait("quota")


@pytest.mark.usefixtures("impatient")
def test_a_crash_shows_what_was_written_last_without_secrets(api: Api, seen: Callable[..., None]) -> None:
    api.lines = ["INFO starting", "[main] ERROR cannot log in with password=hunter2", "\tat java.base/x.y(Z.java:1)"]
    seen(recorded("crash"))
    (error,) = refused("crash")
    assert "exit code 3" in error.summary
    assert "It last wrote: [main] ERROR cannot log in with password=…" in error.detail
    assert "hunter2" not in error.detail


def test_crashes_while_somebody_waits_end_the_wait_at_once(api: Api, seen: Callable[..., None]) -> None:
    def often(it: dict[str, Any]) -> None:
        for pod in it["pods"].values():
            for each in pod["status"]["containerStatuses"]:
                each["restartCount"] += 3

    seen(recorded("crash"), recorded("crash", often))
    (error,) = refused("crash")
    assert "[rollout-crash]" in error.summary
    assert "What it wrote cannot be read" in error.detail
    assert api.changes == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("line", INCONSISTENT)
def test_a_broker_whose_zookeeper_has_lost_its_data_is_told_so(api: Api, seen: Callable[..., None], line: str) -> None:
    api.lines = ["[main] ERROR Fatal error during KafkaServer startup. Prepare to shutdown", line]
    seen(recorded("crash"))
    (error,) = refused("crash")
    assert "cluster 3pP0zTPPRuO8ZxVQbX7n1A, and ZooKeeper knows cluster rXnPfHskTXaNGY8DZJ2gKQ" in error.summary
    assert "restore its claims" in error.detail


def test_zookeeper_servers_without_a_membership_are_told_once_nobody_else_is_to_come(
    api: Api, seen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unready(it: dict[str, Any]) -> None:
        for pod in it["pods"].values():
            for each in pod["status"]["conditions"]:
                each["status"] = "False" if each["type"] == "Ready" else each["status"]

    def coming(it: dict[str, Any]) -> None:
        unready(it)
        it["pods"]["well-1"]["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "ContainerCreating"}}

    words = "server 1 waits: its claim has no membership, and no server tells it who votes"
    api.lines = [words]
    monkeypatch.setattr(rollout, "_SILENT_SECONDS", 30.0)
    now = count(0, 10)
    monkeypatch.setattr(rollout, "monotonic", lambda: next(now))
    seen(*[recorded("well", coming)] * 20, recorded("well"))
    wait("well")
    seen(recorded("well", unready))
    (error,) = refused("well")
    assert error.summary == f"Pods well-0, well-1: all servers run, and none serves: {words} [rollout-no-membership]"
    api.lines = ["INFO Looking for a leader"]
    seen(*[recorded("well", unready)] * 20, recorded("well"))
    wait("well")


def test_a_broker_that_no_zookeeper_server_lets_in_is_told_also_while_others_are_ready(
    api: Api, seen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def behind(it: dict[str, Any]) -> None:
        for each in it["pods"]["well-1"]["status"]["conditions"]:
            each["status"] = "False" if each["type"] == "Ready" else each["status"]

    words = "broker 1 waits: no ZooKeeper server serves, of nowhere:2181"
    monkeypatch.setattr(rollout, "_SILENT_SECONDS", 30.0)
    now = count(0, 10)
    monkeypatch.setattr(rollout, "monotonic", lambda: next(now))
    api.lines = ["broker 1 goes on: ZooKeeper serves"]
    seen(*[recorded("well", behind)] * 20, recorded("well"))
    wait("well")
    api.lines = [words]
    seen(recorded("well", behind))
    (error,) = refused("well")
    assert error.summary == f"Pod well-1: {words} [rollout-no-zookeeper]"


@pytest.mark.usefixtures("api")
def test_the_patience_ends_with_what_the_probe_says(seen: Callable[..., None]) -> None:
    def behind(it: dict[str, Any]) -> None:
        pod = it["pods"]["well-1"]
        for each in pod["status"]["conditions"]:
            each["status"] = "False" if each["type"] == "Ready" else each["status"]
        about = {"name": "well-1", "uid": pod["metadata"]["uid"]}
        said = {"reason": "Unhealthy", "message": "Startup probe failed: 3 of 5 in sync", "involvedObject": about}
        it["events"].append({"metadata": {"uid": "probe"}, **said})

    seen(recorded("well", behind))
    (error,) = refused("well", seconds=1)
    assert error.summary == "StatefulSet well: well-1 is not ready after 1 s [rollout-not-ready]"
    assert "well-1: not ready; Startup probe failed: 3 of 5 in sync." in error.detail


@pytest.mark.usefixtures("api")
def test_a_controller_that_does_not_see_the_change_is_named(seen: Callable[..., None]) -> None:
    seen(recorded("well", lambda it: it["stateful_set"]["metadata"].update(generation=9)))
    (error,) = refused("well", seconds=1)
    assert error.summary == "StatefulSet well: its change is not ready after 1 s [rollout-not-ready]"
    assert error.detail.startswith("Kubernetes' controller has not seen it yet.")


@pytest.mark.usefixtures("api")
def test_ctrl_c_ends_the_wait_and_says_how_far_it_is(seen: Callable[..., None]) -> None:
    session = Session()
    session.stopped.set()
    seen(recorded("well", lambda it: it["pods"].pop("well-1")))
    (error,) = refused("well", session=session)
    assert error.summary == "Stopped while StatefulSet well was rolling out"
    assert "1 of 2 pods are ready and up to date; not yet: well-1 (away)." in error.detail


@pytest.mark.usefixtures("api")
def test_an_api_server_that_is_away_for_a_moment_is_waited_for(
    seen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = ApiServerError("https://cluster", "connection refused")
    seen(recorded("well"), gone, gone, recorded("well"))
    wait("well")
    monkeypatch.setattr(rollout, "_UNANSWERED_SECONDS", 0.0)
    seen(recorded("well"), gone)
    with pytest.raises(ApiServerError):
        wait("well")


@pytest.mark.parametrize(
    ("change", "healed"),
    [
        (lambda it: it["stateful_set"]["spec"].update(replicas=0), {"replicas": 2}),
        (
            lambda it: it["stateful_set"]["spec"].update(updateStrategy={"type": "OnDelete"}),
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
        ),
    ],
)
def test_what_was_changed_by_hand_is_set_back(
    api: Api, seen: Callable[..., None], change: Change, healed: dict[str, Any]
) -> None:
    seen(recorded("well", change), recorded("well"))
    wait("well")
    assert api.changes == [("/apis/apps/v1/namespaces/events/statefulsets/well", {"spec": healed})]


def test_servers_that_somebody_added_are_let_be(api: Api, seen: Callable[..., None]) -> None:
    seen(recorded("well", lambda it: it["stateful_set"]["spec"].update(replicas=5)))
    wait("well")
    assert api.changes == []


def test_a_stateful_set_that_was_deleted_is_made_anew_as_its_release_has_it(
    api: Api, seen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {"kind": "StatefulSet", "metadata": {"name": "well"}}

    async def newest(*_: Any) -> Revision:
        return Revision(secret="v3", number=3, status="deployed", since="")

    async def manifest(*_: Any) -> dict[str, Any] | None:
        return made or None

    monkeypatch.setattr(rollout, "newest_revision", newest)
    monkeypatch.setattr(rollout, "manifest", manifest)
    seen(recorded("well", lambda it: it.update(stateful_set=None)), recorded("well"))
    wait("well")
    assert api.changes == [("/apis/apps/v1/namespaces/events/statefulsets", made)]

    made = {}
    seen(recorded("well", lambda it: it.update(stateful_set=None)))
    (error,) = refused("well")
    assert error.summary == "There is no StatefulSet well in namespace events"
    assert f"{REACH.command('helm')} get manifest well | {REACH.command()} apply -f -" in error.detail


def test_what_a_log_tells_is_its_last_errors_and_else_its_last_lines() -> None:
    assert telling(["a", "", "b", "c", "d"]) == ["b", "c", "d"]
    assert telling(["ERROR one", "fine", "\tat x", "java.lang.IllegalStateException: two"]) == [
        "ERROR one",
        "java.lang.IllegalStateException: two",
    ]
    assert telling(['ssl.keystore.password = "a b"', "token: abc"]) == ["ssl.keystore.password = …", "token: …"]
    assert wrong_cluster(["a", "b"]) is None

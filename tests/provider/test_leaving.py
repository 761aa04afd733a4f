"""The claims of a release that is gone let go only once its last pod has ended, and say for what they wait."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.provider import leaving
from hikube_kafka.provider.resources.volume_claims import VolumeClaimsResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach, Settings

REACH = KubernetesReach(kubeconfig=None, context=None, namespace="events", release="events-kafka")


def pod(number: int, owner: str | None = "events-kafka") -> dict[str, Any]:
    owners = [{"kind": "StatefulSet", "name": owner}] if owner else []
    return {
        "metadata": {"name": f"events-kafka-{number}", "ownerReferences": owners},
        "spec": {"nodeName": "node-a", "terminationGracePeriodSeconds": 0},
    }


class Api:
    namespace = "events"

    def __init__(self, *looks: list[Any], lives: bool = False) -> None:
        self.looks = list(looks)
        self.lives = lives
        self.asked = 0

    async def find(self, _: str) -> Any:
        return {} if self.lives else None

    async def listed(self, _: str) -> Any:
        self.asked += 1
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


Let = Callable[..., None]


@pytest.fixture
def let_go(monkeypatch: pytest.MonkeyPatch) -> Let:
    """Destroy the claims in a cluster that answers so."""
    monkeypatch.setattr(leaving, "_POLL_SECONDS", 0.0)

    def delete(api: Api, *, stopped: bool = False) -> None:
        monkeypatch.setattr(leaving, "ask", lambda *given: asyncio.run(given[-1](api)))
        session = Session()
        session.configure(Settings(kubernetes=REACH))
        session.stopped = threading.Event()
        if stopped:
            session.stopped.set()
        VolumeClaimsResource(session).delete({"stateful_set": "events-kafka", "templates": {}, "claims": {}}, b"")

    return delete


def refused(let_go: Let, api: Api, **given: Any) -> Diagnostic:
    with pytest.raises(Refusal) as said:
        let_go(api, **given)
    (error,) = said.value.diagnostics
    return error


def test_the_last_pod_is_waited_for(let_go: Let) -> None:
    api = Api([pod(0), pod(1)], [pod(0), pod(1)], [pod(1)], [pod(7, owner=None), pod(7, owner="other")])
    let_go(api)
    assert api.asked == 4


def test_pods_that_live_on_are_not_waited_for(let_go: Let) -> None:
    let_go(Api([pod(0)], lives=True))  # only the claims go from the declaration
    let_go(Api([pod(0, owner=None)]))  # somebody has let the pods go on without their StatefulSet


def test_pods_that_do_not_end_are_named_with_what_to_do(let_go: Let, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "_AFTER_GRACE_SECONDS", 0.1)
    error = refused(let_go, Api([pod(0), pod(2)]))
    assert error.summary == "Pods of StatefulSet events-kafka do not end"
    assert "events-kafka-0 (on node node-a), events-kafka-2 (on node node-a)" in error.detail
    assert f"{REACH.command()} delete pod events-kafka-0 --force --grace-period=0." in error.detail


def test_ctrl_c_ends_the_wait(let_go: Let) -> None:
    error = refused(let_go, Api([pod(0)]), stopped=True)
    assert error.summary == "Stopped while pods of StatefulSet events-kafka were ending"

"""Waits for volumes and for the garbage collector end, and say for what. Growth itself: test_volume_claims_*.py."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hikube_kafka.kubernetes.stateful_set import StatefulSetSeen, TemplateClaimSeen, TemplateSeen
from hikube_kafka.plugin.diagnostics import Refusal
from hikube_kafka.provider import claim_growth

DECLARED = {"data": TemplateSeen(size="20Gi", storage_class="fast")}
SMALL = TemplateClaimSeen(
    template="data",
    ordinal=0,
    name="data-events-kafka-0",
    size="20Gi",
    capacity="10Gi",
    storage_class="fast",
    growing=(),
    trouble="the cloud says no",
)


class Api:
    """An API server on which nothing ever changes."""

    namespace = "kafka"

    async def delete(self, *_: Any) -> None:
        return

    async def find(self, _: str) -> dict[str, Any]:
        return {}

    async def pod(self, _: str) -> Any:
        return SimpleNamespace(running=True)


@pytest.fixture(autouse=True)
def unchanging(monkeypatch: pytest.MonkeyPatch) -> None:
    async def observe(*_: Any) -> StatefulSetSeen:
        return StatefulSetSeen(name="events-kafka", uid="1", replicas=1, templates=DECLARED, claims=(SMALL,))

    monkeypatch.setattr(claim_growth, "observe", observe)
    for name in ("_RESIZE_SECONDS", "_ORPHAN_SECONDS"):
        monkeypatch.setattr(claim_growth, name, 0.1)
    monkeypatch.setattr(claim_growth, "_POLL_SECONDS", 0.01)


WAITS: dict[str, Callable[[Any, threading.Event], Any]] = {
    "volumes": lambda api, stopped: claim_growth._resized(api, "events-kafka", DECLARED, stopped, "kubectl"),
    "pods": lambda api, stopped: claim_growth._orphan(api, "events-kafka", "1", stopped),
}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("volumes", "data-events-kafka-0 have not grown within 0.1 s. data-events-kafka-0: the cloud says no"),
        ("pods", "StatefulSet events-kafka is not deleted yet: The provider waited 0.1 s."),
    ],
)
def test_a_wait_in_vain_says_for_what_and_how_long(what: str, said: str) -> None:
    with pytest.raises(Refusal) as refusal:
        asyncio.run(WAITS[what](Api(), threading.Event()))
    (fault,) = refusal.value.diagnostics
    assert said in f"{fault.summary}: {fault.detail}"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("volumes", "Stopped while volumes were growing: data-events-kafka-0 have not grown yet."),
        ("pods", "Stopped before StatefulSet events-kafka was deleted: It is marked"),
    ],
)
def test_ctrl_c_ends_a_wait_and_says_what_is_left(what: str, said: str) -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Refusal) as refusal:
        asyncio.run(WAITS[what](Api(), stopped))
    (fault,) = refusal.value.diagnostics
    assert said in f"{fault.summary}: {fault.detail}"

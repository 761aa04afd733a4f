"""A Connect cluster as the provider sees it: few requests, and what is not answered is remembered."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from hikube_kafka.connect.errors import NotThere, Rebalancing, Refused, Unanswered, Unreachable
from hikube_kafka.plugin.resource import PlanRequest
from hikube_kafka.provider.resources.connector import ConnectorResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach, Settings
from hikube_kafka.provider.workers import Workers, not_answered
from hikube_kafka.waiting import Stopped
from tests.support.connect import FILE_SOURCE, LivingWorker
from tests.support.waiting import until

MANY = 100


@pytest.mark.ensemble
@pytest.mark.timeout(200)
def test_a_hundred_connectors_are_refreshed_and_planned_in_a_handful_of_requests(
    connect_worker: LivingWorker, tmp_path: Path
) -> None:
    first = uuid4().hex[:8]
    names = [f"many-{first}-{number}" for number in range(MANY)]
    config = {"file": str(tmp_path / "in"), "topic": "many"}
    asked: Counter[str] = Counter()
    with connect_worker.client() as client:
        with ThreadPoolExecutor(8) as pool:
            full = {**config, "connector.class": FILE_SOURCE, "tasks.max": "1"}
            list(pool.map(lambda name: client.create(name, full, "stopped"), names))
        # Connect lists what it has a status of, and that comes a moment later.
        until(lambda: set(names) <= client.connectors().keys(), "all connectors are listed")
        session = Session()
        session.configure(Settings(connect_urls=(connect_worker.url,)))
        session._workers = Workers(
            session.settings, session.stopped, on_request=lambda method, path: asked.update([f"{method} {path}"])
        )
        try:
            resource = ConnectorResource(session)
            declared = {
                **dict.fromkeys((*resource.schema.attributes, *resource.schema.blocks)),
                "class": FILE_SOURCE,
                "tasks_max": 1,
                "config": config,
                "state": "stopped",
            }
            states = [{**declared, "name": name, "id": name, "type": "source", "tasks": 0} for name in names]
            with ThreadPoolExecutor(10) as pool:
                read = list(pool.map(lambda state: resource.read(state, b""), states))
            assert read == states
            for state in states:
                plan = resource.plan(PlanRequest(state, state, {**declared, "name": state["name"]}))
                assert plan.planned == state
        finally:
            session._workers.client.close()
            for name in names:
                with suppress(NotThere):
                    client.delete(name)
    assert asked == {"GET /connectors?expand=info&expand=status": 1}


def test_workers_that_do_not_answer_are_asked_once_for_all() -> None:
    asked: list[str] = []
    workers = Workers(
        Settings(connect_urls=("http://127.0.0.1:1",)),
        threading.Event(),
        on_request=lambda _method, path: asked.append(path),
    )
    for name in ("a", "b", "c"):
        with pytest.raises(Unreachable):
            workers.find(name)
    assert len(asked) == 1
    workers.forget_all()
    with pytest.raises(Unreachable):
        workers.find("a")
    assert len(asked) == 2


def test_a_wait_for_workers_ends_with_ctrl_c() -> None:
    stopped = threading.Event()
    workers = Workers(
        Settings(connect_urls=("http://127.0.0.1:1",)), stopped, on_request=lambda _method, _path: stopped.set()
    )
    with pytest.raises(Stopped):
        workers.await_answer()


def test_a_kubeconfig_that_is_not_there_is_told_and_nothing_is_gone(tmp_path: Path) -> None:
    reach = KubernetesReach(
        kubeconfig=str(tmp_path / "none"), context=None, namespace="kafka", release="demo", connect_release="connect"
    )
    workers = Workers(Settings(kubernetes=reach), threading.Event())
    with pytest.raises(Unreachable, match=r"connect-0, connect-1, connect-2 answers: kubeconfig .*none"):
        workers.find("a")


@pytest.mark.parametrize(
    ("problem", "summary", "detail"),
    [
        (Stopped(), "Stopped", "The next apply continues from here"),
        (Rebalancing("busy", 60), "are rebalancing", "waited 60 s"),
        (Refused(500, "No."), "Connect refused to read the connectors", "No."),
        (Unreachable(["http://a"], "refused"), "do not answer", "no worker of http://a answers: refused"),
        (
            Unanswered(["http://a"], "GET /", "HTTP 502"),
            "do not answer",
            "http://a answers, but not to GET /: HTTP 502",
        ),
    ],
)
def test_each_obstacle_has_its_words(
    problem: Stopped | Rebalancing | Refused | Unreachable, summary: str, detail: str
) -> None:
    told = not_answered(problem, doing="read the connectors")
    assert summary in told.summary
    assert detail in told.detail

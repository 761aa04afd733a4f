"""Deploying a stack of main.py: the real cdktf, the real Terraform; and what is done where Terraform fails."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from hikube_kafka.platform import cdk
from stacks.analytics import AnalyticsPlatform
from stacks.event_bus import EventBusPlatform
from stacks.telemetry import TelemetryPlatform
from stacks.work_queue import WorkQueuePlatform
from usecases import deploy
from usecases.deploy import Deployment, kill_listener
from usecases.process import PartFailedError


@pytest.mark.terraform
def test_a_stack_that_is_not_there_is_refused_with_what_cdktf_says(tmp_path: Path) -> None:
    with (
        ExitStack() as stack,
        pytest.raises(PartFailedError, match=r"(?s)deploy nothing ended with code 1.*stack"),
    ):
        Deployment("nothing", tmp_path).up(stack)


def test_a_listener_of_another_user_is_not_taken_for_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = SimpleNamespace(laddr=SimpleNamespace(port=32092), status=psutil.CONN_LISTEN, pid=None)
    killed: list[int] = []
    monkeypatch.setattr(psutil, "net_connections", lambda _kind: [hidden])
    monkeypatch.setattr(psutil.Process, "kill", lambda process: killed.append(process.pid))
    monkeypatch.setattr(psutil.Process, "wait", lambda _process: None)
    with pytest.raises(PartFailedError, match="32092 is another user's"):
        kill_listener(32092)
    assert killed == []


@pytest.mark.parametrize(
    "stack",
    [
        lambda app: AnalyticsPlatform(app, "analytics"),
        lambda app: EventBusPlatform(app, "event-bus"),
        lambda app: TelemetryPlatform(app, "telemetry"),
        lambda app: WorkQueuePlatform(app, "work-queue"),
    ],
    ids=["analytics", "event-bus", "telemetry", "work-queue"],
)
def test_a_use_case_can_be_destroyed(stack: Callable[[object], cdk.TerraformStack]) -> None:
    topics = json.loads(cdk.Testing.synth(stack(cdk.Testing.app())))["resource"]["hikube_kafka_topic"].values()
    assert [topic["name"] for topic in topics if topic["deletion_protection"] is not False] == []


class Deployed:
    """Something was deployed; the programs that would destroy it are scripts that note how they were called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._calls = folder / "calls"
        self.state = folder / "analytics.tfstate"
        resources = [
            {"type": kind, "instances": [{"attributes": {"path": f"/{name}"}}]}
            for kind, name in (("hikube_local_ensemble", "brokers"), ("hikube_local_connect", "workers"))
        ]
        self.state.write_text(json.dumps({"resources": resources}), "utf-8")
        self._folder = folder
        self._script("hikube-kafka", 'shift 3; echo "stop $1" >> CALLS')
        monkeypatch.setattr(deploy, "_HIKUBE", folder / "hikube-kafka")
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def terraform(self, does: str) -> None:
        self._script("terraform", f'echo "$2" >> CALLS; {does}')

    def _script(self, name: str, text: str) -> None:
        script = self._folder / name
        script.write_text(f"#!/bin/sh\n{text.replace('CALLS', str(self._calls))}\n", "utf-8")
        script.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text("utf-8").splitlines()


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    return Deployed(tmp_path, monkeypatch)


def test_what_needs_a_broker_that_is_away_is_destroyed_once_it_is_back_even_if_a_connector_has_failed(
    deployed: Deployed, tmp_path: Path
) -> None:
    deployed.terraform(f"[ $2 = destroy ] && [ $(wc -l < {tmp_path}/calls) = 3 ]")
    Deployment("analytics", tmp_path).destroy()
    assert deployed.calls == ["destroy", "apply", "destroy"]
    assert not deployed.state.exists()


def test_what_cannot_be_destroyed_is_stopped_and_its_state_is_kept(deployed: Deployed, tmp_path: Path) -> None:
    deployed.terraform("echo the topic is protected; exit 1")
    with pytest.raises(PartFailedError, match=r"(?s)destroy of analytics ended with code 1:.*protected"):
        Deployment("analytics", tmp_path).destroy()
    assert deployed.calls == ["destroy", "apply", "destroy", "stop /workers", "stop /brokers"]
    assert deployed.state.exists()

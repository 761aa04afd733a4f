"""Deploying a stack of main.py: the real cdktf, the real Terraform."""

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

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

"""What the shared 3+3 looks like to those who only look."""

from pathlib import Path

import pytest

from hikube_kafka.ensemble import logs, observe, status
from hikube_kafka.ensemble.configuration import SERVER_LOG
from tests.support.ensemble import LivingEnsemble

pytestmark = pytest.mark.ensemble


def test_a_living_ensemble_is_seen_as_healthy_with_one_leader_and_one_controller(
    living_ensemble: LivingEnsemble,
) -> None:
    seen = observe(living_ensemble.declaration)

    assert seen.is_healthy
    assert [server.name for server in seen.servers] == [
        *(f"zookeeper-{server}" for server in (1, 2, 3)),
        *(f"broker-{broker}" for broker in (0, 1, 2)),
    ]
    assert sorted(server.detail for server in seen.servers) == ["", "", "controller", "follower", "follower", "leader"]
    assert seen.cluster_id
    assert all(server.pid and server.memory_bytes and server.uptime_seconds for server in seen.servers)


def test_the_directory_alone_tells_the_same(living_ensemble: LivingEnsemble) -> None:
    seen = status(living_ensemble.declaration.directory)

    assert seen is not None
    assert seen.is_healthy
    assert seen.name == living_ensemble.declaration.name


def test_the_end_of_a_log_can_be_read_by_the_server_s_name(living_ensemble: LivingEnsemble) -> None:
    directory = living_ensemble.declaration.directory
    for server in ("zookeeper-1", "broker-0"):
        log = Path(directory) / server / SERVER_LOG
        before = log.read_text()
        lines = list(logs(directory, server, lines=5))
        now = log.read_text()

        # The server goes on to write: the end is anywhere from what was there before to what is there now.
        assert len(lines) == 5
        end = "\n".join(lines)
        assert end in now
        assert now.rindex(end) + len(end) >= len(before.rstrip("\n"))

import dataclasses
from pathlib import Path

import psutil
import pytest

from hikube_kafka.ensemble import apply, destroy, jars
from hikube_kafka.ensemble.conduct import Conduct
from tests.support.ensemble import small_ensemble


@pytest.mark.ensemble
def test_an_ensemble_runs_from_an_unpacked_distribution(tmp_path: Path) -> None:
    cached = jars.provide(None, Conduct(progress=print))
    home = tmp_path / "kafka_2.13-3.9.2"
    (home / "libs").mkdir(parents=True)
    for jar in cached.glob("*.jar"):
        (home / "libs" / jar.name).symlink_to(jar)
    small = small_ensemble(tmp_path / "servers", brokers=1, servers=1)
    declaration = dataclasses.replace(small.declaration, kafka_home=str(home))
    try:
        seen = apply(declaration)
        assert seen.is_healthy
        for server in seen.servers:
            assert server.pid is not None
            assert any(str(home / "libs") in word for word in psutil.Process(server.pid).cmdline())
    finally:
        destroy(declaration.directory, keep_data=False)

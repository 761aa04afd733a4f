"""A worker of Kafka Connect on this machine, beside an ensemble, with the classes that tests run."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.errors import Unreachable
from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.jars import provide
from hikube_kafka.ensemble.java import java_command
from tests.support.ensemble import is_free
from tests.support.waiting import until

FILE_SOURCE = "org.apache.kafka.connect.file.FileStreamSourceConnector"
FILE_SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector"
_FILE_PLUGIN = "org.apache.kafka:connect-file:3.9.2"
_PORTS = range(29083, 29183)
"""Below those that the system gives to clients, and of no ensemble."""
_START_SECONDS = 90


class LivingWorker(NamedTuple):
    """A worker that runs."""

    url: str
    bootstrap: str
    folder: Path
    """Its own; connectors may keep files here."""

    def client(self) -> ConnectClient:
        """A client of it."""
        return ConnectClient([self.url])


@contextmanager
def living_worker(folder: Path, bootstrap: str) -> Iterator[LivingWorker]:
    """A worker of a group of its own, until the context ends; its internal topics stay with the brokers."""
    group = f"connect-{uuid4().hex[:8]}"
    plugins = folder / "plugins" / "file"
    plugins.mkdir(parents=True)
    copy = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={_FILE_PLUGIN}", f"-DoutputDirectory={plugins}"]
    subprocess.run(copy, check=True, capture_output=True, timeout=300)
    own = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    port = next(port for port in _PORTS[os.getpid() % 20 + 20 * (own % 4) :] if is_free(port))
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "listeners": f"http://127.0.0.1:{port}",
        "plugin.path": str(plugins.parent),
        "config.storage.topic": f"{group}.configs",
        "offset.storage.topic": f"{group}.offsets",
        "status.storage.topic": f"{group}.status",
        "offset.storage.partitions": "1",
        "status.storage.partitions": "1",
        "config.storage.replication.factor": "1",
        "offset.storage.replication.factor": "1",
        "status.storage.replication.factor": "1",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "offset.flush.interval.ms": "500",
        "consumer.auto.offset.reset": "earliest",
        "config.providers": "dir",
        "config.providers.dir.class": "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    }
    (folder / "worker.properties").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    jars = provide(None, Conduct())
    command = [java_command() or "java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    command += ["org.apache.kafka.connect.cli.ConnectDistributed", str(folder / "worker.properties")]
    with (folder / "worker.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        worker = LivingWorker(f"http://127.0.0.1:{port}", bootstrap, folder)
        try:
            with worker.client() as client:

                def answers() -> bool:
                    assert process.poll() is None, (folder / "worker.log").read_text()[-3000:]
                    try:
                        return client.connectors() == {}
                    except Unreachable:
                        return False

                until(answers, "the worker answers", _START_SECONDS)
            yield worker
        finally:
            process.kill()

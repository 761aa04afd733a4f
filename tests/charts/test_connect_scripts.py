"""What the scripts of the chart ``connect`` do in a pod, on this machine: installing plugins, and asking a worker."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.kubernetes import CHARTS

JAR = bytes(range(256)) * 100
OWN, OTHER = "connect-0.connect-headless.shop.svc:8084", "connect-1.connect-headless.shop.svc:8084"
TRACE = f'{{"state":"UNASSIGNED","worker_id":"{OWN}"}}'


@pytest.fixture
def answers() -> Iterator[dict[str, bytes]]:
    """What a server at 127.0.0.1 answers, by path; any other path is 404, and an empty answer 500."""
    told: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = told.get(self.path)
            self.send_response(404 if body is None else 200 if body else 500)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    told["port"] = str(server.server_port).encode()
    yield told
    server.shutdown()
    server.server_close()


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script of the chart with the folders of a pod below a temporary one, and no other programs than named."""

    def run(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        for each in ("http.sh", name):
            text = (CHARTS / "connect/files" / each).read_text()
            for folder in ("tmp", "release", "target"):  # the temporary folder may be below the first
                (tmp_path / folder).mkdir(exist_ok=True)
                text = text.replace(f"/{folder}/", f"{tmp_path}/{folder}/")
            (tmp_path / "release" / each).write_text(text)
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        for each in ("bash", "cat", "cp", "grep", "gzip", "mkdir", "rm", "sed", "sha256sum", "sha512sum", "tar", "wc"):
            if not (programs / each).exists():
                (programs / each).symlink_to(
                    next(Path(at, each) for at in os.defpath.split(":") if Path(at, each).exists())
                )
        command = [str(programs / "bash"), str(tmp_path / "release" / name), *arguments]
        return subprocess.run(
            command, env={"PATH": str(programs), **environment}, capture_output=True, text=True, check=False, timeout=30
        )

    return run


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@cache  # each has the time at which it was made
def packed() -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        entry = tarfile.TarInfo("plugin/a.jar")
        entry.size = len(JAR)
        archive.addfile(entry, io.BytesIO(JAR))
    return written.getvalue()


Script = Callable[..., subprocess.CompletedProcess[str]]


def test_archives_are_fetched_without_a_program_for_it_and_unpacked(
    answers: dict[str, bytes], script: Script, tmp_path: Path
) -> None:
    answers |= {"/a.tar.gz?at=1": packed(), "/b.jar": JAR}
    at = f"http://127.0.0.1:{answers['port'].decode()}"
    asked = ["a", f"{at}/a.tar.gz?at=1", digest(packed()), "b", f"{at}/b.jar", digest(JAR, "sha512")]
    for _ in range(2):  # a pod's containers may start anew over what is there
        done = script("archives.sh", *asked)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "target/a/plugin/a.jar").read_bytes() == JAR
    assert (tmp_path / "target/b/b.jar").read_bytes() == JAR
    assert sorted(each.name for each in (tmp_path / "target").iterdir()) == ["a", "b"]


def test_nothing_is_unpacked_that_has_another_checksum(
    answers: dict[str, bytes], script: Script, tmp_path: Path
) -> None:
    answers["/a.tar.gz"] = packed()
    url = f"http://127.0.0.1:{answers['port'].decode()}/a.tar.gz"
    done = script("archives.sh", "a", url, digest(JAR))
    assert done.returncode == 1
    assert f"plugin a: {url} has the checksum {digest(packed())}, and {digest(JAR)} is declared" in done.stderr
    assert not (tmp_path / "target/a").exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/none.jar", "https://127.0.0.1:{port}/a.jar"])
def test_an_archive_that_cannot_be_had_is_told_by_its_plugin(
    url: str, answers: dict[str, bytes], script: Script
) -> None:
    asked = url.format(port=answers["port"].decode())
    done = script("archives.sh", "a", asked, digest(JAR))
    assert done.returncode == 1
    assert f"plugin a: cannot be fetched from {asked}" in done.stderr


def probe(script: Script, folder: Path, answers: dict[str, bytes], question: str) -> int:
    (folder / "tmp").mkdir(exist_ok=True)
    host, _, port = OWN.partition(":")
    own = f"rest.advertised.host.name={host}\nrest.advertised.port={port}\n"
    (folder / "tmp/connect-distributed.properties").write_text(own)
    return script("probe.sh", question, REST_PORT=answers["port"].decode()).returncode


def states(connector: str, task: str, worker: str, **more: str) -> bytes:
    """As a worker tells the states of a connector and its task."""
    status = {
        "connector": {"state": connector, "worker_id": worker},
        "tasks": [{"id": 0, "state": task, "worker_id": worker, **more}],
    }
    return json.dumps({"a": {"status": status}}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        ((b"{}", states("RUNNING", "RUNNING", OWN)), (0, 0, 0)),
        ((b"{}", b"{}"), (0, 0, 0)),
        ((b"{}", states("RUNNING", "UNASSIGNED", OWN)), (0, 0, 1)),
        ((b"{}", states("UNASSIGNED", "RUNNING", OWN)), (0, 0, 1)),
        ((b"{}", states("UNASSIGNED", "UNASSIGNED", OTHER)), (0, 0, 0)),
        ((b"{}", states("PAUSED", "PAUSED", OWN)), (0, 0, 0)),
        ((b"{}", states("RUNNING", "FAILED", OWN, trace=TRACE)), (0, 0, 0)),
        ((b"", states("RUNNING", "RUNNING", OWN)), (0, 1, 1)),
        ((b"{}", b""), (0, 0, 1)),
    ],
    ids=[
        "runs",
        "nothing",
        "task-waits",
        "connector-waits",
        "of-another",
        "paused",
        "failed",
        "rebalance",
        "no-answer",
    ],
)
def test_a_worker_is_ready_when_it_has_joined_and_nothing_of_its_own_waits(
    answered: tuple[bytes, bytes],
    expected: tuple[int, ...],
    answers: dict[str, bytes],
    script: Script,
    tmp_path: Path,
) -> None:
    answers |= {"/": b"{}", "/health": answered[0], "/connectors?expand=status": answered[1]}
    found = tuple(probe(script, tmp_path, answers, question) for question in ("alive", "joined", "ready"))
    assert found == expected


def test_a_worker_that_does_not_listen_is_neither_alive_nor_ready(script: Script, tmp_path: Path) -> None:
    found = [probe(script, tmp_path, {"port": b"1"}, question) for question in ("alive", "joined", "ready")]
    assert found == [1, 1, 1]


def test_what_differs_from_pod_to_pod_is_filled_in(script: Script, tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    declared = "rest.advertised.host.name=<host>\nclient.id=<ordinal>&\n"
    (tmp_path / "release/connect-distributed.properties").write_text(declared)
    script("start.sh", HOSTNAME="connect-1", SERVICE="connect-headless", NAMESPACE="shop")
    filled = (tmp_path / "tmp/connect-distributed.properties").read_text()
    assert filled == "rest.advertised.host.name=connect-1.connect-headless.shop.svc\nclient.id=1&\n"

"""The jars to run: from a distribution, from a folder, or through Maven into a cache that all ensembles share."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.errors import JarsError
from hikube_kafka.spec.versions import KAFKA_VERSION

_POM = Path(__file__).with_name("pom.xml")
_MANIFEST = "complete.json"
_NEEDED = ("kafka_2.13-*.jar", "kafka-clients-*.jar", "zookeeper-[0-9]*.jar", "slf4j-api-*.jar", "scala-library-*.jar")
_FETCH_SECONDS = 1800
_SHOWN_LINES = 15


def cache_folder() -> Path:
    """Where fetched jars stay: ``${XDG_CACHE_HOME:-~/.cache}/hikube-kafka/kafka-<version>``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "hikube-kafka" / f"kafka-{KAFKA_VERSION}"


def named_folder(kafka_home: str | None) -> Path | None:
    """The folder of jars that the declaration's ``kafka_home`` or HIKUBE_KAFKA_JARS names; None means Maven's."""
    if kafka_home is not None:
        return Path(kafka_home).expanduser() / "libs"
    folder = os.environ.get("HIKUBE_KAFKA_JARS")
    return Path(folder).expanduser() if folder else None


def problems(kafka_home: str | None) -> list[str]:
    """What keeps the jars from being there or being fetched; empty when nothing does."""
    folder = named_folder(kafka_home)
    if folder is not None:
        missing = [pattern for pattern in _NEEDED if not any(folder.glob(pattern))]
        origin = f"kafka_home = {kafka_home!r}" if kafka_home is not None else "HIKUBE_KAFKA_JARS"
        problem = (
            f"{origin}: {folder} has no {' and no '.join(missing)}: name a Kafka 3.x for Scala 2.13, which runs with "
            "ZooKeeper (4.0 and later do not)."
        )
        return [problem] if missing else []
    if _is_complete(cache_folder()) or shutil.which("mvn"):
        return []
    problem = (
        f"Maven (mvn, 3.6 or later) is not on the PATH; it fetches Kafka {KAFKA_VERSION} once. Install it, or unpack a "
        "Kafka distribution and name it as kafka_home."
    )
    return [problem]


def provide(kafka_home: str | None, conduct: Conduct) -> Path:
    """The folder of jars; fetches them first where they are not there yet.

    Raises:
        JarsError: Maven could not fetch them, or they are not what they should be.
        Stopped: the caller wants to stop.
    """
    folder = named_folder(kafka_home)
    if folder is not None:
        return folder
    cache = cache_folder()
    if _is_complete(cache):
        return cache
    cache.parent.mkdir(parents=True, exist_ok=True)
    path = cache.parent / f".{cache.name}.lock"
    with path.open("w") as lock:
        if not conduct.until(lambda: _try_lock(lock.fileno()), _FETCH_SECONDS):
            raise JarsError(
                f"Another process has been fetching Kafka {KAFKA_VERSION} for more than {_FETCH_SECONDS} s and holds "
                f"{path}: end it, and apply again."
            )
        if not _is_complete(cache):  # somebody else may have fetched them while this call waited
            _fetch(cache, conduct)
    return cache


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_complete(folder: Path) -> bool:
    """Whether every jar that was fetched is still there at its size."""
    try:
        sizes: dict[str, int] = json.loads((folder / _MANIFEST).read_text("utf-8"))
        return bool(sizes) and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def _fetch(cache: Path, conduct: Conduct) -> None:
    conduct.progress(f"fetching Kafka {KAFKA_VERSION} and ZooKeeper through Maven (about 60 MB, once)")
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix=f".{cache.name}.") as temporary:
        fetched = Path(temporary) / "jars"
        fetched.mkdir()
        _run_maven(fetched, conduct)
        jars = sorted(fetched.glob("*.jar"))
        broken = [jar.name for jar in jars if not zipfile.is_zipfile(jar)]
        missing = [pattern for pattern in _NEEDED if not any(fetched.glob(pattern))]
        if broken or missing:
            raise JarsError(
                f"Maven ended well, but of Kafka {KAFKA_VERSION} these are broken: {broken}, and these are missing: "
                f"{missing}. Empty Maven's own repository of org.apache.kafka, and apply again."
            )
        sizes = {jar.name: jar.stat().st_size for jar in jars}
        (fetched / _MANIFEST).write_text(json.dumps(sizes, indent=1), "utf-8")
        if cache.exists():  # incomplete: somebody removed jars from it
            cache.rename(Path(temporary) / "incomplete")
        fetched.rename(cache)
    conduct.progress(f"fetched {len(jars)} jars into {cache}")


def _run_maven(target: Path, conduct: Conduct) -> None:
    command = ["mvn", "-B", "--strict-checksums", "-f", str(_POM), "dependency:copy-dependencies"]
    output = target.parent / "maven.log"
    with output.open("wb") as log:
        maven = subprocess.Popen(  # in a session of its own, so that a Ctrl-C at Terraform ends it in our order
            [*command, f"-DoutputDirectory={target}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=target.parent,
            start_new_session=True,
        )
    report = _CountingReport(target, conduct.progress)
    try:
        ended = conduct.until(lambda: report.tell() or maven.poll() is not None, _FETCH_SECONDS)
    finally:
        if maven.poll() is None:
            os.killpg(maven.pid, signal.SIGKILL)
        maven.wait()
    if maven.returncode != 0:
        lines = [line for line in output.read_text("utf-8", "replace").splitlines() if "[ERROR]" in line]
        shown = "\n".join(f"    {line}" for line in lines[:_SHOWN_LINES])
        outcome = f"ended with code {maven.returncode}" if ended else f"was not done after {_FETCH_SECONDS} s"
        raise JarsError(
            f"Maven {outcome} while it fetched Kafka {KAFKA_VERSION} ({' '.join(command)}). Is the network there? "
            f"Without it, unpack a Kafka distribution and name it as kafka_home. Maven said:\n{shown}"
        )


class _CountingReport:
    """Tells every twentieth jar that arrives."""

    _STEP = 20

    def __init__(self, folder: Path, progress: Callable[[str], None]) -> None:
        self._folder = folder
        self._progress = progress
        self._told = 0

    def tell(self) -> bool:
        """Always False, so that it can stand in a condition."""
        count = sum(1 for _ in self._folder.glob("*.jar"))
        if count >= self._told + self._STEP:
            self._told = count
            self._progress(f"{count} jars copied")
        return False

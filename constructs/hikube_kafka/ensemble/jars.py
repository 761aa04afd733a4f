"""The jars to run: from a distribution, from a folder, or through Maven into a cache that all ensembles share."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.errors import JarsError
from hikube_kafka.spec.versions import KAFKA_VERSION

_POM = Path(__file__).with_name("pom.xml")
_MANIFEST = "complete.json"
_NEEDED = ("kafka_2.13-*.jar", "kafka-clients-*.jar", "zookeeper-[0-9]*.jar", "slf4j-api-*.jar", "scala-library-*.jar")
_NEEDED_BY_WORKERS = ("connect-runtime-*.jar", "connect-json-*.jar", "kafka-clients-*.jar", "slf4j-api-*.jar")
_FETCH_SECONDS = 1800
_SHOWN_LINES = 15


def cache_root() -> Path:
    """Where everything that was fetched stays: ``${XDG_CACHE_HOME:-~/.cache}/hikube-kafka``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hikube-kafka"


def cache_folder() -> Path:
    """Where fetched jars stay: ``kafka-<version>`` in the cache."""
    return cache_root() / f"kafka-{KAFKA_VERSION}"


def named_folder(kafka_home: str | None) -> Path | None:
    """The folder of jars that the declaration's ``kafka_home`` or HIKUBE_KAFKA_JARS names; None means Maven's."""
    if kafka_home is not None:
        return Path(kafka_home).expanduser() / "libs"
    folder = os.environ.get("HIKUBE_KAFKA_JARS")
    return Path(folder).expanduser() if folder else None


def problems(kafka_home: str | None, *, of_workers: bool = False) -> list[str]:
    """What keeps the jars from being there or being fetched; empty when nothing does.

    Args:
        kafka_home: an unpacked distribution; None means the default.
        of_workers: whether Connect workers are to run from them, and not ZooKeeper servers and brokers.
    """
    folder = named_folder(kafka_home)
    if folder is not None:
        needed = _NEEDED_BY_WORKERS if of_workers else _NEEDED
        missing = [pattern for pattern in needed if not any(folder.glob(pattern))]
        origin = f"kafka_home = {kafka_home!r}" if kafka_home is not None else "HIKUBE_KAFKA_JARS"
        wanted = (
            "name an unpacked Kafka 3.x, whose libs folder has them."
            if of_workers
            else "name a Kafka 3.x for Scala 2.13, which runs with ZooKeeper (4.0 and later do not)."
        )
        return [f"{origin}: {folder} has no {' and no '.join(missing)}: {wanted}"] if missing else []
    if is_complete(cache_folder()) or shutil.which("mvn"):
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
    provide_once(cache, f"Kafka {KAFKA_VERSION}", lambda fetched: _fetch(cache, fetched, conduct), conduct)
    return cache


def provide_once(folder: Path, what: str, fetch: Callable[[Path], None], conduct: Conduct) -> None:
    """Have a folder of the cache: made as a whole, by one process at a time, and made again if files of it are gone.

    Args:
        folder: the folder.
        what: what is in it, for an error.
        fetch: fills an empty folder with it; what it leaves is moved into the folder's place.
        conduct: how the wait for another process behaves.

    Raises:
        JarsError: another process has been at it for too long, or ``fetch`` says so.
        Stopped: the caller wants to stop.
    """
    if is_complete(folder):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f".{folder.name}.lock"
    with path.open("w") as lock:
        if not conduct.until(lambda: _try_lock(lock.fileno()), _FETCH_SECONDS):
            raise JarsError(
                f"Another process has been fetching {what} for more than {_FETCH_SECONDS} s and holds {path}: end it, "
                "and apply again."
            )
        if is_complete(folder):  # somebody else may have fetched it while this call waited
            return
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            fetched = Path(temporary) / "fetched"
            fetched.mkdir()
            fetch(fetched)
            files = sorted(each for each in fetched.rglob("*") if each.is_file())
            sizes = {str(each.relative_to(fetched)): each.stat().st_size for each in files}
            (fetched / _MANIFEST).write_text(json.dumps(sizes, indent=1), "utf-8")
            if folder.exists():  # incomplete: somebody removed files from it
                folder.rename(Path(temporary) / "incomplete")
            fetched.rename(folder)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_complete(folder: Path) -> bool:
    """Whether every file that was fetched is still there at its size."""
    try:
        sizes: dict[str, int] = json.loads((folder / _MANIFEST).read_text("utf-8"))
        return bool(sizes) and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def _fetch(cache: Path, fetched: Path, conduct: Conduct) -> None:
    conduct.progress(f"fetching Kafka {KAFKA_VERSION} and ZooKeeper through Maven (about 60 MB, once)")
    run_maven(
        ["--strict-checksums", "-f", str(_POM), "dependency:copy-dependencies"],
        fetched,
        conduct,
        what=f"Kafka {KAFKA_VERSION}",
        without="unpack a Kafka distribution and name it as kafka_home",
    )
    jars = sorted(fetched.glob("*.jar"))
    broken = [jar.name for jar in jars if not zipfile.is_zipfile(jar)]
    missing = [pattern for pattern in _NEEDED if not any(fetched.glob(pattern))]
    if broken or missing:
        raise JarsError(
            f"Maven ended well, but of Kafka {KAFKA_VERSION} these are broken: {broken}, and these are missing: "
            f"{missing}. Empty Maven's own repository of org.apache.kafka, and apply again."
        )
    conduct.progress(f"fetched {len(jars)} jars into {cache}")


def run_maven(arguments: Sequence[str], target: Path, conduct: Conduct, *, what: str, without: str) -> None:
    """Have Maven copy files into a folder.

    Args:
        arguments: what it is to do; ``-DoutputDirectory`` is added.
        target: the folder.
        conduct: how the wait for it behaves.
        what: what it fetches, for an error.
        without: what helps where the network is not there, for an error.

    Raises:
        JarsError: Maven failed, or was not done in time.
        Stopped: the caller wants to stop.
    """
    command = ["mvn", "-B", *arguments]
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
            f"Maven {outcome} while it fetched {what} ({' '.join(command)}). Is the network there? Without it, "
            f"{without}. Maven said:\n{shown}"
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

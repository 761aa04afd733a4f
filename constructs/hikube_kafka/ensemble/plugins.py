"""Plugins of Connect workers: fetched once into the cache, checked before they are unpacked, linked into a worker."""

import hashlib
import os
import re
import shutil
import tarfile
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hikube_kafka.ensemble import jars
from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.errors import PluginError
from hikube_kafka.spec.ensemble import PluginSource, shown_location
from hikube_kafka.waiting import Stopped

FOLDER = "plugins"
"""Of a worker: a link to each of its plugins."""

_CHUNK_BYTES = 1 << 20
_TELLING_SECONDS = 2.0
_ANSWER_SECONDS = 30.0
"""For a server of archives to take a connection, and to send the next bytes."""
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>hikube</groupId>
  <artifactId>plugin</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>{group}</groupId>
      <artifactId>{artifact}</artifactId>
      <version>{version}</version>
    </dependency>
  </dependencies>
</project>
"""
_COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


class Coordinates(NamedTuple):
    """What Maven calls a file."""

    group: str
    artifact: str
    version: str
    extension: str
    classifier: str

    @classmethod
    def of(cls, text: str) -> "Coordinates":
        """``group:artifact:version[:extension[:classifier]]``."""
        group, artifact, version, *rest = text.split(":")
        extension, classifier = [*rest, *("jar", "")[len(rest) :]][:2]
        return cls(group, artifact, version, extension, classifier)

    @property
    def brings_dependencies(self) -> bool:
        """Whether it is a jar as such: an archive, or a jar of another build, holds what it needs."""
        return self.extension == "jar" and not self.classifier


def problems(sources: Iterable[PluginSource]) -> list[str]:
    """What keeps the plugins from being fetched; empty when nothing does."""
    found = []
    for source in sources:
        if jars.is_complete(_cached(source)):
            continue
        if source.archive is None and not shutil.which("mvn"):
            found.append(
                f"Maven (mvn, 3.6 or later) is not on the PATH; it fetches plugin {source.name} once. Install it, or "
                "declare the plugin by its archive and checksum."
            )
        path = None if source.archive is None else _local_path(source.archive)
        if path is not None and not path.is_file():
            why = f"{path} is no file"
            if str(path).startswith("~"):
                why = f"this machine has no user {path.parts[0].removeprefix('~')}, whose home {path} is below"
            found.append(f"The archive of plugin {source.name} is not there: {why}. Correct the path.")
    return found


def provide(sources: Iterable[PluginSource], conduct: Conduct) -> dict[str, Path]:
    """The folder of each plugin by its name; fetches first what is not in the cache.

    Raises:
        PluginError: it cannot be fetched, is not what its checksum says, or cannot be unpacked.
        JarsError: Maven failed.
        Stopped: the caller wants to stop.
    """
    found = {}
    for source in sources:
        folder = found[source.name] = _cached(source)

        def fetch(fetched: Path, source: PluginSource = source) -> None:
            _fetch(source, fetched, conduct)

        jars.provide_once(folder, f"plugin {source.name}", fetch, conduct)
    return found


def link(folder: Path, provided: Mapping[str, Path]) -> None:
    """Have the folder hold a link to each of the plugins, and nothing else.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(exist_ok=True)
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
    for name, target in provided.items():
        (folder / name).symlink_to(target, target_is_directory=True)


def _cached(source: PluginSource) -> Path:
    """Its folder in the cache: what its checksum says if it has one, since that tells the content; else by its name."""
    if source.archive is not None:
        name = (source.checksum or "").lower().replace(":", "-")
    else:
        readable = re.sub(r"[^A-Za-z0-9.-]+", "_", source.maven or "")
        exact = hashlib.sha256(f"{source.maven} {(source.checksum or '').lower()}".encode()).hexdigest()[:12]
        name = f"{readable}-{exact}"
    return jars.cache_root() / "plugins" / name


# ---- fetching -------------------------------------------------------------------------------------------------------


def _fetch(source: PluginSource, fetched: Path, conduct: Conduct) -> None:
    if source.archive is not None:
        _unpack(source, _archive(source, source.archive, fetched.parent, conduct), fetched)
        return
    coordinates = Coordinates.of(source.maven or "")
    conduct.progress(f"fetching plugin {source.name} ({source.maven}) through Maven")
    without = "declare the plugin by an archive that is on this machine"
    arrived = fetched.parent / "arrived"
    arrived.mkdir()
    wanted = f"plugin {source.name}"
    if source.checksum is not None or not coordinates.brings_dependencies:
        arguments = ["--strict-checksums", _COPY, f"-Dartifact={source.maven}"]
        jars.run_maven(arguments, arrived, conduct, what=wanted, without=without)
        (file,) = arrived.iterdir()
        if source.checksum is not None:
            _check(source, file, str(source.maven))
        if not coordinates.brings_dependencies:
            _unpack(source, file, fetched)
            return
    pom = fetched.parent / "pom.xml"
    pom.write_text(_POM.format(**coordinates._asdict()), "utf-8")
    arguments = ["--strict-checksums", "-f", str(pom), _COPY_DEPENDENCIES, "-DincludeScope=runtime"]
    jars.run_maven(arguments, fetched, conduct, what=wanted, without=without)


def _archive(source: PluginSource, archive: str, folder: Path, conduct: Conduct) -> Path:
    """The file, in a folder of its own, once it is what its checksum says."""
    shown = shown_location(archive)
    path = _local_path(archive)
    file = folder / (_file_name(archive) or "archive")
    tell = _Telling(source.name, conduct)
    try:
        if path is not None:
            with path.open("rb") as reading:
                _copy(iter(lambda: reading.read(_CHUNK_BYTES), b""), file, tell, path.stat().st_size)
        else:
            _download(archive, file, tell)
    except OSError as error:
        raise PluginError(
            source.name, f"{shown} cannot be read: {error.strerror or error}. Correct its path."
        ) from None
    _check(source, file, shown)
    return file


def _download(url: str, file: Path, tell: "_Telling") -> None:
    import httpx

    shown = shown_location(url)
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_ANSWER_SECONDS) as response:
            response.raise_for_status()
            length = response.headers.get("content-length")
            # As it is stored: its checksum is of that, whatever a server says of its encoding.
            _copy(response.iter_raw(_CHUNK_BYTES), file, tell, int(length) if length else None)
    except httpx.HTTPStatusError as error:
        said = f"HTTP {error.response.status_code} {error.response.reason_phrase}"
        raise PluginError(tell.plugin, f"{shown} answers {said}. Correct the URL of its archive.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PluginError(
            tell.plugin,
            f"{shown} cannot be fetched: {reason}. Is the network there? Without it, declare a file of this machine.",
        ) from None


def _copy(chunks: Iterable[bytes], file: Path, tell: "_Telling", size: int | None) -> None:
    done = 0
    with file.open("wb") as writing:
        for chunk in chunks:
            writing.write(chunk)
            done += len(chunk)
            tell.progress(done, size)


class _Telling:
    """Tells how far a download is, once it takes a while; and ends it if the user wants to stop."""

    def __init__(self, plugin: str, conduct: Conduct) -> None:
        self.plugin = plugin
        self._conduct = conduct
        self._next = time.monotonic() + _TELLING_SECONDS

    def progress(self, done: int, size: int | None) -> None:
        """So many bytes are there."""
        if self._conduct.cancelled():
            raise Stopped
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELLING_SECONDS
            of = "" if size is None else f" of {size / 1e6:.1f} MB"
            self._conduct.progress(f"fetching plugin {self.plugin}: {done / 1e6:.1f} MB{of}")


def _local_path(archive: str) -> Path | None:
    """The path of an archive of this machine; None: it is fetched over HTTP."""
    parts = urllib.parse.urlsplit(archive)
    if parts.scheme in {"http", "https"}:
        return None
    if parts.scheme == "file":
        return Path(urllib.request.url2pathname(parts.path))
    # Path's own raises a RuntimeError where the user is not known.
    return Path(os.path.expanduser(archive))  # noqa: PTH111


def _file_name(archive: str) -> str:
    return PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(archive).path)).name


def _check(source: PluginSource, file: Path, origin: str) -> None:
    """Compare the file with the declared checksum.

    Raises:
        PluginError: It is another one.
    """
    algorithm, _, declared = (source.checksum or "").partition(":")
    with file.open("rb") as reading:
        found = hashlib.file_digest(reading, algorithm).hexdigest()
    if found != declared.lower():
        raise PluginError(
            source.name,
            f"{origin} is not the file whose checksum is declared, and nothing of it was unpacked.\n"
            f"  declared: {algorithm}:{declared}\n  found:    {algorithm}:{found}\n"
            "If its publisher gives the found one for this version, declare that; else do not use the file.",
        )


# ---- unpacking ------------------------------------------------------------------------------------------------------


def _unpack(source: PluginSource, file: Path, folder: Path) -> None:
    """Have the folder hold the jars: those of an archive, or the jar itself.

    Raises:
        PluginError: it is no archive, or writes outside of its folder.
    """
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                if _is_jar(names):
                    shutil.move(file, folder / f"{source.name}.jar")
                    return
                _refuse_outside(source, names)
                archive.extractall(folder)  # noqa: S202 - each name was looked at
        elif tarfile.is_tarfile(file):
            with tarfile.open(file) as tar:
                tar.extractall(folder, filter="data")
        else:
            raise PluginError(source.name, f"{file.name} is neither a .tar.gz nor a .zip nor a .jar.")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise PluginError(source.name, f"{file.name} cannot be unpacked: {error}.") from None
    if not any(folder.rglob("*.jar")):
        raise PluginError(source.name, f"{file.name} holds no .jar, which is what a plugin consists of.")


def _is_jar(names: Iterable[str]) -> bool:
    """Whether a zip file is a jar itself; an archive of jars has them inside."""
    names = tuple(names)
    return "META-INF/MANIFEST.MF" in names or (
        any(name.endswith(".class") for name in names) and not any(name.endswith(".jar") for name in names)
    )


def _refuse_outside(source: PluginSource, names: Iterable[str]) -> None:
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise PluginError(source.name, f"its archive has an entry outside of its folder: {name!r}.")

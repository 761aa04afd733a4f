"""Plugins of workers: checked before they are unpacked, fetched once, unpacked nowhere else. Without Maven."""

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hikube_kafka.ensemble import PluginError, jars, plugins
from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.spec.ensemble import PluginSource

CONDUCT = Conduct()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return jars.cache_root() / "plugins"


def jar() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
        archive.writestr("A.class", "class")
    return content.getvalue()


def packed(path: Path, **entries: bytes) -> Path:
    """A .zip, or a .tar.gz, with these entries; a double underscore is a slash, and UP is `..`."""
    names = {
        name.replace("__", "/").replace("UP", "..").replace("_jar", ".jar"): data for name, data in entries.items()
    }
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in names.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz") as tar:
            for name, data in names.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return path


def checksum(file: Path, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, file.read_bytes()).hexdigest()}"


def archived(file: Path, **source: str) -> PluginSource:
    return PluginSource(**{"name": "mine", "archive": str(file), "checksum": checksum(file), **source})


def files(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*.jar")}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server of the files in the folder of the test."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_port}"
        finally:
            serving.shutdown()
            thread.join()


@pytest.mark.parametrize("name", ["plugin.zip", "plugin.tar.gz"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_archive_is_unpacked_once_its_checksum_is_right(tmp_path: Path, name: str, algorithm: str) -> None:
    file = packed(tmp_path / name, plugin__a_jar=jar(), plugin__lib__b_jar=jar())
    source = archived(file, archive=file.as_uri(), checksum=checksum(file, algorithm).upper().replace("SHA", "sha"))
    found = plugins.provide([source], CONDUCT)
    assert files(found["mine"]) == {"plugin/a.jar", "plugin/lib/b.jar"}
    file.unlink()
    assert plugins.problems([source]) == []
    assert plugins.provide([source], CONDUCT) == found, "what is in the cache is not fetched again"


def test_a_jar_is_taken_as_it_is_also_over_http(tmp_path: Path, server: str) -> None:
    file = tmp_path / "one.jar"
    file.write_bytes(jar())
    found = plugins.provide([archived(file, archive=f"{server}/one.jar?token=hidden")], CONDUCT)
    assert (found["mine"] / "mine.jar").read_bytes() == file.read_bytes()


def test_a_file_whose_checksum_is_another_is_not_unpacked(tmp_path: Path, cache: Path) -> None:
    file = packed(tmp_path / "plugin.zip", a_jar=jar())
    found = checksum(file)
    declared = f"sha256:{'0' * 64}"
    with pytest.raises(PluginError) as refusal:
        plugins.provide([archived(file, checksum=declared)], CONDUCT)
    for told in ("Plugin mine", str(file), f"declared: {declared}", f"found:    {found}", "declare that"):
        assert told in str(refusal.value)
    assert [each.name for each in cache.iterdir() if each.suffix != ".lock"] == []


@pytest.mark.parametrize(
    ("name", "entries", "said"),
    [
        ("up.zip", {"UP__UP__evil_jar": b"x"}, "has an entry outside of its folder: '../../evil.jar'"),
        ("up.tar.gz", {"UP__UP__evil_jar": b"x"}, "cannot be unpacked: '../../evil.jar' would be extracted"),
        ("none.zip", {"readme": b"x"}, "none.zip holds no .jar"),
    ],
)
def test_an_archive_that_is_no_plugin_is_refused_and_leaves_nothing(
    tmp_path: Path, cache: Path, name: str, entries: dict[str, bytes], said: str
) -> None:
    with pytest.raises(PluginError) as refusal:
        plugins.provide([archived(packed(tmp_path / name, **entries))], CONDUCT)
    assert said in str(refusal.value)
    assert not list(tmp_path.rglob("evil.jar"))
    assert [each.name for each in cache.iterdir() if each.suffix != ".lock"] == []


def test_a_link_out_of_a_tar_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "link.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        link = tarfile.TarInfo("link.jar")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(PluginError, match="cannot be unpacked"):
        plugins.provide([archived(file)], CONDUCT)


def test_what_is_no_archive_is_told(tmp_path: Path, server: str) -> None:
    file = tmp_path / "text.tar.gz"
    file.write_text("<html>")
    with pytest.raises(PluginError, match=r"text\.tar\.gz is neither a \.tar\.gz nor a \.zip nor a \.jar"):
        plugins.provide([archived(file)], CONDUCT)
    with pytest.raises(PluginError, match=f"{server}/gone.zip answers HTTP 404"):
        plugins.provide([archived(file, archive=f"{server}/gone.zip?token=x")], CONDUCT)
    with pytest.raises(PluginError, match=r"cannot be fetched: .* Is the network there"):
        plugins.provide([archived(file, archive="http://127.0.0.1:9/gone.zip", checksum=f"sha256:{'1' * 64}")], CONDUCT)


def test_what_cannot_be_fetched_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = PluginSource(name="gone", archive=str(tmp_path / "gone.zip"), checksum=f"sha256:{'0' * 64}")
    by_maven = PluginSource(name="file", maven="org.apache.kafka:connect-file:3.9.2")
    monkeypatch.setenv("PATH", str(tmp_path))
    first, second = plugins.problems([gone, by_maven])
    assert "gone.zip is no file" in first
    assert "it fetches plugin file once" in second
    (of_nobody,) = plugins.problems([PluginSource(name="gone", archive="~nobody.here/gone.zip", checksum="sha256:0")])
    assert "this machine has no user nobody.here, whose home ~nobody.here/gone.zip is below" in of_nobody


def test_files_that_are_gone_from_the_cache_are_fetched_again(tmp_path: Path) -> None:
    source = archived(packed(tmp_path / "plugin.zip", a_jar=jar(), b_jar=jar()))
    folder = plugins.provide([source], CONDUCT)["mine"]
    (folder / "a.jar").unlink()
    assert files(plugins.provide([source], CONDUCT)["mine"]) == {"a.jar", "b.jar"}


def test_two_at_once_fetch_it_once(tmp_path: Path) -> None:
    source = archived(packed(tmp_path / "plugin.zip", a_jar=jar()))
    told: list[dict[str, Path]] = []
    threads = [threading.Thread(target=lambda: told.append(plugins.provide([source], CONDUCT))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 4
    assert len({str(each["mine"]) for each in told}) == 1


def test_a_worker_sees_what_is_declared_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    plugins.link(folder, {"a": tmp_path / "one", "b": tmp_path / "two"})
    (folder / "left").mkdir()
    plugins.link(folder, {"b": tmp_path / "three"})
    assert {each.name: each.readlink() for each in folder.iterdir()} == {"b": tmp_path / "three"}

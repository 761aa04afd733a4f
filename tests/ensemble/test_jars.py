"""Jars come through Maven once, whole or not at all. Maven is a script here; the real one brings them for every run."""

import dataclasses
import fcntl
import os
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hikube_kafka.ensemble import JarsError, jars
from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.waiting import Stopped

CONDUCT = Conduct()
NAMES = ("kafka_2.13-3.9.2", "kafka-clients-3.9.2", "zookeeper-3.8.4", "slf4j-api-1.7.36", "scala-library-2.13.15")


class Maven:
    """A ``mvn`` on the PATH that copies what it is told to, and counts its runs."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._runs = folder / "runs"
        self._jars = folder / "jars"
        self._script = folder / "bin" / "mvn"
        for each in (self._jars, self._script.parent):
            each.mkdir()
        for name in NAMES:
            with zipfile.ZipFile(self._jars / f"{name}.jar", "w") as jar:
                jar.writestr("a", "class")
        self.does()
        monkeypatch.setenv("PATH", f"{self._script.parent}{os.pathsep}{os.environ['PATH']}")

    def does(self, then: str = "") -> None:
        """What it does after it has copied the jars."""
        self._script.write_text(
            f"""#!{sys.executable}
import shutil, signal, sys
print("[INFO] Scanning\\n[ERROR] a sentence of Maven")
with open({str(self._runs)!r}, "a") as runs:
    runs.write("x")
target = next(word.partition("=")[2] for word in sys.argv if word.startswith("-DoutputDirectory="))
shutil.copytree({str(self._jars)!r}, target, dirs_exist_ok=True)
{then}
"""
        )
        self._script.chmod(stat.S_IRWXU)

    def jar(self, name: str) -> Path:
        """One of those that it copies."""
        (found,) = self._jars.glob(f"{name}-[0-9]*.jar")
        return found

    @property
    def runs(self) -> int:
        """How often it ran."""
        return len(self._runs.read_text()) if self._runs.exists() else 0


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HIKUBE_KAFKA_JARS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return jars.cache_folder()


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maven:
    return Maven(tmp_path, monkeypatch)


def test_jars_are_fetched_once_and_again_when_one_is_gone(maven: Maven, cache: Path) -> None:
    assert jars.problems(None) == []
    assert jars.provide(None, CONDUCT) == cache
    assert {jar.stem for jar in cache.glob("*.jar")} == set(NAMES)
    assert jars.provide(None, CONDUCT) == cache
    assert maven.runs == 1

    next(cache.glob("zookeeper-*.jar")).unlink()
    jars.provide(None, CONDUCT)
    assert {jar.stem for jar in cache.glob("*.jar")} == set(NAMES)
    assert maven.runs == 2
    assert [each.name for each in cache.parent.iterdir() if each.is_dir()] == [cache.name]


def test_jars_that_are_there_need_no_maven(maven: Maven, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jars.provide(None, CONDUCT)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert jars.problems(None) == []
    assert maven.runs == 1


def test_a_maven_that_fails_is_shown_in_its_own_words_and_leaves_no_cache(maven: Maven, cache: Path) -> None:
    maven.does("sys.exit(1)")
    with pytest.raises(JarsError, match="Maven ended with code 1") as failure:
        jars.provide(None, CONDUCT)
    assert "[ERROR] a sentence of Maven" in str(failure.value)
    assert "[INFO]" not in str(failure.value)
    assert "name it as kafka_home" in str(failure.value)
    assert not cache.exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda jar: jar.write_text("a page that says: log in first")])
def test_jars_that_are_missing_or_broken_are_named_and_not_kept(
    maven: Maven, cache: Path, damage: Callable[[Path], object]
) -> None:
    damage(maven.jar("zookeeper"))
    with pytest.raises(JarsError, match=r"Maven ended well, but .*zookeeper-"):
        jars.provide(None, CONDUCT)
    assert not cache.exists()


def test_ctrl_c_ends_maven_and_leaves_no_cache(maven: Maven, cache: Path) -> None:
    maven.does("signal.pause()")
    with pytest.raises(Stopped):
        jars.provide(None, dataclasses.replace(CONDUCT, cancelled=lambda: maven.runs == 1))
    assert not cache.exists()
    assert [each.name for each in cache.parent.iterdir() if each.is_dir()] == []


def test_a_fetch_of_another_process_is_not_waited_for_without_an_end(
    maven: Maven, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "_FETCH_SECONDS", 0.2)
    cache.parent.mkdir(parents=True)
    with (cache.parent / f".{cache.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(JarsError, match=r"more than 0.2 s and holds .*\.lock: end it"):
            jars.provide(None, CONDUCT)
    assert maven.runs == 0

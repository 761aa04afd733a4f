from pathlib import Path

import pytest

from usecases import maven
from usecases.process import PartFailedError


@pytest.mark.parametrize(
    ("coordinates", "file"),
    [
        ("org.example:sink:1.0", "org/example/sink/1.0/sink-1.0.jar"),
        ("org.example:sink:1.0:zip", "org/example/sink/1.0/sink-1.0.zip"),
        ("org.example.kafka:sink:1.0:tar.gz:plugin", "org/example/kafka/sink/1.0/sink-1.0-plugin.tar.gz"),
    ],
)
def test_what_is_in_the_local_repository_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coordinates: str, file: str
) -> None:
    monkeypatch.setenv("MAVEN_REPOSITORY", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    assert maven.artifact(coordinates) == tmp_path / file


def test_a_machine_without_maven_is_told_what_it_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAVEN_REPOSITORY", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PartFailedError, match=r"Maven \(mvn\) is not there: it fetches org\.example:sink:1\.0"):
        maven.artifact("org.example:sink:1.0")


def test_what_maven_says_of_a_failure_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "mvn"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho '[INFO] Scanning'\necho '[ERROR] no such artifact'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("MAVEN_REPOSITORY", str(tmp_path))
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    with pytest.raises(PartFailedError) as caught:
        maven.artifact("org.example:sink:1.0")
    assert str(caught.value) == "Maven could not fetch org.example:sink:1.0:\n[ERROR] no such artifact"

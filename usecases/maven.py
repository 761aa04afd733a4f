"""Files by their Maven coordinates, through the machine's own Maven."""

import os
import subprocess
from pathlib import Path

from usecases.process import PartFailedError

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
_SHOWN_LINES = 10


def repository() -> Path:
    """Maven's local repository."""
    return Path(os.environ.get("MAVEN_REPOSITORY") or Path.home() / ".m2" / "repository")


def artifact(coordinates: str) -> Path:
    """The file of an artifact, fetched when it is not in Maven's local repository.

    Args:
        coordinates: ``group:artifact:version[:extension[:classifier]]``; without an extension a ``jar``.

    Raises:
        PartFailedError: Maven is not there, or has no such artifact.
    """
    group, name, version, *rest = coordinates.split(":")
    extension = rest[0] if rest else "jar"
    suffix = f"-{rest[1]}" if len(rest) > 1 else ""
    file = repository().joinpath(*group.split("."), name, version, f"{name}-{version}{suffix}.{extension}")
    if file.exists():
        return file
    command = ["mvn", "-B", "--strict-checksums", f"-Dmaven.repo.local={repository()}", f"{_PLUGIN}:get"]
    try:
        done = subprocess.run(
            [*command, f"-Dartifact={coordinates}", "-Dtransitive=false"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise PartFailedError(f"Maven (mvn) is not there: it fetches {coordinates}") from None
    if done.returncode or not file.exists():
        said = "\n".join([line for line in done.stdout.splitlines() if "[ERROR]" in line][:_SHOWN_LINES])
        raise PartFailedError(f"Maven could not fetch {coordinates}:\n{said}")
    return file

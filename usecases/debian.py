"""Programs from Debian's packages, unpacked into this project's own folder: nothing is installed on the machine."""

import fcntl
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from usecases.process import PartFailedError

_FOLDER = Path(__file__).parents[1] / ".build" / "usecases" / "debian"


def unpacked(package: str, *more: str, with_dependencies: bool = False) -> Path:
    """The root of a tree that has the package's files: ``unpacked("mosquitto") / "usr/sbin/mosquitto"``.

    Args:
        package: name of the package.
        more: further packages into the same tree.
        with_dependencies: also all that they depend on and this machine lacks; see :func:`libraries`.

    Raises:
        PartFailedError: the machine has no apt, or apt has no such package; the text says what to install instead.
    """
    _FOLDER.mkdir(parents=True, exist_ok=True)
    root, complete = _FOLDER / package, _FOLDER / f"{package}.complete"
    wanted = " ".join((package, *more, *(["and dependencies"] if with_dependencies else [])))
    with (_FOLDER / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists() and complete.read_text("utf-8") == wanted:
            return root
        shutil.rmtree(root, ignore_errors=True)
        archives = root / "archives"
        archives.mkdir(parents=True)
        packages = {package, *more, *(_lacking(package, *more) if with_dependencies else [])}
        _run(["apt-get", "download", *sorted(packages)], archives, wanted)
        for archive in sorted(archives.glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(archive), str(root)], archives, wanted)
        shutil.rmtree(archives)
        complete.write_text(wanted, "utf-8")
    return root


def libraries(root: Path) -> dict[str, str]:
    """Variables with which a program of the tree finds the libraries of the tree."""
    return {
        "LD_LIBRARY_PATH": ":".join(
            str(folder) for each in ("usr/lib", "lib") for folder in (root / each).glob("*-linux-gnu*")
        )
    }


def _lacking(*packages: str) -> list[str]:
    """What apt would install for them on this machine."""
    said = _run(["apt-get", "install", "--simulate", "--no-install-recommends", *packages], _FOLDER, " ".join(packages))
    return [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]


def _run(command: Sequence[str], folder: Path, wanted: str) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PartFailedError(
            f"{command[0]} is not there: this use case takes {wanted} from Debian's packages"
        ) from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise PartFailedError(f"{' '.join(command)}: {said}. Run apt-get update, then try again.")
    return done.stdout

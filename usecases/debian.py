"""Programs from Debian's packages, unpacked into this project's own folder: nothing is installed on the machine."""

import fcntl
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from usecases.process import PartFailedError

_FOLDER = Path(__file__).parents[1] / ".build" / "usecases" / "debian"


def unpacked(package: str, *more: str) -> Path:
    """The root of a tree that has the package's files: ``unpacked("mosquitto") / "usr/sbin/mosquitto"``.

    Args:
        package: name of the package.
        more: further packages into the same tree: libraries that the machine may lack.

    Raises:
        PartFailedError: the machine has no apt, or apt has no such package; the text says what to install instead.
    """
    _FOLDER.mkdir(parents=True, exist_ok=True)
    root, complete = _FOLDER / package, _FOLDER / f"{package}.complete"
    wanted = " ".join((package, *more))
    with (_FOLDER / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists() and complete.read_text("utf-8") == wanted:
            return root
        shutil.rmtree(root, ignore_errors=True)
        archives = root / "archives"
        archives.mkdir(parents=True)
        _run(["apt-get", "download", package, *more], archives, wanted)
        for archive in sorted(archives.glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(archive), str(root)], archives, wanted)
        shutil.rmtree(archives)
        complete.write_text(wanted, "utf-8")
    return root


def _run(command: Sequence[str], folder: Path, wanted: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PartFailedError(
            f"{command[0]} is not there: this use case takes {wanted} from Debian's packages"
        ) from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise PartFailedError(f"{' '.join(command)}: {said}. Run apt-get update, then try again.")

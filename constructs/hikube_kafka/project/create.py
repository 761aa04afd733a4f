"""Write a project that works at once."""

import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlparse
from urllib.request import url2pathname

from hikube_kafka import __version__
from hikube_kafka.spec import Platform
from hikube_kafka.spec.rules.platform import name_is_a_label
from hikube_kafka.spec.targets.kubernetes_rules import NAMESPACES_OF_EVERY_CLUSTER

Target = Literal["local", "kubernetes"]
TARGETS: tuple[Target, ...] = get_args(Target)
"""Where the platform of a project can run."""

_FILES = Path(__file__).with_name("files")
_EVERY = "every"
# Under its own name it would hide files of this package from Git.
_NAMED = {"gitignore": ".gitignore"}
_WHEELS = "wheels"
_PACKAGE = "hikube-kafka"


class ProjectError(Exception):
    """No project was written, or, where the disk is the reason, not all of it."""


@dataclass(frozen=True)
class Created:
    """A project that was written.

    Attributes:
        directory: Where it is.
        files: What was written, relative to the directory.
        steps: The commands that come next, in their order.
    """

    directory: Path
    files: tuple[str, ...]
    steps: tuple[str, ...]


def create(directory: Path, *, target: Target = "local", name: str | None = None) -> Created:
    """Write a project: an app, a stack, its tests, pinned versions, and a README with the commands.

    Args:
        directory: Its folder; what is in it already stays as it is.
        target: Where the platform runs.
        name: Name of the platform, which is the stack's and in Kubernetes the namespace's too. None means the folder's.

    Raises:
        ProjectError: The name is none for a platform, a file is there already, or the folder cannot be written.
    """
    try:
        directory = directory.expanduser()
    except RuntimeError as error:  # of a user who is not known
        raise ProjectError(f"the folder {directory} is not known: {error}") from error
    name = directory.resolve().name if name is None else name
    if problem := next(iter(name_is_a_label(Platform(name=name))), None):
        raise ProjectError(f"{problem} Choose another one with --name.")
    if target == "kubernetes" and name in NAMESPACES_OF_EVERY_CLUSTER:
        raise ProjectError(f"every cluster has a namespace {name} already. Choose another name with --name.")
    source = _source()
    contents = {
        file: text.replace("PLATFORM", name)
        .replace("VERSION", __version__)
        .replace("REQUIREMENT", source.requirement)
        .replace("FROM_WHERE", source.remark)
        for file, text in _templates(target)
    }
    # A broken link counts too: to write there would be to write elsewhere.
    present = sorted(file for file in contents if (directory / file).exists() or (directory / file).is_symlink())
    if present:
        raise ProjectError(f"{directory} already has {', '.join(present)}: nothing was written. Choose another folder.")
    try:
        for file, text in contents.items():
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            (directory / file).write_text(text, "utf-8")
        if source.wheel:
            (directory / _WHEELS).mkdir(exist_ok=True)
            shutil.copy(source.wheel, directory / _WHEELS)
    except OSError as error:
        raise ProjectError(f"the project cannot be written: {error}") from error
    enter = [f"cd {shlex.quote(str(directory))}"] if directory.resolve() != Path.cwd() else []
    return Created(directory, tuple(sorted(contents)), (*enter, *source.steps, *_steps(target)))


def _templates(target: Target) -> Iterator[tuple[str, str]]:
    for folder in (_FILES / _EVERY, _FILES / target):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                name = str(file.relative_to(folder))
                yield _NAMED.get(name, name), file.read_text("utf-8")


def _steps(target: Target) -> Iterator[str]:
    yield "python3 -m venv .venv"
    yield ".venv/bin/pip install -r requirements.txt"
    yield "npm install"
    yield ".venv/bin/hikube-kafka provider install"
    if target == "local":
        yield ".venv/bin/hikube-kafka local jars"
    yield "npx cdktf deploy --outputs-file outputs.json"
    yield ".venv/bin/hikube-kafka smoke --outputs outputs.json"


# --- where the package comes from ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """Where the project gets this package from: from where the running one came."""

    requirement: str
    """Its lines in ``requirements.txt``."""
    remark: str = ""
    """What the README says of it."""
    wheel: Path | None = None
    """A wheel that the project keeps."""
    steps: tuple[str, ...] = ()
    """What must be done before it can be installed."""


def _source() -> _Source:
    """From an index, unless pip recorded another origin (PEP 610): a wheel, a folder, a repository."""
    pinned = f"{_PACKAGE}[pytest]=={__version__}"
    kept = f"--find-links {_WHEELS}\n{pinned}"
    remark = (
        "`wheels/` holds the wheel of `hikube-kafka`, which need not be on an index: commit it.\n"
        "Where an index has it, remove the folder, and its line in `requirements.txt`.\n\n"
    )
    origin = _origin()
    url = str(origin.get("url", ""))
    if not url:
        return _Source(pinned)
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        return _Source(f"{_PACKAGE}[pytest] @ {vcs['vcs']}+{url}@{vcs['commit_id']}")
    if not url.startswith("file:"):
        return _Source(f"{_PACKAGE}[pytest] @ {url}")
    path = Path(url2pathname(urlparse(url).path))
    if path.suffix == ".whl" and path.is_file():
        return _Source(kept, remark, wheel=path)
    step = shlex.join([sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", _WHEELS, str(path)])
    return _Source(kept, remark, steps=(step,))


def _origin() -> dict[str, dict[str, str]]:
    try:
        recorded = distribution(_PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        recorded = None
    origin: dict[str, dict[str, str]] = json.loads(recorded or "{}")
    return origin

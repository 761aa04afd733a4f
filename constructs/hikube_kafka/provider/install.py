"""Put the provider where Terraform finds it."""

import compileall
import os
import platform
import shlex
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from hikube_kafka import __version__

ADDRESS = "terraform.local/hikube/hikube"
"""The provider's source in ``required_providers``."""

_PACKAGE = Path(__file__).parents[1]
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class UnsupportedMachineError(Exception):
    """Terraform has no name for this machine that we know of.

    Attributes:
        machine: What the machine calls itself.
    """

    def __init__(self, machine: str) -> None:
        self.machine = machine
        super().__init__(f"no Terraform platform is known for {machine}: use Linux or macOS on amd64 or arm64.")


@dataclass(frozen=True)
class Installed:
    """What an installation did.

    Attributes:
        shim: The executable that Terraform starts.
        changed: Whether it was written; False if it stood there already, word for word.
        python: The interpreter that it runs.
    """

    shim: Path
    changed: bool
    python: str

    def __str__(self) -> str:
        done = "installed" if self.changed else "already installed"
        return f"Provider {ADDRESS} {__version__} {done}: {self.shim} runs {self.python}"


def install(directory: Path | str | None = None) -> Installed:
    """Write the shim that Terraform starts: it runs the provider with the interpreter that runs now, compiled ahead.

    Args:
        directory: A mirror of providers; None means ``~/.terraform.d/plugins``, where Terraform looks by itself.

    Raises:
        UnsupportedMachineError: Terraform has no platform for this machine.
        OSError: The directory cannot be written.
    """
    mirror = Path(directory).expanduser() if directory else Path.home() / ".terraform.d" / "plugins"
    shim = mirror / ADDRESS / __version__ / terraform_platform() / f"terraform-provider-hikube_v{__version__}"
    script = shim_script(sys.executable)
    changed = not (shim.is_file() and shim.read_text() == script and os.access(shim, os.X_OK))
    if changed:
        shim.parent.mkdir(parents=True, exist_ok=True)
        # A provider may be starting at this moment: it finds the old shim or the new one, never half of it.
        draft = shim.with_name(f".{shim.name}.{os.getpid()}")
        draft.write_text(script)
        draft.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        draft.replace(shim)
    # Terraform starts a provider several times a run. Python may have been told to write no byte code by itself
    # (PYTHONDONTWRITEBYTECODE): each start would compile all of it again.
    compileall.compile_dir(_PACKAGE, quiet=2)
    return Installed(shim, changed, sys.executable)


def shim_script(python: str) -> str:
    """Two lines of shell.

    ``-P`` keeps the folder in which Terraform runs out of the module path: a file there could stand in for one of ours.
    """
    return f"#!/bin/sh\nexec {shlex.quote(python)} -P -m hikube_kafka.provider\n"


def terraform_platform() -> str:
    """This machine as Terraform names it: ``linux_amd64``.

    Raises:
        UnsupportedMachineError: It has no name for it.
    """
    system, machine = platform.system().lower(), platform.machine().lower()
    if system not in {"linux", "darwin"} or machine not in _ARCHITECTURES:
        raise UnsupportedMachineError(f"{system} on {machine}")
    return f"{system}_{_ARCHITECTURES[machine]}"

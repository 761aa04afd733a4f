"""Put the provider where Terraform finds it, and ask Terraform whether it does."""

import compileall
import json
import os
import platform
import re
import shlex
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hikube_kafka import __version__

ADDRESS = "terraform.local/hikube/hikube"
"""The provider's source in ``required_providers``."""

_PACKAGE = Path(__file__).parents[1]
_SHIM = Path(__file__).with_name("shim.sh")
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_EXECUTABLE = stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
_READABLE = stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH
_CONFIGURATION = ("TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG")
"""Variables that name Terraform's own configuration; the first that is set counts."""
_LONGEST_INIT = 120.0  # seconds; a name that no registry has can take a resolver half a minute


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
        mirror: The mirror of providers that it is in.
        shim: The executable that Terraform starts.
        changed: Whether anything was written; False if all of it stood there already, word for word.
        python: The interpreter that it runs.
    """

    mirror: Path
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
    mirror = Path(directory).expanduser().absolute() if directory else Path.home() / ".terraform.d" / "plugins"
    folder = mirror / ADDRESS / __version__ / terraform_platform()
    shim = folder / f"terraform-provider-hikube_v{__version__}"
    folder.mkdir(parents=True, exist_ok=True)
    # Beside the folder and not in it: Terraform's checksum is over all that the folder holds.
    changed = _write(folder.with_name(f"{folder.name}.python"), f"{sys.executable}\n{_PACKAGE}\n", _READABLE)
    changed |= _write(shim, _SHIM.read_text("utf-8"), _EXECUTABLE)
    # Terraform starts a provider several times a run. Python may have been told to write no byte code by itself
    # (PYTHONDONTWRITEBYTECODE): each start would compile all of it again.
    compileall.compile_dir(_PACKAGE, quiet=2)
    return Installed(mirror, shim, changed, sys.executable)


def _write(file: Path, text: str, mode: int) -> bool:
    """Make the file so; whether it was not.

    A provider may be starting at this moment: it finds the old file or the new one, never half of it.
    """
    if file.is_file() and file.read_text("utf-8") == text and file.stat().st_mode & mode == mode:
        return False
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(text, "utf-8")
    draft.chmod(mode)
    draft.replace(file)
    return True


def terraform_platform() -> str:
    """This machine as Terraform names it: ``linux_amd64``.

    Raises:
        UnsupportedMachineError: It has no name for it.
    """
    system, machine = platform.system().lower(), platform.machine().lower()
    if system not in {"linux", "darwin"} or machine not in _ARCHITECTURES:
        raise UnsupportedMachineError(f"{system} on {machine}")
    return f"{system}_{_ARCHITECTURES[machine]}"


# --- whether Terraform finds it ------------------------------------------------------------------------------------


def terraform_command() -> str | None:
    """Path of the command ``terraform``; None: there is none on the PATH."""
    return shutil.which("terraform")


def why_not_found(installed: Installed, terraform: str) -> str | None:
    """Have Terraform look for the provider as a project does; None if it takes the one that was installed.

    Only Terraform knows: a ``provider_installation`` block in its configuration takes the place of the folders in which
    it looks by itself, and includes and excludes of that block choose by name.

    Args:
        installed: What was installed.
        terraform: Path of the command.

    Returns:
        What it found in its place, and what to do.
    """
    with TemporaryDirectory(prefix="hikube-provider-") as name:
        project = Path(name)
        required = {"hikube": {"source": ADDRESS, "version": __version__}}
        (project / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": required}}), "utf-8")
        try:
            done = subprocess.run(
                [terraform, "init", "-backend=false", "-input=false", "-no-color"],
                cwd=project,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=_LONGEST_INIT,
            )
            failed, said = done.returncode != 0, done.stdout
        except subprocess.TimeoutExpired:
            failed, said = True, f"terraform init has not ended within {_LONGEST_INIT:.0f} s."
        # Whoever has an override of their own needs no terraform init, which then fails where it would look further.
        if f"- {ADDRESS} in " in said:
            return None
        if failed:
            return _advice(installed.mirror, said)
        taken = project / ".terraform" / "providers" / ADDRESS / __version__ / installed.shim.parent.name
        # Where it cannot link, it copies: nothing then tells one source from another, and their shims are the same.
        if not taken.is_symlink() or taken.resolve() == installed.shim.parent.resolve():
            return None
        return (
            f"Terraform takes this provider from {taken.resolve()}, which comes first. To use what was installed here, "
            f"remove that folder; or install into that mirror: hikube-kafka provider install --directory "
            f"{shlex.quote(str(taken.resolve().parents[4]))}"
        )


def _environment() -> dict[str, str]:
    """This process's, without what aims Terraform at another folder or changes its arguments."""
    aimed = ("TF_CLI_ARGS", "TF_DATA_DIR", "TF_LOG", "TF_WORKSPACE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(aimed)}
    # Terraform runs in a folder of its own here: a relative path would lead elsewhere.
    named = {name: str(Path(kept[name]).absolute()) for name in _CONFIGURATION if kept.get(name)}
    return {**kept, **named, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}


def _advice(mirror: Path, said: str) -> str:
    mirrored = f'  filesystem_mirror {{\n    path    = {json.dumps(str(mirror))}\n    include = ["{ADDRESS}"]\n  }}\n'
    excluded = f'exclude = ["{ADDRESS}"]'
    files = _with_own_installation()
    if files:
        return (
            f"Terraform does not find this provider: provider_installation in {' and '.join(files)} takes the place of "
            f"the folders in which Terraform looks by itself. Add to that block:\n\n{mirrored}\n"
            f"and to each direct and network_mirror block in it (to an exclude that is there, add the name):\n\n"
            f"    {excluded}\n"
        )
    if mirror != Path.home() / ".terraform.d" / "plugins":
        return (
            f"Terraform does not look into {mirror} by itself. Add to {_main_configuration()}:\n\n"
            f"provider_installation {{\n{mirrored}  direct {{\n    {excluded}\n  }}\n}}\n"
        )
    return f"Terraform does not find this provider. terraform init says:\n\n{said.strip()}\n"


def _main_configuration() -> Path:
    named = next(filter(None, map(os.environ.get, _CONFIGURATION)), None)
    return Path(named) if named else Path.home() / ".terraformrc"


def _with_own_installation() -> list[str]:
    """The files of Terraform's own configuration that have a ``provider_installation`` block."""
    main = _main_configuration()
    files = [main]
    # Terraform reads this folder only where no variable names a file.
    if main == Path.home() / ".terraformrc":
        folder = Path.home() / ".terraform.d"
        files += sorted([*folder.glob("*.tfrc"), *folder.glob("*.tfrc.json")])
    found = []
    for file in files:
        try:
            text = file.read_text("utf-8", errors="replace")
        except OSError:
            continue
        uncommented = re.sub(r"/\*.*?\*/|^\s*(#|//)[^\n]*", "", text, flags=re.DOTALL | re.MULTILINE)
        if "provider_installation" in uncommented:
            found.append(str(file))
    return found

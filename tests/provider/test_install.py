"""Where the provider is put, and how fast it is there."""

import os
import platform
import shlex
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from hikube_kafka import __version__
from hikube_kafka.provider import install as installation
from hikube_kafka.provider.install import (
    ADDRESS,
    UnsupportedMachineError,
    install,
    terraform_command,
    terraform_platform,
    why_not_found,
)
from tests.support.terraform import Terraform

STARTED = "This program is a Terraform provider"


def start(shim: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start it as Terraform does, through a link, but by hand: it says what it is, and ends."""
    link = shim.parents[5] / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(shim.parent)
    inherited = {name: value for name, value in os.environ.items() if name != "HIKUBE_KAFKA_PYTHON"}
    return subprocess.run(
        [f"link/{shim.name}"],
        cwd=link.parent,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_shim_stands_where_terraform_looks_and_runs_this_python(tmp_path: Path) -> None:
    installed = install(tmp_path)
    assert installed.changed
    assert installed.shim == (
        tmp_path
        / "terraform.local/hikube/hikube"
        / __version__
        / terraform_platform()
        / f"terraform-provider-hikube_v{__version__}"
    )
    started = subprocess.run([installed.shim], capture_output=True, text=True, check=False)
    assert started.returncode == 1
    assert "This program is a Terraform provider" in started.stderr
    assert sys.executable in str(installed)


def test_a_second_installation_changes_nothing_and_says_so(tmp_path: Path) -> None:
    first = install(tmp_path)
    written = first.shim.stat().st_mtime_ns
    second = install(tmp_path)
    assert not second.changed
    assert second.shim.stat().st_mtime_ns == written
    assert "already installed" in str(second)


def test_a_damaged_shim_is_repaired(tmp_path: Path) -> None:
    shim = install(tmp_path).shim
    shim.chmod(0o600)
    assert install(tmp_path).changed
    shim.write_text("#!/bin/sh\n")
    assert install(tmp_path).changed
    assert os.access(shim, os.X_OK)
    assert [each.name for each in shim.parent.iterdir()] == [shim.name]


def test_a_start_has_nothing_left_to_compile(tmp_path: Path) -> None:
    compiled = Path(cache_from_source(str(Path(installation.__file__).with_name("__main__.py"))))
    compiled.unlink(missing_ok=True)
    install(tmp_path)
    assert compiled.is_file()


def test_the_default_is_the_folder_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert install().shim.is_relative_to(tmp_path / ".terraform.d" / "plugins")


def test_the_shim_is_the_same_wherever_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = install(tmp_path / "here")
    monkeypatch.setattr(sys, "executable", "/elsewhere/python")
    there = install(tmp_path / "there")
    assert there.python != here.python
    assert there.shim.read_bytes() == here.shim.read_bytes()
    assert [each.name for each in here.shim.parent.iterdir()] == [here.shim.name]


def test_a_folder_with_spaces_and_quotes_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "it's here" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    assert STARTED in start(install(tmp_path / "a mirror" / "of mine").shim, PATH="/usr/bin:/bin").stderr


def test_another_python_can_be_named(tmp_path: Path) -> None:
    shim = install(tmp_path).shim
    shim.parent.with_name(f"{shim.parent.name}.python").unlink()
    assert STARTED in start(shim, HIKUBE_KAFKA_PYTHON=sys.executable).stderr
    wrong = start(shim, HIKUBE_KAFKA_PYTHON="/nowhere/python")
    assert (wrong.returncode, wrong.stderr) == (1, "")
    assert "HIKUBE_KAFKA_PYTHON names /nowhere/python, which cannot be run" in wrong.stdout


@pytest.mark.parametrize("lost", ["python", "package", "file"])
def test_where_the_python_is_gone_the_command_on_the_path_takes_its_place(lost: str, tmp_path: Path) -> None:
    shim = install(tmp_path).shim
    file = shim.parent.with_name(f"{shim.parent.name}.python")
    python, package = file.read_text().splitlines()
    file.write_text(f"{python}{'-gone' * (lost == 'python')}\n{package}{'-gone' * (lost == 'package')}\n")
    if lost == "file":
        file.unlink()
    programs = str(Path(sys.executable).parent)
    assert STARTED in start(shim, PATH=f"{programs}:/usr/bin:/bin").stderr
    nowhere = start(shim, PATH="/usr/bin:/bin")
    assert nowhere.returncode == 1
    (line,) = nowhere.stdout.splitlines()
    assert "no hikube-kafka is on the PATH: run hikube-kafka provider install" in line


def test_a_module_in_the_working_directory_does_not_stand_in_for_ours(tmp_path: Path) -> None:
    (tmp_path / "grpc.py").write_text("raise SystemExit('taken over')\n")
    started = subprocess.run(
        [install(tmp_path / "mirror").shim], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "taken over" not in started.stderr


@pytest.mark.parametrize(("asked", "answer"), [("machine", "pdp11"), ("system", "plan9")])
def test_an_unknown_machine_is_refused_by_name(asked: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, asked, lambda: answer)
    with pytest.raises(UnsupportedMachineError, match=answer) as refusal:
        terraform_platform()
    assert answer in refusal.value.machine


@pytest.mark.terraform
def test_terraform_shows_why_no_python_was_found(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    install(mirror)
    terraform = Terraform(tmp_path, tmp_path / "home", mirror)
    (tmp_path / "main.tf").write_text(
        f'terraform {{\n  required_providers {{\n    hikube = {{ source = "{ADDRESS}" }}\n  }}\n}}'
    )
    terraform.expect("init")
    terraform.environment["HIKUBE_KAFKA_PYTHON"] = "/nowhere/python"
    assert "HIKUBE_KAFKA_PYTHON names /nowhere/python, which cannot be run" in terraform.refused("validate")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which nothing is configured."""
    for name in ("TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG", "TF_PLUGIN_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def asked(directory: Path | None = None) -> str | None:
    terraform = terraform_command()
    assert terraform is not None
    return why_not_found(install(directory), terraform)


def test_terraform_is_asked_as_if_it_ran_here_and_the_command_of_the_answer_works_as_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, terraform = shlex.quote(str(install(home / "Application Support").shim.parent)), home / "terraform"
    taken = f".terraform/providers/{ADDRESS}/{__version__}"
    terraform.write_text(f'#!/bin/sh\ncat "$TF_CLI_CONFIG_FILE" && mkdir -p {taken} && ln -s {first} {taken}/\n')
    terraform.chmod(0o700)
    monkeypatch.chdir(home)
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "own.rc")
    (home / "own.rc").touch()
    said = why_not_found(install(home / "mirror"), str(terraform))
    assert said is not None
    assert said.endswith(f"hikube-kafka provider install --directory '{home / 'Application Support'}'")


@pytest.mark.terraform
def test_terraform_is_asked_whether_it_finds_the_provider(home: Path) -> None:
    assert asked() is None
    (home / ".terraformrc").write_text("# provider_installation {}\n")
    assert asked() is None


@pytest.mark.terraform
@pytest.mark.parametrize("file", [".terraformrc", ".terraform.d/own.tfrc", "named.rc"])
def test_what_hides_the_provider_is_named_and_what_is_to_be_added_works(
    file: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = home / file
    configuration.parent.mkdir(exist_ok=True)
    configuration.write_text("provider_installation {\n  direct {}\n}\n")
    if file == "named.rc":
        monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(configuration))
    reason = asked()
    assert reason is not None
    assert f"provider_installation in {configuration} takes the place" in reason
    mirror = reason[reason.index("  filesystem_mirror") : reason.index("and to each")]
    exclude = reason[reason.index("exclude =") :]
    configuration.write_text(f"provider_installation {{\n{mirror}  direct {{\n{exclude}  }}\n}}\n")
    assert asked() is None


@pytest.mark.terraform
def test_a_mirror_that_terraform_does_not_know_comes_with_what_makes_it_known(home: Path) -> None:
    reason = asked(home / "mirror")
    assert reason is not None
    assert f"Terraform does not look into {home / 'mirror'} by itself. Add to {home / '.terraformrc'}:" in reason
    (home / ".terraformrc").write_text(reason.partition(":\n")[2])
    assert asked(home / "mirror") is None


@pytest.mark.terraform
def test_another_installation_that_terraform_takes_first_is_named(home: Path) -> None:
    first = install().shim.parent
    reason = asked(home / "mirror")
    assert reason is not None
    assert f"Terraform takes this provider from {first}, which comes first" in reason


@pytest.mark.terraform
def test_an_override_of_ones_own_is_no_fault(home: Path) -> None:
    folder = install().shim.parent
    (home / ".terraformrc").write_text(
        f'provider_installation {{\n  dev_overrides {{\n    "{ADDRESS}" = "{folder}"\n  }}\n  direct {{}}\n}}\n'
    )
    assert asked() is None

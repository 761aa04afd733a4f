"""Where the provider is put, and how fast it is there."""

import os
import platform
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from hikube_kafka import __version__
from hikube_kafka.provider import install as installation
from hikube_kafka.provider.install import UnsupportedMachineError, install, shim_script, terraform_platform


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


def test_a_folder_with_spaces_and_quotes_is_no_trouble() -> None:
    assert shim_script("/opt/it's here/python") == (
        "#!/bin/sh\nexec '/opt/it'\"'\"'s here/python' -P -m hikube_kafka.provider\n"
    )


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

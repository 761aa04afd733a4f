"""Declarations as people write them: checked by mypy, and taken at run time."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.platform.cdk import TerraformStack
from hikube_kafka.spec.targets.kubernetes import KubernetesLayout, LayoutFields
from tests.support import spellings

SUPPORT = Path(spellings.__file__).parent
PACKAGES = SUPPORT.parent.parent / "constructs"


def test_natural_spellings_are_taken_and_mistakes_are_not_without_the_plugin_of_pydantic(tmp_path: Path) -> None:
    """With the plugin every run of mypy over this repository checks both files."""
    configuration = tmp_path / "mypy.ini"
    configuration.write_text(f"[mypy]\nstrict = True\ncache_dir = {tmp_path}\n")
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file", configuration, "--follow-imports", "silent"),
            *(SUPPORT / "spellings.py", SUPPORT / "misspellings.py"),
        ],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout == "Success: no issues found in 2 source files\n"


@pytest.mark.parametrize("declare", [spellings.in_kubernetes, spellings.on_this_machine])
def test_what_is_spelled_naturally_is_synthesized(
    declare: Callable[[TerraformStack], object],
    stack: TerraformStack,
    synthesized: Callable[[TerraformStack], dict[str, Any]],
) -> None:
    declare(stack)
    assert "hikube" in synthesized(stack)["provider"]


def test_a_target_is_declared_with_every_field_of_its_layout() -> None:
    assert set(LayoutFields.__annotations__) | {"zookeeper"} == set(KubernetesLayout.model_fields)
    assert spellings.layout().zookeeper == "shared-zookeeper"


def test_how_long_a_release_is_waited_for_is_written_as_text(
    stack: TerraformStack, synthesized: Callable[[TerraformStack], dict[str, Any]]
) -> None:
    spellings.in_kubernetes(stack)
    resources = synthesized(stack)["resource"]
    assert {each["patience"] for each in resources["hikube_rollout"].values()} == {7200}
    assert {each["timeout"] for each in resources["helm_release"].values()} == {7200}

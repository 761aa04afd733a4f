"""Either family of the CDK works, chosen whole."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

STACK = """
import json
from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import TerraformStack, Testing
from hikube_kafka.spec.topic import Topic

stack = TerraformStack(Testing.app(), "stack")
KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("orders", partitions=1)])
content = json.loads(Testing.synth(stack))
content.pop("//", None)
content["terraform"].pop("backend", None)
print(json.dumps(content, sort_keys=True))
"""


def run(family: str | None, folder: Path, code: str = STACK) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "HIKUBE_KAFKA_CDK"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment | ({"HIKUBE_KAFKA_CDK": family} if family else {}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unknown_family_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    refused = run("cdk8s", tmp_path)
    assert refused.returncode != 0
    assert "HIKUBE_KAFKA_CDK = 'cdk8s': choose one of cdktf, cdktn, or unset it." in refused.stderr


def test_the_family_is_cdktf_unless_another_is_chosen(tmp_path: Path) -> None:
    code = "import sys; import hikube_kafka.platform; print('cdktf' in sys.modules, 'cdktn' in sys.modules)"
    assert run(None, tmp_path, code).stdout == "True False\n"


def test_a_chosen_family_is_the_only_one(tmp_path: Path) -> None:
    code = (
        "import sys, types, cdktf; sys.modules['cdktn'] = cdktf; del sys.modules['cdktf'];"
        "import hikube_kafka.platform; print('cdktf' in sys.modules)"
    )
    assert run("cdktn", tmp_path, code).stdout == "False\n"


@pytest.mark.skipif(importlib.util.find_spec("cdktn") is None, reason="cdktn is not installed")
def test_both_families_write_the_same_terraform(tmp_path: Path) -> None:
    written = {family: run(family, tmp_path).stdout for family in ("cdktf", "cdktn")}
    assert written["cdktf"]
    assert written["cdktf"] == written["cdktn"]

"""Who is let in by real brokers, who is not and why, and that no output holds a secret: gate, command, provider."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hikube_kafka.ensemble import tools
from hikube_kafka.ensemble.configuration import render_properties
from hikube_kafka.kafka.security import Credentials
from tests.support.terraform import Workspace

DOORS = ("TLS", "SCRAM", "PLAIN")
SECRETS = ("alice-s3cret", "mallory-s3cret", "PRIVATE KEY")
pytestmark = [pytest.mark.journey, pytest.mark.ensemble, pytest.mark.timeout(400)]


def wrong_keys(secured: Any) -> dict[str, tuple[str, dict[str, str], str]]:
    """Door, key that must not open it, and what must be said, by what is wrong."""
    certificate, key = secured.stranger.issue("mallory")
    tls, scram, plain = (dict(secured.doors[name].key) for name in DOORS)
    nobody = {name: value for name, value in tls.items() if name == "ca_file"}
    return {
        "no certificate": ("TLS", nobody, "SSL alert number"),
        "a certificate of somebody else": (
            "TLS",
            {**tls, "certificate_file": str(certificate), "key_file": str(key)},
            "SSL alert number",
        ),
        "brokers of an unknown authority": (
            "SCRAM",
            {**scram, "ca_file": str(secured.stranger.certificate)},
            "certificate verify failed",
        ),
        "a wrong password over TLS": ("SCRAM", {**scram, "password": "mallory-s3cret"}, "uthentication failed"),
        "a wrong password": ("PLAIN", {**plain, "password": "mallory-s3cret"}, "uthentication failed"),
    }


WRONG = (
    "no certificate",
    "a certificate of somebody else",
    "brokers of an unknown authority",
    "a wrong password over TLS",
    "a wrong password",
)


def smoke(contract: Any, key: Mapping[str, str], directory: Path) -> tuple[int, str]:
    """Run the command; gives its exit code and all that it wrote anywhere."""
    file = directory / "contract.json"
    file.write_text(contract.model_dump_json(exclude_none=True))
    reports = [directory / f"report.{ending}" for ending in ("json", "md", "xml")]
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from hikube_kafka.cli import main; main()", "smoke", "--contract", str(file)),
            *("--patience", "20"),
            *(word for report in reports for word in ("--report", str(report))),
        ],
        env={**os.environ, "COLUMNS": "200"} | {f"HIKUBE_KAFKA_{name.upper()}": value for name, value in key.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    written = [report.read_text() for report in reports if report.exists()]
    return done.returncode, "\n".join([done.stdout, done.stderr, *written])


def hides_secrets(text: str) -> bool:
    return not any(secret in text for secret in SECRETS)


@pytest.mark.parametrize("name", DOORS)
def test_the_gate_passes_with_the_right_key(secured: Any, name: str, tmp_path: Path) -> None:
    door = secured.doors[name]

    code, told = smoke(door.contract, door.key, tmp_path)

    assert code == 0, told
    assert hides_secrets(told)


@pytest.mark.parametrize("wrong", WRONG)
def test_the_gate_says_why_it_is_not_let_in(secured: Any, wrong: str, tmp_path: Path) -> None:
    name, key, says = wrong_keys(secured)[wrong]

    code, told = smoke(secured.doors[name].contract, key, tmp_path)

    assert code == 1, told
    assert says in told
    assert hides_secrets(told)
    report = json.loads((tmp_path / "report.json").read_text())
    faults = [each for each in report["findings"] if each["status"] in {"failed", "unreadable"}]
    waited_for = [each["check"] for each in faults if not each["lasting"] and not each["check"].startswith("canary-")]
    assert waited_for == [], told
    assert report["looks"] < 10, "a wrong key is not waited for"


@pytest.mark.parametrize("name", DOORS)
def test_kafka_s_own_tools_are_let_in_with_the_same_credentials(secured: Any, name: str, tmp_path: Path) -> None:
    door = secured.doors[name]
    environment = {f"HIKUBE_KAFKA_{part.upper()}": value for part, value in door.key.items()}
    credentials = Credentials.from_environment(door.protocol, door.mechanism, environment)
    properties = tmp_path / "client.properties"
    properties.write_text(render_properties(credentials.java()))
    line = tools.command(secured.directory, "configs", ["--describe", "--entity-type", "brokers", "--entity-name", "0"])
    line[line.index("--bootstrap-server") + 1] = door.bootstrap

    done = subprocess.run(
        [*line, "--command-config", str(properties)], capture_output=True, text=True, timeout=100, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Dynamic configs for broker 0" in done.stdout
    assert hides_secrets(done.stdout + done.stderr)


def provider(door: Any, key: Mapping[str, str]) -> dict[str, Any]:
    """The provider block; secrets come as variables, as they should."""
    files = {"ca_file": "ca_certificate", "certificate_file": "client_certificate", "key_file": "client_key"}
    settings = {"username": key.get("username"), "password": "${var.password}" if "password" in key else None}
    settings |= {setting: f'${{file("{key[name]}")}}' for name, setting in files.items() if name in key}
    settings |= {
        "bootstrap_servers": door.bootstrap,
        "security_protocol": door.protocol,
        "sasl_mechanism": door.mechanism,
    }
    return {
        "variable": {"password": {"type": "string", "sensitive": True, "default": ""}},
        "provider": {"hikube": {name: value for name, value in settings.items() if value is not None}},
    }


@pytest.mark.terraform
@pytest.mark.parametrize("name", DOORS)
def test_terraform_makes_changes_moves_and_deletes_a_topic_with_the_right_key(
    secured: Any, name: str, workspace: Workspace
) -> None:
    door = secured.doors[name]
    workspace.environment |= {"TF_VAR_password": door.key.get("password", ""), "TF_LOG": "TRACE"}
    blocks = provider(door, door.key)
    topic = {"name": f"orders-{uuid4().hex[:8]}", "partitions": 2, "replication_factor": 1}
    outputs = []
    for change in ({}, {"replication_factor": 2, "config": {"retention.ms": "5000"}}, {"deletion_protection": False}):
        topic |= change
        workspace.write(
            **blocks,
            resource={"hikube_kafka_topic": {"this": topic}},
            data={"hikube_kafka_quorum": {"this": {"expected_brokers": 2, "depends_on": ["hikube_kafka_topic.this"]}}},
            output={"reasons": {"value": "${data.hikube_kafka_quorum.this.reasons}"}},
        )
        outputs.append(workspace.apply())
    assert workspace.state("hikube_kafka_topic.this")["replication_factor"] == 2
    assert workspace.state("data.hikube_kafka_quorum.this")["brokers"] == [0, 1]
    outputs.append(workspace.run("destroy", "-auto-approve").stdout)
    assert "Destroy complete" in outputs[-1]
    assert hides_secrets("".join(outputs))


@pytest.mark.terraform
@pytest.mark.parametrize("wrong", WRONG)
def test_terraform_says_why_the_provider_is_not_let_in(secured: Any, wrong: str, workspace: Workspace) -> None:
    name, key, says = wrong_keys(secured)[wrong]
    workspace.environment["TF_VAR_password"] = key.get("password", "")
    topic = {"name": "orders", "partitions": 1, "replication_factor": 1}
    workspace.write(**provider(secured.doors[name], key), resource={"hikube_kafka_topic": {"this": topic}})

    told = workspace.refused("apply", "-auto-approve")

    assert "The cluster does not let the provider in" in told
    assert says in told
    assert hides_secrets(told)

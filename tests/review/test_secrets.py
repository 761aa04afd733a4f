"""Nothing that is secret in a plan stands in any output."""

import json
import re
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from hikube_kafka.review import annotations, as_json, code_quality, markdown, page, sarif, terminal
from hikube_kafka.review.diagnostics import read_diagnostics
from hikube_kafka.review.judge import review
from hikube_kafka.review.outcome import Review
from hikube_kafka.review.plan import read_plan

PLANS = Path(__file__).parent / "plans"


def planted() -> tuple[bytes, list[str]]:
    """A plan that changes a secret in each place, and the secrets."""
    content: dict[str, Any] = json.loads((PLANS / "release-plain-set-sensitive.json").read_text("utf-8"))
    secrets = [f"planted-{place}-7c1" for place in ("variable", "output", "yaml", "jaas", "attribute", "set", "old")]
    content.setdefault("variables", {})["given"] = {"value": secrets[0]}
    content["configuration"] = {"root_module": {"variables": {"given": {"sensitive": True}}}}
    content["output_changes"] = {
        "out": {
            "actions": ["update"], "before": secrets[6], "after": secrets[1], "after_unknown": False,
            "before_sensitive": True, "after_sensitive": True,
        }
    }  # fmt: skip
    for row in content["resource_changes"]:
        if row["type"] == "helm_release" and row["name"] == "brokers":
            after = row["change"]["after"]
            values = yaml.safe_load(after["values"][0])
            values["config"]["ssl.keystore.password"] = secrets[2]
            values["config"]["listener.name.outside.scram-sha-512.sasl.jaas.config"] = (
                f'x required password="{secrets[3]}";'
            )
            values["replicas"] = 2
            after["values"][0] = yaml.safe_dump(values)
            after["description"] = secrets[4]
            row["change"]["after_sensitive"]["description"] = True
            after["set_sensitive"] = [{"name": r"config.sasl\.jaas\.config", "value": secrets[5], "type": "string"}]
    return json.dumps(content).encode(), [*secrets, "planted-jaas-secret-7"]


def planted_elsewhere(content: bytes) -> tuple[bytes, bytes, list[str]]:
    """The plan with secrets in its state and its configuration, what Terraform said of it, and the secrets."""
    plan: dict[str, Any] = json.loads(content)
    secrets = [f"planted-{place}-9d4" for place in ("state", "provider", "snippet", "detail")]
    plan["prior_state"] = {"values": {"root_module": {"resources": [{"values": {"password": secrets[0]}}]}}}
    plan["configuration"]["provider_config"] = {
        "helm": {"name": "helm", "expressions": {"kubernetes": [{"token": {"constant_value": secrets[1]}}]}}
    }
    plan["configuration"]["root_module"]["variables"]["told"] = {"sensitive": True}
    plan["variables"]["told"] = {"value": secrets[3]}
    diagnostic = {
        "severity": "error",
        "summary": f"Nobody answers to {secrets[3]}",
        "detail": f"The password {secrets[3]} was refused.",
        "address": "hikube_kafka_topic.orders",
        "snippet": {"code": f'  password = "{secrets[2]}"', "values": [{"traversal": "x", "statement": secrets[2]}]},
    }
    line = {"@level": "error", "@message": "Error", "type": "diagnostic", "diagnostic": diagnostic}
    return json.dumps(plan).encode(), json.dumps(line).encode(), secrets


def on_terminal(outcome: Review) -> str:
    console = Console(width=10_000, record=True, file=StringIO())
    console.print(terminal.render(outcome))
    return console.export_text()


@pytest.mark.parametrize(
    "render",
    [
        markdown.render,
        page.render,
        sarif.render,
        code_quality.render,
        annotations.render,
        as_json.render,
        on_terminal,
        repr,
    ],
)
def test_no_output_shows_a_secret(render: Any) -> None:
    content, secrets = planted()
    content, said, more = planted_elsewhere(content)
    secrets += more
    outcome = review(read_plan(content), title="plan", today=date(2026, 1, 1), diagnostics=read_diagnostics(said))
    text = str(render(outcome))
    assert "plan-refused" in text or "Nobody answers to" in text
    assert [each for each in secrets if each in text] == []


def test_values_that_are_sensitive_as_a_whole_are_judged_and_not_shown() -> None:
    content: dict[str, Any] = json.loads((PLANS / "release-plain-set-sensitive.json").read_text("utf-8"))
    for row in content["resource_changes"]:
        if row["type"] == "helm_release" and row["name"] == "brokers":
            change = row["change"]
            change["after"]["set"] = change["after"]["set_sensitive"] = None
            hidden = {"log.retention.ms": "259200000", "message.max.bytes": "777777", "super.users": "User:guessed"}
            change["after"]["values"] = [yaml.safe_dump({"image": {"tag": "3.7.1"}, "config": hidden})]
            for side in ("before", "after"):
                change[f"{side}_sensitive"] = {"values": True}
    found = review(read_plan(json.dumps(content).encode()), title="plan", today=date(2026, 1, 1))
    assert {"broker-retention-cut", "server-version-lowered", "broker-message-size"} <= {e.rule for e in found.findings}
    text = markdown.render(found) + repr(found)
    secrets = (r"\b3\.7", "259200000", r"\b3 d\b", "777777", "guessed")
    assert [each for each in secrets if re.search(each, text)] == []
    assert "log.retention.ms changes from (sensitive) to (sensitive)" in text

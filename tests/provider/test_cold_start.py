"""What a start of the provider does not wait for: Terraform starts it several times a run."""

import json
import subprocess
import sys
from typing import Any

SLOW = (
    "anyio",
    "cdktf",
    "confluent_kafka",
    "constructs",
    "httpcore",
    "httpx",
    "jsii",
    "kafka",
    "kazoo",
    "kr8s",
    "psutil",
    "pydantic",
    "rich",
    "tenacity",
    "typer",
    "wsproto",
    "yaml",
)


def loaded_after(program: str) -> dict[str, Any]:
    """What a new process has loaded of SLOW after each ``seen("what")`` of a program."""
    prelude = (
        "import json, sys\n"
        "steps = {}\n"
        "def seen(step):\n"
        f"    steps[step] = [name for name in {SLOW!r} if name in sys.modules]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{prelude}{program}\nprint(json.dumps(steps))"],
        capture_output=True,
        text=True,
        check=True,
    )
    steps: dict[str, Any] = json.loads(done.stdout)
    return steps


def test_a_start_and_a_plan_without_a_cluster_load_nothing_that_they_do_not_need() -> None:
    steps = loaded_after(
        """
from hikube_kafka.plugin import tfplugin6_pb2 as pb
from hikube_kafka.plugin.resource import PlanRequest
from hikube_kafka.plugin.servicer import Servicer
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider import __main__ as main
seen("import")
servicer = Servicer(main.HikubePlugin)
provider = servicer.provider
seen("provider")
answer = pb.GetProviderSchema.Response()
assert not [*servicer._schema(pb.GetProviderSchema.Request(), answer)] and answer.resource_schemas
seen("schema")
unknown = {"bootstrap_servers": UNKNOWN, "connect_url": UNKNOWN}
settings = {name: None for name in provider.schema.type.attributes} | unknown
assert not [*provider.validate(settings)] and not [*provider.configure(settings)]
seen("configure")
for resource in provider.resources:
    config = {name: UNKNOWN if each.required else None for name, each in resource.schema.attributes.items()}
    assert not [*resource.validate(config)]
    resource.plan(PlanRequest(None, config, config))
seen("plan")
"""
    )
    assert steps == {"import": [], "provider": [], "schema": [], "configure": [], "plan": []}


def test_what_is_watched_for_is_seen() -> None:
    assert loaded_after("import confluent_kafka, hikube_kafka.kubernetes.client, kr8s\nseen('all')")["all"] != []

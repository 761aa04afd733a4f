"""The manifest by which bridges run on Kubernetes: what it starts is the bridge that there is."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from hikube_kafka.bridge.command import bridge
from hikube_kafka.bridge.routes import Route, Routes, Shard
from hikube_kafka.bridge.session import MqttBroker
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.spec.quantities import Quantity
from tests.support.kubernetes import kubectl, new_namespace
from tests.support.waiting import until

_MANIFEST = Path(__file__).parents[2] / "examples" / "telemetry" / "bridge.yaml"
_REPLICAS = 3
_FILES = ("bridge-authorities", "kafka.pem", "mqtt.pem")
_SECRETS = {"bridge-kafka": ("username", "password"), "bridge-mqtt": ("username", "password")}


def _objects() -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all(_MANIFEST.read_text("utf-8"))}


@pytest.fixture
def pod() -> dict[str, Any]:
    found: dict[str, Any] = _objects()["StatefulSet"]["spec"]["template"]["spec"]
    return found


@pytest.fixture
def options(pod: dict[str, Any]) -> dict[str, Any]:
    """What the command makes of the arguments of the second pod."""
    (container,) = pod["containers"]
    assert container["command"] == ["hikube-kafka", "bridge", "mqtt"]
    arguments = [each.replace("$(POD_NAME)", "bridge-2").replace("$(POD_INDEX)", "2") for each in container["args"]]
    group = typer.main.get_command(bridge)
    command = group.get_command(group.make_context("bridge", ["mqtt"]), "mqtt")  # type: ignore[attr-defined]
    parsed: dict[str, Any] = command.make_context("mqtt", arguments).params
    return parsed


def test_the_arguments_are_those_of_a_bridge_of_its_own_devices(options: dict[str, Any]) -> None:
    routes = Routes([Route.parse(each) for each in options["route"]], options["dead_letters"], Shard())
    assert routes.topics == ("telemetry", "telemetry.dead-letters")
    assert options["client_id"] == "bridge-2"
    assert Shard.parse(options["shard"]) == Shard(number=2, of=_objects()["StatefulSet"]["spec"]["replicas"])


def test_every_variable_is_one_that_a_bridge_reads(pod: dict[str, Any], options: dict[str, Any]) -> None:
    variables = {
        each["name"]: each.get("value") or each["valueFrom"].get("secretKeyRef", {}).get("key")
        for each in pod["containers"][0]["env"]
        if each["name"].startswith("HIKUBE_")
    }
    broker = MqttBroker.parse(options["broker"], variables)
    assert (broker.tls, broker.username, broker.password) == (True, "username", "password")
    credentials = Credentials.from_environment(options["protocol"], options["mechanism"], variables)
    assert (credentials.username, credentials.password) == ("username", "password")
    (mount,) = pod["containers"][0]["volumeMounts"]
    trusted = {credentials.authorities, broker.authorities}
    assert trusted == {Path(mount["mountPath"]) / name for name in _FILES[1:]}
    assert len(variables) == 6, "a variable that is none of these"


def test_a_pod_has_the_time_and_the_memory_that_its_bridge_may_take(
    pod: dict[str, Any], options: dict[str, Any]
) -> None:
    assert pod["terminationGracePeriodSeconds"] > options["drain"]
    (container,) = pod["containers"]
    port = int(options["listen"].rpartition(":")[2])
    assert [each["containerPort"] for each in container["ports"]] == [port]
    memory = Quantity(container["resources"]["limits"]["memory"]).bytes
    assert memory >= 2 * Quantity(options["in_flight_bytes"]).bytes + Quantity("100Mi").bytes


@pytest.mark.cluster
def test_each_pod_is_let_in_by_the_restricted_standard_and_gets_a_shard_of_its_own() -> None:
    with new_namespace("bridge", restricted=True) as namespace:
        for name, keys in _SECRETS.items():
            kubectl(
                "-n", namespace, "create", "secret", "generic", name, *(f"--from-literal={key}=made-up" for key in keys)
            )
        kubectl("-n", namespace, "create", "configmap", *_FILES[:1], *(f"--from-literal={key}=x" for key in _FILES[1:]))
        kubectl("-n", namespace, "apply", "--dry-run=server", "-f", str(_MANIFEST))

        # The cluster of the tests has no image of the bridge: another one says what it would be started with.
        objects = _objects()
        (container,) = objects["StatefulSet"]["spec"]["template"]["spec"]["containers"]
        container |= {"image": "apache/kafka:3.9.2", "command": ["sh", "-c", 'echo "$@"; exec sleep 3600', "bridge"]}
        for probe in ("livenessProbe", "startupProbe", "readinessProbe"):
            del container[probe]
        for each in objects.values():
            kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(each))

        def started() -> bool:
            found = kubectl(
                "-n", namespace, "get", "statefulset", "bridge-of-3", "-o", "jsonpath={.status.readyReplicas}"
            )
            return found == str(_REPLICAS)

        until(started, "three bridges have started", 120, every=1)
        for number in range(1, _REPLICAS + 1):
            words = shlex.split(kubectl("-n", namespace, "logs", f"bridge-of-3-{number}"))
            assert {f"--client-id=bridge-of-3-{number}", f"--shard={number}/{_REPLICAS}"} <= set(words)

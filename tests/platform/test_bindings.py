"""The bindings are written by hand: what they have is what the provider has, in both directions."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hikube_kafka.platform import (
    ClaimTemplate,
    HikubeProvider,
    KafkaBrokers,
    KafkaConnector,
    KafkaQuorum,
    KafkaTopic,
    KubernetesCluster,
    LocalConnect,
    LocalEnsemble,
    Rollout,
    ThroughKubernetes,
    VolumeClaims,
    ZooKeeperMembers,
)
from hikube_kafka.platform.cdk import TerraformStack
from hikube_kafka.platform.provider import SOURCE
from hikube_kafka.plugin.resource import DataSource, Resource
from hikube_kafka.plugin.schema import Schema
from hikube_kafka.provider import install, settings
from hikube_kafka.provider.hikube import HikubePlugin
from hikube_kafka.spec.connect import Offsets
from hikube_kafka.spec.ensemble import PluginSource, ServerProcess
from hikube_kafka.spec.quantities import Duration

Synthesize = Callable[[TerraformStack], dict[str, Any]]
OF_THE_CDK = {"self", "scope", "id", "provider", "depends_on", "alias"}
NAMES = {"connector_class": "class"}
"""Names of the provider's that Python keeps for itself."""
PARTS: dict[str, Resource | DataSource] = {
    **{part.type_name: part for part in HikubePlugin().resources},
    **{part.type_name: part for part in HikubePlugin().data_sources},
}
BINDINGS = {
    "hikube_kafka_topic": KafkaTopic,
    "hikube_kafka_connector": KafkaConnector,
    "hikube_kafka_brokers": KafkaBrokers,
    "hikube_volume_claims": VolumeClaims,
    "hikube_zookeeper_members": ZooKeeperMembers,
    "hikube_rollout": Rollout,
    "hikube_local_ensemble": LocalEnsemble,
    "hikube_local_connect": LocalConnect,
    "hikube_kafka_quorum": KafkaQuorum,
    "hikube_kubernetes_cluster": KubernetesCluster,
}


def taken(binding: type) -> Mapping[str, inspect.Parameter]:
    parameters = inspect.signature(vars(binding)["__init__"]).parameters
    return {NAMES.get(name, name): parameter for name, parameter in parameters.items() if name not in OF_THE_CDK}


def required(parameters: Mapping[str, inspect.Parameter]) -> set[str]:
    return {name for name, parameter in parameters.items() if parameter.default is parameter.empty}


def settable(schema: Schema) -> set[str]:
    attributes = {name for name, each in schema.attributes.items() if each.required or each.optional}
    return attributes | set(schema.blocks)


def test_every_part_of_the_provider_has_a_binding_and_no_other() -> None:
    assert set(BINDINGS) == set(PARTS)


@pytest.mark.parametrize("type_name", BINDINGS)
def test_a_binding_takes_exactly_what_its_part_takes(type_name: str) -> None:
    schema, parameters = PARTS[type_name].schema, taken(BINDINGS[type_name])
    assert set(parameters) == settable(schema)
    assert required(parameters) == {name for name, each in schema.attributes.items() if each.required}


@pytest.mark.parametrize("type_name", BINDINGS)
def test_a_binding_shows_exactly_what_only_the_apply_tells(type_name: str) -> None:
    schema, binding = PARTS[type_name].schema, BINDINGS[type_name]
    shown = {name for name, member in vars(binding).items() if isinstance(member, property)}
    told = {name for name, each in schema.attributes.items() if not (each.required or each.optional)}
    assert shown == told


def test_the_providers_binding_takes_exactly_its_settings() -> None:
    assert set(taken(HikubeProvider)) == settable(settings.SCHEMA)
    assert required(taken(HikubeProvider)) == set()
    block = settings.SCHEMA.blocks["kubernetes"].attributes
    fields = inspect.signature(ThroughKubernetes).parameters
    assert set(fields) == set(block)
    assert required(fields) == {name for name, each in block.items() if each.required}


def test_the_binding_names_the_address_at_which_the_provider_is_installed() -> None:
    assert SOURCE == install.ADDRESS


def test_what_is_given_to_a_binding_is_written_under_the_providers_names(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    server = ServerProcess(kind="broker", id=0, properties={"a.b": "c"}, heap="512m")
    given: dict[type, dict[str, Any]] = {
        KafkaTopic: {
            "name": "orders",
            "partitions": 6,
            "replication_factor": 3,
            "config": {"retention.ms": "1"},
            "deletion_protection": False,
        },
        LocalEnsemble: {
            "name": "events",
            "directory": "~/events",
            "zookeeper": [server],
            "brokers": [server],
            "kafka_home": "/opt/kafka",
            "fast_failover": False,
            "keep_data": False,
        },
        LocalConnect: {
            "name": "changes",
            "directory": "~/changes",
            "workers": [server],
            "plugins": [PluginSource(name="file", maven="a:b:1", checksum="sha256:00")],
            "kafka_home": "/opt/kafka",
        },
        KafkaBrokers: {"brokers": 3, "drain": True},
        ZooKeeperMembers: {
            "stateful_set": "zk",
            "servers": {1: "zk-0.zk:2888:3888:participant;2181"},
            "secret": "zk-membership",
            "applied": "after",
        },
        VolumeClaims: {
            "stateful_set": "events-kafka",
            "templates": {"data": ClaimTemplate(size="10Gi", storage_class="fast")},
            "created_namespace": "shop",
        },
        Rollout: {
            "stateful_set": "events-kafka",
            "replicas": 3,
            "trigger": "0123",
            "patience": Duration("2h"),
            "one_per_node": True,
            "release": "events",
        },
        KafkaQuorum: {"expected_brokers": 3, "expected_zookeeper_servers": 5},
        KafkaConnector: {
            "name": "out",
            "connector_class": "com.example.Sink",
            "tasks_max": 2,
            "config": {"topics": "orders"},
            "state": "stopped",
            "offsets": Offsets(on_change="reset", on_destroy="reset"),
        },
    }
    HikubeProvider(stack, "provider")
    for binding, arguments in given.items():
        assert {NAMES.get(name, name) for name in arguments} == set(taken(binding)), "give every argument a value here"
        binding(stack, binding.__name__, **arguments)
    content = synthesized(stack)
    topic = content["resource"]["hikube_kafka_topic"]["KafkaTopic"]
    assert topic == given[KafkaTopic]
    ensemble = content["resource"]["hikube_local_ensemble"]["LocalEnsemble"]
    written = {"id": 0, "heap": "512m", "properties": {"a.b": "c"}}
    assert ensemble == given[LocalEnsemble] | {"zookeeper": [written], "brokers": [written]}
    workers = content["resource"]["hikube_local_connect"]["LocalConnect"]
    plugin = {"name": "file", "maven": "a:b:1", "checksum": "sha256:00"}
    assert workers == given[LocalConnect] | {"workers": [written], "plugins": [plugin]}
    connector = content["resource"]["hikube_kafka_connector"]["KafkaConnector"]
    assert connector == {
        **{NAMES.get(name, name): value for name, value in given[KafkaConnector].items()},
        "offsets": {"on_change": "reset", "on_destroy": "reset"},
    }
    assert content["data"]["hikube_kafka_quorum"]["KafkaQuorum"] == given[KafkaQuorum]
    nested = PARTS["hikube_local_ensemble"].schema.attributes["brokers"].nested
    assert nested is not None
    assert set(nested.attributes) == set(written)
    assert content["resource"]["hikube_kafka_brokers"]["KafkaBrokers"] == given[KafkaBrokers]
    members = content["resource"]["hikube_zookeeper_members"]["ZooKeeperMembers"]
    assert members == {**given[ZooKeeperMembers], "servers": {"1": "zk-0.zk:2888:3888:participant;2181"}}
    assert content["resource"]["hikube_rollout"]["Rollout"] == {**given[Rollout], "patience": 7200}
    claims = content["resource"]["hikube_volume_claims"]["VolumeClaims"]
    template = {"size": "10Gi", "storage_class": "fast"}
    assert claims == {**given[VolumeClaims], "templates": {"data": template}}
    nested = PARTS["hikube_volume_claims"].schema.attributes["templates"].nested
    assert nested is not None
    assert set(nested.attributes) == set(template)


def test_the_providers_settings_are_written_under_its_names(stack: TerraformStack, synthesized: Synthesize) -> None:
    names = set(taken(HikubeProvider)) - {"kubernetes"}
    HikubeProvider(
        stack,
        "provider",
        alias="there",
        **{name: name for name in names},
        kubernetes=ThroughKubernetes(namespace="kafka", release="events", kubeconfig="config", context="here"),
    )
    block = synthesized(stack)["provider"]["hikube"][0]
    assert block == {name: name for name in names} | {
        "alias": "there",
        "kubernetes": {"namespace": "kafka", "release": "events", "kubeconfig": "config", "context": "here"},
    }

"""What a few telling declarations render into, as people review it. HIKUBE_KAFKA_GOLDEN=write renews the files."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hikube_kafka.spec.chart_values import connect_values, kafka_values, zookeeper_values
from hikube_kafka.spec.connect import ConnectCluster, Plugin
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.resources import Resources
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import ClientPods, ExternalAccess, Image, KubernetesLayout, Pods, Toleration
from hikube_kafka.spec.versions import KAFKA_VERSION
from hikube_kafka.spec.zookeeper import ZooKeeper
from tests.support.kubernetes import Manifest, Render

DECLARED = {
    "one_and_one_for_development": (
        Platform(
            name="dev",
            zookeeper=ZooKeeper(servers=1, storage=Storage("1Gi")),
            kafka=Kafka(brokers=1, storage=Storage("1Gi"), resources=Resources.preset("medium")),
        ),
        KubernetesLayout(namespace="shop"),
    ),
    "three_and_three": (Platform(name="events"), KubernetesLayout(namespace="shop")),
    "connect_with_plugins_of_each_source": (
        Platform(
            name="events",
            connect=(
                ConnectCluster(
                    "changes",
                    plugins=(
                        Plugin("postgres", version="3.1.3.Final", image="mirror.example.com/debezium:3.1.3"),
                        Plugin("search", version="1.0.0", volume="plugin-search"),
                        Plugin(
                            "files",
                            version="3.9.2",
                            archive="https://plugins.example.com/files-3.9.2.tar.gz",
                            checksum="sha256:" + 8 * "01234567",
                        ),
                    ),
                    secrets=("database",),
                    config={"offset.flush.interval.ms": 5000},
                ),
                ConnectCluster("one", workers=1),
            ),
        ),
        KubernetesLayout(namespace="shop", labels={"team": "billing"}),
    ),
    "five_and_six_met_from_outside": (
        Platform(
            name="events",
            zookeeper=ZooKeeper(
                servers=5, storage=Storage("20Gi"), log_storage=Storage("10Gi", storage_class="local"), chroot="/events"
            ),
            kafka=Kafka(
                brokers=6,
                storage=Storage("500Gi", storage_class="replicated"),
                resources=Resources.preset("2xlarge"),
                racks=("zone-a", "zone-b", "zone-c"),
                listeners=(Listener("client", port=9092), Listener("outside", port=9094)),
                config={"log.retention.hours": 72},
            ),
        ),
        KubernetesLayout(
            namespace="shop",
            kafka_image=Image(
                registry="mirror.example.com",
                repository="apache/kafka",
                tag=KAFKA_VERSION,
                digest="sha256:" + 8 * "01234567",
            ),
            image_pull_secrets=("mirror",),
            external=ExternalAccess(
                type="LoadBalancer",
                listener="outside",
                host="kafka-<ordinal>.example.com",
                sources=("203.0.113.0/24",),
                annotations={"external-dns.alpha.kubernetes.io/hostname": "kafka-<ordinal>.example.com"},
            ),
            kafka_clients=(ClientPods(), ClientPods(namespace="billing", labels={"app": "invoices"})),
            pods=Pods(
                node_selector={"disk": "fast"}, tolerations=(Toleration(key="kafka"),), priority_class_name="high"
            ),
            labels={"team": "billing"},
        ),
    ),
}


def reviewed(manifest: Manifest) -> Manifest:
    """Without what is the same in each."""
    if manifest["kind"] == "ConfigMap":
        kept = {
            name: text
            for name, text in manifest["data"].items()
            if name.endswith((".cfg", "server.properties", "servers", "connect-distributed.properties"))
        }
        manifest["data"] = kept | dict.fromkeys(manifest["data"].keys() - kept.keys(), "...")
    if manifest["kind"] == "Job":
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        container["command"][-1] = "..."
    if manifest["kind"] == "StatefulSet":
        annotations = manifest["spec"]["template"]["metadata"]["annotations"]
        assert re.fullmatch("[0-9a-f]{64}", annotations["checksum/configuration"])
        annotations["checksum/configuration"] = "..."
    return manifest


class _Readable(yaml.SafeDumper):
    """YAML as people write it: texts of several lines as such, no anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


@pytest.mark.parametrize("declared", DECLARED)
def test_a_declaration_renders_into_what_was_reviewed(declared: str, render: Render) -> None:
    platform, layout = DECLARED[declared]
    releases = [
        ("connect", connect_values(platform, layout, cluster).to_chart(), layout.connect_release(platform, cluster))
        for cluster in platform.connect
    ] or [
        # Without a cluster the Secret must be named; with one the chart makes it, under this name.
        (
            "zookeeper",
            zookeeper_values(platform, layout).to_chart() | {"membershipSecret": layout.membership_secret(platform)},
            layout.zookeeper_release(platform),
        ),
        ("kafka", kafka_values(platform, layout).to_chart(), layout.kafka_release(platform)),
    ]
    manifests = [
        reviewed(manifest) for chart, values, release in releases for manifest in render(chart, values, release)
    ]
    seen = yaml.dump_all(manifests, Dumper=_Readable, sort_keys=True, width=120)
    file = Path(__file__).parent / "golden" / f"{declared}.yaml"
    if os.environ.get("HIKUBE_KAFKA_GOLDEN") == "write":
        file.write_text(seen, "utf-8")
    assert seen == file.read_text("utf-8"), (
        f"{file.name} differs: look at it, or renew it with HIKUBE_KAFKA_GOLDEN=write"
    )

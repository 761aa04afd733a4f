# ruff: noqa: INP001  # a script, run as a module
"""The configurations that the cases start from: one of the constructs, three in plain JSON of Terraform."""

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import yaml

from hikube_kafka.platform import App, KafkaPlatform, KubernetesTarget, LocalTarget
from hikube_kafka.platform.cdk import LocalBackend, TerraformStack
from hikube_kafka.provider.install import ADDRESS
from hikube_kafka.spec import Kafka, Resources, Storage, Topic, ZooKeeper

Configuration = dict[str, Any]
DAY = 86_400_000

NAMESPACE = "golden-events"
PLAIN = "golden-plain"
GUARDED = "golden-guarded"
RESOURCES = Resources(cpu="200m", memory="1Gi")


def topics() -> list[Topic]:
    """Of the platform: one that is protected, and one that is not."""
    return [
        Topic("orders", partitions=3, config={"retention.ms": 7 * DAY}),
        Topic("scratch", partitions=1, deletion_protection=False),
    ]


def platform(folder: Path, kubeconfig: str, **changed: Any) -> Configuration:
    """A platform of the constructs on Kubernetes, as they synthesize it.

    Args:
        folder: where it is written; the stack is in ``stacks/events``.
        kubeconfig: its cluster.
        changed: arguments of ``KafkaPlatform``; ``target``: those of ``KubernetesTarget``; ``kafka`` and ``zookeeper``:
            fields of these.
    """
    app = App(outdir=str(folder))
    stack = TerraformStack(app, "events")
    LocalBackend(stack, path=str(folder / "events.tfstate"))
    target = {"namespace": NAMESPACE, "kubeconfig": kubeconfig, **changed.pop("target", {})}
    zookeeper = {"servers": 3, "storage": Storage("1Gi"), "resources": Resources(cpu="100m", memory="512Mi")}
    kafka = {"brokers": 3, "storage": Storage("1Gi"), "resources": RESOURCES}
    if not changed.pop("empty", False):
        KafkaPlatform(
            stack,
            changed.pop("id", "events"),
            target=KubernetesTarget(**target),
            zookeeper=ZooKeeper(**{**zookeeper, **changed.pop("zookeeper", {})}),
            kafka=Kafka(**{**kafka, **changed.pop("kafka", {})}),
            topics=changed.pop("topics", None) or topics(),
            **changed,
        )
    app.synth()
    return _synthesized(folder / "stacks" / "events")


def local(folder: Path, **changed: Any) -> Configuration:
    """A platform of the constructs on this machine."""
    app = App(outdir=str(folder))
    stack = TerraformStack(app, "events")
    LocalBackend(stack, path=str(folder / "events.tfstate"))
    KafkaPlatform(
        stack,
        changed.pop("id", "events"),
        target=LocalTarget(directory=str(folder / "servers"), **changed.pop("target", {})),
        zookeeper=ZooKeeper(**{"servers": 3, **changed.pop("zookeeper", {})}),
        kafka=Kafka(**{"brokers": 3, **changed.pop("kafka", {})}),
        topics=changed.pop("topics", None) or topics(),
        **changed,
    )
    app.synth()
    return _synthesized(folder / "stacks" / "events")


def _synthesized(stack: Path) -> Configuration:
    content: Configuration = json.loads((stack / "cdk.tf.json").read_text("utf-8"))
    content.pop("//", None)
    return content


def plain_topics(folder: Path, kubeconfig: str) -> Configuration:
    """Topics of the platform's brokers, without the constructs."""
    config = {"retention.ms": str(7 * DAY), "min.insync.replicas": "2"}
    return {
        "terraform": {
            "required_providers": {"hikube": {"source": ADDRESS}},
            "backend": {"local": {"path": str(folder / "plain.tfstate")}},
        },
        "provider": {
            "hikube": {
                "kubernetes": {"namespace": NAMESPACE, "release": "events-kafka", "kubeconfig": kubeconfig},
            }
        },
        "resource": {
            "hikube_kafka_topic": {
                "payments": {"name": "payments", "partitions": 3, "replication_factor": 3, "config": config},
                "customers": {
                    "name": "customers",
                    "partitions": 3,
                    "replication_factor": 3,
                    "config": {"cleanup.policy": "compact", "min.insync.replicas": "2"},
                },
                "audit": {
                    "name": "audit",
                    "partitions": 3,
                    "replication_factor": 3,
                    "config": {"cleanup.policy": "compact,delete", "min.insync.replicas": "2"},
                },
                "jobs": {
                    "name": "jobs",
                    "partitions": 3,
                    "replication_factor": 2,
                    "deletion_protection": False,
                    "config": {},
                },
            }
        },
    }


def plain_release(folder: Path, kubeconfig: str) -> Configuration:
    """Releases of the charts without the constructs; their pods never run: no node has the label that they ask for."""
    for chart in ("kafka", "zookeeper"):
        with as_file(files("hikube_kafka") / "charts" / chart) as source:
            shutil.copytree(source, folder / "charts" / chart, dirs_exist_ok=True)
    other = folder / "charts" / "other" / "templates"
    other.mkdir(parents=True, exist_ok=True)
    (other.parent / "Chart.yaml").write_text("apiVersion: v2\nname: other\nversion: 1.0.0\n", "utf-8")
    (other / "configmap.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\n"
        "data:\n  retention: {{ .Values.retention | quote }}\n",
        "utf-8",
    )
    place = {"nodeSelector": {"golden": "none"}}
    brokers = {
        "replicas": 3,
        "pods": place,
        "listeners": [{"name": "client", "port": 9092}, {"name": "outside", "port": 9094}],
        "config": {
            "listeners": "CLIENT://:9092,OUTSIDE://:9094,FORWARD://127.0.0.1:<forward-port>",
            "advertised.listeners": "CLIENT://<host>:9092,OUTSIDE://<node>:<node-port>,"
            "FORWARD://127.0.0.1:<forward-port>",
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,OUTSIDE:SASL_SSL,FORWARD:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "authorizer.class.name": "kafka.security.authorizer.AclAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:admin",
        },
        "external": {"type": "NodePort", "listener": "outside"},
    }
    release = {"namespace": "${kubernetes_namespace_v1.plain.id}", "wait": False, "upgrade_install": True}
    return {
        "terraform": {
            "required_providers": {
                "helm": {"source": "hashicorp/helm", "version": "3.1.1"},
                "kubernetes": {"source": "hashicorp/kubernetes", "version": "2.38.0"},
            },
            "backend": {"local": {"path": str(folder / "release.tfstate")}},
        },
        "provider": {
            "helm": {"kubernetes": {"config_path": kubeconfig}},
            "kubernetes": {"config_path": kubeconfig},
        },
        "resource": {
            "kubernetes_namespace_v1": {"plain": {"metadata": {"name": PLAIN}}},
            "helm_release": {
                "brokers": {
                    **release,
                    "name": "kafka",
                    "chart": "./charts/kafka",
                    "values": [
                        yaml.safe_dump(brokers, sort_keys=False),
                        yaml.safe_dump({"resources": {"memory": "2Gi"}}),
                    ],
                    "set": [
                        {"name": "heap", "value": "900m"},
                        {"name": r"config.num\.io\.threads", "value": "8", "type": "string"},
                    ],
                },
                "coordinator": {
                    **release,
                    "name": "zookeeper",
                    "chart": "./charts/zookeeper",
                    "values": [yaml.safe_dump({"pods": place})],
                },
                "other": {**release, "name": "other", "chart": "./charts/other", "values": ["retention: 7d\n"]},
            },
        },
    }


def guarded_release(folder: Path, kubeconfig: str) -> Configuration:
    """Like ``plain_release``, and every setting that keeps somebody out or something in is there to be taken away."""
    content = plain_release(folder, kubeconfig)
    _later_chart(folder)
    place = {"nodeSelector": {"golden": "none"}}
    brokers = {
        "image": {"tag": "3.8.1"},
        "pods": place,
        "networkPolicy": {"clients": [{"namespace": "payments", "labels": {"app": "billing"}}, _BATCH]},
        "listeners": [{"name": "client", "port": 9092}, {"name": "mutual", "port": 9095}],
        "config": {
            "listeners": "CLIENT://:9092,MUTUAL://:9095,FORWARD://127.0.0.1:<forward-port>",
            "advertised.listeners": "CLIENT://<host>:9092,MUTUAL://<node>:<node-port>,"
            "FORWARD://127.0.0.1:<forward-port>",
            "listener.security.protocol.map": "CLIENT:SASL_SSL,MUTUAL:SSL,FORWARD:SASL_SSL",
            "ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "authorizer.class.name": "kafka.security.authorizer.AclAuthorizer",
            "inter.broker.protocol.version": "3.7",
            "log.cleanup.policy": "compact",
            "zookeeper.set.acl": "true",
            "zookeeper.ssl.client.enable": "true",
        },
        "external": {"type": "NodePort", "listener": "mutual", "sources": ["203.0.113.0/24"]},
    }
    coordinator = {
        "image": {"tag": "3.4.14"},
        "pods": place,
        "storage": {"log": {"size": "5Gi"}},
        "membershipSecret": "zookeeper-password",
        "config": {"dataDir": "/data", "dataLogDir": "/datalog", "sessionRequireClientSASLAuth": "true"},
    }
    resources = content["resource"]
    resources["kubernetes_namespace_v1"] = {
        "plain": {"metadata": {"name": GUARDED}},
        "empty": {"metadata": {"name": f"{GUARDED}-empty"}},
    }
    namespace = "${kubernetes_namespace_v1.plain.id}"
    resources["kubernetes_secret_v1"] = {
        name: {"metadata": {"name": name, "namespace": namespace}, "data": {"password": "planted-secret-9"}}
        for name in ("zookeeper-password", "dashboards")
    }
    resources["helm_release"]["brokers"] |= {"values": [yaml.safe_dump(brokers, sort_keys=False)]}
    resources["helm_release"]["brokers"].pop("set")
    resources["helm_release"]["coordinator"] |= {"values": [yaml.safe_dump(coordinator, sort_keys=False)]}
    resources["helm_release"]["operator"] = {
        **resources["helm_release"].pop("other"), "name": "operator", "chart": "./charts/strimzi-kafka-operator",
    }  # fmt: skip
    return content


_BATCH = {"namespace": "batch", "labels": {}}


def _later_chart(folder: Path) -> None:
    """A chart of another project about Kafka, and ours in a later version."""
    charts = folder / "charts"
    operator = charts / "strimzi-kafka-operator"
    shutil.copytree(charts / "other", operator, dirs_exist_ok=True)
    (operator / "Chart.yaml").write_text("apiVersion: v2\nname: strimzi-kafka-operator\nversion: 1.0.0\n", "utf-8")
    later = charts / "later" / "kafka"
    shutil.copytree(charts / "kafka", later, dirs_exist_ok=True)
    described = yaml.safe_load((later / "Chart.yaml").read_text("utf-8"))
    (later / "Chart.yaml").write_text(yaml.safe_dump({**described, "version": "99.0.0"}), "utf-8")

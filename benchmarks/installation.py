"""The two releases in a namespace of their own, as the benchmarks on a cluster install and remove them."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from rich.console import Console

import hikube_kafka
from hikube_kafka.probe.forwards import forwarded
from hikube_kafka.spec import KubernetesLayout, Platform
from hikube_kafka.spec.chart_values import kafka_values, zookeeper_values
from hikube_kafka.spec.contract import ReachByPortForward

CHARTS = Path(hikube_kafka.__file__).parent / "charts"
IMAGE = "apache/kafka:3.9.2"
PROGRESS = Console(stderr=True)


class MeasurementError(Exception):
    """A command failed, or something did not come about in time: what follows would measure nothing."""


class Installation:
    """The two releases in a namespace of their own."""

    def __init__(self, platform: Platform, layout: KubernetesLayout, folder: Path, helm: str) -> None:
        self.platform = platform
        self.layout = layout
        self._folder = folder
        self._helm = helm
        self.zookeeper = layout.zookeeper_release(platform)
        self.kafka = layout.kafka_release(platform)
        reach = layout.contract(platform).reach
        assert isinstance(reach, ReachByPortForward)  # noqa: S101 - a KubernetesLayout's always is
        self.reach = reach
        self.values = kafka_values(platform, layout)
        self.zookeeper_values = zookeeper_values(platform, layout)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl answers in the namespace."""
        return command("kubectl", "--namespace", self.layout.namespace, *arguments, stdin=stdin)

    def begin(self, *pods: Mapping[str, Any]) -> None:
        """The namespace, under the restricted Pod Security Standard, and these pods, ready.

        A namespace that is there already is refused: it is somebody's, and this one is deleted at the end.
        """
        command("kubectl", "create", "namespace", self.layout.namespace)
        label = "pod-security.kubernetes.io/enforce=restricted"
        command("kubectl", "label", "namespace", self.layout.namespace, label)
        for pod in pods:
            self.run(pod)

    def run(self, pod: Mapping[str, Any]) -> None:
        """That pod, ready."""
        self.kubectl("apply", "--filename=-", stdin=json.dumps(pod))
        self.kubectl("wait", f"pod/{pod['metadata']['name']}", "--for=condition=Ready", "--timeout=5m")

    def end(self) -> None:
        """Everything gone, the claims too."""
        command("kubectl", "delete", "namespace", self.layout.namespace, "--wait=false")
        # All at once: without ZooKeeper a broker waits for it until its grace is over. Nothing is started again here.
        self.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
        command("kubectl", "delete", "namespace", self.layout.namespace, "--ignore-not-found", "--timeout=10m")

    def install(self, *, broker: Mapping[str, Any] | None = None, zookeeper: Mapping[str, Any] | None = None) -> None:
        """One release after the other, as Terraform does it.

        Args:
            broker: values in place of those that the brokers' chart is deployed with; ``config`` as a whole.
            zookeeper: likewise of ZooKeeper's chart.
        """
        self.release(self.zookeeper, "zookeeper", _changed(self.zookeeper_values.to_chart(), zookeeper or {}))
        self.release(self.kafka, "kafka", _changed(self.values.to_chart(), broker or {}))

    def uninstall(self) -> None:
        """Both releases, and their claims, which they leave behind."""
        for release in (self.kafka, self.zookeeper):
            where = f"--namespace={self.layout.namespace}"
            command(self._helm, "uninstall", release, where, "--ignore-not-found", "--timeout=10m")
        # Without their service's names brokers do not find each other, and wait for that until their grace is over.
        ours = "--selector=app.kubernetes.io/part-of=hikube-kafka"
        self.kubectl("delete", "pods", ours, "--force", "--grace-period=0")
        self.kubectl("wait", "pods", ours, "--for=delete", "--timeout=2m")
        self.kubectl("delete", "persistentvolumeclaims,secrets", "--all", "--timeout=5m")

    def configure(self, broker: Mapping[str, Any]) -> None:
        """Start all brokers anew with these values in place of those that they are deployed with.

        Not by a rolling update: brokers that talk PLAINTEXT and brokers that ask for passwords do not meet.
        """
        self.kubectl("delete", f"statefulset/{self.kafka}", "--cascade=foreground", "--timeout=10m")
        self.release(self.kafka, "kafka", _changed(self.values.to_chart(), broker))

    def release(self, name: str, chart: str, values: Mapping[str, Any]) -> None:
        """Install or upgrade it, and wait until its pods are ready."""
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(values))
        where = (f"--namespace={self.layout.namespace}", f"--values={path}")
        command(self._helm, "upgrade", "--install", name, str(CHARTS / chart), *where)
        self.kubectl("rollout", "status", f"statefulset/{name}", "--timeout=15m")

    @contextmanager
    def client(self) -> Iterator[str]:
        """``bootstrap.servers`` of port-forwards to all brokers."""
        with forwarded(self.reach, brokers=range(self.platform.kafka.brokers), zookeeper=[]) as forwards:
            yield ",".join(forwards.brokers.values())


def _changed(values: Mapping[str, Any], by: Mapping[str, Any]) -> dict[str, Any]:
    if "config" in by:
        unset: dict[str, str | None] = dict.fromkeys(values["config"])  # the chart's own defaults
        by = {**by, "config": {**unset, **by["config"]}}
    return {**values, **by}


def container(name: str, script: Sequence[str], **more: Any) -> dict[str, Any]:
    """A container of the brokers' image that the restricted Pod Security Standard lets in."""
    return {
        "name": name,
        "image": IMAGE,
        "command": list(script),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **more,
    }


def restricted_pod(name: str, *containers: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A pod that the restricted Pod Security Standard lets in, and that ends at once."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": list(containers),
            **more,
        },
    }


def command(*words: str, stdin: str | None = None) -> str:
    """What the command prints.

    Raises:
        MeasurementError: It failed.
    """
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def wait(what: str, condition: Callable[[], bool], *, seconds: float = 120, every: float = 0.1) -> None:
    """Ask until it is so.

    Raises:
        MeasurementError: It was not so in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except KafkaException as error:
            PROGRESS.print(f"{what}: {error}")
        time.sleep(every)
    raise MeasurementError(f"{what}: not within {seconds:g} s")


def in_sync(admin: AdminClient, topic: str) -> bool:
    """Whether every partition of it has a leader and its full ISR."""
    partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions.values()
    return bool(partitions) and all(each.leader >= 0 and len(each.isrs) == len(each.replicas) for each in partitions)

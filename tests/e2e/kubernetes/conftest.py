"""A platform on a real cluster, delivered as users do it: synthesized, applied, held to its contract from outside.

The releases are applied by Terraform where a mirror has the provider ``hashicorp/helm``, else by the ``helm`` command
with the very values and charts of the synthesized stack; the namespace is the stack's where a mirror has
``hashicorp/kubernetes``. Everything else is Terraform's in any case.
"""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from hikube_kafka.provider.install import install

ROOT = Path(__file__).parents[3]
IMAGE = "apache/kafka:3.9.2"
PARTITIONS = 6
_LOG = logging.getLogger(__name__)

SYNTH = """
import json, sys
from hikube_kafka.platform import App, KafkaPlatform, KubernetesTarget
from hikube_kafka.platform.cdk import LocalBackend, TerraformStack
from hikube_kafka.spec import Kafka, Resources, Storage, Topic, ZooKeeper

out, kubeconfig, namespace, declared, create = *sys.argv[1:4], *map(json.loads, sys.argv[4:])
app = App(outdir=out)
stack = TerraformStack(app, "shop")
LocalBackend(stack, path="../../../shop.tfstate")
KafkaPlatform(
    stack,
    "shop",
    target=KubernetesTarget(
        namespace=namespace,
        kubeconfig=kubeconfig,
        create_namespace=create,
        drain=declared["drain"],
        # A fourth broker has to find a place on three nodes.
        pods={"anti_affinity": "preferred"},
    ),
    zookeeper=ZooKeeper(
        servers=declared["servers"],
        storage=Storage("1Gi"),
        resources=Resources(cpu="250m", memory="512Mi"),
    ),
    kafka=Kafka(
        brokers=declared["brokers"],
        storage=Storage(declared["storage"]),
        resources=Resources(cpu="500m", memory="1Gi"),
        config=declared["config"],
    ),
    topics=[
        Topic("orders", partitions=6, deletion_protection=False),
        Topic("audit", partitions=3, config={"retention.ms": 3_600_000}, deletion_protection=False),
    ],
)
app.synth()
"""


def mirror_of(provider: str) -> Path | None:
    """A directory of providers that has this one of HashiCorp's."""
    configuration = Path(os.environ.get("TF_CLI_CONFIG_FILE") or "~/.terraformrc").expanduser()
    text = configuration.read_text() if configuration.is_file() else ""
    named = re.findall(r'filesystem_mirror\s*\{[^}]*?path\s*=\s*"([^"]+)"', text)
    for mirror in (Path(each).expanduser() for each in (*named, "~/.terraform.d/plugins")):
        if any(mirror.glob(f"*/hashicorp/{provider}/*")):
            return mirror
    return None


def helm_command() -> str | None:
    """The ``helm`` command: ``make helm`` puts it beside the other tools."""
    built = ROOT / ".build" / "bin" / "helm"
    return str(built) if built.exists() else shutil.which("helm")


class Deployment:
    """One platform on the cluster, from its declaration to its end."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.namespace = namespace
        self.declared: dict[str, Any] = {
            "servers": 3,
            "brokers": 3,
            "storage": "1Gi",
            "config": {},
            "drain": False,
        }
        self._folder = folder
        self._kubeconfig = os.environ["KUBECONFIG"]
        self._mirror = mirror_of("helm")
        namespace_mirror = mirror_of("kubernetes")
        self.has_namespace = namespace_mirror is not None
        """Whether the namespace is a resource of the stack."""
        self._helm = helm_command()
        if self._mirror is None and self._helm is None:
            pytest.skip("no mirror has the provider hashicorp/helm, and there is no helm command: make helm brings one")
        plugins = folder / "plugins"
        install(plugins)
        paths = dict.fromkeys(each for each in (plugins, self._mirror, namespace_mirror) if each)
        mirrors = "".join(f'filesystem_mirror {{\n path = "{path}"\n}}\n' for path in paths)
        (folder / "terraformrc").write_text(f"provider_installation {{\n{mirrors}}}\n")
        self._environment = os.environ | {
            "TF_CLI_CONFIG_FILE": str(folder / "terraformrc"),
            "CHECKPOINT_DISABLE": "1",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        }
        self._stack = folder / "out" / "stacks" / "shop"
        self._outputs = folder / "outputs.json"

    def run(
        self, *command: str, cwd: Path | None = None, expected: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=cwd, env=self._environment, capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode in expected, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def kubectl(self, *arguments: str) -> str:
        return self.run("kubectl", "-n", self.namespace, *arguments).stdout

    def apply(self, *, expected: tuple[int, ...] = (0,), **declared: Any) -> str:
        """Declare it so, and apply; give what was printed. It ends when every server is ready."""
        self.declared |= declared
        printed = ""
        begin = time.monotonic()
        for release in self._synthesize():
            first = [f"-target={each}" for each in release["depends_on"] if not each.startswith("helm_release.")]
            printed += self.terraform("apply", "-auto-approve", "-input=false", *first, expected=expected)
            self._upgrade(release)
        printed += self.terraform("apply", "-auto-approve", "-input=false", expected=expected)
        _LOG.info("ready %.0f s after the synthesis began: %s", time.monotonic() - begin, declared or "all of it")
        self._outputs.write_text(self.terraform("output", "-json"))
        return printed

    def plan_code(self, **declared: Any) -> int:
        """0: nothing to change; 2: something is; 1: refused."""
        self.declared |= declared
        self._synthesize()
        code = "plan", "-detailed-exitcode", "-input=false", "-no-color"
        return self.run("terraform", *code, cwd=self._stack, expected=(0, 1, 2)).returncode

    def terraform(self, *arguments: str, expected: tuple[int, ...] = (0,)) -> str:
        done = self.run("terraform", *arguments, "-no-color", cwd=self._stack, expected=expected)
        return done.stdout + done.stderr

    def smoke(self, *, expected: int, patience: float = 60) -> dict[str, Any]:
        """Run the gate as a user does, with nothing but the outputs and a kubeconfig; give its JSON report."""
        report = self._folder / "report.json"
        command = "smoke", "--outputs", str(self._outputs), "--report", str(report), "--patience", str(patience)
        self.run(str(Path(sys.executable).with_name("hikube-kafka")), *command, expected=(expected,))
        found: dict[str, Any] = json.loads(report.read_text())
        return found

    def pods(self, release: str) -> dict[str, tuple[str, int]]:
        """UID and restarts of each pod, by its name."""
        items = json.loads(self.kubectl("get", "pods", "-l", f"app.kubernetes.io/instance={release}", "-o", "json"))
        return {
            pod["metadata"]["name"]: (
                pod["metadata"]["uid"],
                sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ())),
            )
            for pod in items["items"]
        }

    def await_ready(self, *releases: str) -> None:
        """Wait until the pods that are there are ready. A StatefulSet's own status may be that of a moment ago."""
        begin = time.monotonic()
        for release in releases:
            each = "-l", f"app.kubernetes.io/instance={release}"
            self.kubectl("wait", "pods", *each, "--for=condition=Ready", "--timeout=300s")
        _LOG.info("ready again after %.0f s", time.monotonic() - begin)

    def _synthesize(self) -> list[dict[str, Any]]:
        """Write the stack; give the releases that the helm command has to apply, in their order."""
        self.run(
            sys.executable,
            "-c",
            SYNTH,
            str(self._folder / "out"),
            self._kubeconfig,
            self.namespace,
            json.dumps(self.declared),
            json.dumps(self.has_namespace),
        )
        releases: list[dict[str, Any]] = []
        if self._mirror is None:
            file = self._stack / "cdk.tf.json"
            content = json.loads(file.read_text())
            found = content["resource"].pop("helm_release")
            releases = [found["shop_zookeeper"], found["shop_kafka"]]
            for kind in ("provider", "terraform"):
                (content[kind] if kind == "provider" else content[kind]["required_providers"]).pop("helm")
            for resources in content["resource"].values():
                for resource in resources.values():
                    waits = [each for each in resource.pop("depends_on", ()) if not each.startswith("helm_release.")]
                    if waits:
                        resource["depends_on"] = waits
            file.write_text(json.dumps(content))
        self.terraform("init", "-input=false")
        return releases

    def _upgrade(self, release: dict[str, Any]) -> None:
        values = []
        for index, text in enumerate(release["values"]):
            file = self._folder / f"{release['name']}-{index}.yaml"
            file.write_text(text.replace("$${", "${").replace("%%{", "%{"))
            values += ["--values", str(file)]
        assert self._helm is not None
        command = "upgrade", "--install", release["name"], release["chart"], "--namespace", release["namespace"]
        self.run(self._helm, *command, *values, "--wait", "--timeout", "10m", cwd=self._stack)


PRODUCER = {
    # As Kafka's producers do unless told otherwise; the tool that sends here would give up at once.
    "enable.idempotence": "true",
    "retries": "2147483647",
    # Without keys a producer stays with one partition for a while: here each has messages all the time.
    "partitioner.class": "org.apache.kafka.clients.producer.RoundRobinPartitioner",
}

FRESH_ADDRESSES = "-Dsun.net.inetaddr.ttl=3 -Dsun.net.inetaddr.negative.ttl=1"
"""As docs/kubernetes.md advises: Java would dial the address that a broker had before it was rolled for 30 s more."""


class Load:
    """Messages with acks=all from a pod of its own, from entering to leaving; then what became of them."""

    def __init__(self, deployment: Deployment, topic: str, *, node: str | None = None) -> None:
        self._deployment = deployment
        self._topic = topic
        self._node = node
        self._pod = f"load-{uuid.uuid4().hex[:6]}"
        self.acknowledged: list[dict[str, Any]] = []
        self.given_up: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        bootstrap = f"shop-kafka.{self._deployment.namespace}.svc:9092"
        settings = "\\n".join(f"{key}={value}" for key, value in PRODUCER.items())
        produce = (
            f"printf '{settings}' > /tmp/producer.properties; "
            "/opt/kafka/bin/kafka-run-class.sh org.apache.kafka.tools.VerifiableProducer "
            f"--bootstrap-server {bootstrap} --topic {self._topic} --throughput 300 --acks -1 "
            "--producer.config /tmp/producer.properties > /tmp/acknowledged"
        )
        secure = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self._pod},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                **({"nodeName": self._node} if self._node else {}),
                "containers": [
                    {
                        "name": "load",
                        "image": IMAGE,
                        # The shell stays, so that the file can be read once the producer has been ended.
                        "command": ["bash", "-c", f"{produce}; sleep infinity"],
                        "env": [{"name": "LOG_DIR", "value": "/tmp"}, {"name": "KAFKA_OPTS", "value": FRESH_ADDRESSES}],
                        "securityContext": secure,
                    }
                ],
            },
        }
        file = self._deployment.run("mktemp").stdout.strip()
        Path(file).write_text(json.dumps(pod))
        self._deployment.kubectl("apply", "-f", file)
        self._deployment.kubectl("wait", f"pod/{self._pod}", "--for=condition=Ready", "--timeout=120s")
        self.wait_for(300)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.wait_for(300)
            # SIGTERM to the JVM alone: it flushes what it has taken, and tells of it.
            self._exec("pkill -TERM java || kill -TERM $(pidof java); while pidof java >/dev/null; do sleep 0.2; done")
            lines = self._exec("cat /tmp/acknowledged").splitlines()
            events = [json.loads(line) for line in lines if line.startswith("{")]
            self.acknowledged = [event for event in events if event["name"] == "producer_send_success"]
            self.given_up = [event for event in events if event["name"] == "producer_send_error"]

    def _exec(self, script: str) -> str:
        return self._deployment.kubectl("exec", self._pod, "--", "bash", "-c", script)

    def count(self) -> int:
        """How many messages are acknowledged by now."""
        return int(self._exec("grep -c producer_send_success /tmp/acknowledged || true"))

    def wait_for(self, further: int) -> None:
        """Wait until so many more messages are acknowledged."""
        goal = self.count() + further
        deadline = time.monotonic() + 180
        while self.count() < goal:
            assert time.monotonic() < deadline, "the brokers acknowledge nothing"
            time.sleep(0.5)

    def longest_pause(self, partition: int | None = None) -> tuple[float, datetime]:
        """Seconds between two acknowledgements, of one partition or of any, and since when there was none."""
        times = sorted(
            event["timestamp"] for event in self.acknowledged if partition is None or event["partition"] == partition
        )
        pause, begin = max((after - before, before) for before, after in pairwise(times))
        return pause / 1000, datetime.fromtimestamp(begin / 1000, UTC)

    def lost_and_duplicated(self) -> tuple[set[str], set[str]]:
        """Acknowledged messages that are not there, and messages that are there more than once."""
        where = f"--bootstrap-server shop-kafka.{self._deployment.namespace}.svc:9092 --topic {self._topic}"
        ends = self._exec(f"/opt/kafka/bin/kafka-get-offsets.sh {where}")
        held = sum(int(line.rpartition(":")[2]) for line in ends.split())
        found = Counter(
            self._exec(
                "/opt/kafka/bin/kafka-console-consumer.sh "
                f"{where} --from-beginning --max-messages {held} --timeout-ms 60000"
            ).split()
        )
        acknowledged = {event["value"] for event in self.acknowledged}
        return acknowledged - found.keys(), {value for value, times in found.items() if times > 1}

    def told(self, what: str, *, duplicated: int) -> None:
        """Log the figures: ``pytest --log-cli-level=INFO`` shows them."""
        pause, begin = self.longest_pause()
        worst, its_begin = max(map(self.longest_pause, range(PARTITIONS)))
        _LOG.info(
            "%s: %d acknowledged, %d duplicated; longest pause of all partitions %.1f s, from %s UTC, of one %.1f s, "
            "from %s",
            what,
            len(self.acknowledged),
            duplicated,
            pause,
            f"{begin:%H:%M:%S}",
            worst,
            f"{its_begin:%H:%M:%S}",
        )

    def end(self) -> None:
        """Take the pod away."""
        self._deployment.kubectl("delete", "pod", self._pod, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Three and three with topics, in a namespace that lets in nothing but restricted pods."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is not set: these tests need a cluster with the images apache/kafka and zookeeper")
    for program in ("kubectl", "terraform"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not on PATH")
    namespace = f"shop-{uuid.uuid4().hex[:6]}"
    deployed = Deployment(tmp_path_factory.mktemp("kubernetes"), namespace)
    if not deployed.has_namespace:
        deployed.run("kubectl", "create", "namespace", namespace)
        deployed.run("kubectl", "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    try:
        deployed.apply()
        yield deployed
    finally:
        # All at once and without the gate that keeps a broker from leaving others behind.
        deployed.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
        deployed.run("kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--timeout=300s")


@pytest.fixture
def new_topic(deployment: Deployment) -> Callable[[], str]:
    """Makes a topic of three copies for a load."""

    def make() -> str:
        name = f"load-{uuid.uuid4().hex[:6]}"
        tool = "/opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --replication-factor 3"
        command = f"{tool} --topic {name} --partitions {PARTITIONS}"
        deployment.kubectl("exec", "shop-kafka-0", "--", "bash", "-c", f"KAFKA_HEAP_OPTS=-Xmx128m {command}")
        return name

    return make


@pytest.fixture
def load(deployment: Deployment, new_topic: Callable[[], str]) -> Iterator[Callable[..., Load]]:
    """Begins a load on a topic of its own."""
    loads: list[Load] = []

    def begin(node: str | None = None) -> Load:
        loads.append(Load(deployment, new_topic(), node=node))
        return loads[-1]

    yield begin
    for each in loads:
        each.end()

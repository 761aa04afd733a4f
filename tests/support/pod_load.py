"""A load from inside the cluster, as an application there would make it."""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from tests.support.kubernetes import kubectl, pods_ready, pods_told
from tests.support.waiting import until

IMAGE = "apache/kafka:3.9.2"
PARTITIONS = 6
_LOG = logging.getLogger(__name__)

PRODUCER = {
    # As Kafka's producers do unless told otherwise; the tool that sends here would give up at once.
    "enable.idempotence": "true",
    "retries": "2147483647",
    # Without keys a producer stays with one partition for a while: here each has messages all the time.
    "partitioner.class": "org.apache.kafka.clients.producer.RoundRobinPartitioner",
}

FRESH_ADDRESSES = "-Dsun.net.inetaddr.ttl=3 -Dsun.net.inetaddr.negative.ttl=1"
"""As docs/kubernetes.md advises: Java would dial the address that a broker had before it was rolled for 30 s more."""


def _late(event: Mapping[str, Any]) -> bool:
    """Whether the producer was closed before this message: the tool goes on for a moment when it is told to end."""
    late = ("after producer has been closed", "Producer closed while send in progress")
    return any(said in str(event["message"]) for said in late)


class PodLoad:
    """Messages with acks=all from a pod of its own, from entering to leaving; then what became of them."""

    def __init__(self, namespace: str, topic: str, *, node: str | None = None) -> None:
        self._namespace = namespace
        self._topic = topic
        self._node = node
        self._pod = f"load-{uuid4().hex[:6]}"
        self.acknowledged: list[dict[str, Any]] = []
        self.given_up: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        bootstrap = f"shop-kafka.{self._namespace}.svc:9092"
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
        kubectl("-n", self._namespace, "apply", "-f", "-", stdin=json.dumps(pod))
        pods_ready(self._namespace, f"pod/{self._pod}")
        with pods_told(self._namespace):
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
            self.given_up = [event for event in events if event["name"] == "producer_send_error" and not _late(event)]

    def _exec(self, script: str) -> str:
        return kubectl("-n", self._namespace, "exec", self._pod, "--", "bash", "-c", script)

    def count(self) -> int:
        """How many messages are acknowledged by now."""
        return int(self._exec("grep -c producer_send_success /tmp/acknowledged || true"))

    def wait_for(self, further: int) -> None:
        """Wait until so many more messages are acknowledged."""
        goal = self.count() + further
        until(lambda: self.count() >= goal, "the brokers acknowledge more messages", 180, every=0.5)

    def longest_pause(self, partition: int | None = None) -> tuple[float, datetime]:
        """Seconds between two acknowledgements, of one partition or of any, and since when there was none."""
        times = sorted(
            event["timestamp"] for event in self.acknowledged if partition is None or event["partition"] == partition
        )
        pause, begin = max((after - before, before) for before, after in pairwise(times))
        return pause / 1000, datetime.fromtimestamp(begin / 1000, UTC)

    def lost_and_duplicated(self) -> tuple[set[str], set[str]]:
        """Acknowledged messages that are not there, and messages that are there more than once."""
        where = f"--bootstrap-server shop-kafka.{self._namespace}.svc:9092 --topic {self._topic}"
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
        kubectl("-n", self._namespace, "delete", "pod", self._pod, "--ignore-not-found", "--wait=false")

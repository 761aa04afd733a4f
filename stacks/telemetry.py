"""Telemetry: thousands of devices by MQTT, and the logs of applications."""

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import Kafka, LocalLayout, Resources, Topic, Workload, ZooKeeper, size

DEVICES = Workload(devices=2000, messages_per_second=0.5, bytes=200, retention="1d")
"""What is expected. Brokers, partitions and copies follow from it: ``size(DEVICES).steps`` says how."""


class TelemetryPlatform(TerraformStack):
    """The platform ``telemetry``.

    Args:
        scope: the app.
        id: name of the stack.
        small: one ZooKeeper server: its failure interrupts. There are as many brokers all the same, one of which may
            fail.
    """

    def __init__(self, scope: Construct, id: str, *, small: bool = False) -> None:  # noqa: A002 - the CDK's name
        super().__init__(scope, id)
        LocalBackend(self, path=f"../../../{id}.tfstate")
        sized = size(DEVICES)
        readings = Topic.telemetry(
            "telemetry", partitions=sized.partitions, retention=DEVICES.retention, deletion_protection=False
        )
        self.platform = KafkaPlatform(
            self,
            "telemetry",
            target=LocalTarget(
                LocalLayout(broker_port=27092, zookeeper_port=27181, peer_port=27288, election_port=27388),
                keep_data=False,
            ),
            # As many as the workload asks for, and as small as one machine needs them. On Kubernetes leave both out,
            # and give workload=DEVICES to the platform.
            zookeeper=ZooKeeper(
                servers=1 if small else sized.zookeeper.servers, resources=Resources(cpu="250m", memory="256Mi")
            ),
            kafka=Kafka(brokers=sized.kafka.brokers, resources=Resources(cpu=1, memory="1Gi")),
            topics=[
                readings,
                # What names no device, or is too large: somebody has to look.
                Topic.dead_letters(of=readings, deletion_protection=False),
                Topic.telemetry("app.logs", partitions=3, retention="1d", deletion_protection=False),
            ],
        )

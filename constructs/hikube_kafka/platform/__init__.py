"""The CDKTF constructs that turn a declaration into Terraform.

:class:`KafkaPlatform` is a whole platform; :class:`KafkaTopic`, :class:`LocalEnsemble`, :class:`KafkaQuorum` and
:class:`HikubeProvider` are its parts, each usable alone.
"""

from hikube_kafka.platform.app import App
from hikube_kafka.platform.ensemble import LocalEnsemble
from hikube_kafka.platform.kafka_platform import KafkaPlatform
from hikube_kafka.platform.local import LocalTarget
from hikube_kafka.platform.provider import HikubeProvider, ThroughKubernetes
from hikube_kafka.platform.quorum import KafkaQuorum
from hikube_kafka.platform.target import Delivery, Target
from hikube_kafka.platform.topic import KafkaTopic

__all__ = [
    "App",
    "Delivery",
    "HikubeProvider",
    "KafkaPlatform",
    "KafkaQuorum",
    "KafkaTopic",
    "LocalEnsemble",
    "LocalTarget",
    "Target",
    "ThroughKubernetes",
]

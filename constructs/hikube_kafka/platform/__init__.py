"""The CDKTF constructs that turn a declaration into Terraform.

:class:`KafkaPlatform` is a whole platform, :class:`FormerPlatform` one that is taken away. :class:`ZooKeeperRelease`,
:class:`KafkaRelease`, :class:`ConnectRelease`, :class:`VolumeClaims`, :class:`ZooKeeperMembers`, :class:`KafkaBrokers`,
:class:`LocalEnsemble`, :class:`LocalConnect`, :class:`KafkaTopic`, :class:`KafkaConnect`, :class:`KafkaConnector`,
:class:`KafkaQuorum`, :class:`KubernetesCluster` and :class:`HikubeProvider` are the parts of a platform, usable alone.
"""

from hikube_kafka.platform.app import App
from hikube_kafka.platform.brokers import KafkaBrokers
from hikube_kafka.platform.connect_release import ConnectRelease
from hikube_kafka.platform.former_platform import FormerPlatform
from hikube_kafka.platform.kafka_connect import KafkaConnect
from hikube_kafka.platform.kafka_connector import KafkaConnector
from hikube_kafka.platform.kafka_platform import KafkaPlatform
from hikube_kafka.platform.kafka_release import KafkaRelease
from hikube_kafka.platform.kubernetes import KubernetesTarget
from hikube_kafka.platform.kubernetes_cluster import KubernetesCluster
from hikube_kafka.platform.local import LocalTarget
from hikube_kafka.platform.local_connect import LocalConnect
from hikube_kafka.platform.local_ensemble import LocalEnsemble
from hikube_kafka.platform.provider import HikubeProvider, ThroughKubernetes
from hikube_kafka.platform.quorum import KafkaQuorum
from hikube_kafka.platform.release import ChartRepository, HelmRelease, helm_provider
from hikube_kafka.platform.rollout import Rollout
from hikube_kafka.platform.target import ConnectDelivery, Delivery, Target
from hikube_kafka.platform.topic import KafkaTopic
from hikube_kafka.platform.volume_claims import ClaimTemplate, VolumeClaims
from hikube_kafka.platform.zookeeper_members import ZooKeeperMembers
from hikube_kafka.platform.zookeeper_release import ZooKeeperRelease

__all__ = [
    "App",
    "ChartRepository",
    "ClaimTemplate",
    "ConnectDelivery",
    "ConnectRelease",
    "Delivery",
    "FormerPlatform",
    "HelmRelease",
    "HikubeProvider",
    "KafkaBrokers",
    "KafkaConnect",
    "KafkaConnector",
    "KafkaPlatform",
    "KafkaQuorum",
    "KafkaRelease",
    "KafkaTopic",
    "KubernetesCluster",
    "KubernetesTarget",
    "LocalConnect",
    "LocalEnsemble",
    "LocalTarget",
    "Rollout",
    "Target",
    "ThroughKubernetes",
    "VolumeClaims",
    "ZooKeeperMembers",
    "ZooKeeperRelease",
    "helm_provider",
]

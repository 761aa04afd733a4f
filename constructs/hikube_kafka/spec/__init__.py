"""What a platform is, what makes a declaration of it invalid, and the contract that it must keep.

Pure data: no CDK, no network, no files. The names below are loaded when they are first used, so that the provider,
which starts several times in every plan, pays for no model that it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hikube_kafka.spec.connect import ConnectCluster, Connector, ConnectorState, Offsets, Plugin
    from hikube_kafka.spec.contract import Contract
    from hikube_kafka.spec.kafka import Kafka, Listener
    from hikube_kafka.spec.platform import Platform
    from hikube_kafka.spec.problem import DeclarationError, Problem
    from hikube_kafka.spec.quantities import Duration, Quantity, Throughput
    from hikube_kafka.spec.resources import Preset, Resources
    from hikube_kafka.spec.security import ClientSecurity, Mechanism, Protocol
    from hikube_kafka.spec.sizing import Sizing, Workload, size
    from hikube_kafka.spec.storage import Storage
    from hikube_kafka.spec.targets.kubernetes import (
        ClaimRetention,
        ClientPods,
        ExternalAccess,
        Image,
        KubernetesLayout,
        Pods,
        Toleration,
    )
    from hikube_kafka.spec.targets.local import LocalLayout
    from hikube_kafka.spec.topic import Topic
    from hikube_kafka.spec.zookeeper import ZooKeeper

_MODULES = {
    "connect": ("ConnectCluster", "Connector", "ConnectorState", "Offsets", "Plugin"),
    "contract": ("Contract",),
    "kafka": ("Kafka", "Listener"),
    "targets.kubernetes": (
        "ClaimRetention",
        "ClientPods",
        "ExternalAccess",
        "Image",
        "KubernetesLayout",
        "Pods",
        "Toleration",
    ),
    "targets.local": ("LocalLayout",),
    "platform": ("Platform",),
    "problem": ("DeclarationError", "Problem"),
    "quantities": ("Duration", "Quantity", "Throughput"),
    "resources": ("Preset", "Resources"),
    "security": ("ClientSecurity", "Mechanism", "Protocol"),
    "sizing": ("Sizing", "Workload", "size"),
    "storage": ("Storage",),
    "topic": ("Topic",),
    "zookeeper": ("ZooKeeper",),
}
_HOME = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}

__all__ = [
    "ClaimRetention",
    "ClientPods",
    "ClientSecurity",
    "ConnectCluster",
    "Connector",
    "ConnectorState",
    "Contract",
    "DeclarationError",
    "Duration",
    "ExternalAccess",
    "Image",
    "Kafka",
    "KubernetesLayout",
    "Listener",
    "LocalLayout",
    "Mechanism",
    "Offsets",
    "Platform",
    "Plugin",
    "Pods",
    "Preset",
    "Problem",
    "Protocol",
    "Quantity",
    "Resources",
    "Sizing",
    "Storage",
    "Throughput",
    "Toleration",
    "Topic",
    "Workload",
    "ZooKeeper",
    "size",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)

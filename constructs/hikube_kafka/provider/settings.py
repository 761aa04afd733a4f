"""The provider's settings: where the cluster is, and how a client proves itself. No repr and no log shows a secret."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from hikube_kafka.kafka.security import PLAINTEXT, Credentials
from hikube_kafka.kubernetes.kubeconfig import kubeconfig
from hikube_kafka.plugin.diagnostics import Diagnostic
from hikube_kafka.plugin.schema import NUMBER, STRING, Attribute, Block, Schema
from hikube_kafka.plugin.values import UNKNOWN

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

CONNECT_PORT = 8083
"""Connect's own default."""

SCHEMA = Schema(
    description=(
        "Topics, connectors, brokers, members, claims, quorum and local ensembles of Kafka with ZooKeeper. Every "
        "setting may come from a resource that does not exist yet: what needs the cluster then waits for the apply."
    ),
    attributes={
        "bootstrap_servers": Attribute(
            STRING,
            optional=True,
            description="`host:port` of one or more brokers, separated by commas. Needed by `hikube_kafka_topic` and "
            "`hikube_kafka_quorum`, unless there is a `kubernetes` block.",
        ),
        "zookeeper_servers": Attribute(
            STRING,
            optional=True,
            description="`host:port` of the ZooKeeper servers, separated by commas, with Kafka's chroot at the end if "
            "it has one. Needed by `hikube_kafka_quorum` to check ZooKeeper.",
        ),
        "connect_url": Attribute(
            STRING,
            optional=True,
            description="URL of one or more workers of a Connect cluster, separated by commas: "
            "`http://connect-0:8083`. The first that answers is asked. Needed by `hikube_kafka_connector`, unless the "
            "`kubernetes` block has `connect_release`, or there is `local_connect`.",
        ),
        "local_connect": Attribute(
            STRING,
            optional=True,
            description="In place of `connect_url`: name or folder of a `hikube_local_connect` of this machine. Its "
            "workers are met where they were last declared to be, also when it is no longer declared.",
        ),
        "security_protocol": Attribute(
            STRING,
            optional=True,
            description="`PLAINTEXT` (default), `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.",
        ),
        "sasl_mechanism": Attribute(
            STRING,
            optional=True,
            description="`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; required with SASL.",
        ),
        "username": Attribute(STRING, optional=True, description="SASL user; required with SASL."),
        "password": Attribute(
            STRING, optional=True, sensitive=True, description="SASL password; required with SASL. Never logged."
        ),
        "ca_certificate": Attribute(
            STRING,
            optional=True,
            description="Certificates of the authorities that sign the brokers' certificates, in PEM. Default: those "
            "of the system.",
        ),
        "client_certificate": Attribute(
            STRING, optional=True, description="The client's own certificate chain, in PEM; goes with `client_key`."
        ),
        "client_key": Attribute(
            STRING,
            optional=True,
            sensitive=True,
            description="The client's own key, in PEM, not encrypted; goes with `client_certificate`. Never logged.",
        ),
    },
    blocks={
        "kubernetes": Block(
            description="Reach a cluster in Kubernetes with nothing but a kubeconfig: the provider opens "
            "port-forwards itself, for as long as it runs.",
            attributes={
                "kubeconfig": Attribute(
                    STRING,
                    optional=True,
                    description="Path of the kubeconfig, or several joined as in `KUBECONFIG`. Default: the first that "
                    "is set of `KUBE_CONFIG_PATH`, `KUBE_CONFIG_PATHS` and `KUBECONFIG`, then `~/.kube/config`, then "
                    "the service account of the pod that Terraform runs in.",
                ),
                "context": Attribute(
                    STRING,
                    optional=True,
                    description="Context of the kubeconfig. Default: `KUBE_CTX`, then the current one.",
                ),
                "namespace": Attribute(STRING, required=True, description="Namespace of the brokers."),
                "release": Attribute(
                    STRING,
                    required=True,
                    description="Name of the brokers' StatefulSet: its pods are `<release>-0` ...",
                ),
                "forward_port": Attribute(
                    NUMBER,
                    optional=True,
                    description="Port of broker 0's forward listener. Default: 19092. Two clusters that one apply "
                    "reaches need ports of their own.",
                ),
                "zookeeper_release": Attribute(
                    STRING,
                    optional=True,
                    description="Name of the ZooKeeper servers' StatefulSet. Needed by `hikube_kafka_quorum` to "
                    "check ZooKeeper.",
                ),
                "zookeeper_chroot": Attribute(
                    STRING, optional=True, description="Kafka's chroot in ZooKeeper, if it has one: `/events`."
                ),
                "connect_release": Attribute(
                    STRING,
                    optional=True,
                    description="Name of the StatefulSet of a Connect cluster's workers. Needed by "
                    "`hikube_kafka_connector`, unless there is a `connect_url` or `local_connect`.",
                ),
                "connect_port": Attribute(
                    NUMBER,
                    optional=True,
                    description=f"Port of the workers' REST interface in their pods. Default: {CONNECT_PORT}.",
                ),
            },
        )
    },
)

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s,:/\[\]]+):([0-9]{1,5})")
_URL = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[^\s,:/?#@\[\]]+)(?::([0-9]{1,5}))?(?:/[^\s,?#@]*)?")
_HIGHEST_PORT = 65535
_OF_CONNECT = frozenset({"connect_url", "local_connect", "kubernetes.connect_release", "kubernetes.connect_port"})


@dataclass(frozen=True, kw_only=True)
class KubernetesReach:
    """A cluster that is met through port-forwards."""

    kubeconfig: str | None
    context: str | None
    namespace: str
    release: str
    forward_port: int | None = None
    zookeeper_release: str | None = None
    zookeeper_chroot: str | None = None
    connect_release: str | None = None
    connect_port: int | None = None

    def command(self, tool: Literal["kubectl", "helm"] = "kubectl") -> str:
        """How a user calls the tool for this cluster, context and namespace."""
        return kubeconfig(self.kubeconfig, self.context).command(tool, self.namespace)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one provider block."""

    bootstrap_servers: str | None = None
    zookeeper_servers: str | None = None
    connect_urls: tuple[str, ...] = ()
    local_connect: str | None = None
    security: Credentials = PLAINTEXT
    kubernetes: KubernetesReach | None = None
    unknown: tuple[str, ...] = ()
    """Settings that only the apply will tell: no cluster can be asked until then."""
    connect_unknown: tuple[str, ...] = ()
    """Those without which Connect's workers cannot be asked: Kafka itself can be, without a URL of theirs."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Take the settings from a provider block; those still unknown are named and left out."""
        block = config["kubernetes"]
        values = {name: config[name] for name in SCHEMA.attributes}
        inside: Mapping[str, Any] = {} if block is None or block is UNKNOWN else block
        unknown = [name for name, value in values.items() if value is UNKNOWN]
        unknown += [f"kubernetes.{name}" for name, value in inside.items() if value is UNKNOWN]
        if block is UNKNOWN:
            unknown.append("kubernetes")
        forwarded = values["connect_url"] is None and (block is UNKNOWN or inside.get("connect_release") is not None)
        connect_unknown = [name for name in unknown if forwarded or name in {"connect_url", "local_connect"}]
        unknown = [name for name in unknown if name not in _OF_CONNECT]
        inside = {name: None if value is UNKNOWN else value for name, value in inside.items()}
        known = {name: None if value is UNKNOWN else value for name, value in values.items()}
        return cls(
            bootstrap_servers=known["bootstrap_servers"],
            zookeeper_servers=known["zookeeper_servers"],
            connect_urls=tuple(url.strip().rstrip("/") for url in (known["connect_url"] or "").split(",") if url),
            local_connect=known["local_connect"],
            security=Credentials(
                protocol=known["security_protocol"] or "PLAINTEXT",
                mechanism=known["sasl_mechanism"],
                username=known["username"],
                password=known["password"],
                authorities=known["ca_certificate"],
                certificate=known["client_certificate"],
                key=known["client_key"],
            ),
            kubernetes=KubernetesReach(**inside) if inside and not unknown else None,
            unknown=tuple(unknown),
            connect_unknown=tuple(connect_unknown),
        )


def faults(config: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """What is wrong with a provider block in itself; what is unknown is passed over."""
    yield from _addresses(config)
    yield from _urls(config["connect_url"])
    if config["connect_url"] is not None and config["local_connect"] is not None:
        yield Diagnostic(
            "connect_url and local_connect exclude each other",
            "Each says where the workers of one Connect cluster are. Remove one of the two.",
            path=("local_connect",),
        )
    if config["kubernetes"] is not None:
        for name in ("bootstrap_servers", "zookeeper_servers"):
            if config[name] is not None:
                yield Diagnostic(
                    f"{name} and kubernetes exclude each other",
                    "With a kubernetes block the addresses are those of the port-forwards. Remove one of the two.",
                    path=(name,),
                )
        yield from _ports(config["kubernetes"])
        yield from _connect(config)
    yield from _authentication(config)
    yield from _certificates(config)


def _ports(block: Any) -> Iterator[Diagnostic]:
    for name in ("forward_port", "connect_port"):
        port = None if block is UNKNOWN else block.get(name)
        if port is None or port is UNKNOWN or (isinstance(port, int) and 0 < port <= _HIGHEST_PORT):
            continue
        yield Diagnostic(f"{name} is not a port", f"It is {port}.", path=("kubernetes", name))


def _connect(config: Mapping[str, Any]) -> Iterator[Diagnostic]:
    block = config["kubernetes"]
    if block is UNKNOWN:
        return
    release = block.get("connect_release")
    for name in ("connect_url", "local_connect"):
        if release is not None and config[name] is not None:
            yield Diagnostic(
                f"{name} and kubernetes.connect_release exclude each other",
                "With connect_release the workers are met through a port-forward. Remove one of the two.",
                path=(name,),
            )
    if release is None and block.get("connect_port") is not None:
        yield Diagnostic(
            "connect_port would have no effect",
            "It is the port of the pods of connect_release, which is not set. Set that, or remove it.",
            path=("kubernetes", "connect_port"),
        )


def _urls(value: Any) -> Iterator[Diagnostic]:
    if not isinstance(value, str):
        return
    for each in value.split(","):
        match = _URL.fullmatch(each.strip())
        if "@" in each:
            # It is not shown: what stands before the sign is a secret.
            yield Diagnostic(
                "connect_url holds a user and a password",
                "The workers' REST interface asks for none, and a provider block is no place for a secret. Write "
                "each URL as http://host:port.",
                path=("connect_url",),
            )
        elif match is None or not 0 < int(match[2] or 1) <= _HIGHEST_PORT:
            yield Diagnostic(
                f"{each.strip()!r} is not a URL of a worker",
                f"connect_url = {value!r} must name each worker as http://host:port or https://host:port, separated "
                "by commas.",
                path=("connect_url",),
            )


def _addresses(config: Mapping[str, Any]) -> Iterator[Diagnostic]:
    for name in ("bootstrap_servers", "zookeeper_servers"):
        servers = config[name]
        if not isinstance(servers, str):
            continue
        # A chroot, which ZooKeeper's list alone may have, stands behind the last address.
        hosts = servers.partition("/")[0] if name == "zookeeper_servers" else servers
        for address in hosts.split(","):
            match = _ADDRESS.fullmatch(address.strip())
            if match is None or not 0 < int(match[2]) <= _HIGHEST_PORT:
                yield Diagnostic(
                    f"{address.strip()!r} is not host:port",
                    f"{name} = {servers!r} must name each server as host:port, separated by commas.",
                    path=(name,),
                )


def _authentication(config: Mapping[str, Any]) -> Iterator[Diagnostic]:
    protocol, mechanism = config["security_protocol"], config["sasl_mechanism"]
    yield from _one_of("security_protocol", protocol, PROTOCOLS)
    yield from _one_of("sasl_mechanism", mechanism, MECHANISMS)
    if protocol is UNKNOWN:
        return
    protocol = protocol or "PLAINTEXT"
    for name in ("sasl_mechanism", "username", "password"):
        if protocol.startswith("SASL_") and config[name] is None:
            yield Diagnostic(
                f"{name} is missing",
                f"security_protocol = {protocol!r} logs in over SASL: set sasl_mechanism, username and password.",
                path=(name,),
            )
        if protocol in {"PLAINTEXT", "SSL"} and config[name] is not None:
            yield Diagnostic(
                f"{name} would have no effect",
                f"With security_protocol = {protocol!r} the provider does not log in. "
                'Set security_protocol = "SASL_SSL" (or "SASL_PLAINTEXT"), or remove it.',
                path=(name,),
            )
    for name in ("ca_certificate", "client_certificate", "client_key"):
        if protocol in {"PLAINTEXT", "SASL_PLAINTEXT"} and config[name] is not None:
            yield Diagnostic(
                f"{name} would have no effect",
                f"security_protocol = {protocol!r} does not encrypt. "
                'Set security_protocol = "SSL" or "SASL_SSL", or remove it.',
                path=(name,),
            )


def _certificates(config: Mapping[str, Any]) -> Iterator[Diagnostic]:
    for name, other in (("client_certificate", "client_key"), ("client_key", "client_certificate")):
        if config[name] is not None and config[other] is None:
            yield Diagnostic(
                f"{name} needs {other}", "A client certificate and its key go together: set both.", path=(other,)
            )
    for name in ("ca_certificate", "client_certificate", "client_key"):
        if isinstance(config[name], str) and "-----BEGIN " not in config[name]:
            yield Diagnostic(
                f"{name} is not PEM",
                f'{name} must hold the text itself, which starts with "-----BEGIN"; for a file, use file("path").',
                path=(name,),
            )


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> Iterator[Diagnostic]:
    if isinstance(value, str) and value not in choices:
        yield Diagnostic(f"{name} cannot be {value!r}", f"Set it to one of {', '.join(choices)}.", path=(name,))

"""Which network policy of Kubernetes keeps the pod that this runs in away from a server."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from hikube_kafka.probe.selector import selects
from hikube_kafka.spec.targets.kubernetes import SMOKE_LABELS

Object = Mapping[str, Any]

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Label that every namespace has, with its name."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """The pod that this runs in."""

    namespace: str
    """Name of its namespace."""
    labels: Mapping[str, str] | None
    """Its labels; None: they cannot be read."""
    address: str | None = None
    """Its address; None: it has none, or it cannot be read."""


def kept_out(
    client: Client, namespace: str, pods: Iterable[Object], policies: Sequence[Object], ports: Mapping[str, int]
) -> dict[str, str]:
    """Why each pod that this one is kept away from does not hear it, by the pod's name.

    A policy that is there may still not be enforced: that is for whoever sees whether the pod answers.

    Args:
        client: The pod that this runs in.
        namespace: That of the pods and the policies.
        pods: Those that are to be reached.
        policies: All network policies of the namespace.
        ports: The port that is to be reached, by the name of the pod; the others are not looked at.
    """
    told: dict[str, str] = {}
    for pod in pods:
        name = pod["metadata"]["name"]
        if name not in ports:
            continue
        restricting = [each for each in policies if _restricts(each, pod["metadata"].get("labels", {}))]
        rules = [rule for rule in _rules(restricting) if _opens(rule, pod, ports[name])]
        if restricting and not _let_in(client, namespace, rules):
            names = ", ".join(sorted(each["metadata"]["name"] for each in restricting))
            which = f"the network {'policy' if len(restricting) == 1 else 'policies'} {names}"
            told[name] = f"{which} {_advice(client, namespace, rules)}"
    return told


def unread(reason: str) -> str:
    """What to think of where the policies cannot be read."""
    return (
        "a network policy may keep this pod out; those of the charts let in pods of the platform's namespace with the "
        f"label {_label()}; this pod may not list them: {reason}"
    )


def _advice(client: Client, namespace: str, rules: Sequence[Object]) -> str:
    if client.labels is None:
        return f"may not let this pod in, whose labels cannot be read: is there {_label()} among them?"
    labelled = Client(namespace=client.namespace, labels={**client.labels, **SMOKE_LABELS}, address=client.address)
    if _let_in(labelled, namespace, rules):
        return f"does not let this pod in: give the pod the label {_label()}"
    if client.namespace != namespace:
        return (
            f"does not let in pods of the namespace {client.namespace}: run this in {namespace}, with the label "
            f"{_label()}, or declare the pod in kafka_clients and zookeeper_clients"
        )
    return "does not let this pod in: add a rule that does"


def _label() -> str:
    return ", ".join(f"{key}={value}" for key, value in SMOKE_LABELS.items())


def _restricts(policy: Object, labels: Mapping[str, str]) -> bool:
    spec = policy["spec"]
    return "Ingress" in spec.get("policyTypes", ["Ingress"]) and selects(spec.get("podSelector", {}), labels)


def _let_in(client: Client, namespace: str, rules: Iterable[Object]) -> bool:
    return any(
        not rule.get("from") or any(_is_meant(client, peer, namespace) for peer in rule["from"]) for rule in rules
    )


def _rules(policies: Iterable[Object]) -> Iterator[Object]:
    for policy in policies:
        yield from policy["spec"].get("ingress") or ()


def _opens(rule: Object, pod: Object, port: int) -> bool:
    """Whether a rule is about a TCP port of a pod; one without ports is about all."""
    return not rule.get("ports") or any(_is_port(each, pod, port) for each in rule["ports"])


def _is_port(meant: Object, pod: Object, port: int) -> bool:
    if meant.get("protocol", "TCP") != "TCP":
        return False
    match meant.get("port"):
        case None:
            return True
        case int(first):
            return first <= port <= int(meant.get("endPort", first))
        case name:
            return any(
                each.get("name") == name and each["containerPort"] == port
                for container in pod["spec"]["containers"]
                for each in container.get("ports") or ()
            )


def _is_meant(client: Client, peer: Object, namespace: str) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return client.address is not None and _within(client.address, block["cidr"], block.get("except") or ())
    if "namespaceSelector" in peer:
        near = _selects_namespace(peer["namespaceSelector"], client.namespace)
    else:
        near = client.namespace == namespace
    return near and selects(peer.get("podSelector", {}), client.labels or {})


def _selects_namespace(selector: Object, name: str) -> bool:
    """Of a namespace's labels only the one with its name is known: others are taken for what is asked."""
    keys = {*selector.get("matchLabels", {}), *(each["key"] for each in selector.get("matchExpressions", []))}
    return bool(keys - {_NAMESPACE_NAME}) or selects(selector, {_NAMESPACE_NAME: name})


def _within(address: str, cidr: str, but: Iterable[str]) -> bool:
    own = ip_address(address)
    return own in ip_network(cidr, strict=False) and not any(own in ip_network(each, strict=False) for each in but)

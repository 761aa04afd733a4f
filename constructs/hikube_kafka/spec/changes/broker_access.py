"""Changes of who reaches the brokers, how they prove who they are, and what they may do.

Source of what Kafka does: its documentation of security, https://kafka.apache.org/39/documentation.html#security.
"""

import ipaddress
from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from hikube_kafka.spec.changes.broker_settings import is_on, parsed
from hikube_kafka.spec.changes.release import Release, shown
from hikube_kafka.spec.problem import Problem, Rule, shortened
from hikube_kafka.spec.rules.brokers import LISTENER_PLAINTEXT
from hikube_kafka.spec.security import Protocol

EXTERNAL_OPEN = Rule(
    id="external-listener-open",
    severity="error",
    message="external.type = {type} exposes to everyone outside the cluster listener {listener}, which {lacks}.",
    why="{consequence}",
    remedy="Give that listener SASL_SSL, or SSL with ssl.client.auth = required; or keep external.type = None.",
)
SOURCES_OPENED = Rule(
    id="external-sources-opened",
    severity="error",
    message="external.sources {what}.",
    why="Networks that could not connect to the brokers from outside so far can from now on.",
    remedy="List the networks of your clients in external.sources, and no others.",
)
EXTERNAL_LOST = Rule(
    id="external-access-changed",
    severity="error",
    message="clients outside the cluster lose their access: {what}.",
    why="They still connect to the addresses that they know, where no broker answers any more.",
    remedy="Keep it until all clients outside have moved.",
)
GONE = Rule(
    id="listener-gone",
    severity="error",
    message="port {port} of listener {listener} is removed.",
    why="Clients whose bootstrap.servers name that port, and network policies, services and dashboards that do, no "
    "longer reach the brokers.",
    remedy="Add the new listener beside it, move the clients, and remove this one in a later change.",
)
ADDRESS = Rule(
    id="advertised-address-changed",
    severity="warning",
    message="listener {listener} is advertised as {after}, no longer as {before}.",
    why="Brokers tell clients to connect there. Clients that cannot resolve or reach it lose every broker, one after "
    "another, as the brokers restart.",
    remedy="Check that all clients reach {after}, and that its certificate names it where the listener uses TLS.",
)
PROTOCOL = Rule(
    id="listener-protocol-changed",
    severity="warning",
    message="listener {listener} changes from {before} to {after}.",
    why="{consequence}",
    remedy="Add a listener with {after} beside it, move the clients and the brokers there, and remove this one in a "
    "later change.",
)
LOWERED = Rule(
    id="listener-security-lowered",
    severity="error",
    message="listener {listener} changes from {before} to {after}: {lost}.",
    why="{consequence}",
    remedy="Keep {before}.",
)
WAY_AROUND = Rule(
    id="listener-without-authentication",
    severity="error",
    message="listener {listener} is added, and asks nobody who they are; so far every listener does.",
    why="Whoever reaches that port need not log in any more: they act as User:ANONYMOUS.",
    remedy="Give it SASL_SSL, or SSL with ssl.client.auth = required, as the others have.",
)
CLIENT_AUTH = Rule(
    id="client-authentication-lowered",
    severity="error",
    message="listener {listener} asks less of clients: ssl.client.auth changes from {before} to {after}.",
    why="Clients without a certificate are let in from then on.",
    remedy="Keep ssl.client.auth = {before}.",
)
MECHANISM_GONE = Rule(
    id="sasl-mechanism-gone",
    severity="error",
    message="{key} no longer has {mechanisms}.",
    why="Clients that log in with it are refused, and so are brokers, if they use it.",
    remedy="Keep it until all clients log in with another one.",
)
AUTHORIZER_OFF = Rule(
    id="authorization-off",
    severity="error",
    message="authorizer.class.name is removed: ACLs are no longer checked.",
    why="Everyone who connects may read, write and delete every topic. The ACLs stay where they are, without effect.",
    remedy="Keep authorizer.class.name = {before}.",
)
AUTHORIZER_CHANGED = Rule(
    id="authorizer-changed",
    severity="warning",
    message="authorizer.class.name changes from {before} to {after}.",
    why="The new authorizer may keep its ACLs elsewhere, or read them differently: who may do what can change at once.",
    remedy="Check that it finds the ACLs, those of the brokers above all: without ClusterAction nothing is replicated.",
)
WITHOUT_ACL = Rule(
    id="everyone-without-acl",
    severity="error",
    message="allow.everyone.if.no.acl.found is switched on.",
    why="Everyone who connects may do everything with each topic, group and cluster operation that has no ACL.",
    remedy="Leave it false, and give ACLs to those who need them.",
)
SUPER_USERS = Rule(
    id="super-users-widened",
    severity="warning",
    message="super.users gains {users}.",
    why="A super user may do everything, whatever the ACLs say. {consequence}",
    remedy="Keep super.users to the brokers' own principals, and give ACLs to others.",
)
ZOOKEEPER_ACL_OFF = Rule(
    id="zookeeper-acl-off",
    severity="error",
    message="zookeeper.set.acl is switched off.",
    why="What brokers write to ZooKeeper from then on may be changed by everyone who reaches it: topics, ACLs and "
    "passwords.",
    remedy="Keep zookeeper.set.acl = true.",
)
ZOOKEEPER_TLS_OFF = Rule(
    id="zookeeper-connection-unencrypted",
    severity="error",
    message="zookeeper.ssl.client.enable is switched off.",
    why="What brokers and ZooKeeper send one another can be read and changed on the way.",
    remedy="Keep zookeeper.ssl.client.enable = true.",
)
INTER_BROKER = Rule(
    id="inter-broker-listener-changed",
    severity="error",
    message="brokers talk to one another on listener {after} instead of {before}, and so far they do not have it.",
    why="During the rolling restart brokers that have not restarted yet do not listen there: replicas fall out of "
    "sync, and the restart stops.",
    remedy="Add listener {after} first and apply; then change inter.broker.listener.name and apply again.",
)

_OUTSIDE = ("LoadBalancer", "NodePort")
_STRENGTH = {"none": 0, "requested": 1, "required": 2}


class Listener(NamedTuple):
    """One of ``config.listeners``, by the name that Kafka has for it."""

    name: str
    host: str
    port: str
    protocol: Protocol
    client_auth: str
    """``none``, ``requested`` or ``required``: whether TLS asks a client for a certificate."""

    @property
    def is_loopback(self) -> bool:
        """Whether nobody outside the pod reaches it."""
        return self.host.startswith("127.") or self.host in {"localhost", "[::1]"}

    @property
    def authenticates(self) -> bool:
        """Whether a client must say who it is."""
        return self.protocol.authenticates or (self.protocol is Protocol.SSL and self.client_auth == "required")

    @property
    def lacks(self) -> str:
        """What it does not do for those who use it; empty, it does both."""
        missing = [] if self.protocol.encrypts else ["does not encrypt"]
        if not self.authenticates:
            missing.append("asks nobody who they are")
        return " and ".join(missing)


def addresses(release: Release, key: str) -> dict[str, tuple[str, str]]:
    """Host and port of each listener, by Kafka's name of it; none where it cannot be judged."""
    found = {}
    for entry in (release.entry(key) or "").split(","):
        name, separator, address = entry.strip().partition("://")
        if not entry.strip():
            continue
        host, colon, port = address.rpartition(":")
        if not (name and separator and colon):
            release.fault(("config", key), "a list of NAME://host:port")
            return {}
        found[name.upper()] = (host, port)
    return found


def listeners(release: Release) -> dict[str, Listener]:
    """The listeners, by Kafka's name of them; those whose protocol cannot be told are left out, and are a fault."""
    protocols: dict[str, str] = {each: each for each in Protocol}
    key = "listener.security.protocol.map"
    for entry in (release.entry(key) or "").split(","):
        name, _, protocol = entry.strip().partition(":")
        if name:
            protocols[name.upper()] = protocol.strip().upper()
    found = {}
    for name, (host, port) in addresses(release, "listeners").items():
        try:
            protocol_ = Protocol(protocols.get(name, ""))
        except ValueError:
            release.fault(("config", key), f"a list that gives {name} one of {', '.join(Protocol)}")
            continue
        found[name] = Listener(name, host, port, protocol_, _client_auth(release, name))
    return found


def _client_auth(release: Release, name: str) -> str:
    own = f"listener.name.{name.lower()}.ssl.client.auth"
    key = own if release.entry(own) is not None else "ssl.client.auth"
    text = (release.entry(key) or "none").strip().lower()
    if text not in _STRENGTH:
        release.fault(("config", key), "one of none, requested and required")
        return "none"
    return text


def unprotected(release: Release) -> str:
    """A listener on the pods' network that lets everyone in; empty, there is none."""
    return next(
        (
            f"listener {each.name}"
            for each in listeners(release).values()
            if not each.is_loopback and not each.authenticates
        ),
        "",
    )


def consequences(prior: Release | None, planned: Release) -> Iterator[Problem]:
    """What a change does to who reaches the brokers, and to what is asked of them."""
    before, after = listeners(prior) if prior else {}, listeners(planned)
    for each in after.values():
        former = _former(each, before)
        if not each.is_loopback and not each.protocol.encrypts and (not former or former.protocol != each.protocol):
            readable = f"messages{' and passwords' if each.protocol.authenticates else ''}"
            path = ("config", "listener.security.protocol.map")
            yield LISTENER_PLAINTEXT(
                f"{planned.where}, listener {each.name}", path=path, protocol=each.protocol, readable=readable
            )
    yield from _outside(prior, planned, before, after)
    yield from _super_users(prior, planned)
    if prior is None:
        return
    gone = _ports_gone(prior, planned)
    for port, name in gone.items():
        yield GONE(planned.where, path=("listeners",), port=port, listener=name)
    between = _between_brokers(prior)
    closed = bool(before) and not unprotected(prior)
    for each in after.values():
        if (former := _former(each, before)) is not None:
            yield from _compared(planned, former, each, between=between == former.name)
        elif closed and not each.is_loopback and not each.authenticates:
            yield WAY_AROUND(planned.where, path=("config", "listener.security.protocol.map"), listener=each.name)
    yield from _advertised(prior, planned, gone)
    wanted = _between_brokers(planned)
    if between != wanted and wanted and wanted not in before:
        yield INTER_BROKER(planned.where, path=("config", "inter.broker.listener.name"), before=between, after=wanted)
    yield from _authorization(prior, planned)
    yield from _mechanisms(prior, planned)


def _former(listener: Listener, before: Mapping[str, Listener]) -> Listener | None:
    """The same one before: of the same name, or at the same port."""
    at_port = (each for each in before.values() if each.port == listener.port and each.host == listener.host)
    return before.get(listener.name) or next(at_port, None)


def _between_brokers(release: Release) -> str:
    """The listener by which brokers meet one another; Kafka takes the one of their protocol where none is named."""
    named = release.entry("inter.broker.listener.name")
    return (named or release.entry("security.inter.broker.protocol") or "PLAINTEXT").strip().upper()


def _compared(planned: Release, former: Listener, listener: Listener, *, between: bool) -> Iterator[Problem]:
    was, is_ = former.protocol, listener.protocol
    path = ("config", "listener.security.protocol.map")
    if was != is_ and not listener.is_loopback:
        lost = [
            words
            for words, had, has in (
                ("it no longer encrypts", was.encrypts, is_.encrypts),
                ("nobody has to log in any more", was.authenticates, is_.authenticates or listener.authenticates),
            )
            if had and not has
        ]
        if lost:
            consequence = " ".join(
                text
                for text, applies in (
                    ("Messages and passwords can be read and changed on the way.", was.encrypts and not is_.encrypts),
                    ("Whoever reaches the port is let in.", was.authenticates and not listener.authenticates),
                )
                if applies
            )
            yield LOWERED(
                planned.where,
                path=path,
                listener=listener.name,
                before=was,
                after=is_,
                lost=", and ".join(lost),
                consequence=consequence,
            )
        consequence = f"Clients that still speak {was} are refused, broker after broker." + (
            " Brokers meet one another there: those that have restarted and those that have not do not understand each "
            "other, replicas fall out of sync, and the restart stops."
            if between
            else ""
        )
        yield PROTOCOL(
            planned.where,
            path=path,
            severity="error" if between else "warning",
            listener=listener.name,
            before=was,
            after=is_,
            consequence=consequence,
        )
    both_tls = was.encrypts and is_.encrypts and not is_.authenticates
    if both_tls and _STRENGTH[listener.client_auth] < _STRENGTH[former.client_auth]:
        yield CLIENT_AUTH(
            planned.where,
            path=("config", "ssl.client.auth"),
            listener=listener.name,
            before=former.client_auth,
            after=listener.client_auth,
        )


def _ports_gone(prior: Release, planned: Release) -> dict[str, str]:
    """Ports on the pods' network that go, each with the name of its listener."""
    before, after = _named_ports(prior), _named_ports(planned)
    return {port: name for name, port in before.items() if port not in after.values()}


def _named_ports(release: Release) -> dict[str, str]:
    entries = release.raw("listeners")
    found = {}
    for entry in entries if isinstance(entries, list | tuple) else (None,):
        if not isinstance(entry, Mapping) or "name" not in entry or "port" not in entry:
            release.fault(("listeners",), "a list of names and ports")
            return {}
        found[str(entry["name"])] = str(entry["port"])
    return found


def _advertised(prior: Release, planned: Release, gone: Container[str]) -> Iterator[Problem]:
    key = "advertised.listeners"
    before, after = addresses(prior, key), addresses(planned, key)
    for name, (host, port) in after.items():
        former = before.get(name)
        loopback = host.startswith("127.")
        if former is not None and former != (host, port) and not loopback and former[1] not in gone:
            yield ADDRESS(
                planned.where, path=("config", key), listener=name, before=":".join(former), after=f"{host}:{port}"
            )


def _outside(
    prior: Release | None, planned: Release, before: Mapping[str, Listener], after: Mapping[str, Listener]
) -> Iterator[Problem]:
    is_ = planned.text("external", "type") or "None"
    was = (prior.text("external", "type") or "None") if prior else "None"
    if is_ not in {"None", *_OUTSIDE}:
        planned.fault(("external", "type"), "one of None, LoadBalancer and NodePort")
        return
    if prior is not None:
        yield from _ways_in(prior, planned, was, is_)
    if is_ not in _OUTSIDE:
        return
    listener = _external(planned, after)
    former = _external(prior, before) if prior is not None and was in _OUTSIDE else None
    if listener is None:
        planned.fault(("external", "listener"), "the name of a listener that config.listeners has")
    elif listener.lacks and (former is None or (was, former) != (is_, listener)):
        consequence = (
            "Whoever reaches that port reads, writes and deletes every topic."
            if not listener.authenticates
            else "Messages and passwords can be read on the way."
        )
        yield EXTERNAL_OPEN(
            planned.where,
            path=("external", "type"),
            type=is_,
            listener=listener.name,
            lacks=listener.lacks,
            consequence=consequence,
        )
    if prior is not None and was in _OUTSIDE:
        yield from _sources(prior, planned)


def _external(release: Release, known: Mapping[str, Listener]) -> Listener | None:
    """The listener that is met from outside: by the port that values give its name, as the chart finds it."""
    port = _named_ports(release).get(release.text("external", "listener"))
    return next((each for each in known.values() if each.port == port and not each.is_loopback), None)


def _ways_in(prior: Release, planned: Release, was: str, is_: str) -> Iterator[Problem]:
    if was not in _OUTSIDE:
        return
    if was != is_:
        yield EXTERNAL_LOST(planned.where, path=("external", "type"), what=f"external.type changes from {was} to {is_}")
        return
    for field in ("listener", "nodePort"):
        path = ("external", field)
        before, after = prior.raw(*path), planned.raw(*path)
        if before != after and (field != "nodePort" or is_ == "NodePort"):
            yield EXTERNAL_LOST(
                planned.where, path=path, what=f"external.{field} changes from {shown(before)} to {shown(after)}"
            )


def _sources(prior: Release, planned: Release) -> Iterator[Problem]:
    path = ("external", "sources")
    before, after = prior.texts(*path), planned.texts(*path)
    if before == after or not before or path in planned.faults:
        return  # whoever has none lets everyone in already
    if not after:
        yield SOURCES_OPENED(planned.where, path=path, what="is emptied: every network may connect")
        return
    try:
        were, are = ([ipaddress.ip_network(each, strict=False) for each in several] for several in (before, after))
    except ValueError:
        planned.fault(path, "a list of networks such as 203.0.113.0/24")
        return
    more = [each for each in are if not any(_within(each, other) for other in were)]
    if not more:
        return
    everyone = any(each.prefixlen == 0 for each in more)
    words = shortened([str(each) for each in more])
    yield SOURCES_OPENED(
        planned.where,
        path=path,
        severity="error" if everyone else "warning",
        what=f"has {words} as well{', so every network may connect' if everyone else ''}",
    )


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _within(network: _Network, other: _Network) -> bool:
    if isinstance(network, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return network.subnet_of(other)
    if isinstance(network, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return network.subnet_of(other)
    return False


def _authorization(prior: Release, planned: Release) -> Iterator[Problem]:
    key = "authorizer.class.name"
    before, after = ((each.entry(key) or "").strip() for each in (prior, planned))
    if before and not after:
        yield AUTHORIZER_OFF(planned.where, path=("config", key), before=before)
    elif before and before != after:
        yield AUTHORIZER_CHANGED(planned.where, path=("config", key), before=before, after=after)
    key = "allow.everyone.if.no.acl.found"
    before, after = ((each.entry(key) or "").strip().lower() for each in (prior, planned))
    # A plugin's key: whatever is not false may be true to it.
    if before in {"", "false"} and after not in {"", "false"}:
        yield WITHOUT_ACL(planned.where, path=("config", key))
    for key, rule in (
        ("zookeeper.set.acl", ZOOKEEPER_ACL_OFF),
        ("zookeeper.ssl.client.enable", ZOOKEEPER_TLS_OFF),
    ):
        if is_on(prior, key) and is_on(planned, key) is False:
            yield rule(planned.where, path=("config", key))


_EVERYBODY = {"user:*", "user:anonymous"}


def _super_users(prior: Release | None, planned: Release) -> Iterator[Problem]:
    key = "super.users"
    before, after = (_users(each.entry(key)) if each else set() for each in (prior, planned))
    added = sorted(after - before)
    everybody = any(each.lower() in _EVERYBODY for each in added)
    if not added or (prior is None and not everybody):
        return
    yield SUPER_USERS(
        planned.where,
        path=("config", key),
        severity="error" if everybody else "warning",
        users=shortened(added),
        consequence="ANONYMOUS is everyone who does not log in." if everybody else "",
    )


def _users(text: str | None) -> set[str]:
    return {each.strip() for each in (text or "").split(";") if each.strip()}


def _mechanisms(prior: Release, planned: Release) -> Iterator[Problem]:
    key = "sasl.enabled.mechanisms"
    suffix = f".{key}"
    # Only where somebody logs in over SASL at all.
    if not any(each.protocol.authenticates for each in listeners(prior).values()):
        return
    for name in sorted({each for each in prior.config() if each == key or each.endswith(suffix)} | {key}):
        before = parsed(prior, name)
        after = parsed(planned, name if planned.entry(name) is not None else key)
        if not isinstance(before, tuple) or not isinstance(after, tuple):
            continue
        if lost := [each for each in before if each.upper() not in {other.upper() for other in after}]:
            yield MECHANISM_GONE(planned.where, path=("config", name), key=name, mechanisms=", ".join(lost))

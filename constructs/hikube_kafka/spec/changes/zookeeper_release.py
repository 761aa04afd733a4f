"""Changes of a release of the chart ``zookeeper``, by its merged values. For reviews alone.

Sources of what ZooKeeper does: its administrator's guide, and the upgrade notes of its project
(https://cwiki.apache.org/confluence/display/ZOOKEEPER/Upgrade+FAQ): from 3.4 the way leads over its last release and
3.5; release notes up to 3.9 let servers of 3.5 and later be upgraded one by one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from posixpath import normpath
from typing import Any

from hikube_kafka.spec.changes import release, rolling
from hikube_kafka.spec.changes.release import Release, version
from hikube_kafka.spec.definitions.zookeeper import UNSAFE, unsafe
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.quorum import even_problems
from hikube_kafka.spec.resources import ZOOKEEPER_HEAP
from hikube_kafka.spec.rules.zookeeper import SINGLE

TAKEN = Rule(
    id="zookeeper-servers-taken",
    severity="warning",
    message="it is scaled in from {before} to {after} servers, which survive the loss of {lost}.",
    why="Those that go leave the ensemble first, one at a time; clients that name no other server no longer reach "
    "ZooKeeper.",
    remedy="Check that zookeeper.connect of every cluster names servers that stay.",
)
TOO_FEW = Rule(
    id="zookeeper-too-few",
    severity="error",
    message="it is scaled in from {before} to {after}, and survives the loss of no server.",
    why="While a single server is away, there is no quorum: brokers elect no leader, and create or change no topic. "
    "Each step of a rolling restart is such a loss.",
    remedy="Keep 3 servers or more.",
)
BELOW_MAJORITY = Rule(
    id="zookeeper-below-majority",
    severity="error",
    message="it is scaled in from {before} to {after} servers at once, fewer than the majority of {majority}.",
    why="The last acknowledged writes may be on no server but those that go. Removed at once, they leave too few to "
    "agree on a smaller ensemble, and ZooKeeper stops serving.",
    remedy="Go to {majority_odd} first, apply, and go on when all that stay serve.",
)
DATA_MOVED = Rule(
    id="zookeeper-data-moved",
    severity="error",
    message="{key} changes from {before} to {after}.",
    why="The servers look for their data in a directory where it is not, and start empty or not at all: what brokers "
    "keep in ZooKeeper, topics and ACLs, is gone for them.",
    remedy="Keep {key} = {before}.",
)
VERSION_JUMP = Rule(
    id="zookeeper-version-jump",
    severity="error",
    message="ZooKeeper goes from {before} to {after} in one step.",
    why="Servers of 3.4 and of {after} do not form one quorum during a rolling restart, and data of 3.4 without a "
    "snapshot is refused.",
    remedy="Go to the last 3.4 first, then to 3.5.10, and then to {after}, each with an apply of its own.",
)
COMMANDS_OPEN = Rule(
    id="zookeeper-commands-open",
    severity="warning",
    message="4lw.commands.whitelist is opened to {commands}.",
    why="Whoever reaches a server may ask it, without logging in, for its configuration, its clients and their "
    "sessions; dump and wchp can stall it.",
    remedy="List those that you need: conf,mntr,ruok,srvr.",
)
AUTHENTICATION_OFF = Rule(
    id="zookeeper-authentication-off",
    severity="error",
    message="{key} changes from {before} to {after}.",
    why="{consequence}",
    remedy="Keep {key} = {before}.",
)
PASSWORD = Rule(
    id="zookeeper-membership-secret-changed",
    severity="warning",
    message="membershipSecret changes from {before} to {after}.",
    why="It is the password of ZooKeeper's user super, who changes who votes. Servers with the old one and with the "
    "new one refuse each other's changes until all of them have restarted.",
    remedy="Give the new Secret the same password, or change the number of servers in another apply.",
)

_MAJORITY_NEEDS = 3
_OLDEST_IN_ONE_STEP = (3, 5)
_GUARDS: Mapping[str, tuple[str, str]] = {
    "skipACL": ("no", "Everybody who reaches a server may change everything, who votes included."),
    "enforce.auth.enabled": ("true", "Clients that do not authenticate are let in."),
    "sessionRequireClientSASLAuth": ("true", "Clients that do not log in are let in."),
    "DigestAuthenticationProvider.enabled": ("true", "Nobody can log in by password, the user super included."),
    "quorum.auth.enableSasl": ("true", "Whoever reaches the ports of the quorum may join it as a server."),
    "quorum.auth.learnerRequireSasl": ("true", "A server may follow one that has not proved who it is."),
    "quorum.auth.serverRequireSasl": ("true", "Whoever reaches the ports of the quorum may join it as a server."),
    "sslQuorum": ("true", "What the servers send one another can be read and changed on the way."),
    "ssl.quorum.hostnameVerification": ("true", "Any certificate of the same authority passes for a server's."),
    "ssl.hostnameVerification": ("true", "Any certificate of the same authority passes for a server's."),
}
"""Settings that keep people out, each with the value by which it does, and what happens without."""
_DEFAULTS = {
    "skipACL": "no",
    "DigestAuthenticationProvider.enabled": "true",
    "ssl.hostnameVerification": "true",
    "ssl.quorum.hostnameVerification": "true",
}


def consequences(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, *, replaced: bool = False
) -> Iterator[Problem]:
    """What an apply does to the ZooKeeper servers and what brokers keep in them. Nothing where nothing changes.

    Args:
        prior: The release as it is: ``name``, ``namespace``, ``chart``, ``version``, the merged ``values`` and the
            options of Helm that are on; None: it is created.
        planned: As it is to be; None: it is destroyed.
        replaced: The plan uninstalls it and installs it anew, whatever has changed.

    The path of each problem is that of a value: ``("storage", "data", "size")``.
    """
    before = None if prior is None else Release(prior)
    after = None if planned is None else Release(planned)
    if before is not None:
        yield from release.gone(before, after, replaced=replaced)
    if after is None or after.chart != "zookeeper":
        return
    # Helm upgrades whatever has changed of the release.
    yield from release.ways(None if replaced else before, after)
    if prior == planned and not replaced:
        return
    yield from _number(before, after)
    yield from release.claims(before, after)
    yield from release.image(before, after, "ZooKeeper")
    yield from release.memory(before, after, ZOOKEEPER_HEAP)
    yield from release.spread(before, after)
    yield from release.network(before, after, unprotected=_unprotected(after))
    yield from _config(before, after)
    if before is not None:
        yield from _upgrade(before, after)
        yield from _password(before, after)
    yield from release.unreadable(before, after)
    if not replaced:
        yield from rolling.consequences(prior, planned)


def _number(prior: Release | None, planned: Release) -> Iterator[Problem]:
    path = ("replicas",)
    after = planned.number(*path)
    before = prior.number(*path) if prior else None
    if after is None or after == before:
        return
    for problem in even_problems(planned.where, after):
        yield replace(problem, path=path)
    if before is None or after > before:
        if after == 1:
            yield SINGLE(planned.where, path=path)
        return
    majority = before // 2 + 1
    facts = {"before": before, "after": after}
    if after < _MAJORITY_NEEDS:
        yield TOO_FEW(planned.where, path=path, severity=None, **facts)
    elif after >= majority:
        yield TAKEN(planned.where, path=path, severity=None, lost=(after - 1) // 2, **facts)
    if after < majority:
        odd = majority + (majority + 1) % 2
        yield BELOW_MAJORITY(planned.where, path=path, severity=None, majority=majority, majority_odd=odd, **facts)


def _unprotected(planned: Release) -> str:
    """What of the servers nobody has to log in to: all of it, unless they insist."""
    insists = ("sessionRequireClientSASLAuth", "enforce.auth.enabled")
    return "" if any((planned.entry(each) or "").strip().lower() == "true" for each in insists) else "ZooKeeper"


def _config(prior: Release | None, planned: Release) -> Iterator[Problem]:
    config = planned.config()
    for key, value, consequence in unsafe(config):
        if prior is None or (prior.entry(key) or "").lower() != value.lower():
            yield UNSAFE(
                planned.where,
                path=("config", key),
                severity="error" if key == "skipACL" else "warning",
                key=key,
                value=value,
                consequence=consequence,
            )
    yield from _commands(prior, planned)
    if prior is None:
        return
    for key in ("dataDir", "dataLogDir"):
        before, after = (normpath((each.entry(key) or "").strip() or ".") for each in (prior, planned))
        # Without a folder of its own the log is in dataDir; claim templates that come or go are told by themselves.
        if before != after and (
            key == "dataDir" or bool(prior.raw("storage", "log")) == bool(planned.raw("storage", "log"))
        ):
            yield DATA_MOVED(
                planned.where,
                path=("config", key),
                key=key,
                before=before if before != "." else "dataDir",
                after=after if after != "." else "dataDir",
            )
    yield from _guards(prior, planned)


def _commands(prior: Release | None, planned: Release) -> Iterator[Problem]:
    key = "4lw.commands.whitelist"
    before, after = (
        {word.strip() for word in (each.entry(key) or "").split(",") if word.strip()} if each else set()
        for each in (prior, planned)
    )
    added = after - before
    if "*" in added:
        yield COMMANDS_OPEN(planned.where, path=("config", key), commands="* (every command)")
    elif prior is not None and "*" not in before and added:
        yield COMMANDS_OPEN(planned.where, path=("config", key), commands=", ".join(sorted(added)))


def _guards(prior: Release, planned: Release) -> Iterator[Problem]:
    for key, (keeps, consequence) in _GUARDS.items():
        before, after = ((each.entry(key) or _DEFAULTS.get(key, "")).strip().lower() for each in (prior, planned))
        # skipACL = yes is told as unsafe.
        if before == keeps and after != keeps and key != "skipACL":
            yield AUTHENTICATION_OFF(
                planned.where,
                path=("config", key),
                key=key,
                before=before,
                after=after or "not set",
                consequence=consequence,
            )
    ranks = {"none": 0, "want": 1, "need": 2}
    for key in ("ssl.clientAuth", "ssl.quorum.clientAuth"):
        before, after = ((each.entry(key) or "need").strip().lower() for each in (prior, planned))
        if before in ranks and ranks.get(after, 0) < ranks[before]:
            yield AUTHENTICATION_OFF(
                planned.where,
                path=("config", key),
                key=key,
                before=before,
                after=after,
                consequence="Whoever has no certificate is let in.",
            )
    for key in sorted(prior.config()):
        if key.startswith("authProvider.") and planned.entry(key) is None:
            yield AUTHENTICATION_OFF(
                planned.where,
                path=("config", key),
                key=key,
                before=prior.entry(key),
                after="not set",
                consequence="Whoever logs in that way is no longer known: what only they may do, nobody can.",
            )
    if prior.entry("secureClientPort") is not None and planned.entry("secureClientPort") is None:
        yield AUTHENTICATION_OFF(
            planned.where,
            path=("config", "secureClientPort"),
            key="secureClientPort",
            before=prior.entry("secureClientPort"),
            after="not set",
            consequence="Clients that speak TLS no longer reach ZooKeeper; those that go on do so in the clear.",
        )


def _upgrade(prior: Release, planned: Release) -> Iterator[Problem]:
    before, after = version(prior), version(planned)
    if before is None or after is None or before.line >= _OLDEST_IN_ONE_STEP or after.line <= _OLDEST_IN_ONE_STEP:
        return
    yield VERSION_JUMP(planned.where, path=("image", "tag"), before=before, after=after)


def _password(prior: Release, planned: Release) -> Iterator[Problem]:
    path = ("membershipSecret",)
    # Empty is the Secret that the chart makes, under this name.
    before, after = (each.text(*path) or f"{each.name}-membership" for each in (prior, planned))
    if before != after and prior.name == planned.name:
        yield PASSWORD(planned.where, path=path, before=before, after=after)

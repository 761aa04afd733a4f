"""Changes of a release of either chart, by its merged values: what brokers and ZooKeeper servers have in common.

For reviews alone: the provider sees no values of a release.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hikube_kafka.spec import amounts
from hikube_kafka.spec.changes.volume_claims import CLASS_CHANGES, SHRINKS, TEMPLATE_ADDED, TEMPLATE_REMOVED
from hikube_kafka.spec.problem import Problem, Rule, shortened
from hikube_kafka.spec.quantities import MeasureError, Quantity, whole
from hikube_kafka.spec.resources import HeapRule, Resources
from hikube_kafka.spec.rules.heap import heap_problems

Path = tuple[str | int, ...]

UNREADABLE = Rule(
    id="release-value-unreadable",
    severity="error",
    message="{setting} cannot be judged: {it} is {value}, not {wanted}.",
    why="What the apply would do to messages, clients or servers depends on it.",
    remedy="Write {setting} as {wanted}.",
    unjudged=True,
)
DESTROYED = Rule(
    id="release-destroyed",
    severity="error",
    message="it is uninstalled{again}: {servers} stop{claims}.",
    why="{consequence}",
    remedy="Keep the release declared, under the same name and in the same namespace. To have Terraform forget it and "
    "leave it running, use a removed block with destroy = false.",
    message_in_general="a release of brokers or ZooKeeper servers is uninstalled, for good or to be installed anew.",
)
CLAIMS_DELETED = Rule(
    id="claim-retention-delete",
    severity="error",
    message="claimRetention.{field} is set to Delete{before}.",
    why="{consequence}",
    remedy="Keep Retain. Claims (PersistentVolumeClaims) that nobody needs any more can be deleted by hand: kubectl "
    "delete pvc CLAIM.",
)
VERSION_UNKNOWN = Rule(
    id="image-version-unknown",
    severity="error",
    message="which version of {software} it runs cannot be told: the image changes from {before} to {after}.",
    why="Whether the servers can work together during the rolling restart, and read what the others have written, "
    "depends on their versions.",
    remedy="Give the image a tag that begins with the version, such as {example}.",
    unjudged=True,
)
VERSION_LOWERED = Rule(
    id="server-version-lowered",
    severity="error",
    message="{software} is downgraded from {before} to {after}.",
    why="{consequence}",
    remedy="Stay with {before}, or go forward to a version with the fix that you need.",
)
SOURCE_CHANGED = Rule(
    id="image-source-changed",
    severity="warning",
    message="the image comes from another registry or repository: {before} becomes {after}.",
    why="Whoever can push there decides what the servers run. A node that cannot pull it starts no server, and the "
    "rolling restart stops there.",
    remedy="Check that all nodes can pull it, and that it is the image you mean: pin its digest.",
)
BY_TAG = Rule(
    id="image-by-tag",
    severity="warning",
    message="{image} is pulled by its tag.",
    why="A tag can be moved: servers that start on different days may run different images.",
    remedy="Pin the digest, image.digest = sha256:…, which this command shows:\n\n"
    "  docker buildx imagetools inspect {image}",
)
HEAP_OPTION = Rule(
    id="heap-in-jvm-options",
    severity="error",
    message="jvmOptions has {option}, and the heap has a setting of its own.",
    why="The chart refuses it: the last of two heaps would win, whatever the memory of the pod.",
    remedy="Set heap, and leave {option} out.",
)
RESOURCES_LOWERED = Rule(
    id="resources-lowered",
    severity="warning",
    message="resources.{resource} is lowered from {before} to {after}.",
    why="{consequence}",
    remedy="Check that the servers used less than that at their peak.",
)
SPREAD_LOOSENED = Rule(
    id="anti-affinity-loosened",
    severity="warning",
    message="pods.antiAffinity changes from required to preferred: two {servers} may share a node.",
    why="A shared node takes both along when it fails or is drained. {consequence}",
    remedy='Keep "required", with a node for each of them.',
)
UNSAFE_WAY = Rule(
    id="release-helm-option-unsafe",
    severity="error",
    message="{option} = true: Helm {does}.",
    why="{consequence}",
    remedy="Leave {option} out.",
)
POLICY_OFF = Rule(
    id="network-policy-off",
    severity="error",
    message="the network policy is removed: every pod of the cluster may connect{open}.",
    why="{consequence}",
    remedy="Keep networkPolicy.enabled = true, and list who may connect in networkPolicy.clients.",
)
POLICY_OPENED = Rule(
    id="network-policy-opened",
    severity="warning",
    message="the network policy lets in more: {clients}{open}.",
    why="{consequence}",
    remedy="Name the pods that need it: their namespace and labels.",
)
POLICY_NARROWED = Rule(
    id="network-policy-narrowed",
    severity="warning",
    message="the network policy no longer lets in {clients}.",
    why="New connections of these clients are dropped without an answer: they time out.",
    remedy="Check that none of them is needed any more.",
)

_EVERYONE = "all pods of all namespaces"
_SHOWN = 40


class Version(NamedTuple):
    """Of the software in an image."""

    major: int
    minor: int
    patch: int | None

    @property
    def line(self) -> tuple[int, int]:
        """``3.9`` of ``3.9.2``."""
        return self.major, self.minor

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}" + ("" if self.patch is None else f".{self.patch}")


class Release:
    """One side of a change: reads values, and remembers those that it could not.

    Attributes:
        faults: what cannot be judged, by its path: what it is and what it should be.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self.faults: dict[Path, tuple[str, str]] = {}
        values = facts.get("values")
        self._values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        if not isinstance(values, Mapping):
            self.faults[()] = (shown(values), "a mapping of settings")

    @property
    def name(self) -> str:
        """Of the release, and of its StatefulSet."""
        return str(self._facts.get("name") or "")

    @property
    def namespace(self) -> str:
        """Where it is; Helm's own where none is given."""
        return str(self._facts.get("namespace") or "default")

    @property
    def chart(self) -> str:
        """``kafka``, ``zookeeper`` or ``connect``."""
        return str(self._facts.get("chart") or "")

    def option(self, name: str) -> bool:
        """Whether an option of Helm is on: ``recreate_pods``."""
        return self._facts.get(name) is True

    @property
    def where(self) -> str:
        """As a problem names it."""
        return f"release {self.name}" if self.name else "a release"

    @property
    def servers(self) -> str:
        """What its pods are, several of them."""
        return {"kafka": "brokers", "connect": "workers"}.get(self.chart, "ZooKeeper servers")

    def raw(self, *path: str | int) -> Any:
        """A value as it is; None where there is none."""
        value: Any = self._values
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def number(self, *path: str | int) -> int | None:
        """A whole number; None where there is none, or where it is a fault."""
        value = self.raw(*path)
        number = None
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
        elif isinstance(value, str):
            number = whole(value)
        if number is None:
            self.faults[path] = (shown(value), "a whole number")
        return number

    def text(self, *path: str | int) -> str:
        """A text; empty where there is none, or where it is a fault."""
        value = self.raw(*path)
        if value is None or isinstance(value, str):
            return value or ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        self.faults[path] = (shown(value), "text")
        return ""

    def truth(self, *path: str | int) -> bool | None:
        """True or false; None where it is a fault."""
        value = self.raw(*path)
        if isinstance(value, bool) or value is None:
            return bool(value)
        self.faults[path] = (shown(value), "true or false")
        return None

    def texts(self, *path: str | int) -> tuple[str, ...]:
        """A list of texts."""
        value = self.raw(*path)
        if value is None:
            return ()
        if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.faults[path] = (shown(value), "a list of texts")
        return ()

    def quantity(self, *path: str | int) -> Quantity | None:
        """An amount as Kubernetes writes it; None where it is a fault."""
        value = self.raw(*path)
        try:
            return Quantity(_scalar(value))
        except MeasureError:
            self.faults[path] = (shown(value), "an amount such as 2Gi or 500m")
            return None

    def heap(self) -> Quantity | None:
        """The heap of each server, which Java writes: ``1024m``."""
        value = self.raw("heap")
        try:
            return Quantity(_scalar(amounts.as_java_writes_it(value)))
        except MeasureError:
            self.faults["heap",] = (shown(value), "a size as Java writes it, such as 1024m")
            return None

    def config(self) -> dict[str, str]:
        """The entries of the configuration, as text; an entry that is no text is a fault."""
        entries = self.raw("config")
        if entries is None:
            return {}
        if not isinstance(entries, Mapping):
            self.faults["config",] = (shown(entries), "a mapping of entries")
            return {}
        return {str(key): text for key in entries if (text := self.entry(str(key))) is not None}

    def entry(self, key: str) -> str | None:
        """An entry of the configuration, as it stands there; None where there is none."""
        value = self.raw("config", key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return str(value)
        self.faults["config", key] = (shown(value), "text")
        return None

    def fault(self, path: Path, wanted: str) -> None:
        """Remember that a value cannot be judged."""
        self.faults[path] = (shown(self.raw(*path)), wanted)


def shown(value: Any) -> str:
    """A value that is not as it should be, in a few words: of a list or a map, that it is one."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…") if isinstance(value, str) else text[:_SHOWN]


def setting(path: Path) -> str:
    """A path as values write it: ``config[log.retention.ms]``, ``storage.data.size``."""
    if path[:1] == ("config",) and len(path) > 1:
        return f"config[{path[1]}]"
    return ".".join(map(str, path)) or "values"


def unreadable(prior: Release | None, planned: Release) -> Iterator[Problem]:
    """What a rule has asked for and could not read; what was so before and stays so is no change."""
    for path in dict.fromkeys((*planned.faults, *(prior.faults if prior else ()))):
        before, after = prior.faults.get(path) if prior else None, planned.faults.get(path)
        if prior is not None and prior.raw(*path) == planned.raw(*path):
            continue
        value, wanted = after or before or ("", "")
        yield UNREADABLE(
            planned.where,
            path=path,
            setting=setting(path),
            it="it" if after else "what it was",
            value=value,
            wanted=wanted,
        )


def gone(prior: Release, planned: Release | None, *, replaced: bool = False) -> Iterator[Problem]:
    """A release that is uninstalled: not declared any more, under another name or elsewhere, or of another chart."""
    becomes = again(prior, planned, replaced=replaced)
    if becomes is None:
        return
    count = prior.number("replicas")
    servers = f"{'its' if count is None else count} {prior.servers if count != 1 else prior.servers[:-1]}"
    deletes = prior.text("claimRetention", "whenDeleted") != "Retain"
    content = "every message" if prior.chart == "kafka" else "what the ensemble knows"
    if deletes:
        claims = ", and their claims are deleted with it (claimRetention.whenDeleted = Delete)"
        consequence = f"The claims hold {content}: it is lost, and nobody can get it back."
    else:
        claims = ""
        consequence = (
            "No client can produce or consume any more. "
            if prior.chart == "kafka"
            else "Brokers without ZooKeeper elect no leaders, and a broker that restarts stays away. "
        ) + f"The claims (PersistentVolumeClaims), which hold {content}, stay: claimRetention.whenDeleted = Retain."
    yield DESTROYED(prior.where, again=becomes, servers=servers, claims=claims, consequence=consequence)


def again(prior: Release, planned: Release | None, *, replaced: bool) -> str | None:
    """What a release that is uninstalled becomes, empty if nothing; None: it is not uninstalled."""
    if planned is None:
        return ""
    if prior.chart != planned.chart:
        return f", and another chart takes its place{f' ({planned.chart})' if planned.chart else ''}"
    if (prior.name, prior.namespace) != (planned.name, planned.namespace):
        return f", and installed anew as {planned.name} in namespace {planned.namespace}, with empty claims"
    return ", and installed anew" if replaced else None


def ways(prior: Release | None, planned: Release) -> Iterator[Problem]:
    """Options of Helm by which servers go all at once, or by which nobody knows what changes."""
    together = {
        "kafka": "No partition has a leader until they are back: nobody can produce or consume. Nothing waits for "
        "in-sync replicas, so a broker that comes back first may lack what the others have.",
        "connect": "No task of any connector runs until they are back.",
    }.get(
        planned.chart,
        "There is no quorum until most of them are back: brokers elect no leader, and create or change no topic.",
    )
    for option, does, consequence in (
        ("recreate_pods", "deletes all pods of the release at once, with each upgrade", together),
        (
            "force_update",
            "replaces each object as a whole, and may delete and create again what cannot be changed",
            f"A StatefulSet that is deleted takes all its {planned.servers} along. {together}",
        ),
        (
            "replace",
            "installs over what a failed or uninstalled release of the same name has left",
            "What is there, and with which values, is in no plan: nobody can say what the apply changes of it.",
        ),
    ):
        # Helm reads the last one when it installs, the others when it upgrades.
        acts = prior is None if option == "replace" else prior is not None
        if planned.option(option) and (acts or prior is None or not prior.option(option)):
            yield UNSAFE_WAY(
                planned.where,
                path=(option,),
                severity="error" if acts else "warning",
                option=option,
                does=does,
                consequence=consequence,
            )


def claims(prior: Release | None, planned: Release) -> Iterator[Problem]:
    """Claims that would be deleted, shrunk, of another class, or of another template."""
    yield from _retention(prior, planned)
    if prior is None:
        return
    before, after = prior.raw("storage"), planned.raw("storage")
    for each, storage in ((prior, before), (planned, after)):
        if not isinstance(storage, Mapping):
            each.fault(("storage",), "a mapping of claims")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return
    was, is_ = ({str(name) for name, claim in storage.items() if claim} for storage in (before, after))
    for name in sorted(is_ - was):
        yield TEMPLATE_ADDED(
            planned.where, path=("storage", name), template=name, present=", ".join(sorted(was)) or "none"
        )
    for name in sorted(was - is_):
        yield TEMPLATE_REMOVED(planned.where, path=("storage", name), template=name)
    for name in sorted(was & is_):
        yield from _claim(prior, planned, name)


def _retention(prior: Release | None, planned: Release) -> Iterator[Problem]:
    lost = "every message that they hold" if planned.chart == "kafka" else "all that the ensemble knows"
    for field, consequence in (
        (
            "whenDeleted",
            f"Once the release is uninstalled, Kubernetes deletes the claims of all its servers, and {lost}.",
        ),
        (
            "whenScaled",
            "Once there are fewer servers, Kubernetes deletes the claims of the last ones, and what they hold.",
        ),
    ):
        path = ("claimRetention", field)
        value = planned.text(*path)
        if value not in {"", "Retain", "Delete"}:
            planned.fault(path, "Retain or Delete")
        if value == "Delete" and (prior is None or prior.text(*path) != "Delete"):
            before = "" if prior is None else "; so far it is Retain"
            yield CLAIMS_DELETED(planned.where, path=path, field=field, before=before, consequence=consequence)


def _claim(prior: Release, planned: Release, name: str) -> Iterator[Problem]:
    before, after = prior.quantity("storage", name, "size"), planned.quantity("storage", name, "size")
    where = f"{planned.where}, claim template {name}"
    if before is not None and after is not None and after < before:
        yield SHRINKS(where, path=("storage", name, "size"), size=before, wanted=after)
    path = ("storage", name, "storageClass")
    was, wanted = prior.text(*path), planned.text(*path)
    # In an earlier chart an empty class meant the cluster's default, as one that is left out does now.
    if was != wanted or (prior.raw(*path) is None and planned.raw(*path) == ""):
        yield CLASS_CHANGES(
            where,
            path=path,
            has=f"of storage class {was}" if was else "of the cluster's default class",
            wanted=wanted or ("without a class" if planned.raw(*path) == "" else "of the cluster's default class"),
            present=was or "null",
        )


def image(prior: Release | None, planned: Release, software: str) -> Iterator[Problem]:
    """An image from elsewhere, by its tag, or of a version that is older or cannot be told."""
    after = reference(planned)
    before = reference(prior) if prior else None
    if before == after:
        return
    if not planned.text("image", "digest"):
        yield BY_TAG(planned.where, path=("image", "digest"), image=after)
    if prior is None:
        return
    if any(prior.text("image", each) != planned.text("image", each) for each in ("registry", "repository")):
        yield SOURCE_CHANGED(planned.where, path=("image", "repository"), before=before, after=after)
    yield from _versions(prior, planned, software)


def _versions(prior: Release, planned: Release, software: str) -> Iterator[Problem]:
    was, is_ = version(prior), version(planned)
    path = ("image", "tag")
    if was is None or is_ is None:
        if any(prior.text("image", each) != planned.text("image", each) for each in ("repository", "tag", "digest")):
            example = "3.9.2" if software == "Kafka" else "3.9.5"
            yield VERSION_UNKNOWN(
                planned.where,
                path=path,
                software=software,
                before=reference(prior),
                after=reference(planned),
                example=example,
            )
    elif is_.line < was.line:
        consequence = (
            "Kafka supports going back only while inter.broker.protocol.version is still that of the older version: "
            "brokers of the older version may not read what the newer ones have written, to disk and to ZooKeeper, and "
            "do not start."
            if software == "Kafka"
            else "A server of the older version may not read the snapshots and transactions that a newer one has "
            "written, and does not start; without a quorum no broker elects a leader."
        )
        yield VERSION_LOWERED(
            planned.where, path=path, software=software, before=was, after=is_, consequence=consequence
        )
    elif is_.line == was.line and is_.patch is not None and was.patch is not None and is_.patch < was.patch:
        yield VERSION_LOWERED(
            planned.where,
            path=path,
            software=software,
            before=was,
            after=is_,
            consequence="What was fixed in between comes back. Both are of one line and read the same files: a waiver "
            "is enough where going back is the purpose.",
        )


def reference(release: Release) -> str:
    """The image as the pods name it."""
    registry, repository, tag, digest = (
        release.text("image", each) for each in ("registry", "repository", "tag", "digest")
    )
    return f"{registry}/{repository}".lstrip("/") + f":{tag}" + (f"@{digest}" if digest else "")


_VERSION = r"v?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?(?![0-9.])"
_TAGS = tuple(
    re.compile(form.format(_VERSION))
    for form in (
        # Strimzi's 0.45.0-kafka-3.9.0; the version of Scala first, as in 2.13-3.9.0; the version itself.
        r".*(?:kafka|zookeeper)-{}",
        r"2\.1[0-3]-{}",
        r"{}",
    )
)


def version(release: Release) -> Version | None:
    """The version in the image, by its tag; None where it does not tell."""
    tag, repository = release.text("image", "tag"), release.text("image", "repository")
    # Confluent's images have the versions of its platform.
    if repository.rpartition("/")[2].startswith("cp-"):
        return None
    found = next((match for form in _TAGS if (match := form.match(tag))), None)
    if found is None:
        return None
    major, minor, patch = found.groups()
    return Version(int(major), int(minor), None if patch is None else int(patch))


def memory(prior: Release | None, planned: Release, rule: HeapRule) -> Iterator[Problem]:
    """A heap that does not fit, and resources that become fewer."""
    heap, limit = planned.heap(), planned.quantity("resources", "memory")
    changes = prior is None or prior.heap() != heap or prior.quantity("resources", "memory") != limit
    if changes and heap is not None and limit is not None:
        resources = Resources.model_construct(cpu=Quantity("1"), memory=limit)
        yield from heap_problems(planned.where, rule, heap, resources)
    for text in planned.texts("jvmOptions"):
        for option in text.split():
            new = prior is None or option not in " ".join(prior.texts("jvmOptions")).split()
            if re.match(r"-Xm[sx]|-XX:(Max|Initial)HeapSize|-XX:(Max|Initial)RAMPercentage", option) and new:
                yield HEAP_OPTION(planned.where, path=("jvmOptions",), option=option)
    if prior is None:
        return
    for resource, consequence in (
        ("cpu", "A server that needs more is throttled: requests take longer, and it may fall behind."),
        ("memory", "The page cache shrinks, and reads go to the disk; a server that needs more is killed."),
    ):
        before, after = prior.quantity("resources", resource), planned.quantity("resources", resource)
        if before is not None and after is not None and after < before:
            yield RESOURCES_LOWERED(
                planned.where,
                path=("resources", resource),
                resource=resource,
                before=before,
                after=after,
                consequence=consequence,
            )


def spread(prior: Release | None, planned: Release) -> Iterator[Problem]:
    """Servers that may share a node from now on."""
    path = ("pods", "antiAffinity")
    value = planned.text(*path)
    if value not in {"", "required", "preferred"}:
        planned.fault(path, "required or preferred")
    if prior is None or (count := planned.number("replicas")) is None or count < _TWO:
        return
    if prior.text(*path) == "required" and value != "required":
        consequence = {
            "kafka": "Partitions whose other in-sync replicas were there too cannot be written to, or not be read.",
            "connect": "If all of them were there, no task runs until one is back.",
        }.get(planned.chart, "If most servers were there, the quorum is lost with it.")
        yield SPREAD_LOOSENED(planned.where, path=path, servers=planned.servers, consequence=consequence)


_TWO = 2


class Clients(NamedTuple):
    """Pods that a network policy lets in."""

    namespace: str
    """Empty: the release's own; ``*``: every one."""
    labels: frozenset[tuple[str, str]]
    """None: all pods of the namespace."""

    @property
    def is_everyone(self) -> bool:
        """Whether every pod of the cluster is one of them."""
        return self.namespace == "*" and not self.labels

    def covers(self, other: "Clients") -> bool:
        """Whether all of the others are among these."""
        return self.namespace in {other.namespace, "*"} and self.labels <= other.labels

    def __str__(self) -> str:
        where = {"": "of its own namespace", "*": "of all namespaces"}.get(
            self.namespace, f"of namespace {self.namespace}"
        )
        labels = ", ".join(f"{key}={value}" for key, value in sorted(self.labels))
        return f"pods {where} with {labels}" if labels else f"all pods {where}"


def network(prior: Release | None, planned: Release, *, unprotected: str) -> Iterator[Problem]:
    """Who may connect over the pods' network, and who no longer may.

    Args:
        prior: as it is.
        planned: as it is to be.
        unprotected: What nobody has to log in to: ``listener CLIENT``; empty, there is no such listener.
    """
    if prior is None:
        return
    before, after = prior.truth("networkPolicy", "enabled"), planned.truth("networkPolicy", "enabled")
    if before is None or after is None:
        return
    open_ = f", and {unprotected} asks nobody who they are" if unprotected else ""
    consequence = (
        "Whoever gets into any pod of the cluster can read, write and delete everything there." if unprotected else ""
    ) or "They still have to log in, but the servers are exposed to all of them."
    if before and not after:
        yield POLICY_OFF(
            planned.where,
            path=("networkPolicy", "enabled"),
            severity="error" if unprotected else "warning",
            open=open_,
            consequence=consequence,
        )
        return
    were, are = _clients(prior), _clients(planned)
    if after and were is not None and are is not None:
        # Without a policy everyone may connect.
        were = were if before else (Clients("*", frozenset()),)
        if more := [each for each in are if not any(other.covers(each) for other in were)]:
            yield POLICY_OPENED(
                planned.where,
                path=("networkPolicy", "clients"),
                severity="error" if unprotected and any(each.is_everyone for each in more) else "warning",
                clients=shortened([str(each) for each in more]),
                open=open_,
                consequence=consequence,
            )
        if fewer := [each for each in were if not any(other.covers(each) for other in are)]:
            yield POLICY_NARROWED(
                planned.where,
                path=("networkPolicy", "clients"),
                clients=shortened([str(each) if before else f"{_EVERYONE}, but {_those(are)}" for each in fewer]),
            )


def _those(clients: Sequence[Clients]) -> str:
    return shortened([str(each) for each in clients]) or "the servers themselves"


def _clients(release: Release) -> tuple[Clients, ...] | None:
    path = ("networkPolicy", "clients")
    entries = release.raw(*path)
    found = []
    for entry in (
        entries
        if isinstance(entries, Sequence) and not isinstance(entries, str)
        else ()
        if entries is None
        else (None,)
    ):
        labels = entry.get("labels") if isinstance(entry, Mapping) else None
        namespace = entry.get("namespace") if isinstance(entry, Mapping) else None
        if (
            not isinstance(entry, Mapping)
            or not isinstance(labels, Mapping | None)
            or not isinstance(namespace, str | None)
        ):
            release.fault(path, "a list of namespaces and labels")
            return None
        pairs = frozenset((str(key), str(value)) for key, value in (labels or {}).items())
        found.append(Clients(namespace or "", pairs))
    return tuple(found)


def _scalar(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return value

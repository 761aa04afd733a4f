"""What an organisation allows of topics, claims and images: one implementation for synth and for the review of a plan.

Both ask about the same thing: the attributes of a resource. What only an apply tells is left out of them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hikube_kafka.spec.model import Model
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.quantities import Quantity, whole

_OR_WAIVED = "Or add a waiver to {policy}, with rule: {rule} and of: {where}."

STORAGE_CLASS = Rule(
    id="policy-storage-class",
    severity="error",
    message="{template} is of {has}; the policy allows {allowed}.",
    why="The storage class decides where a volume is, how many copies it has, and what it survives. The organisation "
    "has chosen those that it trusts.",
    remedy=f"Declare {{instead}}. {_OR_WAIVED}",
    message_in_general="its storage class is not one of those that the policy allows.",
    remedy_in_general="Declare one of them, or add a waiver to the policy.",
)
STORAGE_SIZE = Rule(
    id="policy-storage-size",
    severity="error",
    message="{template} is {size}; the policy allows {bound}.",
    why="A claim (PersistentVolumeClaim) can grow and never shrink: what is too large stays so. A full disk stops its "
    "server.",
    remedy=f"Declare a size of {{bound}}. {_OR_WAIVED}",
    message_in_general="its size is outside of what the policy allows.",
    remedy_in_general="Declare a size within it, or add a waiver to the policy.",
)
REPLICATION_FACTOR = Rule(
    id="policy-replication-factor",
    severity="error",
    message="replication factor {factor}; the policy asks for at least {least}.",
    why="Each replica of a partition is on another broker. With fewer, losing a broker while another restarts makes "
    "partitions unavailable, or loses messages.",
    remedy=f"Declare a replication factor of {{least}}. {_OR_WAIVED}",
    message_in_general="its replication factor is below the one that the policy asks for.",
    remedy_in_general="Declare at least that one, or add a waiver to the policy.",
)
MIN_ISR = Rule(
    id="policy-min-isr",
    severity="error",
    message="{declared}; the policy asks for at least {least}.",
    why="With acks=all, a message is acknowledged once min.insync.replicas brokers have it: it survives the loss of "
    "one less than that.",
    remedy=f"Declare min.insync.replicas = {{least}} for it. {_OR_WAIVED}",
    message_in_general="its min.insync.replicas, or the brokers' that it follows, is below what the policy asks for.",
    remedy_in_general="Declare at least that for the topic, or add a waiver to the policy.",
)
PARTITIONS = Rule(
    id="policy-partitions",
    severity="error",
    message="{partitions} partitions; the policy allows at most {most}.",
    why="Every partition costs its brokers files and memory, and the controller time at each fail-over. Kafka cannot "
    "remove partitions.",
    remedy=f"Declare at most {{most}} partitions. {_OR_WAIVED}",
    message_in_general="it has more partitions than the policy allows.",
    remedy_in_general="Declare fewer partitions, or add a waiver to the policy.",
)
TOPIC_NAME = Rule(
    id="policy-topic-name",
    severity="error",
    message="its name does not match the policy's pattern {pattern}.",
    why="Owners, ACLs and dashboards find topics by their names. Kafka cannot rename a topic.",
    remedy=f"Declare a name that matches. {_OR_WAIVED}",
    remedy_in_general="Declare a name that matches, or add a waiver to the policy.",
)
IMAGE = Rule(
    id="policy-image",
    severity="error",
    message="image {image} is not among those that the policy allows: {allowed}.",
    why="Whoever builds an image runs code next to the messages. The organisation has decided where images come from.",
    remedy=f"Declare an image that matches one of them. {_OR_WAIVED}",
    remedy_in_general="Declare an image that matches one of them, or add a waiver to the policy.",
)
IMAGE_DIGEST = Rule(
    id="policy-image-digest",
    severity="error",
    message="image {image} is named by its tag alone; the policy asks for a digest.",
    why="A tag can be moved: a server that restarts may then run something else than the others, and than what was "
    "reviewed.",
    remedy=f"Declare its digest as well: sha256:... {_OR_WAIVED}",
    remedy_in_general="Declare its digest as well, or add a waiver to the policy.",
)
VALUE_UNKNOWN = Rule(
    id="policy-value-unknown",
    severity="error",
    message="{value} is known only after the apply, and the policy limits it.",
    why="Nobody can tell before the apply whether it is within the limit.",
    remedy="Declare the value itself, or apply first what it comes from. Only a waiver that names "
    "the finding's fingerprint covers it.",
    unjudged=True,
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One thing that limits are about."""

    kind: Literal["topic", "claim", "image"]
    where: str
    """``topic orders``, ``claims of events-kafka``, ``release events-kafka``."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """A topic's ``name``, ``partitions``, ``replication_factor`` and ``min.insync.replicas`` (None: its own
    configuration does not say); a claim's ``template``, ``size`` and ``storage_class`` (None: the cluster's default);
    an image's ``reference``. What only the apply tells is left out."""
    follows: frozenset[str] = frozenset()
    """By which names a topic's brokers are known to its provider: a release, addresses. Empty: nobody knows."""


@dataclass(frozen=True, kw_only=True)
class Brokers:
    """Brokers that are declared beside topics."""

    names: frozenset[str]
    """By which a provider may know them: their release, their addresses."""
    min_insync: tuple[str | None, ...]
    """``min.insync.replicas`` of each that can differ, as it is written; None: it is not there, or not known."""


UNKNOWN: Any = object()
"""In place of a value that only the apply tells."""


def topic(attributes: Mapping[str, Any], follows: frozenset[str] = frozenset()) -> Asked:
    """Of a ``hikube_kafka_topic``.

    Args:
        attributes: With :data:`UNKNOWN` where only the apply tells.
        follows: By which names its brokers are known to its provider.
    """
    kinds = {"name": str, "partitions": int, "replication_factor": int}
    # What is of another kind cannot be judged either.
    values: dict[str, Any] = {key: attributes[key] for key, kind in kinds.items() if type(attributes.get(key)) is kind}
    config = attributes.get("config")
    if config is None or isinstance(config, Mapping):
        own = (config or {}).get(_MIN_ISR)
        values |= {} if own is UNKNOWN else {_MIN_ISR: own}
    where = f"topic {values['name']}" if "name" in values else "a topic"
    return Asked(kind="topic", where=where, values=values, follows=follows)


def claims(attributes: Mapping[str, Any]) -> Iterator[Asked]:
    """Of a ``hikube_volume_claims``, one for each template.

    Args:
        attributes: With :data:`UNKNOWN` where only the apply tells.
    """
    owner, templates = attributes.get("stateful_set"), attributes.get("templates")
    where = f"claims of {owner}" if isinstance(owner, str) else "claims"
    if not isinstance(templates, Mapping):
        yield Asked(kind="claim", where=where)
        return
    for name, template in templates.items():
        known = template if isinstance(template, Mapping) else {"storage_class": UNKNOWN}
        values: dict[str, Any] = {key: value for key, value in known.items() if isinstance(value, str)}
        if known.get("storage_class") is None:
            values["storage_class"] = None
        yield Asked(kind="claim", where=where, values={"template": name, **values})


def claims_of_release(release: str, values: Mapping[str, Any] | None) -> Iterator[Asked]:
    """Of a release of one of the charts, where no ``hikube_volume_claims`` has the same.

    Args:
        release: Its name.
        values: What the chart is given, merged; None: only the apply tells.
    """
    storage = (values or {}).get("storage")
    templates: Any = UNKNOWN
    if isinstance(storage, Mapping):
        templates = {
            name: {"size": each.get("size"), "storage_class": each.get("storageClass")}
            for name, each in storage.items()
            if isinstance(each, Mapping)
        }
    return claims({"stateful_set": release, "templates": templates})


def image(release: str, values: Mapping[str, Any] | None) -> Asked:
    """Of a release of one of the charts.

    Args:
        release: Its name.
        values: What the chart is given, merged; None: only the apply tells.
    """
    where = f"release {release}"
    if values is None:
        return Asked(kind="image", where=where)
    given = values.get("image")
    parts = given if isinstance(given, Mapping) else {}
    registry, repository, tag, digest = (str(parts.get(each) or "") for each in _PARTS)
    reference = (
        f"{registry}{'/' if registry else ''}{repository}{':' if tag else ''}{tag}{'@' if digest else ''}{digest}"
    )
    return Asked(kind="image", where=where, values={"reference": reference})


def followed(release: str | None, bootstrap_servers: str | None) -> frozenset[str]:
    """By which names a provider knows brokers.

    Args:
        release: Of its ``kubernetes``; None: it has none, or only the apply tells.
        bootstrap_servers: Likewise.
    """
    addresses = (each.strip() for each in (bootstrap_servers or "").split(","))
    return frozenset(filter(None, [release, *addresses]))


def brokers_of_release(name: str, values: Mapping[str, Any] | None) -> Brokers:
    """Of a release of the brokers' chart.

    Args:
        name: Of the release.
        values: What the chart is given, merged; None: only the apply tells.
    """
    config = (values or {}).get("config")
    found = config.get(_MIN_ISR) if isinstance(config, Mapping) else None
    return Brokers(names=frozenset({name}), min_insync=(None if found is None else str(found),))


def brokers_of_servers(attributes: Mapping[str, Any]) -> Brokers:
    """Of a ``hikube_local_ensemble``; a broker that names no ``min.insync.replicas`` has Kafka's own, 1.

    Args:
        attributes: With :data:`UNKNOWN` where only the apply tells.
    """
    servers = attributes.get("brokers")
    if not isinstance(servers, list):
        return Brokers(names=frozenset(), min_insync=(None,))
    properties = [each.get("properties") if isinstance(each, Mapping) else None for each in servers]
    known = [each for each in properties if isinstance(each, Mapping)]
    listeners = ",".join(str(each.get("advertised.listeners") or each.get("listeners") or "") for each in known)
    return Brokers(
        names=frozenset(each.rpartition("://")[2].strip() for each in listeners.split(",") if each),
        min_insync=tuple(str(each.get(_MIN_ISR, "1")) if isinstance(each, Mapping) else None for each in properties),
    )


_MIN_ISR = "min.insync.replicas"
_PARTS = ("registry", "repository", "tag", "digest")


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is of the pattern: ``*`` stands for anything, all else for itself.

    Not a shell's pattern: addresses in Terraform have ``[`` and ``]``.
    """
    if "*" not in pattern:
        return pattern == text
    first, *parts, last = pattern.split("*")
    here, end = len(first), len(text) - len(last)
    if here > end or not (text.startswith(first) and text.endswith(last)):
        return False
    # As a regular expression, many stars would take for ever on a text that does not match.
    for part in parts:
        if (found := text.find(part, here, end)) < 0:
            return False
        here = found + len(part)
    return True


def _regular(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    return pattern


Found = Iterator[tuple[Rule, dict[str, Any]]]
"""Rules that are broken, and what their texts name."""


class Least(Model):
    """A lower limit."""

    min: int = Field(ge=1)
    """The least that is allowed."""


class Most(Model):
    """An upper limit."""

    max: int = Field(ge=1)
    """The most that is allowed."""


class Sizes(Model):
    """A range of sizes; it has one end at least."""

    min: Quantity | None = None
    """The smallest size of a claim. Left out: any."""
    max: Quantity | None = None
    """The largest size of a claim. Left out: any."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("it has neither min nor max: declare one of them")
        if self.min is not None and self.max is not None and self.max < self.min:
            raise ValueError(f"max = {self.max} is less than min = {self.min}")
        return self

    @property
    def words(self) -> str:
        """The range as people say it."""
        if self.min is None:
            return f"at most {self.max}"
        return f"at least {self.min}" if self.max is None else f"{self.min} to {self.max}"


class Images(Model):
    """Where images come from, and how they are named."""

    allowed: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(default=None, min_length=1)
    """Patterns of images, in which `*` stands for anything: `mirror.example.com/apache/kafka:3.9.*`. A pattern without
    `@` is about registry, repository and tag. End the host with `/`: `mirror.example.com*` is any host that begins so.
    Left out: any image."""
    digest: Literal["required"] | None = None
    """`required`: every image is named by its digest. Left out: a tag alone is allowed too."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.allowed is None and self.digest is None:
            raise ValueError("it has neither allowed nor digest: declare one of them")
        return self


class Limits(Model):
    """What the organisation allows. What is left out has no limit."""

    storage_classes: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Names of the storage classes that claims may have. An empty text is the cluster's default."""
    storage_size: Sizes | None = None
    """Size of each claim."""
    replication_factor: Least | None = None
    """Replicas of each partition of every topic."""
    min_insync_replicas: Least | None = None
    """`min.insync.replicas` of every topic: its own, else that of the brokers which the plan has. A topic without its
    own must name it where the plan has no brokers."""
    partitions: Most | None = None
    """Partitions of one topic."""
    topic_names: Annotated[str, Field(min_length=1), AfterValidator(_regular)] | None = None
    """Regular expression that the whole name of every topic matches."""
    images: Images | None = None
    """Images of the brokers and the ZooKeeper servers."""

    def problems(self, asked: Iterable[Asked], brokers: Sequence[Brokers], policy: str) -> Iterator[Problem]:
        """What is beyond a limit.

        Args:
            asked: What is to be, after the apply.
            brokers: Those that are declared beside it. A topic follows those that its provider knows; if it is not
                known to have any of them, the least ``min.insync.replicas`` of all counts.
            policy: The name of the file, for the remedies.
        """
        kinds = {"topic": self._of_topic, "claim": self._of_claim, "image": self._of_image}
        for each in asked:
            its = [some for some in brokers if some.names & each.follows] or brokers
            for rule, facts in kinds[each.kind](each.values, [value for some in its for value in some.min_insync]):
                yield rule(each.where, policy=policy, rule=rule.id, where=each.where, **facts)

    def _of_topic(self, values: Mapping[str, Any], brokers: Sequence[str | None]) -> Found:
        if self.topic_names is not None:
            if "name" not in values:
                yield VALUE_UNKNOWN, {"value": "name"}
            elif not re.fullmatch(self.topic_names, values["name"]):
                yield TOPIC_NAME, {"pattern": self.topic_names}
        yield from self._of_numbers(values)
        if self.min_insync_replicas is not None:
            yield from self._of_min_isr(values, brokers, self.min_insync_replicas.min)

    def _of_numbers(self, values: Mapping[str, Any]) -> Found:
        partitions, factor = values.get("partitions"), values.get("replication_factor")
        if self.partitions is not None:
            if partitions is None:
                yield VALUE_UNKNOWN, {"value": "partitions"}
            elif partitions > self.partitions.max:
                yield PARTITIONS, {"partitions": partitions, "most": self.partitions.max}
        if self.replication_factor is not None:
            if factor is None:
                yield VALUE_UNKNOWN, {"value": "replication_factor"}
            elif factor < self.replication_factor.min:
                yield REPLICATION_FACTOR, {"factor": factor, "least": self.replication_factor.min}

    def _of_min_isr(self, values: Mapping[str, Any], brokers: Sequence[str | None], least: int) -> Found:
        if _MIN_ISR not in values:
            yield VALUE_UNKNOWN, {"value": "config[min.insync.replicas]"}
            return
        own = values[_MIN_ISR]
        if own is not None:
            declared, numbers = f"min.insync.replicas = {own}", [whole(str(own))]
        elif brokers:
            numbers = [None if each is None else whole(each) for each in brokers]
            found = "is not declared" if None in numbers else f"is {min(each for each in numbers if each is not None)}"
            declared = f"it follows the brokers, whose min.insync.replicas {found}"
        else:
            declared, numbers = "it names no min.insync.replicas, and the brokers that it follows are not here", [None]
        if any(each is None or each < least for each in numbers):
            yield MIN_ISR, {"declared": declared, "least": least}

    def _of_claim(self, values: Mapping[str, Any], brokers: Sequence[str | None]) -> Found:
        del brokers
        template = values.get("template", "it")
        if self.storage_classes is not None:
            if "storage_class" not in values:
                yield VALUE_UNKNOWN, {"value": f"storage_class of {template}"}
            elif (values["storage_class"] or "") not in self.storage_classes:
                names = [_class(each) for each in self.storage_classes]
                yield (
                    STORAGE_CLASS,
                    {
                        "template": template,
                        "has": _class(values["storage_class"] or ""),
                        "allowed": _listed(names),
                        "instead": names[0] if len(names) == 1 else "one of them",
                    },
                )
        if self.storage_size is not None:
            if "size" not in values:
                yield VALUE_UNKNOWN, {"value": f"size of {template}"}
            elif not self._within(values["size"], self.storage_size):
                yield (
                    STORAGE_SIZE,
                    {"template": template, "size": values["size"], "bound": self.storage_size.words},
                )

    @staticmethod
    def _within(size: str, sizes: Sizes) -> bool:
        try:
            has = Quantity(size)
        except ValueError:
            return False
        return not ((sizes.min is not None and has < sizes.min) or (sizes.max is not None and sizes.max < has))

    def _of_image(self, values: Mapping[str, Any], brokers: Sequence[str | None]) -> Found:
        del brokers
        if self.images is None:
            return
        if "reference" not in values:
            yield VALUE_UNKNOWN, {"value": "image"}
            return
        reference = values["reference"]
        by_tag, _, digest = reference.partition("@")
        if self.images.allowed is not None and not any(
            matches(each, reference if "@" in each else by_tag) for each in self.images.allowed
        ):
            yield IMAGE, {"image": reference or "(none)", "allowed": _listed(self.images.allowed)}
        if self.images.digest is not None and not digest:
            yield IMAGE_DIGEST, {"image": reference or "(none)"}


def _class(name: str) -> str:
    return f"storage class {name}" if name else "the cluster's default storage class"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (f" or {names[-1]}" if len(names) > 1 else names[-1])

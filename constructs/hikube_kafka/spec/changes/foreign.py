"""Topics, ACLs and releases that somebody else's provider or chart manages. For reviews alone, and little of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.spec.problem import Problem, Rule

TOPIC_GOES = Rule(
    id="foreign-topic-goes",
    severity="error",
    message="it is deleted with every message in it{again}.",
    why="Kafka has no way back. Nothing but this review protects it: it is a topic of another provider.",
    remedy="Declare it again to keep it. If nobody needs its messages any more, waive this finding for this change.",
)
ACL_OPEN = Rule(
    id="acl-open-to-all",
    severity="error",
    message="it allows {operation} on every {resource} to every principal.",
    why="Whoever reaches a broker, without having to say who they are where a listener asks for no authentication, may "
    "do that to all of them.",
    remedy="Name the principal and the resources that it needs, a prefix of names at most.",
)
CHART = Rule(
    id="release-not-reviewed",
    severity="warning",
    message="its chart ({chart}) is not one of this project's, and its values are not reviewed.",
    why="What this change does to servers, messages and clients is not known here.",
    remedy="Review it by hand.",
)
RELEASE_GOES = Rule(
    id="foreign-release-goes",
    severity="error",
    message="the release of {chart} is uninstalled{again}.",
    why="Its servers are stopped, and clients reach none of them. The chart is not one of this project's: whether its "
    "claims stay is not known here.",
    remedy="Keep the release. If it is to go, make sure that its claims stay or that nobody needs its messages, and "
    "waive this finding for this change.",
)

TOPICS = frozenset({"kafka_topic", "confluent_kafka_topic", "aiven_kafka_topic", "redpanda_topic", "kafka_topics"})
ACLS = frozenset({"kafka_acl", "confluent_kafka_acl"})
_ACTING = frozenset({"all", "write", "create", "delete", "alter", "alterconfigs", "clusteraction", "idempotentwrite"})
_READING = frozenset({"read"})


def topic_goes(values: Mapping[str, Any], *, replaced: bool) -> Problem:
    """That a topic of another provider is deleted."""
    name = values.get("name") or values.get("topic_name") or "of an unknown name"
    return TOPIC_GOES(f"topic {name}", again=", and created again, empty" if replaced else "")


def acl_problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """An ACL that opens all of a kind to everybody; attributes as Mongey's and Confluent's providers name them."""
    said = {key: str(value).casefold() for key, value in values.items() if isinstance(value, str)}
    principal = said.get("acl_principal") or said.get("principal") or ""
    allowed = said.get("acl_permission_type") or said.get("permission") or "allow"
    operation = (said.get("acl_operation") or said.get("operation") or "all").replace("_", "")
    kind = said.get("resource_type") or "resource"
    pattern = said.get("resource_pattern_type_filter") or said.get("pattern_type") or "literal"
    name = said.get("resource_name", "")
    every_name = name == "*" or (pattern == "prefixed" and not name) or kind == "cluster"
    if principal != "user:*" or allowed != "allow" or not every_name or operation not in _ACTING | _READING:
        return
    yield ACL_OPEN(f"ACL of {principal.capitalize()}", operation=operation, resource=kind)


def is_of_kafka(chart: str) -> bool:
    """Whether a chart is one of Kafka or ZooKeeper, by its name."""
    name = chart.casefold().rstrip("/").rpartition("/")[2]
    return any(word in name for word in ("kafka", "zookeeper", "strimzi", "redpanda"))


def chart_changes(name: str, chart: str) -> Problem:
    """That a release of Kafka changes whose chart nobody here knows."""
    return CHART(f"release {name}", chart=chart)


def release_goes(name: str, chart: str, *, replaced: bool) -> Problem:
    """That such a release is uninstalled."""
    return RELEASE_GOES(f"release {name}", chart=chart, again=" and installed again" if replaced else "")

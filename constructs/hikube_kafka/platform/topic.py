"""A topic as a construct: ``hikube_kafka_topic``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from hikube_kafka.platform.apart import Parts, place
from hikube_kafka.platform.arguments import checked_part, refuse_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource
from hikube_kafka.spec import topic_limits
from hikube_kafka.spec.definitions import may_exist, topic_config_problems
from hikube_kafka.spec.mistakes import is_reference
from hikube_kafka.spec.model import Whole
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.rules.apart import TOPIC, Taken
from hikube_kafka.spec.targets.kubernetes_rules import RELEASE_TWICE
from hikube_kafka.spec.targets.local import APP_PORTS_TWICE


class KafkaTopic(HikubeResource):
    """A topic, as Terraform sees it: created, changed, moved and, unless it is protected, deleted.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        name: Kafka's name of the topic.
        partitions: number of partitions: may grow, never shrink.
        replication_factor: copies of each partition.
        config: entries by Kafka's own keys, in Kafka's own text. What is not named follows the brokers.
        deletion_protection: refuse every plan that would delete the topic or replace it. None means true.
        provider: the block whose cluster has the topic; None means the stack's default.
        depends_on: what must be applied before.
    """

    promised = frozenset({"name", "partitions", "replication_factor", "config"})

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        name: str,
        partitions: Annotated[Whole, Field(ge=1)],
        replication_factor: Annotated[Whole, Field(ge=1)],
        config: Mapping[str, str] | None = None,
        deletion_protection: bool | None = None,
        provider: HikubeProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        if wrong := list(_problems(name, config or {})):
            refuse_part(self, {"scope": scope, "id": id}, wrong)
            return
        super().__init__(
            scope,
            id,
            "hikube_kafka_topic",
            {
                "name": name,
                "partitions": partitions,
                "replication_factor": replication_factor,
                "config": dict(config) if config else None,
                "deletion_protection": deletion_protection,
            },
            provider=provider,
            depends_on=depends_on,
        )

    def occupies(self, parts: Parts) -> Iterator[Taken]:
        """The topic of that name."""
        name, provider = self.declared["name"], parts.provider(self, "hikube")
        if isinstance(provider, HikubeProvider) and "${" not in name:
            yield Taken(
                by=place(self)[1],
                part=parts.part(self),
                thing=f"topic {name}",
                rule=TOPIC,
                keys=frozenset((cluster, name) for cluster in provider.clusters),
                follows=frozenset({RELEASE_TWICE.id, APP_PORTS_TWICE.id}),
            )

    @property
    def id(self) -> str:
        """Kafka's name of the topic, once it is there: a reference that waits for it."""
        return self.get_string_attribute("id")


def _problems(name: str, config: Mapping[str, str]) -> Iterator[Problem]:
    """What no topic can be or have; a reference is left to the provider, and so is what a topic may have already."""
    if not is_reference(name):
        yield from topic_limits.name_problems(name)
    # Within a platform they have been asked already, and what is Kafka's own in them is marked for Terraform.
    known = {
        key: value
        for key, value in config.items()
        if not (is_reference(key) or is_reference(value)) and "${" not in value
    }
    for problem in topic_config_problems(f"topic {name}", known):
        if problem.severity == "error" and not may_exist(problem):
            yield problem

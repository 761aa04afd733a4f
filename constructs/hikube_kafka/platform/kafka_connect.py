"""A Connect cluster as a construct: its workers, and the connectors that they run."""

import re
from collections.abc import Iterator, Mapping, Sequence

from hikube_kafka.platform import apart, declarations, refusal, terraform
from hikube_kafka.platform.apart import Parts
from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import Annotations, Construct, Fn, ITerraformDependable, require_family
from hikube_kafka.platform.kafka_connector import KafkaConnector
from hikube_kafka.platform.provider import HikubeProvider
from hikube_kafka.platform.target import ConnectDelivery, Delivery, Target
from hikube_kafka.platform.topic import KafkaTopic
from hikube_kafka.spec.chart_values import CONNECT_SECRETS
from hikube_kafka.spec.connect import ConnectCluster, Connector
from hikube_kafka.spec.connect_worker import all_topics, connector_config, group_id
from hikube_kafka.spec.frozen import FrozenDict
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.properties import topic_config
from hikube_kafka.spec.rules.apart import CONNECT_GROUP, TERRAFORM_NAME, Taken
from hikube_kafka.spec.targets.kubernetes_rules import RELEASE_TWICE
from hikube_kafka.spec.targets.local import APP_DIRECTORY_TWICE, APP_PORTS_TWICE
from hikube_kafka.spec.topic import Topic

_FIELDS = frozenset({"name", "connector.class", "tasks.max"})
"""Entries of a connector's configuration for which its resource has attributes of their own."""

_IN_SECRETS = re.compile(rf"(?:(?<=\$\{{dir:)|(?<=\$\{{file:)){CONNECT_SECRETS}/")
"""Where a reference to a config provider goes on with a path in the folder of Secrets."""


class KafkaConnect(Construct):
    """Workers of one group, delivered to a target, and their connectors: ``hikube_kafka_connector.<id>_<name>``.

    A :class:`KafkaPlatform` makes one for each cluster of its ``connect``. Alone it is for a Kafka that exists::

        KafkaConnect(
            stack,
            "changes",
            target=LocalTarget(),
            platform=Platform(name="events", kafka=Kafka(brokers=3)),
            cluster=ConnectCluster("changes", connectors=[...]),
            bootstrap_servers="kafka-0:9092,kafka-1:9092",
            topics=HikubeProvider(stack, "kafka", bootstrap_servers="kafka-0:9092,kafka-1:9092"),
        )

    Args:
        scope: the stack, or a construct in it.
        id: its id within the scope: the first part of every name in Terraform.
        target: where the workers run.
        platform: what is declared of the Kafka that they work for: its name and the number of brokers matter.
        cluster: the workers and their connectors.
        bootstrap_servers: ``host:port`` of brokers, separated by commas; None means the platform's at its target.
        topics: the block through which the topics of the cluster are made; None means that they are made elsewhere.
        beside: what the target has returned for the platform, if the stack has it: it has been checked then, and its
            topics are made with the others.
        depends_on: what must be applied before.

    Attributes:
        declaration: the cluster, as it was declared.
    """

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        target: Target,
        platform: Platform,
        cluster: ConnectCluster,
        bootstrap_servers: str | None = None,
        topics: HikubeProvider | None = None,
        beside: Delivery | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        require_family(scope)
        super().__init__(scope, id)
        self.declaration = cluster
        before = list(depends_on or ())
        if beside is not None:
            self._platform = platform
            self._kafka: HikubeProvider | None = topics or beside.provider
            self._deliver(target, beside, bootstrap_servers, before)
            return
        apart.watch(self, whole=True)
        self._platform = alone = Platform(
            name=platform.name, coordinator=platform.coordinator, kafka=platform.kafka, connect=(cluster,)
        )
        problems = [*target.mistakes(), *target.check(alone)]
        if found := [problem for problem in problems if problem.severity == "error"]:
            refusal.refuse(self, found)
            return
        for problem in problems:
            # What there is to say about brokers that exist is not the workers' business.
            if problem.severity == "warning" and problem.rule.startswith("connect-"):
                Annotations.of(self).add_warning(str(problem))
        self._kafka = topics
        if topics is not None:
            before += declare_topics(self, alone, all_topics(alone), provider=topics, depends_on=before).values()
        self._deliver(target, None, bootstrap_servers, before)

    def _deliver(
        self,
        target: Target,
        beside: Delivery | None,
        bootstrap_servers: str | None,
        depends_on: Sequence[ITerraformDependable],
    ) -> None:
        declarations.remember(self, self.declaration.declared_at)
        delivery = target.deliver_connect(
            self,
            self._platform,
            self.declaration,
            beside=beside,
            bootstrap_servers=bootstrap_servers,
            depends_on=depends_on,
        )
        scope = Construct(self, "connectors")
        self._connectors = {each.name: self._connector(scope, each, delivery) for each in self.declaration.connectors}

    def _connector(self, scope: Construct, connector: Connector, delivery: ConnectDelivery) -> KafkaConnector:
        config = self._found(connector_config(self._platform, connector), delivery.secrets)
        made = terraform.named(
            KafkaConnector(
                scope,
                connector.name,
                name=connector.name,
                connector_class=connector.connector_class,
                tasks_max=connector.tasks_max,
                config={key: value for key, value in config.items() if key not in _FIELDS},
                state=connector.state,
                offsets=connector.offsets,
                provider=delivery.provider,
                depends_on=delivery.ready,
            ),
            terraform.name(self, connector.name),
        )
        if connector.declared_at:
            declarations.remember(made, connector.declared_at)
        return made

    def _found(self, config: Mapping[str, str], secrets: str) -> Mapping[str, str]:
        """The configuration, with references to ``/secrets`` as the workers find it at this target."""
        own = self.declaration.config.keys() & {
            f"config.providers.{name}.param.allowed.paths" for name in ("dir", "file")
        }
        if secrets == CONNECT_SECRETS or own:  # whoever allows other paths means them as they are
            return config
        parts = {key: _IN_SECRETS.split(value) for key, value in config.items()}
        # A function of Terraform's, since a reference of the CDK's is not resolved within ${...} of somebody else.
        moved = {key: Fn.join(f"{secrets}/", each) for key, each in parts.items() if len(each) > 1}
        return {**config, **moved}

    def occupies(self, parts: Parts) -> Iterator[Taken]:
        """The group of its workers, and so its internal topics."""
        group = group_id(self._platform, self.declaration)
        yield Taken(
            by=apart.place(self)[1],
            part=parts.part(self),
            thing=f"group {group}",
            rule=CONNECT_GROUP,
            keys=frozenset((cluster, group) for cluster in self._kafka.clusters) if self._kafka else frozenset(),
            follows=frozenset({TERRAFORM_NAME.id, RELEASE_TWICE.id, APP_PORTS_TWICE.id, APP_DIRECTORY_TWICE.id}),
        )

    @property
    def connectors(self) -> Mapping[str, KafkaConnector]:
        """The connectors' constructs, by Connect's name: ``connect.connectors["orders"]``.

        Raises:
            KeyError: of a connector that is not declared; it names the nearest that is.
        """
        return FrozenDict(self._connectors, of="connector")


def declare_topics(
    scope: Construct,
    platform: Platform,
    topics: Sequence[Topic],
    *,
    provider: HikubeProvider,
    depends_on: Sequence[ITerraformDependable],
) -> dict[str, KafkaTopic]:
    """Add topics of a platform to the stack, named after the scope.

    Args:
        scope: the platform's construct, or that of a Connect cluster alone; the id ``topics`` is taken in it.
        platform: the declaration that the topics follow.
        topics: all that are to be there.
        provider: the block through which they are made.
        depends_on: what must be applied before.
    """
    below = Construct(scope, "topics")
    made = {
        topic.name: terraform.named(
            KafkaTopic(
                below,
                topic.name,
                name=topic.name,
                partitions=topic.partitions,
                replication_factor=platform.replication_factor(topic),
                config=terraform.literal(topic_config(platform, topic)),
                deletion_protection=topic.deletion_protection,
                provider=provider,
                depends_on=depends_on,
            ),
            terraform.name(scope, topic.name),
        )
        for topic in topics
    }
    for topic in topics:
        if topic.declared_at:
            declarations.remember(made[topic.name], topic.declared_at)
    return made

"""A whole platform as one construct."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hikube_kafka.platform import apart, declarations, refusal, terraform
from hikube_kafka.platform.arguments import checked, mistaken
from hikube_kafka.platform.cdk import (
    Annotations,
    Construct,
    IValidation,
    TerraformOutput,
    TerraformResource,
    implements,
    require_family,
)
from hikube_kafka.platform.kafka_connect import KafkaConnect, declare_topics
from hikube_kafka.platform.provider import HikubeResource
from hikube_kafka.platform.release import HelmRelease
from hikube_kafka.platform.target import Delivery, Nowhere, Target
from hikube_kafka.platform.topic import KafkaTopic
from hikube_kafka.spec import sizing
from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.connect_worker import all_topics
from hikube_kafka.spec.contract import Contract
from hikube_kafka.spec.frozen import FrozenDict
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.model import Declared, FieldError
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import DeclarationError, Problem
from hikube_kafka.spec.rules.platform import CONTRACT_OVERRIDE, MOVED_WITHOUT_NAME
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper


class KafkaPlatform(Construct):
    """ZooKeeper servers, brokers, topics and Connect clusters, delivered to a target, with the contract as an output.

    A declaration with mistakes, or one that breaks rules, adds nothing to the stack, and every synth fails: it reports
    all problems of the app at once. Warnings and notices stop nothing. The outputs are ``<id>_bootstrap_servers``,
    ``<id>_zookeeper_servers`` and ``<id>_contract``; a topic is ``hikube_kafka_topic.<id>_<name>``, a connector
    ``hikube_kafka_connector.<id>_connect_<cluster>_<name>``.

    Args:
        scope: the stack, or a construct in it.
        id: its id within the scope: the first part of every name in Terraform, so another id is another platform.
        target: where it is delivered.
        zookeeper: the ZooKeeper servers. None means those of the workload, or the defaults.
        kafka: the brokers. None means those of the workload, or the defaults.
        topics: the topics.
        connect: the clusters of Kafka Connect. Their topics are made with the others, then the workers start, then the
            connectors.
        former_connect: names of clusters that were in ``connect``: the block that leads to their workers stays, without
            which no plan can take their connectors away ("Provider configuration not present"). To be left out again
            once an apply has done it.
        workload: the expected load, in place of numbers: see :func:`hikube_kafka.spec.size`.
        name: name of the platform. None means the id.
        moved_from: its former id, or with a ``/`` its former path within the stack. What Terraform has under the
            former names is then taken for this platform; ``name`` must be what it was.

    Attributes:
        declaration: everything that was declared.

    """

    @checked("zookeeper", "kafka", "topics", "connect", "former_connect", "name", instead={"target": Nowhere})
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        target: Target,
        zookeeper: ZooKeeper | None = None,
        kafka: Kafka | None = None,
        topics: Iterable[Topic] = (),
        connect: Iterable[ConnectCluster] = (),
        former_connect: Iterable[str] = (),
        workload: sizing.Workload | None = None,
        name: str | None = None,
        moved_from: str | None = None,
    ) -> None:
        require_family(scope)
        super().__init__(scope, id)
        apart.watch(self, whole=True)
        problems = [*mistaken(self), *_mistakes_of(workload, "workload"), *target.mistakes()]
        sized = None if workload is None else _sized(workload, problems)
        self.declaration = Platform(
            name=id if name is None else name,
            zookeeper=zookeeper if zookeeper is not None else (sized.zookeeper if sized else ZooKeeper()),
            kafka=kafka if kafka is not None else (sized.kafka if sized else Kafka()),
            # An iterator is read once.
            topics=tuple(topics) if isinstance(topics, Iterator) else topics,
            connect=tuple(connect) if isinstance(connect, Iterator) else connect,
            former_connect=tuple(former_connect) if isinstance(former_connect, Iterator) else former_connect,
        )
        problems += [*self.declaration.problems("KafkaPlatform"), *_found(target, self.declaration)]
        if moved_from is not None and name is None:
            problems.append(MOVED_WITHOUT_NAME("name", former=moved_from.rpartition("/")[2]))
        for problem in problems:
            if problem.severity == "warning":
                Annotations.of(self).add_warning(str(problem))
            elif problem.severity == "notice":
                Annotations.of(self).add_info(str(problem))
        self._errors = [problem for problem in problems if problem.severity == "error"]
        self._warned: set[str] = set()
        if self._errors:
            refusal.refuse(self, self._errors)
            return
        self.node.add_validation(_Validation(self))
        brokers, servers = self.declaration.kafka.declared_at, self.declaration.zookeeper.declared_at
        # The ids of a target's parts begin so.
        declarations.remember(self, kafka=brokers, brokers=brokers, zookeeper=servers, members=servers)
        self._delivery = target.deliver(self, self.declaration)
        self._topics = declare_topics(
            self,
            self.declaration,
            all_topics(self.declaration),
            provider=self._delivery.provider,
            depends_on=self._delivery.servers,
        )
        self._connect = self._declare_connect(target)
        self._withdraw_connect(target)
        self._declare_outputs(self._delivery)
        if moved_from is not None:
            self._declare_moves(moved_from)

    def _declare_connect(self, target: Target) -> dict[str, KafkaConnect]:
        if not self.declaration.connect:
            return {}
        scope = Construct(self, "connect")
        return {
            cluster.name: KafkaConnect(
                scope,
                cluster.name,
                target=target,
                platform=self.declaration,
                cluster=cluster,
                beside=self._delivery,
                depends_on=[*self._delivery.servers, *self._topics.values()],
            )
            for cluster in self.declaration.connect
        }

    def _withdraw_connect(self, target: Target) -> None:
        if not self.declaration.former_connect:
            return
        scope = Construct(self, "former_connect")
        for name in self.declaration.former_connect:
            target.withdraw_connect(Construct(scope, name), self.declaration, ConnectCluster(name))

    def _declare_outputs(self, delivery: Delivery) -> None:
        contract = delivery.contract
        travelling = terraform.literal(contract.model_dump(mode="json", exclude_none=True))
        if delivery.cluster is not None:
            travelling["reach"]["cluster"] = delivery.cluster
        outputs = {
            "bootstrap_servers": ("Kafka's bootstrap.servers.", contract.bootstrap_servers),
            "zookeeper_servers": ("Kafka's zookeeper.connect.", contract.zookeeper_connect),
            "contract": (
                "Everything that must be true after the apply: hikube-kafka smoke holds the cluster to it.",
                travelling,
            ),
        }
        for output, (description, value) in outputs.items():
            terraform.named(
                TerraformOutput(self, output, description=description, value=value),
                terraform.name(self, output),
            )

    def _declare_moves(self, former: str) -> None:
        path = former if "/" in former else f"{terraform.within_stack(self).rpartition('/')[0]}/{former}"
        now, before = terraform.name(self), terraform.valid(*path.strip("/").split("/"))
        for each in self.node.find_all():
            if isinstance(each, TerraformResource):
                rest = each.friendly_unique_id.removeprefix(now)
                kind = each.terraform_resource_type
                terraform.move(self, f"{kind}.{before}{rest}", f"{kind}.{now}{rest}")
        # A namespace that is to be kept in the same plan has its former address still.
        if terraform.forgets(self, f"kubernetes_namespace_v1.{now}"):
            terraform.forget(self, f"kubernetes_namespace_v1.{before}")

    @property
    def contract(self) -> Contract:
        """What must be true after the apply.

        Raises:
            DeclarationError: the declaration breaks rules.
        """
        self._require_valid()
        return self._delivery.contract

    @property
    def topics(self) -> Mapping[str, KafkaTopic]:
        """The topics' constructs, by Kafka's name: ``platform.topics["orders"]``.

        Raises:
            DeclarationError: the declaration breaks rules.
            KeyError: of a topic that is not declared; it names the nearest that is.
        """
        self._require_valid()
        return FrozenDict(self._topics, of="topic")

    @property
    def connect(self) -> Mapping[str, KafkaConnect]:
        """The Connect clusters' constructs, by name: ``platform.connect["changes"]``.

        Raises:
            DeclarationError: the declaration breaks rules.
            KeyError: of a cluster that is not declared; it names the nearest that is.
        """
        self._require_valid()
        return FrozenDict(self._connect, of="Connect cluster")

    def _require_valid(self) -> None:
        if self._errors:
            raise DeclarationError(self._errors)

    def _warn_of_overrides(self) -> None:
        """What is applied then differs from what the rules saw and the contract promises."""
        for construct in self.node.find_all():
            if isinstance(construct, HikubeResource | HelmRelease) and (changed := construct.broken_promises()):
                warning = str(CONTRACT_OVERRIDE(construct.node.path, attributes=", ".join(changed)))
                if warning not in self._warned:
                    self._warned.add(warning)
                    Annotations.of(self).add_warning(warning)


@implements(IValidation)
class _Validation:
    """How the CDK asks, at synth."""

    def __init__(self, platform: KafkaPlatform) -> None:
        self._platform = platform

    def validate(self) -> list[str]:
        self._platform._warn_of_overrides()  # noqa: SLF001 - the two are one
        return []


@dataclass(frozen=True, kw_only=True)
class _Sized:
    """The servers for a workload."""

    kafka: Kafka
    zookeeper: ZooKeeper


def _sized(workload: sizing.Workload, problems: list[Problem]) -> _Sized:
    try:
        sized = sizing.size(workload)
    except DeclarationError as error:
        if isinstance(error, sizing.TooMuchError):
            problems += error.problems
        # What is wrong with the workload is told; nothing can be said about servers that follow from it.
        return _Sized(kafka=Kafka.unknown(), zookeeper=ZooKeeper.unknown())
    return _Sized(kafka=sized.kafka, zookeeper=sized.zookeeper)


def _mistakes_of(declared: object, where: str) -> list[Problem]:
    return declared.problems(where) if isinstance(declared, Declared) else []


def _found(target: Target, declaration: Platform) -> Iterator[Problem]:
    try:
        yield from target.check(declaration)
    except FieldError:
        pass  # told already, as a mistake
    except DeclarationError as error:
        # Another part of the app that this one depends on.
        yield from error.problems

"""What ZooKeeper and Kafka report, as a construct: the data source ``hikube_kafka_quorum``."""

from collections.abc import Mapping, Sequence
from typing import Any

from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import Construct, IResolvable, ITerraformDependable, TerraformDataSource
from hikube_kafka.platform.provider import METADATA, HikubeProvider


class KafkaQuorum(TerraformDataSource):
    """The quorum, read at every plan. Every property is a reference, for outputs and for conditions.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        expected_brokers: how many brokers there should be. None means that any number will do.
        expected_zookeeper_servers: how many ZooKeeper servers should serve. None means that any number will do.
        provider: the block whose cluster is read; None means the stack's default.
        depends_on: what must be applied before it is read.
    """

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        expected_brokers: int | None = None,
        expected_zookeeper_servers: int | None = None,
        provider: HikubeProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            terraform_resource_type="hikube_kafka_quorum",
            terraform_generator_metadata=METADATA,
            provider=provider,
            depends_on=depends_on,
        )
        self._attributes = {
            "expected_brokers": expected_brokers,
            "expected_zookeeper_servers": expected_zookeeper_servers,
        }

    @property
    def healthy(self) -> IResolvable:
        """A bool: whether there is no reason against it."""
        return self.get_boolean_attribute("healthy")

    @property
    def reasons(self) -> list[str]:
        """Strings: everything that is not as it should be."""
        return self.get_list_attribute("reasons")

    @property
    def zookeeper(self) -> IResolvable:
        """Objects with ``address`` and ``mode``, one for each ZooKeeper server."""
        return self.interpolation_for_attribute("zookeeper")

    @property
    def zookeeper_leader(self) -> str:
        """``host:port`` of the server that leads."""
        return self.get_string_attribute("zookeeper_leader")

    @property
    def brokers(self) -> list[float]:
        """Numbers: ids of the brokers that are there."""
        return self.get_number_list_attribute("brokers")

    @property
    def controller(self) -> float:
        """Id of the broker that is the controller."""
        return self.get_number_attribute("controller")

    @property
    def cluster_id(self) -> str:
        """Kafka's cluster id."""
        return self.get_string_attribute("cluster_id")

    @property
    def topics(self) -> float:
        """Number of topics, internal ones included."""
        return self.get_number_attribute("topics")

    @property
    def under_replicated_partitions(self) -> float:
        """Number of partitions with a replica that is not in sync."""
        return self.get_number_attribute("under_replicated_partitions")

    @property
    def offline_partitions(self) -> float:
        """Number of partitions without a leader."""
        return self.get_number_attribute("offline_partitions")

    def _synthesize_attributes(self) -> Mapping[str, Any]:
        return self._attributes

"""What ZooKeeper and Kafka say of themselves, as a construct: the data source ``hikube_kafka_quorum``."""

from collections.abc import Sequence

from hikube_kafka.platform.cdk import Construct, ITerraformDependable, TerraformDataSource
from hikube_kafka.platform.provider import METADATA, HikubeProvider


class KafkaQuorum(TerraformDataSource):
    """The quorum, read at every plan: usable in outputs and in conditions of other resources.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        provider: the block whose cluster is read; None means the stack's default.
        depends_on: what must be applied before it is read.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
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

    @property
    def healthy(self) -> str:
        """Whether everything is as it should be: a reference to a bool."""
        return self.get_string_attribute("healthy")

    @property
    def reasons(self) -> list[str]:
        """Why it is not healthy; empty if it is: a reference to a list of strings."""
        return self.get_list_attribute("reasons")

"""A connector as a construct: ``hikube_kafka_connector``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from hikube_kafka.platform import terraform
from hikube_kafka.platform.apart import Parts, place
from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource
from hikube_kafka.spec.connect import ConnectorState, Offsets
from hikube_kafka.spec.model import Whole
from hikube_kafka.spec.rules.apart import CONNECT_GROUP, CONNECTOR, Taken
from hikube_kafka.spec.targets.kubernetes_rules import RELEASE_TWICE
from hikube_kafka.spec.targets.local import APP_PORTS_TWICE


class KafkaConnector(HikubeResource):
    """A connector, as Terraform sees it: validated by Connect at plan, and applied once its tasks run.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        name: Connect's name of the connector.
        connector_class: class in full; Connect's ``connector.class``.
        tasks_max: Connect's ``tasks.max``. None means 1.
        config: entries by the connector's own keys, in Connect's own text. ``${...}`` is Connect's, for its config
            providers; a reference to something of the stack stays one.
        state: what it is to do. None means that it runs.
        offsets: what becomes of its offsets when it changes or is destroyed. None means that they are kept.
        provider: the block whose Connect cluster has it; None means the stack's default.
        depends_on: what must be applied before.
    """

    promised = frozenset({"name", "class", "tasks_max", "state"})

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        name: str,
        connector_class: str,
        tasks_max: Annotated[Whole, Field(ge=1)] | None = None,
        config: Mapping[str, str] | None = None,
        state: str | ConnectorState | None = None,
        offsets: Offsets | None = None,
        provider: HikubeProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            "hikube_kafka_connector",
            {
                "name": name,
                "class": connector_class,
                "tasks_max": tasks_max,
                "config": terraform.literal(dict(config)) if config else None,
                "state": None if state is None else str(state),
                "offsets": None if offsets is None or offsets == Offsets() else _offsets(offsets),
            },
            provider=provider,
            depends_on=depends_on,
        )

    def occupies(self, parts: Parts) -> Iterator[Taken]:
        """The connector of that name."""
        name, provider = self.declared["name"], parts.provider(self, "hikube")
        if isinstance(provider, HikubeProvider) and "${" not in name:
            yield Taken(
                by=place(self)[1],
                part=parts.part(self),
                thing=f"connector {name}",
                rule=CONNECTOR,
                keys=frozenset((cluster, name) for cluster in provider.connect_clusters),
                follows=frozenset({CONNECT_GROUP.id, RELEASE_TWICE.id, APP_PORTS_TWICE.id}),
            )

    @property
    def id(self) -> str:
        """Connect's name of the connector, once it is there: a reference that waits for it."""
        return self.get_string_attribute("id")

    @property
    def type(self) -> str:
        """``source`` or ``sink``: a reference."""
        return self.get_string_attribute("type")

    @property
    def tasks(self) -> float:
        """How many of its tasks run: a reference."""
        return self.get_number_attribute("tasks")


def _offsets(offsets: Offsets) -> dict[str, Any]:
    to = [dict(each) for each in offsets.to]
    return {
        "on_change": offsets.on_change,
        # Their form is the connector's own.
        "to": terraform.literal(json.dumps(to, sort_keys=True)) if to else None,
        "on_destroy": offsets.on_destroy,
    }

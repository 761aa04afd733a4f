"""The claims of a StatefulSet as a construct: ``hikube_volume_claims``."""

from collections.abc import Mapping, Sequence

from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource
from hikube_kafka.spec.model import Declared


class ClaimTemplate(Declared):
    """One claim template of a StatefulSet, exactly as its release has it."""

    size: str
    """What each claim requests: ``10Gi``. It can grow, never shrink."""
    storage_class: str | None = None
    """None means the cluster's default class."""


class VolumeClaims(HikubeResource):
    """The claims of a StatefulSet, which grow under running pods and are never deleted.

    What creates the StatefulSet, usually a release, must depend on it: growth deletes the StatefulSet without its pods,
    and the release recreates it around them.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        stateful_set: name of the StatefulSet, in the namespace of the provider's ``kubernetes``.
        templates: its claim templates, by name.
        created_namespace: the namespace, if the stack creates it: a reference to its resource. A plan that would take
            it away with the claims in it is then refused. Empty means that the stack does not create it, or no longer.
        provider: the block whose cluster has them; None means the stack's default.
        depends_on: what must be applied before: the namespace.
    """

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        stateful_set: str,
        templates: Mapping[str, ClaimTemplate],
        created_namespace: str | None = None,
        provider: HikubeProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            "hikube_volume_claims",
            {
                "stateful_set": stateful_set,
                "templates": {name: template.model_dump() for name, template in templates.items()},
                "created_namespace": created_namespace,
            },
            provider=provider,
            depends_on=depends_on,
        )

    @property
    def claims(self) -> Mapping[str, str]:
        """The existing claims by name, each with the size that it requests: a reference."""
        return self.get_string_map_attribute("claims")

"""Where a platform is delivered: the seam between one declaration and every place that can run it.

A target is one module of its own. It is given a valid declaration, brings its servers into the stack, and hands back
what the platform needs for the rest: the same for all. A new target changes none of the others.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider
from hikube_kafka.spec.contract import Contract
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.rules import check


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What a target hands back."""

    contract: Contract
    """What must be true after the apply."""
    provider: HikubeProvider
    """The block through which the topics are made."""
    servers: Sequence[ITerraformDependable]
    """What runs the servers: topics wait for it, and go before it."""


class Target(ABC):
    """Where a platform is delivered."""

    def check(self, platform: Platform) -> Iterable[Problem]:
        """Every problem of the declaration at this target; by default what is one everywhere."""
        return check(platform)

    @abstractmethod
    def deliver(self, scope: Construct, platform: Platform) -> Delivery:
        """Bring the platform's servers into the stack.

        Args:
            scope: the platform's construct; the ids ``topics`` and those of the outputs are taken in it.
            platform: the declaration, without errors.
        """

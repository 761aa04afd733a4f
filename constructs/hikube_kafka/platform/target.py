"""Where a platform is delivered: the interface between a declaration and the places that can run it.

Each target is a module of its own. It is given a valid declaration, adds its servers to the stack, and returns what the
platform needs for the rest, the same for every target. A new target changes none of the others.
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
    """What a target returns."""

    contract: Contract
    """What must be true after the apply."""
    provider: HikubeProvider
    """The block through which the topics are made."""
    servers: Sequence[ITerraformDependable]
    """What runs the servers: topics are created after it and deleted before it."""
    cluster: str | None = None
    """What the contract says of the Kubernetes cluster, known when Terraform plans: a reference. None: nothing."""


class Target(ABC):
    """Where a platform is delivered."""

    def check(self, platform: Platform) -> Iterable[Problem]:
        """Every problem of the declaration at this target; by default those that are problems everywhere."""
        return check(platform)

    def mistakes(self) -> Iterable[Problem]:
        """What is mistaken in the target's own options: values of another type, out of range, misspelt."""
        return ()

    @abstractmethod
    def deliver(self, scope: Construct, platform: Platform) -> Delivery:
        """Add the platform's servers to the stack.

        Args:
            scope: the platform's construct; the ids ``topics`` and those of the outputs are taken in it.
            platform: the declaration, without errors.
        """

    def withdraw(self, scope: Construct, platform: Platform) -> None:
        """Add the blocks of the providers alone, so that a plan can take away what the target once delivered.

        Args:
            scope: the construct of the former platform.
            platform: the declaration as it was.

        Raises:
            NotImplementedError: a target of somebody else's that does not say how.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how a platform is taken away: withdraw()")


class Nowhere(Target):
    """In place of a target that is missing or mistaken: the rest of the declaration is looked at."""

    def deliver(self, scope: Construct, platform: Platform) -> Delivery:
        """Never asked: what has no target is refused."""
        raise NotImplementedError

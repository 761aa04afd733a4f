"""Where a platform is delivered: the interface between a declaration and the places that can run it.

Each target is a module of its own. It is given a valid declaration, adds its servers to the stack, and returns what the
platform needs for the rest, the same for every target. A new target changes none of the others.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider
from hikube_kafka.spec.chart_values import CONNECT_SECRETS
from hikube_kafka.spec.connect import ConnectCluster
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


@dataclass(frozen=True, kw_only=True)
class ConnectDelivery:
    """What a target returns for a Connect cluster."""

    provider: HikubeProvider
    """The block through which the connectors are made: it has ``connect_url``, or ``kubernetes.connect_release``."""
    ready: Sequence[ITerraformDependable]
    """What ends once the workers answer: connectors are created after it and deleted before it."""
    secrets: str = CONNECT_SECRETS
    """Where the workers find what a connector calls ``/secrets``: a path, or a reference to one."""


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

    def deliver_connect(
        self,
        scope: Construct,
        platform: Platform,
        cluster: ConnectCluster,
        *,
        beside: Delivery | None,
        bootstrap_servers: str | None = None,
        depends_on: Sequence[ITerraformDependable] = (),
    ) -> ConnectDelivery:
        """Add the workers of a Connect cluster to the stack, and the block through which its connectors are made.

        The workers are made through the platform's own block, so that a cluster without connectors can leave the
        declaration: nothing in the state needs a block then that is gone.

        Args:
            scope: the construct of the cluster; the ids ``topics`` and ``connectors`` are taken in it. The names in
                Terraform begin with its path: ``terraform.name(scope)``.
            platform: the declaration, without errors.
            cluster: the cluster, one of the platform's.
            beside: what :meth:`deliver` has returned for the platform; None where the stack has no such platform.
            bootstrap_servers: ``host:port`` of brokers, separated by commas; None means those of the platform.
            depends_on: what must be applied before the workers start: their topics.

        Raises:
            NotImplementedError: a target of somebody else's that does not say how.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how workers are run: deliver_connect()")

    def withdraw_connect(self, scope: Construct, platform: Platform, cluster: ConnectCluster) -> None:
        """Add the block of a Connect cluster alone, so that a plan can take its connectors away.

        Args:
            scope: the construct of the former cluster.
            platform: the declaration as it was.
            cluster: the cluster as it was.

        Raises:
            NotImplementedError: a target of somebody else's that does not say how.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how workers are taken away: withdraw_connect()")


class Nowhere(Target):
    """In place of a target that is missing or mistaken: the rest of the declaration is looked at."""

    def deliver(self, scope: Construct, platform: Platform) -> Delivery:
        """Never asked: what has no target is refused."""
        raise NotImplementedError

"""One real thing at several addresses of a configuration: what a plan may not do with it. For every resource."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import NamedTuple

from hikube_kafka.spec.problem import Problem, Rule

MOVED = Rule(
    id="same-thing-at-another-address",
    severity="error",
    message="this plan deletes it at one address of the configuration and creates it at another.",
    message_in_general="one plan deletes it at one address of the configuration and creates it at another.",
    why="Both addresses stand for the same thing: {loss}",
    remedy="If only its address has changed (another for_each key, another name of the resource, a module around it), "
    "add this block to the configuration. The error names one of the two addresses, and terraform state list shows "
    "the old one:\n\n"
    "  moved {{\n    from = {kind}.<old address>\n    to   = {kind}.<new address>\n  }}\n\n"
    "A KafkaPlatform whose id has changed writes the blocks of all its resources itself: give it "
    'moved_from="<old id>". To create it anew on purpose, take the old '
    "address out and apply, then add the new one and apply again.",
    remedy_in_general="Add a moved block with the old and the new address. To create it anew on purpose, use two "
    "applies.",
)
DECLARED_TWICE = Rule(
    id="same-thing-declared-twice",
    severity="error",
    message="two resources of this configuration declare it, and at least one of them would create it.",
    why="Only one of them can create it, and each would then undo what the other sets.",
    remedy="Declare it once. If its address has changed, add a moved block with the old and the new address:\n\n"
    "  moved {{\n    from = {kind}.<old address>\n    to   = {kind}.<new address>\n  }}\n",
    remedy_in_general="Declare it once. If its address has changed, add a moved block with both addresses.",
)
ONE_OF_TWO_GOES = Rule(
    id="same-thing-deleted-at-one-address",
    severity="error",
    message="the state holds it at two addresses, and this plan deletes it at one of them.",
    why="The other address still stands for it: {loss}",
    remedy="To keep it, remove the address that goes from the state alone: terraform state rm <address>.",
)
IN_STATE_TWICE = Rule(
    id="same-thing-in-state-twice",
    severity="warning",
    message="the state holds it at two addresses.",
    why="Each of the two would undo what the other sets.",
    remedy="Declare it once, and remove the other address from the state alone: terraform state rm <address>.",
)


class Step(Enum):
    """What a plan does with a thing at one address."""

    COMES = "comes"
    """It is created, and the state does not have it at this address."""
    STAYS = "stays"
    """The state has it at this address, and keeps it: as it is, changed, or replaced by itself."""
    GOES = "goes"
    """It is deleted, or replaced by something else."""


_RECREATED = "what belongs to it at those addresses, such as its release, would be deleted and created as well."


class Thing(NamedTuple):
    """A real thing that only one address should stand for."""

    kind: str
    """Type of the resource: ``hikube_kafka_topic``."""
    what: str
    """The thing itself, as a user calls it, and different from all others: ``topic orders``."""
    loss: str
    """What is lost if it is deleted at one address while another stands for it: a sentence."""

    @classmethod
    def topic(cls, name: str) -> "Thing":
        """A topic of the cluster."""
        return cls("hikube_kafka_topic", f"topic {name}", loss="its messages would be lost.")

    @classmethod
    def connector(cls, name: str) -> "Thing":
        """A connector of the Connect cluster."""
        return cls(
            "hikube_kafka_connector",
            f"connector {name}",
            loss="it would be deleted in Connect, with its offsets where on_destroy says so.",
        )

    @classmethod
    def brokers(cls) -> "Thing":
        """The brokers: one provider block has one cluster."""
        return cls("hikube_kafka_brokers", "the number of brokers", loss=_RECREATED)

    @classmethod
    def claims(cls, stateful_set: str) -> "Thing":
        """The claims of a StatefulSet."""
        return cls("hikube_volume_claims", f"the claims of StatefulSet {stateful_set}", loss=_RECREATED)

    @classmethod
    def voters(cls, stateful_set: str, applied: str) -> "Thing":
        """The voters of an ensemble, as they are declared before or after its release."""
        what = f"the voters of ZooKeeper {stateful_set} {applied} its release"
        return cls("hikube_zookeeper_members", what, loss=_RECREATED)

    @classmethod
    def workers(cls, directory: str) -> "Thing":
        """Connect workers on one machine: they are their directory."""
        return cls(
            "hikube_local_connect",
            f"the Connect workers in {directory}",
            loss="they would be stopped once the other address has taken them over.",
        )

    @classmethod
    def ensemble(cls, directory: str) -> "Thing":
        """An ensemble on one machine: it is its directory."""
        return cls(
            "hikube_local_ensemble",
            f"the ensemble in {directory}",
            loss="its servers would be stopped, and with keep_data = false its data deleted, once the other address "
            "has taken them over.",
        )


def problems(thing: Thing, step: Step, elsewhere: AbstractSet[Step]) -> Iterator[Problem]:
    """What the steps of one plan at several addresses come to.

    Args:
        thing: What the addresses stand for.
        step: What the plan does with it at the one address.
        elsewhere: What it does with it at others, as far as they have been planned.
    """
    steps = {step, *elsewhere}
    if not elsewhere or (step is Step.GOES and steps == {Step.GOES}):
        return
    if steps >= {Step.GOES, Step.COMES}:
        rule = MOVED
    elif Step.COMES in steps:
        rule = DECLARED_TWICE
    elif Step.GOES in steps:
        rule = ONE_OF_TWO_GOES
    else:
        rule = IN_STATE_TWICE
    yield rule(thing.what, kind=thing.kind, loss=thing.loss)

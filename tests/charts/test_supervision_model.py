"""A model of brokers, their supervisors and ZooKeeper: in any order of events, no broker that lives is harmed.

It stands for ``supervise.sh``, which ``test_supervise.py`` runs. What is left open is left to chance: a process and a
supervisor may end at any moment, a message may be late, overtaken or lost, a session may expire at any moment. Designs
that were not chosen are in it too, and the model finds what is wrong with each.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import pytest

NODES = ("registration", "controller")
UNDER_WAY = 2
"""How many messages may be under way at once: each of what goes wrong takes a late one, and another that is later."""


@dataclass(frozen=True)
class Design:
    """What is tried. The defaults are what is delivered."""

    incarnations: int = 2
    sessions: int = 2
    """How many each may open, one after the other."""
    elsewhere: bool = False
    """Whether each is a pod on another node with a volume of its own, and need not wait for the one before."""
    removal: Literal["close", "delete", "delete own"] = "close"
    """What a supervisor asks of ZooKeeper: to close the session; to delete the nodes; to delete them once it has seen
    that they are the dead process's."""
    locks: bool = True
    """Whether a lock keeps a supervisor from closing while another process of the volume lives."""
    late: bool = False
    """Whether ZooKeeper lets a session that has ended create nodes."""


class Incarnation(NamedTuple):
    """A broker's process and its supervisor, which share an open file: it is locked while one of them lives."""

    process: Literal["", "lives", "dead"] = ""
    supervisor: Literal["", "lives", "dead"] = ""
    lock: Literal["", "shared", "exclusive"] = ""
    sessions: int = 0
    """How many it has opened."""
    connected: bool = False
    """Whether it takes the last of them for standing."""
    believes: frozenset[str] = frozenset()
    """The nodes that it takes for its own."""


class Message(NamedTuple):
    """Under way to ZooKeeper."""

    asks: Literal["create", "close", "delete"]
    session: tuple[int, int]
    """The incarnation, and which of its sessions."""
    node: str = ""


class World(NamedTuple):
    """A state of everything."""

    incarnations: tuple[Incarnation, ...]
    recorded: tuple[frozenset[tuple[int, int]], ...]
    """The sessions in the file of each volume."""
    sessions: frozenset[tuple[int, int]] = frozenset()
    """Those that stand."""
    owners: frozenset[tuple[str, tuple[int, int]]] = frozenset()
    """The nodes that stand, each with its session."""
    messages: frozenset[Message] = frozenset()
    harm: str = ""
    """What a supervisor has just done to a process that lives."""


class Model:
    """The steps that a design allows."""

    def __init__(self, design: Design) -> None:
        self.design = design

    def first(self) -> World:
        count = self.design.incarnations
        return World(
            (Incarnation(),) * count, (frozenset[tuple[int, int]](),) * (count if self.design.elsewhere else 1)
        )

    def volume(self, number: int) -> int:
        return number if self.design.elsewhere else 0

    def is_free(self, world: World, number: int, *modes: str) -> bool:
        """Whether no other open file of the volume has a lock of these modes."""
        return not self.design.locks or not any(
            self.volume(other) == self.volume(number)
            and each.lock in modes
            and "lives" in (each.process, each.supervisor)
            for other, each in enumerate(world.incarnations)
            if other != number
        )

    def steps(self, world: World) -> Iterator[World]:
        for number, each in enumerate(world.incarnations):
            yield from self._of_supervisor(world, number, each)
            yield from self._of_process(world, number, each)
        for message in world.messages:
            rest = world._replace(messages=world.messages - {message})
            yield rest  # it is lost
            yield self._arrived(rest, message)
        for session in world.sessions:
            yield ended(world, session)

    def _of_supervisor(self, world: World, number: int, each: Incarnation) -> Iterator[World]:
        volume = self.volume(number)
        waits = not self.design.elsewhere and number > 0 and world.incarnations[number - 1].supervisor != "dead"
        if not each.supervisor and not waits:
            if self.is_free(world, number, "shared", "exclusive"):
                yield changed(world, number, each._replace(supervisor="lives", lock="exclusive"))
            elif self.is_free(world, number, "exclusive"):
                yield changed(world, number, each._replace(supervisor="lives", lock="shared"))
        if each.supervisor != "lives":
            return
        yield changed(world, number, each._replace(supervisor="dead"))
        if not each.process:
            # What it does not truncate, it leaves to others.
            recorded = list(world.recorded)
            if each.lock == "exclusive":
                recorded[volume] = frozenset()
            begun = changed(world, number, each._replace(process="lives", lock="shared"))
            yield begun._replace(recorded=tuple(recorded))
        if each.process == "dead" and each.lock == "shared" and self.is_free(world, number, "shared", "exclusive"):
            yield changed(world, number, each._replace(lock="exclusive"))
        if each.process != "lives" and each.lock == "exclusive":
            yield from self._removes(world, world.recorded[volume])

    def _removes(self, world: World, dead: frozenset[tuple[int, int]]) -> Iterator[World]:
        for session in dead:
            if self.design.removal == "close":
                yield sent(world, Message("close", session))
            for node in NODES:
                if self.design.removal == "delete" or (
                    self.design.removal == "delete own" and (node, session) in world.owners
                ):
                    yield sent(world, Message("delete", session, node))

    def _of_process(self, world: World, number: int, each: Incarnation) -> Iterator[World]:
        if each.process != "lives":
            return
        yield changed(world, number, each._replace(process="dead", connected=False, believes=frozenset()))
        session = (number, each.sessions)
        if each.connected and session not in world.sessions:
            yield changed(world, number, each._replace(connected=False, believes=frozenset()))  # it is told so
        elif each.connected:
            for node in NODES[: 1 + ("registration" in each.believes)]:
                if node not in each.believes:
                    yield sent(world, Message("create", session, node))
        elif each.sessions < self.design.sessions:
            session = (number, each.sessions + 1)
            opened = changed(world, number, each._replace(connected=True, sessions=each.sessions + 1))
            recorded = list(world.recorded)
            recorded[self.volume(number)] |= {session}  # a line that is lost is one less to be closed, no more
            yield opened._replace(sessions=world.sessions | {session}, recorded=tuple(recorded))

    def _arrived(self, world: World, message: Message) -> World:
        number, _ = message.session
        owner = dict(world.owners).get(message.node)
        if message.asks == "create":
            stands = message.session in world.sessions or self.design.late
            if owner is None and stands:
                world = world._replace(owners=world.owners | {(message.node, message.session)})
                owner = message.session
            each = world.incarnations[number]
            if owner == message.session and each.connected and each.sessions == message.session[1]:
                return changed(world, number, each._replace(believes=each.believes | {message.node}))
            return world
        if message.asks == "close":
            if message.session in world.sessions and is_of_a_living(world, message.session):
                world = world._replace(harm="a supervisor closes the session of a process that lives")
            return ended(world, message.session)
        if owner is not None and is_of_a_living(world, owner):
            world = world._replace(harm="a supervisor deletes the node of a process that lives")
        return world._replace(owners=frozenset(each for each in world.owners if each[0] != message.node))


def changed(world: World, number: int, each: Incarnation) -> World:
    return world._replace(incarnations=(*world.incarnations[:number], each, *world.incarnations[number + 1 :]))


def sent(world: World, message: Message) -> World:
    return world if len(world.messages) == UNDER_WAY else world._replace(messages=world.messages | {message})


def ended(world: World, session: tuple[int, int]) -> World:
    """ZooKeeper ends a session with everything that it holds, in one transaction."""
    owners = frozenset(each for each in world.owners if each[1] != session)
    return world._replace(sessions=world.sessions - {session}, owners=owners)


def is_of_a_living(world: World, session: tuple[int, int]) -> bool:
    number, which = session
    return world.incarnations[number].process == "lives" and world.incarnations[number].sessions == which


def wrongs(world: World) -> Iterator[str]:
    """What must never be."""
    if world.harm:
        yield world.harm
    if any(session not in world.sessions for _, session in world.owners):
        yield "a node outlives its session"
    for number, each in enumerate(world.incarnations):
        session = (number, each.sessions)
        held = {node for node, owner in world.owners if owner == session}
        if each.process == "lives" and each.connected and session in world.sessions and not each.believes <= held:
            yield "a broker takes itself for registered and is not"


def wrong(design: Design) -> set[str]:
    """What is wrong with the first world that has anything wrong; the fewest steps lead to it. Empty: there is none."""
    model = Model(design)
    seen = {model.first()}
    ahead = deque(seen)
    while ahead:
        for world in model.steps(ahead.popleft()):
            if world not in seen:
                seen.add(world)
                if here := set(wrongs(world)):
                    return here
                ahead.append(world)
    assert len(seen) > 1000, "the model has no room to go wrong"
    return set()


@pytest.mark.parametrize("design", [Design(), Design(sessions=1, elsewhere=True)], ids=str)
def test_no_broker_that_lives_is_harmed(design: Design) -> None:
    assert wrong(design) == set()


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        (Design(removal="delete"), "a supervisor deletes the node of a process that lives"),
        (Design(removal="delete own"), "a supervisor deletes the node of a process that lives"),
        (Design(locks=False), "a supervisor closes the session of a process that lives"),
        (Design(late=True), "a node outlives its session"),
    ],
    ids=str,
)
def test_the_model_finds_what_is_wrong_with_other_designs(design: Design, expected: str) -> None:
    assert expected in wrong(design)

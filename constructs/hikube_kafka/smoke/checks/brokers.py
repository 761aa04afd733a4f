"""Checks of the brokers: who is there, who they say they are, what they were told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from hikube_kafka.probe.observation import KafkaRegistry, Metadata, Observation, Unreadable, agreed
from hikube_kafka.smoke.finding import Outcome, check, listed
from hikube_kafka.spec.contract import BrokerExpected, Contract
from hikube_kafka.spec.definitions import Definition, broker_definition, is_reference, is_same

Told = TypeVar("Told")


@check(
    "brokers-answer",
    "Every broker answers at its declared address",
    remedy="A broker under another id than declared has another server's configuration; one that nobody advertises at "
    "its address has wrong advertised.listeners.",
    unread_remedy="Start the brokers named, and read their logs if they run.",
)
def brokers_answer(contract: Contract, seen: Observation) -> Outcome:
    """The broker itself answers, and it is the one that is declared there."""
    wrong: list[str] = []
    another: list[str] = []
    unread: list[Unreadable] = []
    for broker in contract.kafka.brokers:
        answer = seen.kafka.broker(broker.address)
        if isinstance(answer.metadata, Unreadable):
            unread.append(replace(answer.metadata, what=name(broker)))
        elif answer.id is None:
            advertised = listed(answer.metadata.brokers.values())
            wrong.append(f"{name(broker)} answers, but no broker advertises this address; advertised: {advertised}")
        elif answer.id != broker.id:
            another.append(f"{name(broker)} answers as broker {answer.id}")
    return Outcome(
        expected=f"an answer from each of {len(contract.kafka.brokers)}",
        seen=f"{len(contract.kafka.brokers)} answer",
        wrong=wrong,
        lasting=another,
        unread=unread,
    )


@check(
    "brokers-registered",
    "The brokers registered in ZooKeeper are those that are declared",
    remedy="Start a broker that does not run. One that answers and is not registered has lost its ZooKeeper session: "
    "restart it. A surplus broker belongs to another declaration on the same ZooKeeper: stop it, or give each its own "
    "chroot.",
)
def registered(contract: Contract, seen: Observation) -> Outcome:
    """``/brokers/ids`` as each ZooKeeper server has it."""
    wrong: list[str] = []
    unread: list[Unreadable] = []
    for address, registry in _registries(contract, seen):
        if isinstance(registry, Unreadable):
            unread.append(registry)
        else:
            wrong += _differences(contract, registry.brokers, f"in /brokers/ids of ZooKeeper server {address}")
    ids = listed(broker.id for broker in contract.kafka.brokers)
    return Outcome(expected=f"brokers {ids}", seen=f"brokers {ids}", wrong=wrong, unread=unread)


@check(
    "brokers-in-metadata",
    "Every broker's metadata names exactly the declared brokers, at their addresses",
    remedy="Clients follow this metadata. Start a broker that is missing because it does not run; restart, one at a "
    "time, one that runs and stays missing, and one whose view differs from the others'. Correct advertised.listeners "
    "where an address differs.",
)
def in_metadata(contract: Contract, seen: Observation) -> Outcome:
    """The view of each broker by itself: one broker's view may be stale."""
    wrong: list[str] = []
    unread: list[Unreadable] = []
    for broker, view in views(contract, seen):
        if isinstance(view, Unreadable):
            unread.append(view)
            continue
        where = f"in the metadata of {name(broker)}"
        wrong += _differences(contract, view.brokers, where)
        wrong += [
            f"broker {other.id} is advertised as {view.brokers[other.id]}, not {other.address}, {where}"
            for other in contract.kafka.brokers
            if view.brokers.get(other.id, other.address) != other.address
        ]
    ids = listed(broker.id for broker in contract.kafka.brokers)
    return Outcome(expected=f"brokers {ids}", seen=f"brokers {ids}, alike from each", wrong=wrong, unread=unread)


@check(
    "one-cluster-id",
    "All brokers and ZooKeeper servers name one cluster id",
    remedy="Two ids are two clusters: a broker or server has the data or the addresses of another one.",
)
def one_cluster_id(contract: Contract, seen: Observation) -> Outcome:
    """From each broker's metadata and each ZooKeeper server's ``/cluster/id``."""
    named, unread = _named(contract, seen, lambda view: view.cluster_id)
    agree = agreed(named.values()) is not None
    wrong = [] if agree else [f"{who} names {id_ or 'none'}" for who, id_ in named.items()]
    starting = any(id_ is None for id_ in named.values())
    return Outcome(
        expected="one cluster id",
        seen=f"cluster id {listed(set(named.values()))}",
        wrong=wrong if starting else (),
        lasting=() if starting else wrong,
        unread=unread,
    )


@check(
    "one-controller",
    "All brokers and ZooKeeper servers name one controller, a declared broker",
    remedy="Without a controller nothing is elected, created or moved. If ZooKeeper names none, no broker has a "
    "session there: brokers-registered and the brokers' logs tell why. If it names one that the brokers do not, "
    "restart that one; a broker that alone names another has a stale view: restart that broker.",
)
def one_controller(contract: Contract, seen: Observation) -> Outcome:
    """From each broker's metadata and each ZooKeeper server's ``/controller``."""
    named, unread = _named(contract, seen, lambda view: view.controller)
    agree = agreed(named.values()) in {broker.id for broker in contract.kafka.brokers}
    return Outcome(
        expected="one controller, named by all",
        seen=f"broker {listed(set(named.values()))}, named by all",
        wrong=[]
        if agree
        else [f"{who} names {'none' if id_ is None else f'broker {id_}'}" for who, id_ in named.items()],
        unread=unread,
    )


@check(
    "broker-racks",
    "Every broker is registered in its declared rack",
    remedy="Replicas are spread by this rack. Correct broker.rack and restart the brokers named, one at a time.",
)
def racks(contract: Contract, seen: Observation) -> Outcome:
    """The rack with which each broker registered itself."""
    promised = [broker for broker in contract.kafka.brokers if broker.rack is not None]
    if not promised:
        return Outcome(expected="nothing", seen="", untested="the contract declares no rack")
    wrong: list[str] = []
    unread: list[Unreadable] = []
    for _, registry in _registries(contract, seen):
        if isinstance(registry, Unreadable):
            unread.append(registry)
            continue
        for broker in promised:
            registration = registry.brokers.get(broker.id)
            if registration is None:
                unread.append(Unreadable(f"rack of {name(broker)}", "it is not registered"))
            elif registration.rack != broker.rack:
                wrong.append(f"{name(broker)} is in rack {registration.rack or 'none'}, not {broker.rack}")
    told = listed(f"{broker.id} in {broker.rack}" for broker in promised)
    return _kept_until_a_restart(contract, Outcome(expected=told, seen=told, unread=unread), wrong)


@check(
    "broker-settings",
    "The declared settings are in force on every broker",
    remedy="A setting that was changed by hand (kafka-configs) overrides the file: delete it there. Otherwise apply "
    "the declaration again, so that the brokers restart with it.",
)
def settings_in_force(contract: Contract, seen: Observation) -> Outcome:
    """The values in force, wherever they come from, as Kafka understands them: ``08`` is 8.

    A broker shows no secret, no key that it does not know (a plugin's), and no reference: it has the value from where
    that leads, which is nobody's to print. Of these the contract cannot be held against what the broker tells.
    """
    if not contract.kafka.settings:
        return Outcome(expected="nothing", seen="", untested="the contract declares no broker setting")
    wrong: list[str] = []
    unread: list[Unreadable] = []
    notes: dict[str, str] = {}
    for broker in contract.kafka.brokers:
        settings = seen.kafka.broker(broker.address).settings
        if isinstance(settings, Unreadable):
            unread.append(replace(settings, what=f"settings of {name(broker)}"))
            continue
        for key, value in contract.kafka.settings.items():
            definition = broker_definition(key)
            told = settings.get(key)
            if untold := _untold(value, told, definition, secret=key in seen.kafka.broker(broker.address).secrets):
                notes[key] = f"{key} cannot be told: {untold}"
            elif told is None and key not in settings:
                unread.append(Unreadable(f"{key} of {name(broker)}", "the broker does not report its value"))
            elif told is None:
                wrong.append(f"{key} is not set, and must be {value}, on {name(broker)}")
            elif not is_same(definition, told, value):
                wrong.append(f"{key} = {told}, not {value}, on {name(broker)}")
    count = len(contract.kafka.settings) - len(notes)
    in_force = f"settings in force on each broker: {count}"
    outcome = Outcome(
        expected=in_force,
        seen=in_force,
        untested="" if count else "none of the declared settings can be told",
        unread=unread,
        notes=notes.values(),
    )
    return _kept_until_a_restart(contract, outcome, wrong)


def _kept_until_a_restart(contract: Contract, outcome: Outcome, wrong: list[str]) -> Outcome:
    """What a broker has from its start on: elsewhere than on this machine, somebody may be restarting them in turn."""
    return replace(outcome, lasting=wrong) if contract.target == "local" else replace(outcome, wrong=wrong)


def _untold(value: str, told: str | None, definition: Definition | None, *, secret: bool) -> str:
    """Why a broker does not tell whether a setting is as declared; empty: it does."""
    if definition is not None and definition.sensitive:
        return "it is a secret"
    if is_reference(value) and told is not None:
        if told == value:
            return f"the broker has found nothing at {value}, and runs with these very words"
        return f"the broker shows what {value} leads to, and not the reference"
    if told is None and definition is None:
        return "Kafka does not know this key, and does not show what a plugin reads"
    return "the broker keeps it to itself" if told is None and secret else ""


@check("kafka-version", "The brokers run the declared version", remedy="")
def version(contract: Contract, _seen: Observation) -> Outcome:
    """Stated rather than left out: Kafka's protocol does not tell a client the broker's version."""
    return Outcome(
        expected=contract.kafka.version, seen="", untested="Kafka does not report its version over the network"
    )


def name(broker: BrokerExpected) -> str:
    """Name a broker in a finding: id and address."""
    return f"broker {broker.id} ({broker.address})"


def views(contract: Contract, seen: Observation) -> Iterator[tuple[BrokerExpected, Metadata | Unreadable]]:
    """Give the metadata as each declared broker has it."""
    for broker in contract.kafka.brokers:
        metadata = seen.kafka.broker(broker.address).metadata
        if isinstance(metadata, Unreadable):
            metadata = replace(metadata, what=f"metadata of {name(broker)}")
        yield broker, metadata


def _registries(contract: Contract, seen: Observation) -> Iterator[tuple[str, KafkaRegistry | Unreadable]]:
    for server in contract.zookeeper.servers:
        yield server.address, seen.zookeeper.server(server.address).kafka


def _named(
    contract: Contract, seen: Observation, of: Callable[[Metadata | KafkaRegistry], Told]
) -> tuple[dict[str, Told], list[Unreadable]]:
    """What each broker's metadata and each ZooKeeper server's tree name, by who names it, and what was not read."""
    named: dict[str, Told] = {}
    unread: list[Unreadable] = []
    told = [(name(broker), view) for broker, view in views(contract, seen)]
    kept = [(f"ZooKeeper server {address}", registry) for address, registry in _registries(contract, seen)]
    for who, answer in (*told, *kept):
        if isinstance(answer, Unreadable):
            unread.append(answer)
        else:
            named[who] = of(answer)
    return named, unread


def _differences(contract: Contract, present: Mapping[int, object], where: str) -> Iterator[str]:
    declared = {broker.id: broker for broker in contract.kafka.brokers}
    for id_, broker in declared.items():
        if id_ not in present:
            yield f"{name(broker)} is missing {where}"
    for id_ in sorted(set(present) - set(declared)):
        yield f"broker {id_} is not declared, but is {where}"

"""Changes of an ensemble on this machine: ``hikube_local_ensemble``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hikube_kafka.spec.changes.replicas import Replicas, held, in_words
from hikube_kafka.spec.problem import Problem, Rule

ZOOKEEPER_CHANGES = Rule(
    id="local-zookeeper-changes",
    severity="error",
    message="its ZooKeeper servers cannot change from {before} to {after}.",
    why="A static server list that changes by restarts can elect two leaders, and acknowledged writes are then lost.",
    remedy="Declare the same servers again; for another number of them, make an ensemble of another name and copy the "
    "topics.",
)
HOLDS_REPLICAS = Rule(
    id="local-broker-holds-replicas",
    severity="error",
    message="it cannot be removed: it holds replicas.",
    why="Partitions would lose a copy, or all of them: {replicas}.",
    remedy="Declare it again; or move its replicas first: lower the replication_factor of these topics, or delete them "
    "(internal ones: kafka-reassign-partitions).",
)
REPLACED = Rule(
    id="local-ensemble-replaced",
    severity="warning",
    message="it would be replaced by a new one.",
    why="Its name or directory changes: the servers in {directory} are stopped, and a new ensemble starts. The data "
    "{data}.",
    remedy="To keep the ensemble, declare its name and directory as before.",
)
RENAMED = Rule(
    id="local-ensemble-renamed",
    severity="error",
    message="it cannot be renamed to {name} in the same directory.",
    message_in_general="it cannot be renamed in the same directory.",
    why="keep_data is true, so {directory} would still hold the data of {before} when {name} is to start there.",
    remedy="Declare its name as before, or another directory too.",
)
EXISTS = Rule(
    id="local-ensemble-exists",
    severity="error",
    message="{directory} already holds an ensemble ({running}).",
    message_in_general="its directory already holds an ensemble.",
    why="Another Terraform state, or this one at another address, may hold it. No ensemble is taken over silently: its "
    "servers would be restarted with another configuration, and a destroy would stop them.",
    remedy="To manage it from here, import it, with the address of this resource in place of "
    "hikube_local_ensemble.this:\n\n"
    "  terraform import hikube_local_ensemble.this {identifier}\n\n"
    "If its address in this configuration has changed, use a moved block instead. If no state holds it any more, "
    "release it with the following command, which stops its servers and keeps its data for the next apply:\n\n"
    "  hikube-kafka local stop --ensemble {identifier}\n\n"
    "For another ensemble beside it, declare another name and directory.",
    remedy_in_general="Import it (terraform import); or, if no state holds it any more, release it with hikube-kafka "
    "local stop; or declare another name and directory.",
)
HELD_ELSEWHERE = Rule(
    id="local-ensemble-held-elsewhere",
    severity="error",
    message="it now belongs to another Terraform state.",
    why="It was stopped, and another state has created an ensemble in {directory} since. From here it is neither "
    "changed nor stopped, and its data is not removed.",
    remedy="Remove it from this state alone, with its address in place of hikube_local_ensemble.this:\n\n"
    "  terraform state rm hikube_local_ensemble.this\n\n"
    "To create another ensemble from here, declare another name and directory.",
    remedy_in_general="Remove it from this state alone (terraform state rm).",
)
PORTS_TAKEN = Rule(
    id="local-ensemble-port-twice",
    severity="error",
    message="{other} of this configuration listens on the same ports: {ports}.",
    message_in_general="two ensembles, or an ensemble and Connect workers, of one configuration listen on the same "
    "ports.",
    why="Of two servers with one port the second does not start.",
    remedy="Give one of the two other ports.",
)
DIRECTORY_SHARED = Rule(
    id="local-directory-shared",
    severity="error",
    message="{directory} is the directory of {other} as well.",
    message_in_general="its directory is another one's as well.",
    why="Each of the two would take what the other keeps there for its own.",
    remedy="Give one of the two another directory.",
)
TAINTED = Rule(
    id="local-ensemble-tainted",
    severity="warning",
    message="it is tainted: it would be destroyed and created again, without its data.",
    why="keep_data is false, so the data in {directory} is deleted with it.",
    remedy="To keep it, with its address in place of hikube_local_ensemble.this:\n\n"
    "  terraform untaint hikube_local_ensemble.this\n",
    remedy_in_general="To keep it, use terraform untaint.",
)
STARTS_EMPTY = Rule(
    id="local-ensemble-starts-empty",
    severity="warning",
    message="its directory {directory} is not there or is empty, and it would start without data.",
    message_in_general="its directory is not there or is empty, and it would start without data.",
    why="Its data was deleted or moved, or is on a disk that is not mounted.",
    remedy="If the data still exists, put it back before the apply.",
)


PORTS_OF_CLIENTS = Rule(
    id="local-ensemble-ports-of-clients",
    severity="warning",
    message="it listens on ports that this machine also gives to outgoing connections ({first} to {last}): {ports}.",
    message_in_general="it listens on ports that this machine also gives to outgoing connections.",
    why="While a connection of any program holds such a port, the server does not start.",
    remedy="Declare ports below {first}.",
    remedy_in_general="Declare ports below that range.",
)


class Present(NamedTuple):
    """An ensemble that is already there where one is to be created."""

    running: Sequence[str]
    """Names of its servers that run."""
    identifier: str
    """By which it is imported and released: its name, or its directory; quoted for a shell."""


class Known(NamedTuple):
    """What is known of its cluster, and of its directory."""

    replicas: Replicas | None = None
    """Who holds which; None: nobody could be asked."""
    present: Present | None = None
    """What is there already that no part of this state is known to hold."""
    held_elsewhere: bool = False
    """Somebody else has created an ensemble in its directory since."""
    tainted: bool = False
    """With no prior: this state holds it, and it is destroyed with its data before it is created again."""
    missing: bool = False
    """Its directory is not there or is empty, and none of its servers runs."""
    shared_with: str | None = None
    """What else of the same configuration has its directory: ``Connect cluster changes``."""
    ports: Mapping[str, Sequence[int]] = {}
    """By what else the same configuration declares, ``ensemble events``: the ports that both have."""
    clients: tuple[int, int] | None = None
    """The first and the last port that its machine gives to outgoing connections; None: it does not tell."""
    of_clients: Sequence[int] = ()
    """The ports of the ensemble that are among those, as far as they are new."""


def problems(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, known: Known | None = None
) -> Iterator[Problem]:
    """Losses of data, an ensemble that moves away from its data, and what belongs to somebody else.

    Args:
        prior: As it is, with its ``path``; None: it is created.
        planned: As it is to be; None: it is deleted, which keeps the data unless ``keep_data`` is false.
        known: What is known of its cluster.
    """
    known = known or Known()
    if prior is not None and known.held_elsewhere:
        yield HELD_ELSEWHERE(_where(prior), directory=prior["path"])
        return
    if planned is None:
        return
    if known.shared_with is not None:
        yield DIRECTORY_SHARED(_where(planned), path=("directory",), directory=planned["path"], other=known.shared_with)
    for other, ports in known.ports.items():
        yield PORTS_TAKEN(_where(planned), other=other, ports=", ".join(map(str, sorted(ports))))
    if known.clients is not None and known.of_clients:
        first, last = known.clients
        yield PORTS_OF_CLIENTS(
            _where(planned), first=first, last=last, ports=", ".join(map(str, sorted(known.of_clients)))
        )
    if prior is None:
        yield from _already_there(planned, known)
    elif any(planned.get(each) != prior[each] for each in ("name", "path")):
        yield _elsewhere(prior, planned)
    else:
        yield from _servers(prior, planned, known)


def _where(values: Mapping[str, Any]) -> str:
    return f"ensemble {values['name']}" if "name" in values else "an ensemble"


def _already_there(planned: Mapping[str, Any], known: Known) -> Iterator[Problem]:
    if known.present is not None:
        yield EXISTS(
            _where(planned),
            directory=planned["path"],
            running=f"running: {', '.join(known.present.running) or 'none of its servers'}",
            identifier=known.present.identifier,
        )
    if known.tainted:
        yield TAINTED(_where(planned), directory=planned["path"])


def _elsewhere(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Problem:
    """It moves away from its data, or would be started on that of another name."""
    deleted = prior["keep_data"] is False
    if not deleted and planned.get("path") == prior["path"] and "name" in planned:
        return RENAMED(
            _where(prior), path=("name",), name=planned["name"], before=prior["name"], directory=prior["path"]
        )
    return REPLACED(
        _where(prior),
        directory=prior["path"],
        data="is deleted with the old ensemble, because keep_data is false"
        if deleted
        else "stays there, unused by the new one",
    )


def _servers(prior: Mapping[str, Any], planned: Mapping[str, Any], known: Known) -> Iterator[Problem]:
    where = _where(prior)
    if known.missing:
        yield STARTS_EMPTY(where, directory=prior["path"])
    zookeeper = _ids(planned, "zookeeper")
    if zookeeper is not None and zookeeper != (before := _ids(prior, "zookeeper") or set()):
        yield ZOOKEEPER_CHANGES(where, path=("zookeeper",), before=_listed(before), after=_listed(zookeeper))
    gone = going(prior, planned)
    if gone and known.replicas is not None:
        for broker, topics in held(known.replicas, gone.__contains__).items():
            yield HOLDS_REPLICAS(f"broker {broker}", path=("brokers",), replicas=in_words({broker: topics}))


def going(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> set[int]:
    """The brokers that are no longer declared; none while they are not known."""
    brokers = _ids(planned, "brokers")
    return set() if brokers is None else (_ids(prior, "brokers") or set()) - brokers


def _ids(values: Mapping[str, Any], kind: str) -> set[int] | None:
    """The ids of the servers; None while one of them is not known."""
    servers = values.get(kind)
    if servers is None or not all(server and "id" in server for server in servers):
        return None
    return {server["id"] for server in servers}


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))

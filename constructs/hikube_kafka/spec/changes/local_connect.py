"""Changes of Connect workers on this machine: ``hikube_local_connect``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hikube_kafka.spec.changes.local_ensemble import DIRECTORY_SHARED, PORTS_OF_CLIENTS, PORTS_TAKEN, Present
from hikube_kafka.spec.problem import Problem, Rule

EXISTS = Rule(
    id="local-connect-exists",
    severity="error",
    message="{directory} already holds workers of a Connect cluster ({running}).",
    message_in_general="its directory already holds workers of a Connect cluster.",
    why="Another Terraform state, or this one at another address, may hold them. No workers are taken over silently: "
    "they would be restarted with another configuration, and a destroy would stop them.",
    remedy="To manage them from here, import them, with the address of this resource in place of "
    "hikube_local_connect.this:\n\n"
    "  terraform import hikube_local_connect.this {identifier}\n\n"
    "If its address in this configuration has changed, use a moved block instead. If no state holds them any more, "
    "release them with the following command, which stops them:\n\n"
    "  hikube-kafka local stop --ensemble {identifier}\n\n"
    "For another Connect cluster beside it, declare another name and directory.",
    remedy_in_general="Import them (terraform import); or, if no state holds them any more, release them with "
    "hikube-kafka local stop; or declare another name and directory.",
)
HELD_ELSEWHERE = Rule(
    id="local-connect-held-elsewhere",
    severity="error",
    message="they now belong to another Terraform state.",
    why="They were stopped, and another state has created workers in {directory} since. From here they are neither "
    "changed nor stopped.",
    remedy="Remove them from this state alone, with the address in place of hikube_local_connect.this:\n\n"
    "  terraform state rm hikube_local_connect.this\n\n"
    "To create other workers from here, declare another name and directory.",
    remedy_in_general="Remove them from this state alone (terraform state rm).",
)
GROUP_TWICE = Rule(
    id="local-connect-group-twice",
    severity="error",
    message="group.id {group} is that of {other} as well.",
    message_in_general="its group.id is that of other workers of this configuration as well.",
    why="The workers of both would be one group: with the same topics they would run each other's connectors, with "
    "others they would never agree.",
    remedy="Give one of the two another group.id and other internal topics.",
)


class Known(NamedTuple):
    """What is known of their directory, and of others of the same configuration."""

    present: Present | None = None
    """Workers that are already there, and that no part of this state is known to hold."""
    held_elsewhere: bool = False
    """Somebody else has created workers in their directory since."""
    shared_with: str | None = None
    """What else has their directory: ``ensemble events``."""
    group: tuple[str, str] | None = None
    """Their ``group.id``, and what else has it."""
    ports: Mapping[str, Sequence[int]] = {}
    """By what else this configuration declares: the ports that both have."""
    clients: tuple[int, int] | None = None
    """The first and the last port that their machine gives to outgoing connections; None: it does not tell."""
    of_clients: Sequence[int] = ()
    """Their ports that are among those, as far as they are new."""


def problems(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, known: Known | None = None
) -> Iterator[Problem]:
    """What belongs to somebody else.

    Args:
        prior: As they are, with their ``path``; None: they are created.
        planned: As they are to be; None: they are stopped for good.
        known: What is known of their directory.
    """
    known = known or Known()
    if prior is not None and known.held_elsewhere:
        yield HELD_ELSEWHERE(_where(prior), directory=prior["path"])
        return
    if planned is None:
        return
    where = _where(planned)
    if known.shared_with is not None:
        yield DIRECTORY_SHARED(where, path=("directory",), directory=planned["path"], other=known.shared_with)
    elif known.present is not None:
        running = ", ".join(known.present.running) or "none of them"
        yield EXISTS(
            where,
            directory=planned["path"],
            running=f"running: {running}",
            identifier=known.present.identifier,
        )
    if known.group is not None:
        group, other = known.group
        yield GROUP_TWICE(where, path=("workers",), group=group, other=other)
    for other, ports in known.ports.items():
        yield PORTS_TAKEN(where, other=other, ports=", ".join(map(str, sorted(ports))))
    if known.clients is not None and known.of_clients:
        first, last = known.clients
        yield PORTS_OF_CLIENTS(where, first=first, last=last, ports=", ".join(map(str, sorted(known.of_clients))))


def _where(values: Mapping[str, Any]) -> str:
    return f"Connect cluster {values['name']}" if "name" in values else "a Connect cluster"

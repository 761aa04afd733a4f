"""Who holds an ensemble: a mark in its directory, so that no second state takes over what the first one made.

The mark is written and changed only by whoever holds the lock of the directory. An ensemble that was made before there
were marks has none: it belongs to whoever has it, and is free once its servers are stopped.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.configuration import write
from hikube_kafka.ensemble.directory import changing
from hikube_kafka.ensemble.errors import (
    ApplyInterruptedError,
    EnsembleError,
    EnsembleExistsError,
    HeldByAnotherError,
)
from hikube_kafka.ensemble.processes import settled_servers
from hikube_kafka.waiting import Stopped

OWNER_FILE = "owner.json"

Standing = Literal["being created", "held", "released"]
"""``being created``: no state knows of it yet, and whoever creates it next goes on with it. ``released``: it was
stopped, and its data was kept for whoever creates an ensemble there."""


@dataclass(frozen=True, kw_only=True)
class Ownership:
    """What the mark says."""

    owner: str
    standing: Standing


def new_owner() -> str:
    """An id that no other creation has."""
    return uuid.uuid4().hex


def read_ownership(directory: Path) -> Ownership | None:
    """The mark; None where there is none.

    Raises:
        EnsembleError: It is there and cannot be read: that is not the same as none.
    """
    path = directory / OWNER_FILE
    try:
        return Ownership(**json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise EnsembleError(
            f"{path}, which says which Terraform state holds the ensemble, cannot be read ({error}): repair it, or "
            "delete it if no other state holds this ensemble."
        ) from error


def mark(directory: Path, ownership: Ownership | None) -> None:
    """Write the mark; None removes it."""
    if ownership is None:
        (directory / OWNER_FILE).unlink(missing_ok=True)
    else:
        write(directory / OWNER_FILE, json.dumps(asdict(ownership)) + "\n")


def release(directory: Path) -> None:
    """Leave the stopped ensemble, and its data, to whoever creates one here next."""
    before = read_ownership(directory)
    if before is not None:
        mark(directory, Ownership(owner=before.owner, standing="released"))


def refuse_existing(directory: Path) -> None:
    """Let nobody create an ensemble where there is one.

    Raises:
        EnsembleExistsError: A state holds one here, or servers run that nobody has left half made.
    """
    found = read_ownership(directory)
    standing = found.standing if found else None
    running = sorted(settled_servers(directory))
    if standing == "held" or (running and standing != "being created"):
        raise EnsembleExistsError(directory, running)


def refuse_foreign(directory: Path, owner: str | None) -> None:
    """Let nobody change an ensemble that somebody else has created since.

    Raises:
        HeldByAnotherError: The mark is another's.
    """
    found = read_ownership(directory)
    if found is not None and found.owner != owner:
        raise HeldByAnotherError(directory)


class Holding:
    """In whose name one call changes an ensemble, while it holds the lock.

    Args:
        directory: The ensemble's, absolute.
        owner: Id that the caller's state has, or gives to a creation; None: nobody asks, and no mark is written.
        creating: The caller's state has no ensemble here yet.

    Raises:
        EnsembleExistsError, HeldByAnotherError: The caller must not change it.
    """

    def __init__(self, directory: Path, owner: str | None, *, creating: bool) -> None:
        self._directory = directory
        self._owner = owner
        self.creating = creating
        self._before = read_ownership(directory)
        self._begun = False
        if owner is not None and creating:
            refuse_existing(directory)
        elif owner is not None:
            refuse_foreign(directory, owner)

    def begin(self) -> None:
        """The first server is about to start: a creation that is killed from here on is gone on with by the next."""
        if self.creating and self._owner is not None:
            self._begun = True
            mark(self._directory, Ownership(owner=self._owner, standing="being created"))

    def keep(self) -> None:
        """The caller's state will have what this call leaves."""
        if self._owner is not None:
            mark(self._directory, Ownership(owner=self._owner, standing="held"))

    def give_back(self) -> None:
        """The caller's state will not have it: a creation that leaves nothing running has changed nothing."""
        if self._begun and not settled_servers(self._directory):
            mark(self._directory, self._before)


@contextmanager
def applying(directory: Path, name: str, conduct: Conduct, owner: str | None, *, creating: bool) -> Iterator[Holding]:
    """Hold a directory alone while its servers are brought to what is declared, and say afterwards who holds them.

    Args:
        directory: Theirs, absolute.
        name: Of what they are, for what cannot be made.
        conduct: How long the directory is waited for.
        owner: As for :class:`Holding`.
        creating: As for :class:`Holding`.

    Raises:
        PreflightError, DirectoryBusyError: The directory cannot be had.
        EnsembleExistsError, HeldByAnotherError: It is somebody else's.
        ApplyInterruptedError: In place of ``Stopped``; of a creation, what runs is held.
    """
    with changing(directory, name, conduct):
        holding = Holding(directory, owner, creating=creating)
        try:
            yield holding
        except Stopped:
            running = sorted(settled_servers(directory))  # one look: the caller records by it what is held
            if creating and running:
                holding.keep()
            else:
                holding.give_back()
            raise ApplyInterruptedError(running) from None
        except BaseException:
            holding.give_back()
            raise
        holding.keep()


@contextmanager
def ending(directory: Path, conduct: Conduct, owner: str | None) -> Iterator[None]:
    """Hold a directory alone while its servers are ended.

    Args:
        directory: Theirs, absolute.
        conduct: How long the directory is waited for.
        owner: Id that the caller's state has; None: nobody asks.

    Raises:
        HeldByAnotherError, DirectoryBusyError: It is somebody else's, or another process changes it.
        ApplyInterruptedError: In place of ``Stopped``.
    """
    with changing(directory, directory.name, conduct):
        if owner is not None:
            refuse_foreign(directory, owner)
        yield

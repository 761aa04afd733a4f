"""What the exit code of a command says."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ends."""

    ALL_WELL = 0
    SOMETHING_WRONG = 1
    """A check failed, or a server is not as declared."""
    NOTHING_CHECKED = 2
    """Nothing could be checked, or the command was misused."""

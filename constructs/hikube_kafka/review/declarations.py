"""Where the addresses of a plan are declared, as synth has recorded it."""

from pathlib import Path

from hikube_kafka.review.finding import Location
from hikube_kafka.spec.declarations import FILE, read


class DeclarationsError(ValueError):
    """A file that was named cannot be read. The message says why."""


def read_declarations(plan: Path, named: Path | None) -> dict[str, Location]:
    """The lines by address, without keys of ``count`` or ``for_each``.

    Args:
        plan: The plan; the file beside it is read, if there is one.
        named: The file in place of that, or the folder of a synthesized stack.

    Raises:
        DeclarationsError: The file was named, and cannot be read; one that is there by chance is not insisted on.
    """
    file = named if named is not None else plan.parent / FILE
    if file.is_dir():
        file /= FILE
    try:
        lines = read(file.read_bytes())
    except OSError as error:
        if named is None:
            return {}
        raise DeclarationsError(f"{file}: {error.strerror or error}. cdktf synth writes it beside the stack.") from None
    except ValueError as error:
        if named is None:
            return {}
        raise DeclarationsError(f"{file}: {error}. cdktf synth writes it beside the stack.") from None
    return {address: Location(file=place, line=line) for address, (place, line) in lines.items()}

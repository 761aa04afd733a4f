"""A part of an app whose declaration is refused: it adds nothing to its stack, and no synth passes it by.

The reasons of all parts are shown together and once, without the calls of Python and Node around them: with the CDK's
own ``App`` too, which would show those of the first stack twice, within a hundred lines.
"""

import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from pydantic import ValidationError

from hikube_kafka.platform.cdk import (
    Construct,
    FamilyError,
    IConstruct,
    IValidation,
    TerraformElement,
    TerraformStack,
    implements,
)
from hikube_kafka.spec.mistakes import of_validation_error
from hikube_kafka.spec.problem import DeclarationError, Problem
from hikube_kafka.spec.quantities import MeasureError

HEADING = "The declaration is not valid:"
_OF_THE_CDK = "Error: Validation failed with the following errors:"

_REFUSED: WeakKeyDictionary[IConstruct, tuple[Problem, ...]] = WeakKeyDictionary()


class RefusedError(DeclarationError, AttributeError):
    """Something was read that a refused part never got: whoever only asks whether it is there gets an answer."""


def refuse(part: Construct, problems: Iterable[Problem]) -> None:
    """Have every synth fail, and tell these problems with those of all the other parts.

    Args:
        part: a construct that has added nothing to its stack.
        problems: the errors of its declaration.
    """
    _REFUSED[part] = tuple(problems)
    part.node.add_validation(_Validation(part))
    _Guard(part, "refused")


def reasons(part: IConstruct) -> tuple[Problem, ...] | None:
    """Why the part is refused; None if it is not."""
    return _REFUSED.get(part)


def reports(root: IConstruct) -> Iterator[str]:
    """Everything that keeps the app from being synthesized, each once: ``[stack/events] topic orders: ...``."""
    shown: set[int | str] = set()
    for each in root.node.find_all():
        own = _REFUSED.get(each, ())
        for problem in own:
            # What several platforms contain is mistaken once, at one line of the code.
            key = str(problem) if problem.where.endswith(")") else id(problem)
            if key not in shown:
                shown.add(key)
                yield f"[{each.node.path}] {problem}"
        told = {str(problem) for problem in own}
        yield from (f"[{each.node.path}] {error}" for error in each.node.validate() if error not in told)


def told(error: BaseException) -> str | None:
    """What a person reads in place of the error and its traceback; None where it is none of a declaration."""
    if isinstance(error, RuntimeError):
        return _of_a_synth(str(error))
    if isinstance(error, FamilyError):
        return f"{error}\n"
    lines: list[str] = []
    if isinstance(error, DeclarationError):
        lines = [str(problem) for problem in error.problems]
    elif isinstance(error, ValidationError) and _is_ours(error):
        lines = [str(problem) for problem in of_validation_error(error)]
    elif isinstance(error, MeasureError):
        frames = reversed(traceback.extract_tb(error.__traceback__))
        here = next(frame for frame in frames if not frame.filename.startswith(_PACKAGE))
        lines = [f"{here.filename}:{here.lineno}: {error}"]
    return _text(lines) if lines else None


def text(app: IConstruct, first: Iterable[str]) -> str:
    """What a person reads: these reasons, and those of all refused parts of the app."""
    return "\n  ".join([HEADING, *first, *reports(app)]) + "\n"


def _is_ours(error: ValidationError) -> bool:
    """Whether a model of a declaration was read, and not one of somebody else's."""
    files = [
        frame.f_code.co_filename
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").partition(".")[0] != "pydantic"
    ]
    return bool(files) and files[-1].startswith(_PACKAGE)


def _of_a_synth(message: str) -> str | None:
    before, found, after = message.partition(HEADING)
    if found:
        return f"{HEADING}{after.rstrip()}\n"
    # The CDK asks one stack after the other, and stops at the first that has errors.
    return _text(()) if _OF_THE_CDK in before else None


def _text(first: Iterable[str]) -> str | None:
    lines = list(first)
    for root in {stack.node.root for stack in list(_STACKS)}:
        lines += [line for line in reports(root) if line.partition("] ")[2] not in lines]
    return "\n  ".join([HEADING, *lines]) + "\n" if lines else None


def follow(stack: TerraformStack) -> None:
    """Remember the stack as one of those whose problems are told."""
    _STACKS[stack] = None


_STACKS: WeakKeyDictionary[TerraformStack, None] = WeakKeyDictionary()


@implements(IValidation)
class _Validation:
    """How the CDK asks, at synth."""

    def __init__(self, part: Construct) -> None:
        self._part = part

    def validate(self) -> list[str]:
        return [str(problem) for problem in _REFUSED[self._part]]


class _Guard(TerraformElement):
    """What no synth passes: ``Testing.synth`` asks for no validation, and would answer ``{}``."""

    def to_terraform(self) -> Any:
        """Refuse.

        Raises:
            RuntimeError: always, with all that is wrong with the app.
        """
        self._refuse()

    def to_hcl_terraform(self) -> Any:
        """Refuse.

        Raises:
            RuntimeError: always, with all that is wrong with the app.
        """
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise RuntimeError("\n  ".join([HEADING, *reports(self.node.root)]))


_PACKAGE = str(Path(__file__).parents[1])
_hook = sys.excepthook


def _without_traceback(kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
    text = told(error)
    if text is None:
        _hook(kind, error, frames)
    else:
        sys.stderr.write(text)


sys.excepthook = _without_traceback

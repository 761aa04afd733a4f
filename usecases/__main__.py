"""``python -m usecases NAME``: one use case with its real parts, from nothing to nothing.

Exit codes: 0 every check passed; 1 a check failed; 2 it could not run: no such use case or option, a part that is not
there, did not come up, did not answer or ended; 130 it was interrupted, and has ended all that it had started.
"""

import json
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from hikube_kafka.exit_code import ExitCode
from usecases.chain import Chain, Outcome, UnknownUseCaseError, writable
from usecases.process import PartFailedError
from usecases.running import run_chain

_INTERRUPTED = 130
_REDRAWN_PER_SECOND = 2
_TOLD_EVERY_SECONDS = 10.0
"""Where nobody can be shown a table that changes: a log."""


def main(
    name: Annotated[str, typer.Argument(help="event-bus, analytics, telemetry or work-queue.")],
    *,
    short: Annotated[bool, typer.Option("--short", help="The form that tests run: tens of seconds.")] = False,
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="An option of the use case; repeatable.")
    ] = None,
    figures: Annotated[Path | None, typer.Option("--figures", help="Write figures and checks as JSON there.")] = None,
) -> None:
    """Run one use case with its real parts on this machine, check it, and end all of it.

    Exit code 0: every check passed. 1: a check failed. 2: it could not run. 130: it was interrupted.
    """
    console = Console()
    try:
        options = _pairs(option or [])
        if figures:
            writable("--figures", figures)
        with _shown(console) as show:
            outcome = run_chain(name, short=short, options=options, watching=show)
    except (PartFailedError, UnknownUseCaseError) as error:
        console.print(escape(_said(error)), style="red", highlight=False)
        sys.exit(ExitCode.NOTHING_CHECKED)
    except KeyboardInterrupt:
        console.print("Interrupted; all that was started has been ended.")
        sys.exit(_INTERRUPTED)
    except Exception:  # noqa: BLE001 - a mistake of the use case: no check has failed
        traceback.print_exc()
        sys.exit(ExitCode.NOTHING_CHECKED)
    _report(console, outcome)
    if figures:
        checks = [{"what": what, "holds": holds, "seen": seen} for what, holds, seen in outcome.checks]
        figures.write_text(json.dumps({"figures": outcome.figures, "checks": checks}, indent=1) + "\n", "utf-8")
    sys.exit(ExitCode.SOMETHING_WRONG if outcome.failed else ExitCode.ALL_WELL)


def _pairs(options: list[str]) -> Mapping[str, str]:
    split = [each.partition("=") for each in options]
    if wrong := [key for key, equals, _ in split if not equals or not key]:
        raise UnknownUseCaseError(f"--option {wrong[0]}: write KEY=VALUE")
    if twice := [key for key, times in Counter(key for key, _, _ in split).items() if times > 1]:
        raise UnknownUseCaseError(f"--option {twice[0]} is given twice: write it once")
    return {key: value for key, _, value in split}


def _said(error: BaseException | None) -> str:
    """What went wrong first, and what then went wrong while the parts were ended."""
    texts: list[str] = []
    while error is not None:
        known = isinstance(error, PartFailedError | UnknownUseCaseError)
        text = str(error) if known else f"{type(error).__name__}: {error}".removesuffix(": ")
        if not any(text in later for later in texts):
            texts.insert(0, text)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(texts)


class _Figures:
    """The figures of a chain as they are at this moment, as a table."""

    def __init__(self) -> None:
        self.chain: Chain | None = None

    def rows(self) -> dict[str, str]:
        """By name."""
        return {key: str(value) for key, value in dict(self.chain.live).items()} if self.chain else {}

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for key, value in self.rows().items():
            table.add_row(escape(key), escape(value))
        return table


@contextmanager
def _shown(console: Console) -> Iterator["_Watcher"]:
    """Shows a chain's figures while they change: in place on a terminal, as a line now and then in a log."""
    figures, began, over = _Figures(), time.monotonic(), threading.Event()
    watcher = _Watcher(console, figures, began)
    if console.is_terminal:
        with Live(figures, console=console, refresh_per_second=_REDRAWN_PER_SECOND):
            yield watcher
        return

    def lines() -> None:
        told: dict[str, str] = {}
        while not over.wait(_TOLD_EVERY_SECONDS):
            if (rows := figures.rows()) != told:
                watcher.tell(", ".join(f"{key} {value}" for key, value in rows.items()))
                told = rows

    thread = threading.Thread(target=lines, daemon=True)
    thread.start()
    try:
        yield watcher
    finally:
        over.set()
        thread.join()


class _Watcher:
    def __init__(self, console: Console, figures: _Figures, began: float) -> None:
        self._console, self._figures, self._began = console, figures, began

    def __call__(self, chain: Chain) -> None:
        self._figures.chain, chain.tell = chain, self.tell

    def tell(self, text: str) -> None:
        self._console.print(f"{time.monotonic() - self._began:5.0f} s  {escape(text)}", highlight=False)


def _report(console: Console, outcome: Outcome) -> None:
    shown = Table("figure", "value", title="Figures")
    for key, value in outcome.figures.items():
        shown.add_row(escape(key), escape(f"{value:,.1f}" if isinstance(value, float) else str(value)))
    console.print(shown)
    table = Table("check", "", "seen", title="Checks")
    for what, holds, seen in outcome.checks:
        table.add_row(escape(what), "[green]passed[/]" if holds else "[red]FAILED[/]", escape(seen))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)

"""``hikube-kafka review``."""

import contextlib
import io
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from hikube_kafka.exit_code import ExitCode

if TYPE_CHECKING:
    from hikube_kafka.review.outcome import Review

_STDIN = Path("-")
Content = TypeVar("Content")


def review(
    *,
    plan: Annotated[
        Path, typer.Argument(help="What `terraform show -json PLAN` writes; `-` reads it from standard input.")
    ],
    diagnostics: Annotated[
        Path | None,
        typer.Option(help="What `terraform plan -json` wrote: why a plan was refused is there alone."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="The organisation's severities, limits and waivers: YAML, docs/policy.md.")
    ] = None,
    declarations: Annotated[
        Path | None,
        typer.Option(
            help="The Python lines, as synth has written them: cdktf.out/stacks/NAME/declarations.json. Default: the "
            "file beside the plan."
        ),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="Also write to this file: .md, .html, .json, .sarif, .codequality.json. May be repeated."),
    ] = None,
    annotations: Annotated[
        Literal["github"] | None, typer.Option(help="Also print the findings as GitHub shows them beside the code.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="What is reviewed. Default: the name of the plan's folder.")] = None,
    docs: Annotated[
        str, typer.Option(help="Where docs/ of this project is, for links to the rules: an URL or a path.")
    ] = "",
) -> None:
    """Say what an apply of the plan would do to messages, clients and servers, with a verdict for a pipeline.

    Ends with 0 if nothing blocks, with 1 if something does, and with 2 if the plan could not be reviewed: it, the
    diagnostics or the policy cannot be read. Values that the plan marks as sensitive are shown nowhere.
    """
    for path in report or []:
        if _ending(path) is None:
            raise typer.BadParameter(f"{path}: a report ends in {', '.join(_ENDINGS)}")
    if [plan, diagnostics, policy].count(_STDIN) > 1:
        raise typer.BadParameter("standard input is one file: name the others")
    outcome = _reviewed(plan, diagnostics, policy, declarations, title or _title(plan))
    _shown(outcome)
    if annotations == "github":
        from hikube_kafka.review import annotations as github

        typer.echo(github.render(outcome), nl=False)
    for path in report or []:
        try:
            path.write_text(_rendered(outcome, path, docs), encoding="utf-8")
        except OSError as error:
            typer.echo(f"hikube-kafka: the report cannot be written: {error}", err=True)
            raise typer.Exit(outcome.exit_code or ExitCode.NOTHING_CHECKED) from error
    raise typer.Exit(outcome.exit_code)


@contextlib.contextmanager
def _without_commands() -> Iterator[None]:
    """GitHub takes a line that begins with ``::`` for a command, whoever has named his topic so."""
    token = secrets.token_hex(16) if os.environ.get("GITHUB_ACTIONS") == "true" else ""
    if token:
        typer.echo(f"::stop-commands::{token}")
    yield
    if token:
        typer.echo(f"::{token}::")


def _reviewed(
    plan: Path, diagnostics: Path | None, policy: Path | None, declarations: Path | None, title: str
) -> "Review":
    """The outcome; that something cannot be read is an outcome too."""
    from hikube_kafka.review.declarations import DeclarationsError, read_declarations
    from hikube_kafka.review.diagnostics import read_diagnostics
    from hikube_kafka.review.judge import review as judged
    from hikube_kafka.review.outcome import Review
    from hikube_kafka.review.plan import UnreadablePlanError, read_plan
    from hikube_kafka.spec.policy import Policy, PolicyError

    try:
        return judged(
            _read(plan, read_plan),
            title=title,
            today=datetime.now(UTC).date(),
            diagnostics=_read(diagnostics, read_diagnostics) if diagnostics else (),
            declared=read_declarations(plan, declarations),
            policy=_read(policy, lambda content: Policy.parse(content, str(policy))) if policy else None,
        )
    except (UnreadablePlanError, DeclarationsError, PolicyError, _UnreadableFileError) as error:
        return Review(title=title, findings=(), unreviewed=f"{error}{_refusals(diagnostics)}")


def _refusals(diagnostics: Path | None) -> str:
    """What Terraform refused, if it made no plan: only its headings, as no plan says which values are secrets."""
    from hikube_kafka.review.diagnostics import read_diagnostics
    from hikube_kafka.review.plan import UnreadablePlanError

    try:
        said = _read(diagnostics, read_diagnostics) if diagnostics and diagnostics != _STDIN else ()
    except (UnreadablePlanError, _UnreadableFileError):
        return ""
    refused = dict.fromkeys(each.summary.rstrip(".") for each in said if each.severity == "error")
    return f". Terraform refused: {'; '.join(refused)}." if refused else ""


class _UnreadableFileError(Exception):
    """A file cannot be read."""


def _read(file: Path, reader: "Callable[[bytes], Content]") -> "Content":
    from hikube_kafka.review.plan import UnreadablePlanError

    try:
        return reader(sys.stdin.buffer.read() if file == _STDIN else file.read_bytes())
    except OSError as error:
        raise _UnreadableFileError(f"{file}: {error.strerror or error}") from None
    except UnreadablePlanError as error:
        raise UnreadablePlanError(f"{file}: {error}") from None


def _title(plan: Path) -> str:
    """As a stack is called: by its folder, ``cdktf.out/stacks/events/plan.json``; else by the file."""
    if plan == _STDIN:
        return "plan"
    folder = plan.absolute().parent
    return folder.name if folder.parent.name == "stacks" else plan.stem


def _ending(path: Path) -> str | None:
    return next((ending for ending in _ENDINGS if path.name.lower().endswith(ending)), None)


_ENDINGS = (".md", ".html", ".codequality.json", ".json", ".sarif")
"""The longer one first where one ends as another."""


def _shown(outcome: "Review") -> None:
    """On standard output, whatever it can print: a finding is not lost because a pipeline's locale has no arrow."""
    from rich.console import Console

    from hikube_kafka.review import terminal

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    with _without_commands():
        Console().print(terminal.render(outcome))


def _rendered(outcome: "Review", path: Path, docs: str) -> str:
    from hikube_kafka.review import as_json, code_quality, markdown, page, sarif

    renderers: dict[str, Callable[[], str]] = {
        ".md": lambda: markdown.render(outcome, docs=docs),
        ".html": lambda: page.render(outcome, docs=docs),
        ".codequality.json": lambda: code_quality.render(outcome),
        ".json": lambda: as_json.render(outcome, docs=docs),
        ".sarif": lambda: sarif.render(outcome, docs=docs),
    }
    return renderers[_ending(path) or ""]()

"""``hikube-kafka comment``."""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from hikube_kafka.exit_code import ExitCode

if TYPE_CHECKING:
    from hikube_kafka.comment.host import Thread
    from hikube_kafka.comment.put import Run

Service = Literal["github", "gitlab"]


class MisusedError(Exception):
    """Where the comment belongs is not known."""


def comment(
    file: Annotated[Path, typer.Argument(help="Markdown that `hikube-kafka review --report FILE.md` wrote.")],
    *,
    on: Annotated[
        Service | None, typer.Option(help="Whose pipeline this is. Default: as the environment says.")
    ] = None,
    number: Annotated[
        int | None, typer.Option(min=1, help="Number of the pull request or merge request. Default: the pipeline's.")
    ] = None,
) -> None:
    """Put a review under the pull request or merge request; the comment of an earlier run is updated in place.

    Asks GitHub with GITHUB_TOKEN, GitLab with GITLAB_TOKEN; the rest is in every pipeline's environment. Exit code 1:
    the host refused it; 2: no review, no pull request, or no token.
    """
    from hikube_kafka.comment.host import NotWrittenError
    from hikube_kafka.comment.put import NoReviewError, put

    try:
        text = file.read_text("utf-8")
        with _thread(on or _service(os.environ), os.environ, number) as (thread, run, where):
            outcome = put(thread, text, run)
    except (OSError, UnicodeDecodeError, MisusedError) as problem:
        _fail(ExitCode.NOTHING_CHECKED, str(problem))
    except NoReviewError as problem:
        _fail(ExitCode.NOTHING_CHECKED, f"{file} is no review: {problem}")
    except NotWrittenError as problem:
        _fail(ExitCode.SOMETHING_WRONG, f"no comment was written: {problem}")
    typer.echo(f"The comment under {where} was {outcome.value}.")


def _fail(code: ExitCode, message: str) -> NoReturn:
    print(f"hikube-kafka: {message}", file=sys.stderr)  # noqa: T201 - as every command says it
    raise typer.Exit(code)


def _service(environment: Mapping[str, str]) -> Service:
    if environment.get("GITHUB_ACTIONS") == "true":
        return "github"
    if environment.get("GITLAB_CI") == "true":
        return "gitlab"
    raise MisusedError("this is no pipeline of GitHub or GitLab: choose one with --on.")


@contextlib.contextmanager
def _thread(
    service: Service, environment: Mapping[str, str], number: int | None
) -> Iterator[tuple["Thread", "Run | None", str]]:
    from hikube_kafka.comment import github, gitlab
    from hikube_kafka.comment.host import Host
    from hikube_kafka.comment.put import Run

    thread: Thread
    if service == "github":
        repository = _needed(environment, "GITHUB_REPOSITORY")
        number = number or _pull_request(environment)
        headers = {
            "Authorization": f"Bearer {_token(environment, 'GITHUB_TOKEN')}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        host = Host(environment.get("GITHUB_API_URL") or "https://api.github.com", headers, github.HINTS)
        thread = github.PullRequest(host, repository, number)
        numbers = ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT")
        where = f"pull request {number} of {repository}"
    else:
        project = environment.get("CI_MERGE_REQUEST_PROJECT_ID") or _needed(environment, "CI_PROJECT_ID")
        number = number or _merge_request(environment)
        host = Host(
            _needed(environment, "CI_API_V4_URL"),
            {"PRIVATE-TOKEN": _token(environment, "GITLAB_TOKEN")},
            gitlab.HINTS,
            authorities=environment.get("CI_SERVER_TLS_CA_FILE", ""),
        )
        thread = gitlab.MergeRequest(host, project, number)
        numbers = ("CI_PIPELINE_ID", "CI_JOB_ID")
        where = f"merge request {number} of project {project}"
    first, second = (_number(environment.get(name, "")) for name in numbers)
    try:
        yield thread, Run(first, second) if first is not None and second is not None else None, where
    finally:
        host.close()


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise MisusedError(f"{name} is not set: run this in a pipeline, or set it.")
    return value


def _token(environment: Mapping[str, str], name: str) -> str:
    token = environment.get(name, "").strip()
    if not token:
        raise MisusedError(f"{name} is not set: pass the token with which to comment to this step alone.")
    if not (token.isascii() and token.isprintable()):
        raise MisusedError(f"{name} is no token: it has characters that no header can have.")
    return token


def _pull_request(environment: Mapping[str, str]) -> int:
    """Its number, from the event that started the run."""
    file = environment.get("GITHUB_EVENT_PATH", "")
    try:
        event = json.loads(Path(file).read_text("utf-8")) if file else {}
        return int(event["pull_request"]["number"])
    except (OSError, ValueError, KeyError, TypeError):
        raise MisusedError("this run is about no pull request: name one with --number.") from None


def _merge_request(environment: Mapping[str, str]) -> int:
    number = environment.get("CI_MERGE_REQUEST_IID", "")
    if (found := _number(number)) is None:
        raise MisusedError("this pipeline is about no merge request: name one with --number.")
    return found


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None

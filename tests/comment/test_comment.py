"""The comment under a pull request or merge request, against a host that records every call."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hikube_kafka.cli import app
from tests.support.git_host import NUMBER, PROJECT, REPOSITORY, GitHost, git_host

MARKER = "<!-- hikube-kafka review: shop -->"
BOT = "github-actions[bot]"
SERVICES = ("github", "gitlab")


@pytest.fixture
def host() -> Iterator[GitHost]:
    with git_host() as host:
        yield host


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("hikube_kafka.comment.put.put.__kwdefaults__", {"sleep": slept.append})
    return slept


@pytest.fixture
def pipeline(host: GitHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Pipeline":
    return Pipeline(host, tmp_path, monkeypatch)


class Pipeline:
    """A job of GitHub or GitLab that comments."""

    def __init__(self, host: GitHost, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = host
        self.folder = folder
        self.monkeypatch = monkeypatch
        event = folder / "event.json"
        event.write_text(json.dumps({"pull_request": {"number": NUMBER}}))
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        self.set(
            GITHUB_ACTIONS="",
            GITLAB_CI="",
            GITHUB_API_URL=host.url,
            GITHUB_REPOSITORY=REPOSITORY,
            GITHUB_EVENT_PATH=str(event),
            GITHUB_TOKEN="hidden-token",
            CI_API_V4_URL=host.url,
            CI_MERGE_REQUEST_PROJECT_ID=PROJECT,
            CI_MERGE_REQUEST_IID=str(NUMBER),
            GITLAB_TOKEN="hidden-token",
        )
        self.run(5)

    def set(self, **environment: str) -> None:
        for name, value in environment.items():
            self.monkeypatch.setenv(name, value)

    def run(self, number: int, attempt: int = 1) -> None:
        """This is a run of that number."""
        self.set(GITHUB_RUN_ID=str(number), GITHUB_RUN_ATTEMPT=str(attempt))
        self.set(CI_PIPELINE_ID=str(number), CI_JOB_ID=str(attempt))

    def comments(self, text: str, *arguments: str, on: str = "github") -> Result:
        file = self.folder / "review.md"
        file.write_text(text)
        self.set(**({"GITHUB_ACTIONS": "true"} if on == "github" else {"GITLAB_CI": "true"}))
        return CliRunner().invoke(app, ["comment", str(file), *arguments])


def written(verdict: str, run: str = "5.1") -> str:
    return f"{MARKER}\n<!-- run {run} -->\n{verdict}\n"


@pytest.mark.parametrize("on", SERVICES)
def test_the_first_run_writes_and_later_ones_update_in_place(pipeline: Pipeline, host: GitHost, on: str) -> None:
    host.own = "deployer"
    other = host.say("somebody", "Looks good.")
    done = pipeline.comments(f"{MARKER}\nBlocked\n", on=on)
    assert (done.exit_code, host.bodies()) == (0, ["Looks good.", written("Blocked")])
    pipeline.run(6)
    done = pipeline.comments(f"{MARKER}\nPassed\n", on=on)
    assert (done.exit_code, host.bodies()) == (0, ["Looks good.", written("Passed", "6.1")])
    assert "was updated." in done.output
    assert host.comments[other]["author"] == "somebody"
    assert host.tokens == ({"Bearer hidden-token"} if on == "github" else {"hidden-token"})


@pytest.mark.parametrize("on", SERVICES)
def test_the_comment_is_found_on_any_page(pipeline: Pipeline, host: GitHost, on: str) -> None:
    host.own = "deployer"
    for _ in range(350):
        host.say("somebody", "Looks good.")
    host.say("deployer", f"{MARKER}\nBlocked")
    for _ in range(60):
        host.say("somebody", "Looks good.")
    assert pipeline.comments(f"{MARKER}\nPassed\n", on=on).exit_code == 0
    assert len(host.comments) == 411
    assert written("Passed") in host.bodies()
    assert len([call for call in host.calls if call.startswith("GET") and "/user" not in call]) == 5


@pytest.mark.parametrize("on", SERVICES)
@pytest.mark.parametrize("body", [f"{MARKER}\nPassed", f"> {MARKER}\n> Blocked\nreally?", f"see {MARKER}"])
def test_nobody_elses_comment_is_touched(pipeline: Pipeline, host: GitHost, on: str, body: str) -> None:
    if on == "gitlab":
        host.own = "deployer"
    host.say("somebody", body)
    assert pipeline.comments(f"{MARKER}\nBlocked\n", on=on).exit_code == 0
    assert host.bodies() == [body, written("Blocked")]


def test_a_quote_by_the_same_user_is_not_the_comment(pipeline: Pipeline, host: GitHost) -> None:
    host.own = "deployer"
    host.say("deployer", f"As the review said:\n{MARKER}\nBlocked")
    pipeline.comments(f"{MARKER}\nPassed\n")
    assert len(host.comments) == 2


def test_a_workflows_own_token_knows_its_comment_as_one_of_a_bot(pipeline: Pipeline, host: GitHost) -> None:
    host.say(BOT, f"{MARKER}\r\nBlocked")
    assert pipeline.comments(f"{MARKER}\nPassed\n").exit_code == 0
    assert host.bodies() == [written("Passed")]


def test_each_stack_has_its_own_comment(pipeline: Pipeline, host: GitHost) -> None:
    other = MARKER.replace("shop", "shop-staging")
    for marker in (MARKER, other, MARKER, other):
        assert pipeline.comments(f"{marker}\nPassed\n").exit_code == 0
    assert [body.partition("\n")[0] for body in host.bodies()] == [MARKER, other]


@pytest.mark.parametrize("on", SERVICES)
@pytest.mark.parametrize("later", [(6, 1), (5, 2), (10, 1)])
def test_an_earlier_run_does_not_replace_a_later_one(
    pipeline: Pipeline, host: GitHost, on: str, later: tuple[int, int]
) -> None:
    host.own = "deployer"
    pipeline.run(*later)
    pipeline.comments(f"{MARKER}\nPassed\n", on=on)
    pipeline.run(5, 1)
    done = pipeline.comments(f"{MARKER}\nBlocked\n", on=on)
    assert done.exit_code == 0
    assert "a later run wrote it" in done.output
    assert host.bodies() == [written("Passed", f"{later[0]}.{later[1]}")]


def test_two_that_were_written_at_a_time_become_one(pipeline: Pipeline, host: GitHost) -> None:
    first = host.say(BOT, f"{MARKER}\none")
    host.say("somebody", "Looks good.")
    host.say(BOT, f"{MARKER}\ntwo")
    assert pipeline.comments(f"{MARKER}\nPassed\n").exit_code == 0
    assert host.bodies() == [written("Passed"), "Looks good."]
    assert list(host.comments)[0] == first  # noqa: RUF015 - the place in the conversation is what is meant


def test_a_comment_that_goes_in_between_is_written_anew(pipeline: Pipeline, host: GitHost, slept: list[float]) -> None:
    number = host.say(BOT, f"{MARKER}\nBlocked")
    host.before = lambda method, _path: host.comments.pop(number, None) if method == "PATCH" else None
    assert pipeline.comments(f"{MARKER}\nPassed\n").exit_code == 0
    assert host.bodies() == [written("Passed")]
    assert slept == [1]


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        ((500, {}), 1),
        ((503, {"Retry-After": "7"}), 7),
        ((503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 1),
        ((429, {"Retry-After": "3"}), 3),
        ((403, {"Retry-After": "2"}), 2),
        ((403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}), 0),
        ((408, {}), 1),
    ],
)
def test_what_passes_is_tried_again(
    pipeline: Pipeline, host: GitHost, slept: list[float], answer: tuple[int, dict[str, str]], pause: float
) -> None:
    host.answers = [(*answer, {"message": "not now"})]
    assert pipeline.comments(f"{MARKER}\nPassed\n").exit_code == 0
    assert host.bodies() == [written("Passed")]
    assert slept == [pause]


def test_an_answer_that_got_lost_makes_no_second_comment(pipeline: Pipeline, host: GitHost) -> None:
    def written_but_answered_with_an_error(method: str, _path: str) -> None:
        if method == "POST":
            host.say(BOT, written("Passed"))

    host.before = written_but_answered_with_an_error
    host.answers = [(502, {}, None)]
    assert pipeline.comments(f"{MARKER}\nPassed\n").exit_code == 0
    assert host.bodies() == [written("Passed")]


def test_tries_are_bounded(pipeline: Pipeline, host: GitHost, slept: list[float]) -> None:
    host.answers = [(502, {}, None)] * 20
    done = pipeline.comments(f"{MARKER}\nPassed\n")
    assert done.exit_code == 1
    assert "with 502. It was tried 5 times." in done.output
    assert slept == [1, 2, 4, 8]


def test_a_limit_that_lasts_is_not_waited_for(pipeline: Pipeline, host: GitHost, slept: list[float]) -> None:
    reset = str(int(datetime.now(UTC).timestamp()) + 3000)
    host.answers = [(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, {"message": "rate limit"})]
    done = pipeline.comments(f"{MARKER}\nPassed\n")
    assert (done.exit_code, slept) == (1, [])
    assert "which is not waited for" in done.output


@pytest.mark.parametrize(
    ("on", "status", "told"),
    [
        ("github", 401, "GITHUB_TOKEN is not valid"),
        ("github", 403, "permissions: pull-requests: write"),
        ("github", 404, "no such pull request"),
        ("github", 422, "(no, that is too long)"),
        ("github", 301, "name the API's own address"),
        ("gitlab", 401, "GITLAB_TOKEN is not valid"),
        ("gitlab", 403, "the scope `api`, and the role Reporter"),
        ("gitlab", 404, "no such merge request"),
    ],
)
def test_a_refusal_says_what_to_do(pipeline: Pipeline, host: GitHost, on: str, status: int, told: str) -> None:
    host.own = "deployer"
    host.answers = [(status, {"Location": f"{host.url}/elsewhere"}, {"message": "no, that is too long"})]
    done = pipeline.comments(f"{MARKER}\nPassed\n", on=on)
    assert done.exit_code == 1
    assert told in done.output
    assert "no comment was written" in done.output
    assert "hidden-token" not in done.output
    assert (host.bodies(), len(host.wrote())) == ([], 1)


def test_a_host_that_is_not_there_is_named(pipeline: Pipeline, slept: list[float]) -> None:
    pipeline.set(GITHUB_API_URL="http://127.0.0.1:9")
    done = pipeline.comments(f"{MARKER}\nPassed\n")
    assert done.exit_code == 1
    assert "127.0.0.1 does not answer" in done.output
    assert len(slept) == 4


@pytest.mark.parametrize("text", ["", "# Passed\n", "<!-- -->\n", "<!-- no end\n", " \n", f"x {MARKER}\n"])
def test_what_is_no_review_is_not_posted(pipeline: Pipeline, host: GitHost, text: str) -> None:
    done = pipeline.comments(text)
    assert done.exit_code == 2
    assert "is no review: its first line is no marker" in done.output
    assert host.wrote() == []


@pytest.mark.parametrize(
    ("on", "environment", "told"),
    [
        ("github", {"GITHUB_TOKEN": ""}, "GITHUB_TOKEN is not set"),
        ("github", {"GITHUB_TOKEN": "a\nb"}, "GITHUB_TOKEN is no token"),
        ("github", {"GITHUB_REPOSITORY": ""}, "GITHUB_REPOSITORY is not set"),
        ("github", {"GITHUB_EVENT_PATH": ""}, "about no pull request: name one with --number"),
        ("github", {"GITHUB_EVENT_PATH": "/nowhere.json"}, "about no pull request"),
        ("gitlab", {"GITLAB_TOKEN": ""}, "GITLAB_TOKEN is not set"),
        ("gitlab", {"CI_API_V4_URL": ""}, "CI_API_V4_URL is not set"),
        ("gitlab", {"CI_MERGE_REQUEST_IID": ""}, "about no merge request"),
        ("nowhere", {"GITLAB_CI": ""}, "no pipeline of GitHub or GitLab: choose one with --on"),
    ],
)
def test_what_is_missing_is_named(
    pipeline: Pipeline, host: GitHost, on: str, environment: dict[str, str], told: str
) -> None:
    def commented() -> Result:
        pipeline.set(**environment)
        return CliRunner().invoke(app, ["comment", str(file)])

    file = pipeline.folder / "review.md"
    file.write_text(f"{MARKER}\n")
    pipeline.set(GITHUB_ACTIONS=str(on == "github").lower(), GITLAB_CI=str(on == "gitlab").lower())
    done = commented()
    assert done.exit_code == 2
    assert told in done.output
    assert host.calls == []


def test_a_file_that_is_not_there_is_named(pipeline: Pipeline) -> None:
    done = CliRunner().invoke(app, ["comment", str(pipeline.folder / "none.md"), "--on", "github"])
    assert done.exit_code == 2
    assert "none.md" in done.output


def test_the_number_can_be_given(pipeline: Pipeline, host: GitHost) -> None:
    pipeline.set(GITHUB_EVENT_PATH="")
    assert pipeline.comments(f"{MARKER}\nPassed\n", "--number", str(NUMBER)).exit_code == 0
    assert len(host.comments) == 1


def test_a_run_without_a_number_still_updates(pipeline: Pipeline, host: GitHost) -> None:
    host.say(BOT, written("Blocked", "99.1"))
    pipeline.set(GITHUB_RUN_ID="", GITHUB_RUN_ATTEMPT="")
    assert pipeline.comments(f"{MARKER}\nPassed\n").exit_code == 0
    assert host.bodies() == [f"{MARKER}\nPassed\n"]


def test_a_limit_on_asking_who_it_is_does_not_make_it_an_app(
    pipeline: Pipeline, host: GitHost, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    host.own = "deployer"
    host.say("deployer", f"{MARKER}\nBlocked")
    limited = iter([(403, {"Retry-After": "4"}, {"message": "secondary rate limit"})])
    known = host._user
    monkeypatch.setattr(host, "_user", lambda: next(limited, None) or known())
    assert pipeline.comments(f"{MARKER}\nPassed\n").exit_code == 0
    assert (host.bodies(), slept) == ([written("Passed")], [4])


def test_an_answer_that_is_no_list_is_told(pipeline: Pipeline, host: GitHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "answer", lambda *_: (200, {}, {"login": "a", "id": 1}))
    done = pipeline.comments(f"{MARKER}\nPassed\n")
    assert done.exit_code == 1
    assert "no list" in done.output

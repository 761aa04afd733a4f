"""The workflows to copy, and the action: every step runs as shell, with the real Terraform and our own commands."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.project import create
from tests.support.ensemble import free_layout
from tests.support.git_host import NUMBER, PROJECT, REPOSITORY, GitHost, git_host
from tests.support.workflow import Job, load, machine

ROOT = Path(__file__).parents[2]
GITHUB = load(ROOT / "examples" / "ci" / "github.yml")
GITLAB = load(ROOT / "examples" / "ci" / "gitlab.yml")
ACTION = load(ROOT / "action.yml")
HIKUBE = Path(sys.executable).with_name("hikube-kafka")

# A stack that is synthesized and applied in a moment. What it refuses stands in for what a provider refuses.
APP = """
import json, pathlib
folder = pathlib.Path("cdktf.out/stacks/shop")
folder.mkdir(parents=True, exist_ok=True)
content = json.loads(pathlib.Path("stack.json").read_text())
(folder / "cdk.tf.json").write_text(json.dumps(content))
(folder / "declarations.json").write_text('{"version": 1, "declared": {}}')
"""


class Project:
    """A project in Git, its state, and the host that runs its pipelines."""

    def __init__(self, folder: Path, host: GitHost) -> None:
        self.folder = folder
        self.host = host
        self.source = folder / "source"
        self.source.mkdir(parents=True)
        self.machine = machine(folder / "machine", HIKUBE)
        self.secrets = {"PLAN_PASSPHRASE": "planted-passphrase", "KUBECONFIG_REVIEW": "x", "KUBECONFIG_APPLY": "x"}
        self.runs = 0
        (self.source / "main.py").write_text(APP)
        self.declare("one")
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("config", "user.name", "somebody")
        self.git("config", "user.email", "somebody@example.com")
        self.commit()

    def declare(self, value: str, **lifecycle: Any) -> None:
        """Declare the stack: one resource with a value."""
        resource = {"input": value, **({"lifecycle": lifecycle} if lifecycle else {})}
        content = {
            "terraform": {"backend": {"local": {"path": str(self.folder / "shop.tfstate")}}},
            "resource": {"terraform_data": {"messages": resource, "other": {"input": "y"}}},
            "output": {"value": {"value": "${terraform_data.messages.output}"}},
        }
        (self.source / "stack.json").write_text(json.dumps(content))

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.source, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def job(self, event: str, run: int) -> Job:
        """A job with a checkout of its own, in the run of that number."""
        checkout = self.folder / f"checkout-{len(list(self.folder.glob('checkout-*')))}"
        # Of a commit, not of the folder, as a runner does it.
        subprocess.run(["git", "clone", "--quiet", self.source, checkout], check=True)
        event_file = self.folder / "event.json"
        event_file.write_text(json.dumps({"pull_request": {"number": NUMBER}} if event == "pull_request" else {}))
        contexts = {
            "github.event_name": event,
            "github.ref": "refs/heads/main" if event == "push" else "refs/pull/7/merge",
            "github.token": "hidden-token",
            "github.action_path": str(ROOT),
            "matrix.stack": "shop",
            **{f"secrets.{name}": value for name, value in self.secrets.items()},
        }
        environment = {
            **self.machine,
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.host.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_EVENT_PATH": str(event_file),
            "GITHUB_REF_NAME": "main",
            "GITHUB_SHA": self.git("rev-parse", "HEAD"),
            "GITHUB_RUN_ID": str(run),
            "GITHUB_RUN_ATTEMPT": "1",
        }
        return Job(checkout, contexts, environment, self.folder / f"artifacts-{run}")

    def github(self, name: str, event: str = "push", run: int | None = None) -> Job:
        """Run one job of the workflow; a run of a number goes on, none begins the next one."""
        self.runs = self.runs + 1 if run is None else run
        job = self.job(event, self.runs)
        job.contexts.update({f"env.{key}": str(value) for key, value in GITHUB["env"].items()})
        job.github(GITHUB["jobs"][name]["steps"], {**GITHUB["env"], **GITHUB["jobs"][name]["env"]})
        return job

    def gitlab(self, name: str, event: str = "push", run: int | None = None) -> Job:
        """Run one job of GitLab's pipeline."""
        self.runs = self.runs + 1 if run is None else run
        job = self.job(event, self.runs)
        job.environment = {name: value for name, value in job.environment.items() if not name.startswith("GITHUB_")}
        variables = {
            **GITLAB["variables"],
            "GITLAB_CI": "true",
            "STACK": "shop",
            "CI_API_V4_URL": self.host.url,
            "CI_COMMIT_SHA": self.git("rev-parse", "HEAD"),
            "CI_PIPELINE_ID": str(self.runs),
            "CI_JOB_ID": "1",
            "KUBECONFIG_FILE": "/dev/null",
            "GITLAB_TOKEN": "hidden-token",
            "PLAN_PASSPHRASE": self.secrets["PLAN_PASSPHRASE"],
        }
        of_event = {"CI_MERGE_REQUEST_IID": str(NUMBER), "CI_MERGE_REQUEST_PROJECT_ID": PROJECT}
        variables |= of_event if event == "pull_request" else {"CI_COMMIT_BRANCH": "main"}
        job.gitlab(GITLAB[name], GITLAB[".kafka"], variables)
        return job

    def run(self, on: str, name: str, event: str = "push", run: int | None = None) -> Job:
        return self.github(name, event, run) if on == "github" else self.gitlab(name, event, run)

    def applied(self) -> str | None:
        """The value in the state; None: nothing was ever applied."""
        state = self.folder / "shop.tfstate"
        if not state.exists():
            return None
        value: str = json.loads(state.read_text())["outputs"]["value"]["value"]
        return value


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHost]:
    with git_host() as host:
        host.own = "deployer"
        answer = host.answer

        def with_commits(method: str, path: str, query: dict[str, list[str]], content: Any) -> Any:
            if path == f"/repos/{REPOSITORY}/commits/main":
                return 200, {}, host.newest()
            return answer(method, path, query, content)

        monkeypatch.setattr(host, "answer", with_commits)
        yield host


@pytest.fixture
def project(host: GitHost, tmp_path: Path) -> Project:
    project = Project(tmp_path, host)
    host.newest = lambda: project.git("rev-parse", "HEAD")
    return project


HOSTS = ("github", "gitlab")
terraform = pytest.mark.terraform


@terraform
@pytest.mark.parametrize("on", HOSTS)
def test_a_request_is_reviewed_and_commented_and_what_was_reviewed_is_applied(project: Project, on: str) -> None:
    reviewed = project.run(on, "review", "pull_request")
    assert reviewed.succeeded, reviewed.said
    (comment,) = project.host.bodies()
    assert comment.startswith("<!-- hikube-kafka review: shop -->\n<!-- run 1.1 -->\n")
    assert "Passed: nothing blocks" in comment
    assert project.applied() is None
    assert project.run(on, "review", "pull_request").succeeded
    assert [body.splitlines()[1] for body in project.host.bodies()] == ["<!-- run 2.1 -->"]

    merged = project.run(on, "review")
    assert merged.succeeded, merged.said
    applied = project.run(on, "apply", run=project.runs)
    assert applied.succeeded, applied.said
    assert project.applied() == "one"
    assert "hikube-kafka smoke --outputs" in applied.said
    kept = {file.name for file in project.folder.glob("artifacts-3/**/*") if file.is_file()}
    assert {"shop.tfplan.enc", "shop.xml", "shop.md"} <= kept or {"tfplan.enc", "smoke.xml", "review.md"} <= kept


@terraform
@pytest.mark.parametrize("on", HOSTS)
def test_a_state_that_moved_after_the_review_refuses_the_plan(project: Project, on: str) -> None:
    for job in ("review", "apply"):
        assert project.run(on, job, run=1).succeeded
    project.declare("two")
    project.commit()
    assert project.run(on, "review", run=2).succeeded
    assert project.run(on, "review", run=3).succeeded
    assert project.run(on, "apply", run=3).succeeded
    stale = project.run(on, "apply", run=2)
    assert not stale.succeeded
    assert "he state moved after the review: plan and review again" in stale.said
    assert "hikube-kafka smoke" not in stale.said


@terraform
@pytest.mark.parametrize("on", HOSTS)
def test_a_plan_that_was_refused_is_commented_and_nothing_of_it_is_kept(project: Project, on: str) -> None:
    refusal = {"condition": '${terraform_data.other.input == "x"}', "error_message": "would delete messages."}
    project.declare("two", precondition=[refusal])
    project.commit()
    refused = project.run(on, "review", "pull_request")
    assert not refused.succeeded
    assert "The plan was refused." in refused.said
    (comment,) = project.host.bodies()
    assert "would delete messages." in comment
    assert "Blocked" in comment
    assert list(project.folder.glob("artifacts-*/**/*.enc")) == []
    assert not project.run(on, "apply", run=1).succeeded
    assert project.applied() is None


@terraform
@pytest.mark.parametrize("on", HOSTS)
def test_without_a_plan_the_comment_says_so(project: Project, on: str) -> None:
    assert project.run(on, "review", "pull_request").succeeded
    (project.source / "main.py").write_text("raise SystemExit('an invalid declaration')")
    project.commit()
    failed = project.run(on, "review", "pull_request")
    assert not failed.succeeded
    (comment,) = project.host.bodies()
    assert "Could not review" in comment


@terraform
@pytest.mark.parametrize("on", HOSTS)
def test_another_plan_than_the_reviewed_one_is_not_applied(project: Project, on: str) -> None:
    assert project.run(on, "review").succeeded
    (record,) = project.folder.glob("artifacts-1/**/*reviewed.json")
    content = json.loads(record.read_text())
    for change, told in (
        ({"sha256": "0" * 64}, "plan is not the one that was reviewed"),
        ({"commit": "0" * 40}, "another stack or commit"),
        ({"verdict": "blocked"}, "another stack or commit"),
        ({"stack": "other"}, "another stack or commit"),
    ):
        record.write_text(json.dumps(content | change))
        refused = project.run(on, "apply", run=1)
        assert not refused.succeeded
        assert told in refused.said
    record.write_text(json.dumps(content))
    project.secrets["PLAN_PASSPHRASE"] = "another"
    assert "cannot be decrypted" in project.run(on, "apply", run=1).said
    assert project.applied() is None


@terraform
@pytest.mark.parametrize("on", HOSTS)
def test_no_approval_outlives_a_push(project: Project, on: str) -> None:
    assert project.run(on, "review").succeeded
    old = project.git("rev-parse", "HEAD")
    project.commit()
    project.host.newest = lambda: project.git("rev-parse", "main")
    real = project.git
    project.git = lambda *words: old if words == ("rev-parse", "HEAD") else real(*words)  # type: ignore[method-assign]
    refused = project.run(on, "apply", run=1)
    assert not refused.succeeded
    assert "main has moved on" in refused.said
    assert project.applied() is None


@terraform
@pytest.mark.parametrize("on", HOSTS)
def test_a_smoke_test_that_fails_fails_the_job_and_its_report_is_kept(project: Project, on: str) -> None:
    (project.folder / "machine" / "smoke").write_text("1")
    assert project.run(on, "review").succeeded
    assert not project.run(on, "apply", run=1).succeeded
    assert project.applied() == "one"
    assert list(project.folder.glob("artifacts-1/**/*.xml"))


@terraform
def test_a_fork_gets_its_review_in_the_summary(project: Project) -> None:
    project.secrets = dict.fromkeys(project.secrets, "")
    project.host.answers = [(403, {}, {"message": "Resource not accessible by integration"})]
    job = project.github("review", "pull_request")
    assert job.succeeded, job.said
    assert project.host.bodies() == []
    assert "::warning title=No comment::" in job.said
    assert "Passed" in next(project.folder.glob("checkout-*-runner/github_step_summary")).read_text()
    assert list(project.folder.glob("artifacts-*/plan-shop")) == []


@terraform
def test_no_file_that_is_kept_holds_the_plan_in_plain_text(project: Project) -> None:
    assert project.github("review").succeeded
    kept = [file.read_bytes() for file in project.folder.glob("artifacts-1/**/*") if file.is_file()]
    assert any(content.startswith(b"Salted__") for content in kept)
    # A plan is a zip archive.
    assert [content for content in kept if content.startswith(b"PK") or b"planted-passphrase" in content] == []


@terraform
def test_a_policy_that_is_named_and_not_there_passes_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GITHUB["env"], "POLICY", "kafka-policy.yml")
    job = project.github("review", "pull_request")
    assert not job.succeeded
    assert "Could not review" in project.host.bodies()[0]


@terraform
def test_a_new_project_is_reviewed_before_its_first_apply(project: Project) -> None:
    for file in project.source.iterdir():
        if file.name in {"main.py", "stack.json"}:
            file.unlink()
    create(project.source, target="local", name="shop")
    # On ports that nobody listens on: a plan asks the brokers that are there already.
    stack = project.source / "stacks" / "platform.py"
    layout = free_layout()
    ports = f"LocalLayout(broker_port={layout.broker_port}, zookeeper_port={layout.zookeeper_port})"
    text = stack.read_text().replace("LocalTarget()", f"LocalTarget({ports})")
    stack.write_text(text.replace("import Duration, Kafka,", "import Duration, Kafka, LocalLayout,"))
    # What a developer commits after the first plan: the lock file, which says which providers are the right ones.
    environment = project.machine
    for command in (
        [sys.executable, "main.py"],
        [str(HIKUBE), "provider", "install"],
        ["terraform", "-chdir=cdktf.out/stacks/shop", "init", "-input=false"],
    ):
        subprocess.run(command, cwd=project.source, env=environment, check=True, capture_output=True)
    project.commit()
    assert "cdktf.out/stacks/shop/.terraform.lock.hcl" in project.git("ls-files")
    job = project.github("review", "pull_request")
    assert job.succeeded, job.said
    assert "Passed" in project.host.bodies()[0]


# --- the action ----------------------------------------------------------------------------------------------------

PLAN: dict[str, Any] = {"format_version": "1.2", "terraform_version": "1.11.4", "planned_values": {}, "complete": True}
REFUSED = PLAN | {"errored": True, "resource_changes": []}


@pytest.mark.parametrize(("plan", "verdict"), [(PLAN, "passed"), (REFUSED, "blocked"), ({}, "could not review")])
def test_the_action_reviews_comments_and_ends_with_the_verdict(
    project: Project, plan: dict[str, Any], verdict: str
) -> None:
    job = project.job("pull_request", 1)
    (job.folder / "plan.json").write_text(json.dumps(plan))
    inputs = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
    given = {"plan": "plan.json", "command": str(HIKUBE), "token": "hidden-token", "key": "shop $(touch injected)"}
    job.contexts.update({f"inputs.{name}": value for name, value in (inputs | given).items()})
    job.github(ACTION["runs"]["steps"], {})
    assert job.succeeded is (verdict == "passed"), job.said
    outputs = {name: job.filled(each["value"]) for name, each in ACTION["outputs"].items()}
    assert outputs["verdict"] == verdict
    assert outputs["exit-code"] == {"passed": "0", "blocked": "1", "could not review": "2"}[verdict]
    assert (outputs["blocked"] or "0") == ("1" if verdict == "blocked" else "0")
    files = [Path(outputs[name]) for name in ("markdown", "html", "json", "sarif", "code-quality")]
    assert [file for file in files if not file.is_file()] == []
    assert job.sarif == [Path(outputs["sarif"])]
    assert len(project.host.bodies()) == 1
    assert not (job.folder / "injected").exists()


# --- what holds for all of them -------------------------------------------------------------------------------------


def steps() -> Iterator[dict[str, Any]]:
    for job in GITHUB["jobs"].values():
        yield from job["steps"]
    yield from ACTION["runs"]["steps"]


def test_every_action_is_pinned_by_its_commit() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each)] == []


def test_no_expression_stands_in_a_script() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_a_job_may_do_no_more_than_it_needs() -> None:
    assert GITHUB["permissions"] == {}
    assert "pull_request_target" not in str(GITHUB)
    assert GITHUB["jobs"]["apply"]["permissions"] == {"contents": "read"}
    assert GITHUB["jobs"]["review"]["permissions"] == {
        "contents": "read",
        "pull-requests": "write",
        "security-events": "write",
        "actions": "read",
    }


def test_two_applies_never_run_at_a_time_and_somebody_approves_them() -> None:
    job = GITHUB["jobs"]["apply"]
    assert job["environment"] == GITLAB["apply"]["environment"]["name"] == "production"
    assert job["concurrency"]["cancel-in-progress"] is False
    assert GITLAB["apply"]["resource_group"] == "kafka-apply-$STACK"
    assert GITLAB["apply"]["rules"] == [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "when": "manual"}]


def test_every_job_of_gitlab_has_its_kubeconfig_at_the_same_path_and_leaves_none(tmp_path: Path) -> None:
    """A saved plan holds the path that the data source of the cluster found."""
    environment = machine(tmp_path / "machine", HIKUBE)
    (tmp_path / "given").write_text("content")
    environment["KUBECONFIG_FILE"] = str(tmp_path / "given")
    script = "\n".join([*GITLAB[".kafka"]["before_script"], 'echo "at $KUBECONFIG $(cat "$KUBECONFIG")"'])
    script = script.replace(".venv/bin/hikube-kafka provider install", "")
    command = ["bash", "-c", script]
    said = [
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    (first, second) = (re.findall(r"^at (\S+) content$", each, re.MULTILINE) for each in said)
    assert first == second != []
    assert not Path(first[0]).exists()


def test_both_jobs_of_github_have_their_kubeconfig_at_the_same_path() -> None:
    written = [each["run"] for each in steps() if each.get("name") == "Kubeconfig"]
    assert len(written) == 2
    assert len(set(written)) == 1


def test_every_script_is_valid_for_bash() -> None:
    bash = shutil.which("bash") or "bash"
    scripts = [step["run"] for step in steps() if "run" in step]
    scripts += ["\n".join(GITLAB[".kafka"]["before_script"] + GITLAB[name]["script"]) for name in ("review", "apply")]
    for script in scripts:
        subprocess.run([bash, "-n", "-c", script], check=True)


def test_the_page_tells_every_input_and_output() -> None:
    page = (ROOT / "docs" / "ci.md").read_text("utf-8")
    for name, each in {**ACTION["inputs"], **ACTION["outputs"]}.items():
        assert f"| `{name}` | {each['description']}" in page

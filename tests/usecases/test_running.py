import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from confluent_kafka import Consumer

from usecases import __main__ as command
from usecases.asking import asking
from usecases.chain import ROOT, Chain, Outcome, UnknownUseCaseError
from usecases.process import PartAwayError, PartFailedError, Process, end_leftovers, until
from usecases.running import CHAINS, chain_class, run


class Sleeper(Chain):
    name = "sleeper"
    takes: Mapping[str, str] = {"fails": "up, run or check"}
    part: Process
    seen: int

    def up(self, stack: ExitStack) -> None:
        self.part = Process("sleep", ["sh", "-c", "echo I sleep; sleep 600"], folder=self.folder)
        self.watch(self.part, stack).start(lambda: self.part.log_end() == "I sleep")
        Sleeper.seen = self.part.pid
        if self.options.get("fails") == "up":
            raise PartFailedError("the second part is not there")

    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
        if options.get("fails") == "run":
            raise PartFailedError("nothing arrived")
        if options.get("fails") == "library":
            socket.create_connection(("127.0.0.1", 9))
        if options.get("fails") == "mistake":
            raise KeyError("orders")
        outcome.check("rows arrive", holds=options.get("fails") != "check", seen="0 of 1")
        outcome.figures["rows_per_s"] = 1.0


class DiesAtOnce(Sleeper):
    def up(self, stack: ExitStack) -> None:
        self.watch(Process("dies", ["sh", "-c", "echo no such port; exit 3"], folder=self.folder), stack).start(
            lambda: False
        )


class EndsWhileItRuns(Sleeper):
    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
        os.killpg(self.part.pid, signal.SIGTERM)
        until(lambda: not self.part.is_running, 10, "its end")
        if options:
            raise PartFailedError("nothing arrived")


@pytest.mark.parametrize(
    ("fails", "failed"), [("nothing", "[]"), ("check", "['rows arrive: 0 of 1']"), ("up", "second"), ("run", "nothing")]
)
def test_whatever_fails_nothing_is_left_running(tmp_path: Path, fails: str, failed: str) -> None:
    try:
        seen = str(run(Sleeper, tmp_path / "chain", options={"fails": fails}).failed)
    except PartFailedError as error:
        seen = str(error)
    assert failed in seen
    assert not psutil.pid_exists(Sleeper.seen)


def test_a_run_that_passed_leaves_no_folder_and_one_that_failed_leaves_its_logs(tmp_path: Path) -> None:
    run(Sleeper, tmp_path / "passed")
    run(Sleeper, tmp_path / "failed", options={"fails": "check"})
    assert not (tmp_path / "passed").exists()
    assert (tmp_path / "failed" / "sleep.log").read_text() == "I sleep\n"


def test_a_part_that_does_not_come_up_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(PartFailedError, match="dies has ended with code 3; its log ends:\nno such port"):
        run(DiesAtOnce, tmp_path / "chain")


def test_a_part_that_ends_by_itself_is_a_failed_check_with_the_end_of_its_log(tmp_path: Path) -> None:
    outcome = run(EndsWhileItRuns, tmp_path / "chain")
    assert outcome.failed == [
        "every part ran until it was ended: sleep has ended with code -15; its log ends:\nI sleep"
    ]


def test_what_failed_because_a_part_ended_names_its_end_first(tmp_path: Path) -> None:
    with pytest.raises(PartFailedError, match="sleep has ended with code -15; its log ends:\nI sleep\nnothing arrived"):
        run(EndsWhileItRuns, tmp_path / "chain", options={"fails": "run"})


def test_a_wait_ends_with_the_part_that_has_ended(tmp_path: Path) -> None:
    class Waits(Sleeper):
        def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
            os.killpg(self.part.pid, signal.SIGTERM)
            self.until(lambda: False, 20, "rows")

    with pytest.raises(PartFailedError) as failed:
        run(Waits, tmp_path / "chain")
    assert str(failed.value) == "sleep has ended with code -15; its log ends:\nI sleep"


@pytest.mark.parametrize("in_a_thread", [False, True])
@pytest.mark.parametrize(
    ("asks", "says"),
    [
        (lambda: psycopg.connect("postgresql://u:hunter2@127.0.0.1:9/d"), "PostgreSQL: .*[Cc]onnection refused"),
        (
            lambda: httpx.get("http://u:hunter2@127.0.0.1:9/rows?token=hunter2"),
            "GET http://127.0.0.1:9/rows: ConnectError: .*refused",
        ),
        (
            lambda: Consumer({"bootstrap.servers": "127.0.0.1:9", "group.id": "g", "log_level": 0}).list_topics(
                timeout=0.1
            ),
            "Kafka: _TRANSPORT: ",
        ),
        (lambda: socket.create_connection(("127.0.0.1", 9)), "ConnectionRefusedError: Connection refused"),
        (lambda: Path("/no/such/file").read_bytes(), "FileNotFoundError: No such file or directory: /no/such/file"),
        (
            lambda: subprocess.run(["sh", "-c", "sleep 60", "password=hunter2"], timeout=0.5, check=False),
            "sh: it has not ended after 0.5 s",
        ),
        (lambda: psutil.Process(2**22 + 1), "NoSuchProcess: "),
    ],
)
def test_what_a_library_raises_is_a_text_and_everything_is_ended(
    tmp_path: Path, asks: Callable[[], object], says: str, *, in_a_thread: bool
) -> None:
    class Asks(Sleeper):
        def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
            if in_a_thread:
                self.thread("asking", asks).start()
                self.until(lambda: False, 20, "rows")
            asks()

    with pytest.raises(PartFailedError, match=("^asking: " if in_a_thread else "^") + says) as failed:
        run(Asks, tmp_path / "chain")
    assert "hunter2" not in command._said(failed.value)
    assert not psutil.pid_exists(Sleeper.seen)


def test_a_thread_that_failed_unheeded_fails_the_run(tmp_path: Path) -> None:
    class Forgets(Sleeper):
        def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
            thread = self.thread("counting", lambda: Path("/no/such/file").read_bytes())
            thread.start()
            thread.join()

    with pytest.raises(PartFailedError, match="counting: FileNotFoundError"):
        run(Forgets, tmp_path / "chain")


def test_what_a_library_raises_at_the_end_comes_after_what_went_wrong_first(tmp_path: Path) -> None:
    class CannotBeEnded(Sleeper):
        def up(self, stack: ExitStack) -> None:
            stack.callback(lambda: socket.create_connection(("127.0.0.1", 9)))
            super().up(stack)

    with pytest.raises(PartFailedError) as failed:
        run(CannotBeEnded, tmp_path / "chain", options={"fails": "run"})
    assert command._said(failed.value) == "nothing arrived\nConnectionRefusedError: Connection refused"


def test_a_part_that_is_asked_is_named_with_the_request_and_its_answer() -> None:
    with pytest.raises(PartAwayError) as away, asking("warehouse", "select 1"):
        psycopg.connect("postgresql://127.0.0.1:9/d")
    assert str(away.value).startswith("warehouse: select 1: connection failed: ")
    with pytest.raises(PartFailedError) as refused, asking("warehouse", "select\n  1"):
        raise psycopg.errors.UndefinedTable('relation "orders" does not exist')
    assert str(refused.value) == 'warehouse: select 1: relation "orders" does not exist'
    assert not isinstance(refused.value, PartAwayError)


def test_a_wait_for_a_part_that_is_away_says_what_it_said_last() -> None:
    def asks() -> object:
        raise PartAwayError("warehouse: select 1: Connection refused")

    with pytest.raises(PartFailedError, match="waited 0 s in vain for rows: warehouse: select 1: Connection refused"):
        until(asks, 0, "rows")


def test_a_part_that_the_chain_itself_has_killed_is_no_finding(tmp_path: Path) -> None:
    class Kills(Sleeper):
        def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
            self.part.kill()

    assert run(Kills, tmp_path / "chain").failed == []


def test_a_part_that_is_killed_takes_with_it_what_has_a_session_of_its_own(tmp_path: Path) -> None:
    part = Process("two", ["sh", "-c", "setsid sleep 600 & echo both; wait"], folder=tmp_path)
    part.start(lambda: part.log_end() == "both")
    (other,) = psutil.Process(part.pid).children()
    until(lambda: os.getsid(other.pid) == other.pid, 10, "a session")
    part.kill()
    assert not other.is_running()


def test_what_went_wrong_first_is_told_before_what_went_wrong_at_the_end(tmp_path: Path) -> None:
    class CannotBeEnded(Sleeper):
        def up(self, stack: ExitStack) -> None:
            def ends() -> None:
                raise PartFailedError("a topic is protected")

            stack.callback(ends)
            super().up(stack)

    with pytest.raises(PartFailedError) as failed:
        run(CannotBeEnded, tmp_path / "chain", options={"fails": "run"})
    assert command._said(failed.value) == "nothing arrived\na topic is protected"


def test_an_option_that_the_use_case_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownUseCaseError, match=r"sleeper has no option dration; it has: fails \(up, run or check\)"):
        run(Sleeper, tmp_path / "chain", options={"dration": "600"})


@pytest.mark.parametrize(
    ("name", "option"),
    [
        *(("telemetry", f"devices={text}") for text in ("many", "", "0", "-1", "nan", "inf", "1e9")),
        *((name, option) for name in CHAINS for option in ("burst=some", "burst=0", "settings=own")),
        *(("event-bus", option) for option in ("duration=2 minutes", "rate=0", "kills=none")),
        *(("work-queue", option) for option in ("duration=0", "rate=fast")),
        *(("telemetry", option) for option in ("failures=No", "settings=defaults")),
    ],
)
def test_a_value_that_an_option_does_not_have_is_refused_before_anything_is_started(
    tmp_path: Path, name: str, option: str
) -> None:
    key, _, value = option.partition("=")
    with pytest.raises(UnknownUseCaseError, match=f"--option {option}: write "):
        run(chain_class(name), tmp_path / "chain", options={key: value})
    assert list((tmp_path / "chain").iterdir()) == []


def test_one_use_case_does_not_run_twice_at_once(tmp_path: Path) -> None:
    class RunsAnother(Sleeper):
        def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
            run(Sleeper, self.folder)

    with pytest.raises(PartFailedError, match="sleeper is running already"):
        run(RunsAnother, tmp_path / "chain")


def test_what_a_killed_run_has_left_is_ended_and_another_process_with_its_number_is_not(tmp_path: Path) -> None:
    left = Process("left", ["sleep", "600"], folder=tmp_path).start()
    other = Process("other", ["sleep", "600"], folder=tmp_path).start()
    (tmp_path / "other.pid").write_text(f"{other.pid} 1000.0")
    try:
        assert end_leftovers(tmp_path) == ["left"]
        until(lambda: not left.is_running, 10, "its end")
        assert other.is_running
    finally:
        left.kill()
        other.kill()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PartFailedError, match=r"broker could not be started: .*no-such-program"):
        Process("broker", ["no-such-program"], folder=tmp_path).start()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["analytic"], 2, "there is no use case 'analytic': choose one of analytics, event-bus, telemetry, work-queue"),
        (["analytics", "--option", "settings"], 2, "--option settings: write KEY=VALUE"),
        (["analytics", "--option", "a=1", "--option", "a=2"], 2, "--option a is given twice: write it once"),
        (
            ["analytics", "--figures", "no/figures.json"],
            2,
            "--figures no/figures.json: there is no folder no: create it first",
        ),
        (["analytics", "--figures", "docs"], 2, "--figures docs: that is a folder: name a file"),
        (
            ["work-queue", "--option", "picture=no/queue.png"],
            2,
            "--option picture: no/queue.png: there is no folder no: create it first",
        ),
        (
            ["work-queue", "--option", "picture=queue.docx"],
            2,
            "--option picture=queue.docx: name a file that ends in .png or .svg or .pdf",
        ),
    ],
)
def test_a_command_that_is_misused_ends_with_2(arguments: list[str], code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "usecases", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, " ".join(done.stdout.split())) == (code, said)


_PROGRAM = """
    import sys
    sys.path[:0] = [{root!r}, {tests!r}]
    from pathlib import Path
    import test_running
    from usecases import __main__ as command, running
    test_running.Sleeper.takes = {{"fails": "", "waits": ""}}
    running.WORK = Path({work!r})
    running.CHAINS = {{"sleeper": "test_running:{kind}"}}
    sys.argv = ["usecases", "sleeper", *{arguments!r}]
    command.typer.run(command.main)
"""


class Waits(Sleeper):
    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
        (self.folder / "runs").touch()
        time.sleep(600)


def _program(work: Path, *arguments: str, kind: str = "Sleeper") -> list[str]:
    text = _PROGRAM.format(
        root=str(ROOT), tests=str(Path(__file__).parent), work=str(work), kind=kind, arguments=list(arguments)
    )
    return [sys.executable, "-c", textwrap.dedent(text)]


@pytest.mark.parametrize(("fails", "code"), [("nothing", 0), ("check", 1), ("up", 2), ("library", 2), ("mistake", 2)])
def test_the_exit_code_says_how_it_ended(tmp_path: Path, fails: str, code: int) -> None:
    done = subprocess.run(_program(tmp_path, "--option", f"fails={fails}"), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("Traceback" in done.stderr) == (fails == "mistake")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_what_it_had_started(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(_program(tmp_path, kind="Waits"), stdout=subprocess.PIPE, text=True) as running:
        until((tmp_path / "sleeper" / "runs").exists, 60, "the run")
        part = int((tmp_path / "sleeper" / "sleep.pid").read_text().split()[0])
        running.send_signal(number)
        said, _ = running.communicate(timeout=60)
    assert (running.returncode, said.split("\n")[0]) == (130, "Interrupted; all that was started has been ended.")
    assert not psutil.pid_exists(part)


def test_figures_are_written_as_json(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    subprocess.run(_program(tmp_path, "--figures", str(file)), check=True, capture_output=True)
    assert '"rows_per_s": 1.0' in file.read_text()


@pytest.mark.parametrize("name", CHAINS)
def test_the_page_has_every_use_case_with_its_options(name: str) -> None:
    page = (ROOT / "docs" / "usecases" / "README.md").read_text("utf-8")
    assert f"`{name}`" in page
    (options,) = re.findall(rf"^\| {name} \| (.*) \|$", page, re.MULTILINE)
    assert set(re.findall(r"`(\w+)[=\w]*`", options)) == set(chain_class(name).takes)


def test_every_use_case_has_a_name_of_its_own() -> None:
    assert command.main.__doc__
    assert len(set(CHAINS.values())) == len(CHAINS)

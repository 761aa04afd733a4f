"""The process that Terraform starts: its handshake, its signals, its end."""

import base64
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from hikube_kafka.plugin import tfplugin6_pb2 as pb
from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, List, Map, Object
from hikube_kafka.plugin.serve import COOKIE, COOKIE_NAME, _handshake
from hikube_kafka.plugin.values import UNKNOWN, Codec
from tests.support.output import next_line

TOY = Path(__file__).with_name("toy_provider.py")
SECRET = "hunter2"


class Process:
    """A provider's process and the channel to it."""

    def __init__(self, directory: Path, command: list[str]) -> None:
        environment = os.environ | {COOKIE_NAME: COOKIE, "TOY_DIRECTORY": str(directory), "TMPDIR": str(directory)}
        self.popen = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        )
        self.handshake = next_line(self.popen)
        self.socket = Path(self.handshake.split("|")[3])
        certificate = self.handshake.split("|")[5]
        der = base64.b64decode(certificate + "=" * (-len(certificate) % 4))
        self.channel = grpc.secure_channel(
            f"unix:{self.socket}",
            grpc.ssl_channel_credentials(ssl.DER_cert_to_PEM_cert(der).encode()),
            options=[("grpc.ssl_target_name_override", "localhost")],
        )

    def call(self, name: str, **fields: Any) -> Any:
        messages = getattr(pb, name)
        method = self.channel.unary_unary(
            f"/tfplugin6.Provider/{name}",
            request_serializer=messages.Request.SerializeToString,
            response_deserializer=messages.Response.FromString,
        )
        return method(messages.Request(**fields), timeout=30)

    def shut_down(self) -> None:
        self.channel.unary_unary("/plugin.GRPCController/Shutdown")(b"", timeout=30)

    def errors(self) -> str:
        """What it wrote to stderr, after its end."""
        assert self.popen.stderr is not None
        return self.popen.stderr.read()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def run(*before: str) -> Process:
        processes.append(Process(tmp_path, [*before, sys.executable, str(TOY)]))
        return processes[-1]

    yield run
    for process in processes:
        process.channel.close()
        process.popen.kill()
        process.popen.wait(timeout=30)
        for stream in (process.popen.stdout, process.popen.stderr):
            assert stream is not None
            stream.close()


@retry(retry=retry_if_result(lambda held: not held), stop=stop_after_delay(30), wait=wait_fixed(0.01))
def become(condition: Callable[[], bool]) -> bool:
    return condition()


PAGE = Object(
    {
        **dict.fromkeys(("name", "secret", "fails", "id"), STRING),
        **dict.fromkeys(("lines", "ratio"), NUMBER),
        "labels": Map(STRING),
        "tags": List(STRING),
        "protected": BOOL,
        "notes": List(Object({"text": STRING, "number": NUMBER})),
    }
)


def create_page(process: Process, name: str, **given: Any) -> Any:
    planned = dict.fromkeys(PAGE.attributes) | {"name": name, "id": UNKNOWN, "lines": 3} | given
    value = pb.DynamicValue(msgpack=Codec(PAGE).encode(planned))
    null = pb.DynamicValue(msgpack=b"\xc0")
    answer = process.call(
        "ApplyResourceChange", type_name="toy_page", prior_state=null, planned_state=value, config=value
    )
    return answer, Codec(PAGE).decode(answer.new_state.msgpack)


def test_started_by_hand_it_explains_itself_and_ends() -> None:
    environment = {name: value for name, value in os.environ.items() if name != COOKIE_NAME}
    ended = subprocess.run([sys.executable, TOY], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "terraform init" in ended.stderr
    assert ended.stdout == ""


def test_the_handshake_names_a_socket_that_only_this_user_can_reach(start: Callable[..., Process]) -> None:
    process = start()
    core, protocol, network, path, kind, _ = process.handshake.split("|")
    assert (core, protocol, network, kind) == ("1", "6", "unix", "grpc")
    assert Path(path).is_socket()
    assert Path(path).parent.stat().st_mode & 0o777 == 0o700


def test_the_certificate_in_the_handshake_is_not_padded() -> None:
    # go-plugin refuses padding, which only some lengths have.
    assert [_handshake("/s", b"x" * length) for length in (1, 2, 3)] == [
        "1|6|unix|/s|grpc|eA",
        "1|6|unix|/s|grpc|eHg",
        "1|6|unix|/s|grpc|eHh4",
    ]


def test_a_client_that_does_not_know_the_certificate_is_not_spoken_to(start: Callable[..., Process]) -> None:
    process = start()
    with grpc.insecure_channel(f"unix:{process.socket}") as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=30)


def test_a_long_temporary_directory_does_not_break_the_socket(start: Callable[..., Process], tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    process = start("env", f"TMPDIR={long}")
    assert process.socket.is_socket()
    process.shut_down()
    assert process.popen.wait(timeout=30) == 0


def test_after_shutdown_nothing_is_left(start: Callable[..., Process]) -> None:
    process = start()
    process.shut_down()
    assert process.popen.wait(timeout=30) == 0
    assert not process.socket.parent.exists()


def test_an_interrupt_of_the_process_group_does_not_end_it(start: Callable[..., Process]) -> None:
    process = start()
    os.killpg(process.popen.pid, signal.SIGINT)
    answer, page = create_page(process, "a")
    assert not answer.diagnostics
    assert page["id"] == "page-a"
    process.shut_down()
    assert process.popen.wait(timeout=30) == 0  # it ended when it was told to, not of the interrupt
    assert "KeyboardInterrupt" not in process.errors()


def test_a_termination_lets_the_running_apply_finish(start: Callable[..., Process], tmp_path: Path) -> None:
    process = start()
    (tmp_path / "slow.hold").touch()
    answers: list[Any] = []
    apply = threading.Thread(target=lambda: answers.append(create_page(process, "slow")))
    apply.start()
    become((tmp_path / "slow.held").exists)
    process.popen.terminate()
    become((tmp_path / "stopped").exists)
    assert process.popen.poll() is None
    (tmp_path / "slow.hold").unlink()
    apply.join(timeout=30)
    (answer, page) = answers[0]
    assert not answer.diagnostics
    assert page["id"] == "page-slow"
    assert process.popen.wait(timeout=30) == 0
    assert not process.socket.parent.exists()


def test_it_finishes_and_ends_when_terraform_was_killed(start: Callable[..., Process], tmp_path: Path) -> None:
    # Here a process stands between that does nothing but start the provider, and can be killed like Terraform.
    process = start(sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])")
    (tmp_path / "slow.hold").touch()
    apply = threading.Thread(target=lambda: create_page(process, "slow"))
    apply.start()
    become((tmp_path / "slow.held").exists)
    process.popen.kill()
    process.popen.wait(timeout=30)
    assert process.popen.stderr is not None
    process.popen.stderr.close()  # nobody reads its log any more
    become((tmp_path / "stopped").exists)
    assert process.socket.parent.exists()
    (tmp_path / "slow.hold").unlink()
    apply.join(timeout=30)
    become(lambda: not process.socket.parent.exists())


def test_a_stop_reaches_the_provider(start: Callable[..., Process], tmp_path: Path) -> None:
    process = start()
    assert process.call("StopProvider").Error == ""
    assert (tmp_path / "stopped").exists()


def test_log_lines_are_what_terraform_reads_and_hold_no_value(start: Callable[..., Process]) -> None:
    process = start("env", "TF_LOG=debug")
    create_page(process, "a", secret=SECRET)
    answer, _ = create_page(process, "b", secret=SECRET, fails="exception")
    assert "LookupError" in answer.diagnostics[0].detail
    assert SECRET not in str(answer.diagnostics)
    process.shut_down()
    process.popen.wait(timeout=30)
    written = process.errors()
    assert SECRET not in written
    lines = [json.loads(line) for line in written.splitlines()]
    assert {"@level", "@message", "@module", "@timestamp"} <= set.intersection(*(set(line) for line in lines))
    assert {"ApplyResourceChange for toy_page"} <= {line.get("call") for line in lines}


def test_log_lines_that_nobody_asked_for_are_not_written(start: Callable[..., Process]) -> None:
    process = start("env", "-u", "TF_LOG", "-u", "TF_LOG_PROVIDER")
    create_page(process, "a")
    process.shut_down()
    process.popen.wait(timeout=30)
    assert process.errors() == ""

"""Everything that keeps an ensemble from starting is told at once, and nothing is started."""

import dataclasses
import errno
import socket
import stat
from pathlib import Path
from typing import Any

import psutil
import pytest

from hikube_kafka.ensemble import PreflightError, QuorumChangeError, apply, ports, preflight
from hikube_kafka.ensemble.configuration import write_declaration
from hikube_kafka.ensemble.java import heap_bytes, java_problems
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.spec.ensemble import EnsembleDeclaration
from tests.support.ensemble import small_ensemble


@pytest.fixture
def jars_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Names of jars are enough as long as nothing starts."""
    folder = tmp_path / "jars"
    folder.mkdir()
    for name in (
        "kafka_2.13-3.9.2",
        "kafka-clients-3.9.2",
        "zookeeper-3.8.4",
        "slf4j-api-1.7.36",
        "scala-library-2.13.15",
    ):
        (folder / f"{name}.jar").touch()
    monkeypatch.setenv("HIKUBE_KAFKA_JARS", str(folder))
    return folder


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "ensemble"


@pytest.fixture
def declaration(directory: Path, jars_folder: Path) -> EnsembleDeclaration:
    assert jars_folder.is_dir()
    declared: EnsembleDeclaration = small_ensemble(directory).declaration
    return declared


@pytest.fixture(autouse=True)
def nothing_may_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr("hikube_kafka.ensemble.lifecycle.start", refuse)


def refused(declaration: EnsembleDeclaration) -> tuple[str, ...]:
    with pytest.raises(PreflightError) as refusal:
        apply(declaration)
    assert refusal.value.name == declaration.name
    assert running_servers(Path(declaration.directory)) == {}
    return refusal.value.problems


def test_a_port_in_use_is_named_with_who_wants_it_and_who_has_it(
    declaration: EnsembleDeclaration, directory: Path
) -> None:
    port = declaration.brokers[1].ports[0]
    with socket.create_server(("127.0.0.1", port)):
        problems = refused(declaration)

    assert len(problems) == 1
    assert f"Port {port}, which broker-1 listens on, is in use by {psutil.Process().name()}" in problems[0]
    assert f"pid {psutil.Process().pid}" in problems[0]
    assert not directory.exists(), "a refusal leaves no traces"


def test_a_port_in_use_is_named_for_a_server_that_is_only_to_be_restarted(
    declaration: EnsembleDeclaration, directory: Path
) -> None:
    (broker, *_) = declaration.brokers
    with socket.create_server(("127.0.0.1", broker.ports[0])):
        (told,) = preflight.problems(declaration, directory, starting=(), changing=(broker,), own_ports=())
        own = preflight.problems(declaration, directory, starting=(), changing=(broker,), own_ports=broker.ports)

    assert f"Port {broker.ports[0]}, which broker-0 listens on, is in use" in told
    assert own == []


def listening(declaration: EnsembleDeclaration, listeners: str) -> EnsembleDeclaration:
    (broker, *_) = declaration.brokers
    changed = dataclasses.replace(broker, properties={**broker.properties, "listeners": listeners})
    return dataclasses.replace(declaration, brokers=(changed,))


def test_a_port_that_an_outgoing_connection_holds_is_told_apart_from_one_that_a_server_has(
    declaration: EnsembleDeclaration, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = declaration.brokers[0].ports[0]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.bind(("127.0.0.1", port))
        client.connect(server.getsockname())
        (told,) = refused(declaration)
        held = f"Port {port}, which broker-0 listens on, is held by {psutil.Process().name()}"
        assert told.startswith(held)
        assert "for an outgoing connection, and by no server: wait until it has ended" in told
        monkeypatch.setattr(preflight, "given_to_clients", lambda: (port, port + 9))
        (told,) = refused(declaration)
    assert told.startswith(held)
    assert f"This system gives the ports {port} to {port + 9} to clients" in told
    assert f"declare ports below {port}" in told


def test_an_address_is_looked_at_where_the_server_would_listen(declaration: EnsembleDeclaration) -> None:
    port = declaration.brokers[0].ports[0]
    with socket.create_server(("::1", port), family=socket.AF_INET6):
        (told,) = refused(listening(declaration, f"PLAINTEXT://[::1]:{port}"))
        assert f"Port {port}, which broker-0 listens on, is in use by" in told
        (told,) = refused(listening(declaration, f"PLAINTEXT://:{port}"))
        assert f"Port {port}, which broker-0 listens on, is in use by" in told
        assert ports.obstacle("127.0.0.1", port) is None
    (told,) = refused(listening(declaration, f"PLAINTEXT://192.0.2.1:{port}"))
    assert told.startswith("broker-0 is to listen on 192.0.2.1, which is not an address of this machine")


def test_a_machine_without_ipv6_is_no_obstacle_to_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutIpv6(socket.socket):
        def __init__(self, family: int = socket.AF_INET, *more: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *more)

    monkeypatch.setattr("hikube_kafka.ensemble.ports.socket.socket", WithoutIpv6)
    with WithoutIpv6() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))  # nobody else is given the port meanwhile
        port = server.getsockname()[1]
        free = ports.obstacle("", port)
        server.listen(1)
        busy, alone = ports.obstacle("", port), ports.obstacle("::1", port)

    assert free is None
    assert busy is not None
    assert busy.errno == errno.EADDRINUSE
    assert alone is not None
    assert alone.errno == errno.EAFNOSUPPORT


def test_the_ports_of_clients_are_those_of_this_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel, reserved = tmp_path / "range", tmp_path / "reserved"
    kernel.write_text("32768\t60999\n")
    reserved.write_text("33000,40000-40002\n")
    monkeypatch.setattr(ports, "_RANGE", kernel)
    monkeypatch.setattr(ports, "_RESERVED", reserved)
    assert ports.given_to_clients() == (32768, 60999)
    assert [port for port in range(32768, 50000) if port in ports.kept_from_clients()] == [33000, *range(40000, 40003)]
    kernel.unlink()
    reserved.unlink()
    monkeypatch.setattr(ports, "_SYSCTL", ("printf", "49152\n65535\n"))
    assert ports.given_to_clients() == (49152, 65535)
    monkeypatch.setattr(ports, "_SYSCTL", ("false",))
    assert ports.given_to_clients() is None
    assert 33000 not in ports.kept_from_clients()


def test_what_a_shell_tells_every_java_is_not_taken_for_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"):
        monkeypatch.setenv(name, '-Dsaid=version_"8')
    assert java_problems() == []
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1k")  # no Java starts with it
    assert java_problems() == []


@pytest.mark.parametrize("heap", ["512 MB", "", "1t"])
def test_a_heap_that_java_would_not_take_is_no_number(heap: str) -> None:
    with pytest.raises(ValueError, match="is not a heap size as Java writes it"):
        heap_bytes(heap)


def test_a_port_declared_twice_is_refused(declaration: EnsembleDeclaration) -> None:
    first, second, third = declaration.brokers
    twice = dataclasses.replace(second, properties={**second.properties, "listeners": first.properties["listeners"]})

    problems = refused(dataclasses.replace(declaration, brokers=(first, twice, third)))

    assert f"Port {first.ports[0]} is declared for broker-0 and for broker-1" in problems[0]


def test_missing_java_is_told_with_the_version_needed(
    declaration: EnsembleDeclaration, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Java 17 or later is needed: there is no java on the PATH" in refused(declaration)[0]

    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert f"JAVA_HOME is '{tmp_path}', which has no bin/java" in refused(declaration)[0]


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        (
            "#!/bin/sh\necho 'openjdk version \"11.0.27\" 2025-04-15' >&2\n",
            "is Java 11. Install a later one, or set JAVA_HOME to it.",
        ),
        ("#!/bin/sh\necho something else\n", "-version does not tell its version: 'something else'."),
        ("", "cannot be run ("),
    ],
    ids=["too old", "without a version", "no program"],
)
def test_java_home_comes_before_the_path_and_a_java_that_will_not_do_is_refused(
    declaration: EnsembleDeclaration, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, problem: str
) -> None:
    java = tmp_path / "old" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(program)
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))

    (told,) = refused(declaration)

    assert told.startswith(f"Java 17 or later is needed: {java} {problem}")


def test_missing_maven_is_told_when_the_jars_are_not_there_yet(
    declaration: EnsembleDeclaration, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HIKUBE_KAFKA_JARS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert any("Maven (mvn, 3.6 or later) is not on the PATH" in problem for problem in refused(declaration))


def test_a_kafka_home_that_has_no_zookeeper_is_refused(declaration: EnsembleDeclaration, tmp_path: Path) -> None:
    home = tmp_path / "kafka_2.13-4.1.0"
    (home / "libs").mkdir(parents=True)
    (home / "libs" / "kafka_2.13-4.1.0.jar").touch()

    problems = refused(dataclasses.replace(declaration, kafka_home=str(home)))

    assert f"kafka_home = '{home}'" in problems[0]
    assert "zookeeper" in problems[0]


def test_too_little_memory_is_told_with_what_is_needed(declaration: EnsembleDeclaration) -> None:
    greedy = tuple(dataclasses.replace(broker, heap="4000g") for broker in declaration.brokers)

    assert "Not enough memory: 6 servers need 12" in refused(dataclasses.replace(declaration, brokers=greedy))[0]


def test_a_broker_without_a_plaintext_listener_is_refused(declaration: EnsembleDeclaration) -> None:
    broker = declaration.brokers[0]
    secured = {**broker.properties, "listener.security.protocol.map": "CLIENT:SASL_SSL"}
    brokers = (dataclasses.replace(broker, properties=secured), *declaration.brokers[1:])

    assert (
        "broker-0 has no listener of the protocol PLAINTEXT"
        in refused(dataclasses.replace(declaration, brokers=brokers))[0]
    )


def test_a_directory_that_cannot_be_made_is_refused(declaration: EnsembleDeclaration, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    problems = refused(dataclasses.replace(declaration, directory=str(tmp_path / "file" / "ensemble")))

    assert "cannot be made" in problems[0]


def test_data_of_others_is_refused_all_at_once(declaration: EnsembleDeclaration, directory: Path) -> None:
    for broker, owner, cluster in ((0, 0, "one"), (1, 7, "two")):
        data = directory / f"broker-{broker}" / "data"
        data.mkdir(parents=True)
        (data / "meta.properties").write_text(f"#\nversion=0\nbroker.id={owner}\ncluster.id={cluster}\n")
    (directory / "zookeeper-1" / "data").mkdir(parents=True)
    (directory / "zookeeper-1" / "data" / "myid").write_text("3\n")
    (directory / "ensemble.json").write_text(
        '{"version": 1, "name": "other", "directory": "", "zookeeper": [], "brokers": [], "kafka_home": null}'
    )

    problems = "\n".join(refused(declaration))

    assert "holds the ensemble 'other', not 'test'" in problems
    assert "holds the data of broker 7, not of broker-1" in problems
    assert "brokers of different clusters (broker-0: cluster one; broker-1: cluster two)" in problems
    assert "holds the data of ZooKeeper server 3, not of zookeeper-1" in problems
    assert "only 0 of 3 ZooKeeper servers hold any" in problems


def test_an_ensemble_is_no_stranger_in_its_own_directory(declaration: EnsembleDeclaration, directory: Path) -> None:
    directory.mkdir()
    write_declaration(directory, declaration)

    assert preflight.problems(declaration, directory, starting=(), changing=(), own_ports=()) == []


def test_other_zookeeper_servers_than_those_with_the_data_are_refused(
    declaration: EnsembleDeclaration, directory: Path
) -> None:
    for server in (1, 2, 3, 4, 5):
        (directory / f"zookeeper-{server}" / "data" / "version-2").mkdir(parents=True)
        (directory / f"zookeeper-{server}" / "data" / "version-2" / "log.1").touch()

    with pytest.raises(QuorumChangeError, match=r"\[1, 2, 3, 4, 5\] hold the data .* but \[1, 2, 3\] are declared"):
        apply(declaration)

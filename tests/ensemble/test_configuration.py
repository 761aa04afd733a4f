"""The files of a server's folder."""

import dataclasses
import json
import re
import subprocess
from pathlib import Path

import pytest

from hikube_kafka.ensemble import jars
from hikube_kafka.ensemble.configuration import (
    DECLARATION_FILE,
    digest,
    is_written,
    read_declaration,
    render_properties,
    write_declaration,
    write_server,
)
from hikube_kafka.ensemble.java import java_command
from hikube_kafka.spec.versions import KAFKA_VERSION
from tests.support.ensemble import small_ensemble

AWKWARD = {
    "plain": "value",
    "spaces around": "  leading and trailing  ",
    "with=equals": "a=b",
    "with:colon": "127.0.0.1:2888:3888",
    "#comment": "#not a comment",
    "!exclamation": "!neither",
    "back\\slash": "C:\\data\\",
    "lines": "one\ntwo\r\nthree",
    "tab": "\t\f",
    "empty": "",
    "umlaut": "Zürich",
    "beyond": "\U0001f98a",
}


@pytest.mark.ensemble
def test_java_reads_back_every_character_of_a_rendered_file(tmp_path: Path) -> None:
    java = java_command()
    assert java
    (tmp_path / "server.properties").write_text(render_properties(AWKWARD), "latin-1")
    program = tmp_path / "Show.java"
    program.write_text(
        """
        public class Show {
            public static void main(String[] arguments) throws Exception {
                var read = new java.util.Properties();
                read.load(new java.io.FileInputStream(arguments[0]));
                for (var key : read.stringPropertyNames()) {
                    System.out.println(hex(key) + " " + hex(read.getProperty(key)));
                }
            }
            static String hex(String text) {
                return "x" + java.util.HexFormat.of().formatHex(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
            }
        }
        """
    )

    shown = subprocess.run(
        [java, str(program), str(tmp_path / "server.properties")], capture_output=True, text=True, check=True
    )

    pairs = (line.split(" ") for line in shown.stdout.splitlines())
    assert {_text(key): _text(value) for key, value in pairs} == AWKWARD


def _text(shown: str) -> str:
    return bytes.fromhex(shown.removeprefix("x")).decode()


def test_a_server_s_folder_has_its_file_its_myid_and_no_path_of_the_machine(tmp_path: Path) -> None:
    server = small_ensemble(tmp_path).declaration.zookeeper[1]

    write_server(tmp_path, server)

    assert is_written(tmp_path, server)
    assert (tmp_path / "data" / "myid").read_text() == "2\n"
    assert str(tmp_path) not in (tmp_path / "zoo.cfg").read_text() + (tmp_path / "log4j.properties").read_text()


def test_only_what_takes_a_restart_changes_the_digest(tmp_path: Path) -> None:
    declaration = small_ensemble(tmp_path).declaration
    broker = declaration.brokers[0]
    known = digest(declaration, broker)

    turned = dict(sorted(broker.properties.items(), reverse=True))
    assert digest(dataclasses.replace(declaration, directory="elsewhere", zookeeper=()), broker) == known
    assert digest(declaration, dataclasses.replace(broker, properties=turned)) == known
    assert digest(declaration, dataclasses.replace(broker, heap="1g")) != known
    assert digest(declaration, dataclasses.replace(broker, properties={**broker.properties, "a": "b"})) != known
    assert digest(dataclasses.replace(declaration, kafka_home="/opt/kafka"), broker) != known
    unsupervised = dataclasses.replace(declaration, fast_failover=False)
    assert digest(unsupervised, broker) != known
    server = declaration.zookeeper[0]
    assert digest(unsupervised, server) == digest(declaration, server)


@pytest.mark.parametrize("fast_failover", [True, False])
def test_a_declaration_comes_back_as_it_was_written(*, fast_failover: bool, tmp_path: Path) -> None:
    declaration = dataclasses.replace(small_ensemble(tmp_path).declaration, fast_failover=fast_failover)

    write_declaration(tmp_path, declaration)

    assert read_declaration(tmp_path) == declaration


def test_what_was_written_before_there_were_supervisors_is_read_as_with_them(tmp_path: Path) -> None:
    declaration = small_ensemble(tmp_path).declaration
    write_declaration(tmp_path, declaration)
    file = tmp_path / DECLARATION_FILE
    written = json.loads(file.read_text())
    del written["fast_failover"]
    file.write_text(json.dumps(written))

    assert read_declaration(tmp_path) == declaration


def test_maven_is_asked_for_the_version_that_the_declaration_is_checked_against() -> None:
    pom = Path(jars.__file__).with_name("pom.xml").read_text()

    assert re.findall(r"<kafka\.version>(.*)</kafka\.version>", pom) == [KAFKA_VERSION]

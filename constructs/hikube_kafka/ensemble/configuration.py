"""The files of a server's folder, and the digest by which a running server shows what it was started with."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from hikube_kafka.spec.ensemble import ConnectDeclaration, EnsembleDeclaration, Kind, PluginSource, ServerProcess
from hikube_kafka.spec.versions import KAFKA_VERSION

DECLARATION_FILE = "ensemble.json"
CONNECT_FILE = "connect.json"
"""What stands beside the workers of a Connect cluster, in place of the file of an ensemble."""
SERVER_LOG = "server.log"
SESSIONS_FILE = "sessions"
"""Each session with ZooKeeper that the broker has had since its start; its supervisor closes them."""
CONSOLE_LOG = "console.log"
"""Standard output and error of the process: what Java itself has to say, such as a heap that it cannot get."""

_LOG4J = """\
log4j.rootLogger=INFO, file
log4j.appender.file=org.apache.log4j.RollingFileAppender
log4j.appender.file.File=server.log
log4j.appender.file.MaxFileSize=10MB
log4j.appender.file.MaxBackupIndex=3
log4j.appender.file.layout=org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern=[%d] %p %m (%c)%n
# The whole configuration, once more after every change of it.
log4j.logger.org.apache.kafka.common.config.AbstractConfig=WARN
log4j.logger.org.apache.zookeeper.ZooKeeper=WARN
"""
_SESSIONS_LOG4J = f"""\
log4j.logger.org.apache.zookeeper.ClientCnxn=INFO, sessions
log4j.appender.sessions=org.apache.log4j.FileAppender
log4j.appender.sessions.File={SESSIONS_FILE}
log4j.appender.sessions.layout=org.apache.log4j.PatternLayout
log4j.appender.sessions.layout.ConversionPattern=%m%n
log4j.appender.sessions.filter.1=org.apache.log4j.varia.StringMatchFilter
log4j.appender.sessions.filter.1.StringToMatch=Session establishment complete
log4j.appender.sessions.filter.2=org.apache.log4j.varia.DenyAllFilter
"""
_CONNECTORS_LOG4J = (
    # Which connector, and which task, a line is about.
    _LOG4J.replace("%p %m", "%p %X{connector.context}%m") + "log4j.logger.org.reflections=ERROR\n"
)
_FILES: Mapping[Kind, str] = {
    "zookeeper": "zoo.cfg",
    "broker": "server.properties",
    "worker": "connect-distributed.properties",
}
_PATHS = re.compile(r"plugin\.path|config\.providers\..+\.param\.allowed\.paths")
"""Entries of a worker that Connect takes as absolute paths alone, separated by commas."""
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}


def render_properties(properties: Mapping[str, str]) -> str:
    """The text of a Java properties file, in ISO 8859-1, entries in the order of their keys.

    Source: java.util.Properties.store.
    """
    lines = []
    for key, value in sorted(properties.items()):
        escaped = "".join("\\" + char if char in " :=#!" else _escape(char) for char in key)
        text = "".join(_escape(char) for char in value)
        # A leading space would be taken for the space around the equals sign.
        text = f"\\{text}" if text.startswith(" ") else text
        lines.append(f"{escaped}={text}\n")
    return "".join(lines)


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if " " <= char <= "~":
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02X}{units[at + 1]:02X}" for at in range(0, len(units), 2))


def configuration_file(server: ServerProcess) -> str:
    """Name of the file that the server reads."""
    return _FILES[server.kind]


def digest(declaration: EnsembleDeclaration | ConnectDeclaration, server: ServerProcess) -> str:
    """16 hexadecimal digits over everything that takes a restart to change."""
    distribution = declaration.kafka_home or KAFKA_VERSION
    facts: list[Any] = [sorted(server.properties.items()), server.heap, distribution]
    if server.kind == "broker" and not is_supervised(declaration, server):
        facts.append("unsupervised")
    if isinstance(declaration, ConnectDeclaration):
        facts += sorted(str(astuple(plugin)) for plugin in declaration.plugins)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def is_supervised(declaration: EnsembleDeclaration | ConnectDeclaration, server: ServerProcess) -> bool:
    """Whether the server runs under a supervisor."""
    return server.kind == "broker" and isinstance(declaration, EnsembleDeclaration) and declaration.fast_failover


def data_folders(folder: Path, server: ServerProcess) -> tuple[Path, ...]:
    """Where the server keeps its data; both a dataDir and each of log.dirs may be relative to its folder."""
    if server.kind == "worker":
        return ()
    if server.kind == "zookeeper":
        return (folder / server.properties["dataDir"],)
    listed = server.properties.get("log.dirs") or server.properties.get("log.dir", "/tmp/kafka-logs")  # noqa: S108 - Kafka's own default
    return tuple(folder / each.strip() for each in listed.split(","))


def write_server(folder: Path, server: ServerProcess, *, supervised: bool = False) -> None:
    """Write everything the server reads at its start. Data is left alone.

    Args:
        folder: the server's.
        server: what it is.
        supervised: whether it is a broker that tells its supervisor of its sessions.
    """
    for data in data_folders(folder, server):
        data.mkdir(parents=True, exist_ok=True)
    if server.kind == "zookeeper":
        write(data_folders(folder, server)[0] / "myid", f"{server.id}\n")
    folder.mkdir(parents=True, exist_ok=True)
    for path in _own_paths(folder, server):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    log4j = _CONNECTORS_LOG4J if server.kind == "worker" else _LOG4J
    write(folder / "log4j.properties", log4j + _SESSIONS_LOG4J if supervised else log4j)
    write(folder / configuration_file(server), _configuration(folder, server))


def _own_paths(folder: Path, server: ServerProcess) -> list[Path]:
    """Folders that a worker's entries name relative to its own: Connect wants them to be there."""
    if server.kind != "worker":
        return []
    listed = [
        each.strip() for key, value in server.properties.items() if _PATHS.fullmatch(key) for each in value.split(",")
    ]
    return [folder / each for each in dict.fromkeys(listed) if each and not Path(each).is_absolute()]


def _configuration(folder: Path, server: ServerProcess) -> str:
    """The text of the file that the server reads."""
    if server.kind != "worker":
        return render_properties(server.properties)

    def absolute(paths: str) -> str:
        return ",".join(os.path.normpath(folder / each.strip()) for each in paths.split(",") if each.strip())

    return render_properties(
        {key: absolute(value) if _PATHS.fullmatch(key) else value for key, value in server.properties.items()}
    )


def is_written(folder: Path, server: ServerProcess) -> bool:
    """Whether the file on disk is the declared one."""
    try:
        return (folder / configuration_file(server)).read_text("latin-1") == _configuration(folder, server)
    except FileNotFoundError:
        return False


def written_properties(folder: Path) -> dict[str, str]:
    """The entries of the file that the server in this folder was started with; empty when there is none.

    Reads what ``render_properties`` wrote, for the entries that hold names, addresses and numbers: no escapes.
    """
    for name in _FILES.values():
        try:
            text = (folder / name).read_text("latin-1")
        except FileNotFoundError:
            continue
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {}


def write_declaration(directory: Path, declaration: EnsembleDeclaration) -> None:
    """Leave beside the data what was declared, so that looking and stopping need nothing else."""
    write(directory / DECLARATION_FILE, json.dumps({"version": 1, **asdict(declaration)}, indent=2) + "\n")


def read_declaration(directory: Path) -> EnsembleDeclaration | None:
    """What was declared last in this directory; None when there is no ensemble."""
    try:
        raw: dict[str, Any] = json.loads((directory / DECLARATION_FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return EnsembleDeclaration(
        name=raw["name"],
        directory=str(directory),
        zookeeper=tuple(ServerProcess(**each) for each in raw["zookeeper"]),
        brokers=tuple(ServerProcess(**each) for each in raw["brokers"]),
        kafka_home=raw["kafka_home"],
        fast_failover=raw.get("fast_failover", True),  # none in what the version before wrote
    )


def write_connect(directory: Path, declaration: ConnectDeclaration) -> None:
    """Leave beside the workers what was declared, so that looking and stopping need nothing else."""
    write(directory / CONNECT_FILE, json.dumps({"version": 1, **asdict(declaration)}, indent=2) + "\n")


def read_connect(directory: Path) -> ConnectDeclaration | None:
    """What was declared last in this directory; None when there is no Connect cluster."""
    try:
        raw: dict[str, Any] = json.loads((directory / CONNECT_FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return ConnectDeclaration(
        name=raw["name"],
        directory=str(directory),
        workers=tuple(ServerProcess(**each) for each in raw["workers"]),
        plugins=tuple(PluginSource(**each) for each in raw["plugins"]),
        kafka_home=raw["kafka_home"],
    )


def write(path: Path, text: str) -> None:
    """Replace the file as a whole: a reader, or a crash, sees the old or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, "utf-8")
    new.replace(path)


def meta_properties(data: Path) -> dict[str, str]:
    """What Kafka wrote into a data folder about itself: ``broker.id`` and ``cluster.id``; empty when it never ran."""
    try:
        text = (data / "meta.properties").read_text("latin-1")
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))

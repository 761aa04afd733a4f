"""The Java that runs the servers."""

import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = 17
"""Java 8 and 11 still start Kafka 3.9, deprecated; 17 is what its maintainers recommend and what was tried here."""


_CHANGES_A_JVM = frozenset(
    {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "IBM_JAVA_OPTIONS", "OPENJ9_JAVA_OPTIONS", "CLASSPATH"}
)
"""Variables by which a Java runtime, or its launcher, takes options or classes that no command line names."""
_CHANGES_A_SCRIPT = frozenset(
    {"KAFKA_OPTS", "KAFKA_HEAP_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_JMX_OPTS", "KAFKA_LOG4J_OPTS", "KAFKA_DEBUG"}
    | {"JMX_PORT", "LOG_DIR", "EXTRA_ARGS", "SERVER_JVMFLAGS", "CLIENT_JVMFLAGS", "JVMFLAGS", "ZOOCFGDIR", "ZOOCFG"}
)
"""Variables by which Kafka's and ZooKeeper's own scripts do. No such script runs here; what a server starts may."""


def environment() -> dict[str, str]:
    """The environment of this process for a Java that is to run as declared: a shell's options for Java stay out."""
    return {name: text for name, text in os.environ.items() if name not in _CHANGES_A_JVM | _CHANGES_A_SCRIPT}


def java_command() -> str | None:
    """Absolute path of ``java``: that of JAVA_HOME, or else the first on the PATH; None when there is neither."""
    home = os.environ.get("JAVA_HOME")
    if home:
        return shutil.which(str(Path(home) / "bin" / "java"))
    return shutil.which("java")


def java_problems() -> list[str]:
    """What is wrong with the Java found here; empty when nothing is."""
    wanted = f"Java {OLDEST} or later is needed"
    java = java_command()
    home = os.environ.get("JAVA_HOME")
    if java is None and home:
        return [f"{wanted}: JAVA_HOME is {home!r}, which has no bin/java. Correct it, or unset it to use the PATH."]
    if java is None:
        return [f"{wanted}: there is no java on the PATH, and JAVA_HOME is not set. Install it, or set JAVA_HOME."]
    try:
        shown = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=60, check=False, env=environment()
        )
    except OSError as error:
        return [f"{wanted}: {java} cannot be run ({error})."]
    version = re.search(r'version "(?:1\.)?([0-9]+)', shown.stderr + shown.stdout)
    if version is None:
        return [
            f"{wanted}: {java} -version does not tell its version: {(shown.stderr + shown.stdout).strip()[:200]!r}."
        ]
    if int(version[1]) < OLDEST:
        return [f"{wanted}: {java} is Java {version[1]}. Install a later one, or set JAVA_HOME to it."]
    return []


_SIZE = re.compile(r"([0-9]+)([kKmMgG]?)")
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def heap_bytes(heap: str) -> int:
    """``512m`` as Java reads it.

    Raises:
        ValueError: not a size of Java's form.
    """
    match = _SIZE.fullmatch(heap)
    if match is None:
        raise ValueError(f"{heap!r} is not a heap size as Java writes it: 512m, 2g")
    return int(match[1]) * _UNITS[match[2].lower()]

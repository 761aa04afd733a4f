"""rsyslog with its modules for Kafka, from Debian's packages."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from usecases.chain import Chain
from usecases.debian import unpacked
from usecases.process import Process

_PACKAGES = ("rsyslog", "rsyslog-kafka", "libestr0", "libfastjson4", "liblognorm5", "librdkafka1")


class Rsyslog:
    """One rsyslogd with a configuration of its own; it leaves that of the machine alone.

    Args:
        chain: the chain that it is a part of.
        stack: ends it.
        name: of the process, its folder and its log.
        configuration: its file.
        environment: what the file reads with ``echo $NAME``; ``STATE`` is its folder.
    """

    def __init__(
        self, chain: Chain, stack: ExitStack, *, name: str, configuration: Path, environment: Mapping[str, str]
    ) -> None:
        self.folder = chain.folder / name
        self.folder.mkdir()
        root = unpacked(*_PACKAGES)
        (libraries,) = {module.parent.parent for module in root.glob("usr/lib/*/rsyslog/omkafka.so")}
        self.process = Process(
            name,
            [
                root / "usr/sbin/rsyslogd",
                "-n",
                "-f",
                configuration,
                "-i",
                self.folder / "rsyslogd.pid",
                "-M",
                libraries / "rsyslog",
            ],
            folder=self.folder,
            environment={"LD_LIBRARY_PATH": str(libraries), "STATE": str(self.folder), **environment},
        )
        chain.watch(self.process, stack)

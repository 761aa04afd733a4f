"""Elasticsearch 8.19, from Maven: the distribution of its own integration tests, which has no Kibana."""

import shutil
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from usecases import unprivileged
from usecases.asking import asking
from usecases.chain import Chain
from usecases.maven import artifact
from usecases.process import Process

VERSION = "8.19.21"
_ARCHIVE = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
_BOOT_SECONDS = 180.0
_PATIENCE_SECONDS = 30.0
_SETTINGS = """\
cluster.name: analytics
node.name: node-0
discovery.type: single-node
network.host: 127.0.0.1
http.port: {port}
transport.port: {transport}
path.data: {folder}/data
path.logs: {folder}/logs
# Before the first start: security that was once on cannot be turned off by leaving it out.
xpack.security.enabled: false
xpack.ml.enabled: false
xpack.watcher.enabled: false
# The disk is shared with whatever else this machine does.
cluster.routing.allocation.disk.threshold_enabled: false
"""


class Elasticsearch:
    """One node on 127.0.0.1 with a data folder of its own.

    Args:
        chain: the chain that it is a part of.
        stack: ends it.
        port: port of the HTTP interface; nodes meet on the next one.
        heap: ``-Xms`` and ``-Xmx``.
        java: further options of its Java, such as those with which it boots faster and then is slower.
    """

    def __init__(
        self, chain: Chain, stack: ExitStack, *, port: int, heap: str = "512m", java: Sequence[str] = ()
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.http = stack.enter_context(httpx.Client(base_url=self.url, timeout=_PATIENCE_SECONDS))
        self.folder = unprivileged.folder("elasticsearch", chain.folder, stack)
        with zipfile.ZipFile(artifact(_ARCHIVE)) as archive:
            archive.extractall(self.folder)
        home = self.folder / f"elasticsearch-{VERSION}"
        for program in (*(home / "bin").iterdir(), *(home / "lib").rglob("*/bin/*")):
            program.chmod(0o755)
        config = home / "config"
        (config / "elasticsearch.yml").write_text(
            _SETTINGS.format(port=port, transport=port + 1, folder=self.folder), "utf-8"
        )
        options = config / "jvm.options.d"
        options.mkdir(exist_ok=True)
        chosen = (f"-Xms{heap}", f"-Xmx{heap}", *java)
        (options / "chosen.options").write_text("".join(f"{option}\n" for option in chosen), "utf-8")
        temporary = self.folder / "tmp"
        temporary.mkdir()
        unprivileged.own(self.folder)
        self.process = Process(
            "elasticsearch",
            [home / "bin" / "elasticsearch"],
            folder=self.folder,
            user=unprivileged.user(),
            # Its folder of temporary files must not be above its programs: what it lets plugins write would be there.
            environment={"HOME": str(self.folder), "ES_TMPDIR": str(temporary), "ES_JAVA_HOME": _java_home()},
        )
        chain.watch(self.process, stack)

    def start(self, *, wait: bool = True) -> None:
        """Start it, with the data that are there.

        Args:
            wait: until it answers; otherwise :meth:`wait` does.

        Raises:
            PartFailedError: it did not come up; the text has the end of its log.
        """
        self.process.start()
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            PartFailedError: it did not come up; the text has the end of its log.
        """
        self.process.wait_until(self.is_up, _BOOT_SECONDS)

    def is_up(self) -> bool:
        """Whether it can be written to. ``GET /`` is not served by this distribution."""
        try:
            answer = self.http.get("/_cluster/health")
        except httpx.TransportError:
            return False
        return answer.is_success and answer.json()["status"] != "red"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request; None: it has no body.

        Raises:
            PartAwayError: it does not answer, or refuses it.
        """
        with asking(self.process.name, f"{method} {path}"):
            answer = self.http.request(method, path, json=body)
            answer.raise_for_status()
        return answer.json() if answer.content else None


def _java_home() -> str:
    """Of the machine's Java: the distribution brings none."""
    java = shutil.which("java")
    return str(Path(java).resolve().parents[1]) if java else ""

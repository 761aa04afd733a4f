"""Deploys a stack of ``main.py`` on this machine as ``make demo`` does: cdktf, Terraform, the provider of this tree."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil

from hikube_kafka.ensemble import status, workers
from hikube_kafka.provider.install import install
from usecases.asking import asking
from usecases.chain import ROOT
from usecases.process import PartFailedError, log_end

SMALL = "USE_CASE_SIZE"
"""Variable that ``main.py`` looks at: ``small`` means one broker, one ZooKeeper server and one worker."""
SETTINGS = "USE_CASE_SETTINGS"
"""Variable that ``main.py`` looks at: ``default`` means the connectors' own settings where ours could be left out."""
_MARK = "-Dhikube.ensemble="
"""Before the folder of a server, in its command."""
_KINDS = {"broker": "Kafka", "zookeeper": "ZooKeeper", "worker": "Connect"}
_CDKTF = ROOT / "node_modules" / ".bin" / "cdktf"
_HIKUBE = Path(sys.executable).with_name("hikube-kafka")
_SHOWN_LINES = 40
_LONGEST_SECONDS = 900
_INTERRUPTED_SECONDS = 60


def kill_listener(port: int) -> None:
    """Kill the server that listens on a port of 127.0.0.1: a broker or a worker of a deployment.

    Raises:
        PartFailedError: nobody listens there, or a process of another user.
    """
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
            if connection.pid is None:  # which psutil would take for this process
                raise PartFailedError(f"who listens on 127.0.0.1:{port} is another user's process")
            process = psutil.Process(connection.pid)
            process.kill()
            process.wait()
            return
    raise PartFailedError(f"nobody listens on 127.0.0.1:{port}")


class Deployment:
    """One stack, with its state, outputs and log in a folder of its own.

    Args:
        stack: name of the stack in ``main.py``.
        folder: existing folder.
        small: one server of each kind, as short runs have it.
        tuned: False: the connectors' own settings, to compare.
    """

    def __init__(self, stack: str, folder: Path, *, small: bool = False, tuned: bool = True) -> None:
        self.stack = stack
        self.folder = folder
        self.log = folder / "deployment.log"
        self.outputs_file = folder / "outputs.json"
        self._state = folder / f"{stack}.tfstate"
        self._synthesized = folder / "cdktf.out"
        settings = folder / "terraform.rc"
        plugins = folder / "plugins"
        install(plugins)
        # Providers from this tree alone: nothing is written to the user's home, and no registry is asked.
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{plugins}"\n  }}\n}}\n')
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        self._environment = {
            **kept,
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "1",
            # cdktf has Terraform keep providers in one folder of the user's home, for all checkouts: one that deploys
            # meanwhile would put its own there, and this run would go on with that.
            "CDKTF_DISABLE_PLUGIN_CACHE_ENV": "1",
            "CHECKPOINT_DISABLE": "1",
            "DISABLE_VERSION_CHECK": "1",
            "CI": "1",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
            SMALL: "small" if small else "full",
            SETTINGS: "tuned" if tuned else "default",
        }

    def up(self, stack: ExitStack) -> Mapping[str, Any]:
        """Deploy it; it is destroyed, messages included, when the stack ends.

        What a run that was killed has left is destroyed first.

        Returns:
            The outputs of the stack by name.

        Raises:
            PartFailedError: cdktf or Terraform failed; the text has the end of what they said.
        """
        if self._state.exists():
            # A topic is deleted by brokers, which may be gone with their run: deployed once more, all can be deleted.
            # It is enough that the servers come up: a connector fails as long as its database is away.
            with suppress(PartFailedError):
                self._cdktf("deploy", "--auto-approve")
            self.destroy()
        stack.callback(self.destroy)
        self._cdktf("deploy", "--auto-approve", "--outputs-file", str(self.outputs_file))
        outputs: Mapping[str, Any] = json.loads(self.outputs_file.read_text("utf-8"))[self.stack]
        return outputs

    def ended(self) -> list[str]:
        """Of its servers that were deployed and have ended: which, and the end of the log."""
        looks = (workers.status, status)
        seen = [look(path) for look, paths in zip(looks, self._directories(), strict=True) for path in paths]
        return [
            f"{server.name} of {self.stack} has ended; its log ends:\n{log_end(server.log)}"
            for each in seen
            for server in (each.servers if each else ())
            if server.state == "stopped"
        ]

    def processes(self) -> dict[str, list[int]]:
        """Its servers' processes, by what they are: ``Kafka``, ``ZooKeeper``, ``Connect``."""
        marks = tuple(f"{_MARK}{path}/" for path in itertools.chain(*self._directories()))
        found: dict[str, list[int]] = {}
        for process in psutil.process_iter(["cmdline"]):
            for word in process.info["cmdline"] or ():
                if word.startswith(marks):
                    kind, _, _ = word.rpartition("/")[2].rpartition("-")
                    found.setdefault(_KINDS.get(kind, kind), []).append(process.pid)
        return found

    def mend(self) -> None:
        """Apply it once more: a server that has ended is started again.

        Raises:
            PartFailedError: as :meth:`up`.
        """
        self._terraform("apply")

    def destroy(self) -> None:
        """Destroy it; where a server that is needed for that has ended, it is started first.

        Where it cannot be destroyed, its servers are stopped, and the state is kept: :meth:`up` destroys it.

        Raises:
            PartFailedError: as :meth:`up`.
        """
        if not self._state.exists():
            return
        try:
            self._terraform("destroy")
        except PartFailedError:  # a run was ended while a broker was away: topics are deleted by brokers
            with suppress(PartFailedError):  # a connector whose database is away has failed, and can be deleted
                self.mend()
            try:
                self._terraform("destroy")
            except PartFailedError:
                self._stop()
                raise
        for file in self.folder.glob(f"{self.stack}.tfstate*"):
            file.unlink()

    def _stop(self) -> None:
        """Stop what the state says is running: workers before brokers."""
        for path in itertools.chain(*self._directories()):
            self._run([_HIKUBE, "local", "stop", "--ensemble", path])

    def _directories(self) -> tuple[list[str], list[str]]:
        """Those of the workers and those of the brokers, as the state has them; none where nothing was started."""
        resources = json.loads(self._state.read_text("utf-8"))["resources"] if self._state.exists() else []
        found: dict[str, list[str]] = {"hikube_local_connect": [], "hikube_local_ensemble": []}
        for resource in resources:
            for instance in resource["instances"] if resource["type"] in found else ():
                if path := instance["attributes"].get("path"):
                    found[resource["type"]].append(path)
        return found["hikube_local_connect"], found["hikube_local_ensemble"]

    def smoke(self, *arguments: str) -> tuple[bool, str]:
        """Hold the platform to its contract: whether it keeps it; and the verdict, or else the whole report."""
        done = self._run([_HIKUBE, "smoke", "--outputs", self.outputs_file, *arguments])
        lines = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
        return done.returncode == 0, "\n".join(lines if done.returncode else lines[-1:])

    def _cdktf(self, verb: str, *options: str) -> None:
        if not _CDKTF.exists():
            raise PartFailedError(f"the cdktf command is not in {_CDKTF.parent}: run make setup")
        app = f"{sys.executable} {ROOT / 'main.py'}"
        self._succeeds(
            f"cdktf {verb} {self.stack}",
            [_CDKTF, verb, self.stack, "--app", app, "--output", self._synthesized, *options],
        )

    def _terraform(self, verb: str) -> None:
        """With what was deployed last. cdktf would synthesize every stack again, and hides why a destroy is refused."""
        folder = self._synthesized / "stacks" / self.stack
        self._succeeds(
            f"terraform {verb} of {self.stack}", ["terraform", f"-chdir={folder}", verb, "-auto-approve", "-no-color"]
        )

    def _succeeds(self, what: str, command: list[str | Path]) -> None:
        done = self._run(command)
        if done.returncode:
            said = "\n".join(done.stdout.strip().splitlines()[-_SHOWN_LINES:])
            raise PartFailedError(f"{what} ended with code {done.returncode}:\n{said}")

    def _run(self, command: list[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run it to its end. On an interruption Terraform ends in its own order first, so that its state is whole.

        Raises:
            PartFailedError: it is not there, or has not ended in time.
        """
        with (
            asking(Path(command[0]).name, " ".join(str(each) for each in command[1:])),
            subprocess.Popen(
                [str(each) for each in command],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            ) as running,
        ):
            try:
                said, _ = running.communicate(timeout=_LONGEST_SECONDS)
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    running.communicate(timeout=_INTERRUPTED_SECONDS)
                with suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
                raise
        with self.log.open("a", encoding="utf-8") as log:
            log.write(said)
        return subprocess.CompletedProcess(running.args, running.returncode, said)

"""The command ``hikube-kafka``.

Exit codes of every command: 0, all is well; 1, something is wrong; 2, nothing could be checked, or the
command was misused.

Each command imports what it needs when it runs, so that ``--help`` is quick.
"""

import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from hikube_kafka import __version__
from hikube_kafka.bridge.command import bridge
from hikube_kafka.comment.command import comment
from hikube_kafka.exit_code import ExitCode
from hikube_kafka.review.command import review
from hikube_kafka.smoke.command import smoke

if TYPE_CHECKING:
    from hikube_kafka.ensemble import EnsembleObservation
    from hikube_kafka.ensemble.workers import ConnectObservation


app = typer.Typer(
    name="hikube-kafka",
    help="Kafka and ZooKeeper, declared in Python, delivered by Terraform, proven after the apply.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
local = typer.Typer(help="The servers on this machine.", no_args_is_help=True)
provider = typer.Typer(help="The Terraform provider.", no_args_is_help=True)
app.command()(review)
app.command()(smoke)
app.command()(comment)
app.add_typer(bridge, name="bridge")
app.add_typer(local, name="local")
app.add_typer(provider, name="provider")

Ensemble = Annotated[
    str | None,
    typer.Option(
        "--ensemble",
        "-e",
        help="Name of the ensemble or Connect cluster, or its directory. Not needed when there is only one.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command."""
    app()


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _fail(code: ExitCode, message: object) -> NoReturn:
    typer.echo(f"hikube-kafka: {message}", err=True)
    raise typer.Exit(code)


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2, default=str))


# --- new -----------------------------------------------------------------------------------------------------------


@app.command("new")
def new(
    directory: Annotated[Path, typer.Argument(help="Folder of the project. Nothing in it is overwritten.")],
    *,
    target: Annotated[
        Literal["local", "kubernetes"], typer.Option(help="Where the platform runs: on this machine, or on Kubernetes.")
    ] = "local",
    name: Annotated[str | None, typer.Option(help="Name of the platform. Default: the folder's.")] = None,
) -> None:
    """Write a project that works at once: an app, a stack, its tests, pinned versions, and a README.

    Exit code 2: nothing was written, because a file is there already, the name is not valid, or the folder cannot be
    written.
    """
    import shlex

    from hikube_kafka.project import ProjectError, create

    try:
        created = create(directory, target=target, name=name)
    except ProjectError as error:
        _fail(ExitCode.NOTHING_CHECKED, error)
    typer.echo(f"{len(created.files)} files in {shlex.quote(str(created.directory))}. Next:\n")
    typer.echo("".join(f"  {step}\n" for step in created.steps))
    typer.echo("README.md says what each of them does, and what else there is.")


# --- size ----------------------------------------------------------------------------------------------------------


@app.command()
def size(
    *,
    write: Annotated[str | None, typer.Option(help="What all producers together send, on average: 25MB/s.")] = None,
    devices: Annotated[int | None, typer.Option(help="Devices that send, in place of --write.")] = None,
    messages_per_second: Annotated[float | None, typer.Option(help="Messages that each device sends: 0.5.")] = None,
    bytes_of_message: Annotated[
        str | None, typer.Option("--bytes", help="Average message of a device, its key included: 200.")
    ] = None,
    retention: Annotated[str | None, typer.Option(help="How long messages are kept: 7d. Of devices: 3d.")] = None,
    fan_out: Annotated[float, typer.Option(help="How many times each message is read.")] = 1,
    peak: Annotated[float, typer.Option(help="Ratio of the busiest minute to the average.")] = 2,
    replication_factor: Annotated[int, typer.Option(help="Copies of each message.")] = 3,
    message_size: Annotated[
        str | None, typer.Option(help="Average message, after compression: 1Ki.", show_default="1Ki")
    ] = None,
    disk_use: Annotated[float, typer.Option(help="Fraction of each disk that may be used.")] = 0.7,
    storage_class: Annotated[str, typer.Option(help="Storage class of the disks.")] = "",
    broker_rate: Annotated[str, typer.Option(help="Most that one broker should write, or send.")] = "60MB/s",
    largest_disk: Annotated[str, typer.Option(help="Largest disk of one broker.")] = "4Ti",
    partition_rate: Annotated[str, typer.Option(help="Most that one partition should carry.")] = "10MB/s",
    largest_partition: Annotated[str, typer.Option(help="Largest partition.")] = "50Gi",
    broker_partitions: Annotated[int, typer.Option(help="Most replicas of partitions on one broker.")] = 4000,
    as_json: AsJson = False,
) -> None:
    """Size a cluster from a workload: brokers, partitions, memory and disk, with the reasoning and a declaration.

    Sizes and rates are written as in a declaration: 4Ti (1024 each) or 4T (1000 each), 60MB/s. Exit code 1: no one
    cluster carries the workload.
    """
    from hikube_kafka.spec import sizing

    workload = sizing.Workload(
        write=write,
        devices=devices,
        messages_per_second=messages_per_second,
        bytes=bytes_of_message,
        retention=retention,
        fan_out=fan_out,
        peak=peak,
        replication_factor=replication_factor,
        message_size=message_size,
        disk_use=disk_use,
        storage_class=storage_class,
        broker_rate=broker_rate,
        largest_disk=largest_disk,
        partition_rate=partition_rate,
        largest_partition=largest_partition,
        broker_partitions=broker_partitions,
    )
    wrong: list[str] = []
    for problem in workload.problems():
        if not problem.path:  # of several options
            wrong.append(_as_options(f"{problem.message.removeprefix('Workload: ')} {problem.remedy}"))
            continue
        name = str(problem.path[0])
        said = problem.message.removeprefix(name)
        wrong.append(f"--{name.replace('_', '-')}{said} {problem.remedy}")
    if wrong:
        _fail(ExitCode.NOTHING_CHECKED, "\n".join(wrong))
    try:
        sized = sizing.size(workload)
    except sizing.TooMuchError as error:
        (problem,) = error.problems
        _fail(ExitCode.SOMETHING_WRONG, _as_options(str(problem)))
    if as_json:
        _print_json(
            {
                "kafka": sized.kafka.model_dump(mode="json"),
                "zookeeper": sized.zookeeper.model_dump(mode="json"),
                "partitions": sized.partitions,
                "replication_factor": sized.replication_factor,
                "python": sized.python,
                "steps": [asdict(step) for step in sized.steps],
            }
        )
        return

    from rich.console import Console
    from rich.table import Table

    table = Table("what", "value", "formula", "source", title=f"{workload.write}, kept for {workload.retention}")
    for step in sized.steps:
        table.add_row(step.what, step.value, step.formula, step.source)
    Console().print(table)
    typer.echo(f"\n{sized.python}", nl=False)


def _as_options(text: str) -> str:
    """The text with the fields of a workload as they are typed here: ``--largest-disk``."""
    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda field: f"--{field[0].replace('_', '-')}", text)


# --- local ---------------------------------------------------------------------------------------------------------


def _directories(ensemble: str | None, kind: Literal["ensembles", "Connect clusters"] | None = None) -> list[Path]:
    """Directories of the ensembles and Connect clusters that are meant: the named one, or all, workers first."""
    from hikube_kafka.ensemble import default_directory, ensembles
    from hikube_kafka.ensemble.workers import clusters

    if ensemble is None:
        found = [] if kind == "ensembles" else clusters()
        found += [] if kind == "Connect clusters" else ensembles()
        if not found:
            missing = "Connect cluster" if kind == "Connect clusters" else "ensemble"
            _fail(
                ExitCode.NOTHING_CHECKED,
                f"there is no {missing} in {default_directory('x').parent}: deploy one, or name it with -e.",
            )
        return found
    if os.sep not in ensemble:
        return [default_directory(ensemble)]
    try:
        return [Path(ensemble).expanduser()]
    except RuntimeError as error:  # ~ of a user who is not known
        _fail(ExitCode.NOTHING_CHECKED, f"the directory {ensemble} is not known: {error}")


def _directory(ensemble: str | None, kind: Literal["ensembles", "Connect clusters"] = "ensembles") -> Path:
    """Directory of the one of its kind that is meant; by its name it is also found elsewhere, while it runs."""
    from hikube_kafka.ensemble import running_directory

    found = _directories(ensemble, kind)
    if ensemble is not None and os.sep not in ensemble:
        return running_directory(ensemble) or found[0]
    if len(found) > 1:
        _fail(
            ExitCode.NOTHING_CHECKED,
            f"there are {len(found)} {kind}: choose one with -e {' or -e '.join(d.name for d in found)}.",
        )
    return found[0]


def _look(directory: Path) -> "EnsembleObservation | ConnectObservation":
    from hikube_kafka.ensemble import status, workers

    observation = status(directory) or workers.status(directory)
    if observation is None:
        _fail(ExitCode.NOTHING_CHECKED, f"there is no ensemble in {directory}.")
    return observation


@local.command("status")
def local_status(ensemble: Ensemble = None, *, as_json: AsJson = False) -> None:
    """Show the servers on this machine. Exit code 1: a server is not as declared."""
    observations = [_look(directory) for directory in _directories(ensemble)]
    if as_json:
        _print_json([asdict(observation) | {"is_healthy": observation.is_healthy} for observation in observations])
    else:
        from rich.console import Console

        from hikube_kafka.ensemble import EnsembleObservation

        console = Console()
        for observation in observations:
            console.print(_table(observation))
            known = (
                f"cluster id {observation.cluster_id or 'not known yet'}"
                if isinstance(observation, EnsembleObservation)
                else f"group {observation.group}"
            )
            console.print(f"{observation.directory}, {known}\n")
    if not all(observation.is_healthy for observation in observations):
        raise typer.Exit(ExitCode.SOMETHING_WRONG)


def _table(observation: "EnsembleObservation | ConnectObservation") -> Any:
    from rich.table import Table

    table = Table("server", "state", "", "pid", "memory", "up", title=observation.name, title_justify="left")
    for server in observation.servers:
        table.add_row(
            server.name,
            f"[{'green' if server.state == 'running' else 'red'}]{server.state}[/]",
            server.detail,
            str(server.pid or ""),
            f"{server.memory_bytes / 1024**2:.0f} MiB" if server.memory_bytes else "",
            _duration(server.uptime_seconds) if server.uptime_seconds else "",
        )
    return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


@local.command("logs")
def local_logs(
    server: Annotated[str, typer.Argument(help="Name of the server: broker-0, zookeeper-1, worker-0.")],
    ensemble: Ensemble = None,
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for further lines, until Ctrl-C.")] = False,
) -> None:
    """Show the log of a server."""
    from hikube_kafka.ensemble import logs

    directory = _directory(ensemble, "Connect clusters" if server.startswith("worker-") else "ensembles")
    try:
        for line in logs(directory, server, lines=lines, follow=follow):
            typer.echo(line)
    except FileNotFoundError:
        _fail(
            ExitCode.NOTHING_CHECKED,
            f"{server} has no log in {directory}: hikube-kafka local status names the servers.",
        )
    except KeyboardInterrupt:
        return


@local.command("stop")
def local_stop(ensemble: Ensemble = None) -> None:
    """Stop the servers: workers first, then brokers. Their data is kept, and the next deploy starts them again.

    An ensemble that is stopped is also free: the deploy of another Terraform state may take up its data.
    """
    from hikube_kafka.ensemble import EnsembleError, stop

    for directory in _directories(ensemble):
        try:
            stopped = stop(directory, progress=typer.echo)
        except EnsembleError as error:
            _fail(ExitCode.SOMETHING_WRONG, error)
        typer.echo(f"{directory.name}: {'stopped ' + ', '.join(stopped) if stopped else 'nothing was running'}.")


@local.command("kafka", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def local_kafka(
    tool: Annotated[str, typer.Argument(help="As in kafka-TOOL.sh: topics, console-producer, console-consumer, ...")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments of the tool: --topic orders.")] = None,
    ensemble: Ensemble = None,
) -> None:
    """Run one of Kafka's own tools against the brokers on this machine."""
    from hikube_kafka.ensemble import EnsembleError
    from hikube_kafka.ensemble.java import environment
    from hikube_kafka.ensemble.tools import command

    try:
        words = command(_directory(ensemble), tool, arguments or [])
    except EnsembleError as error:
        _fail(ExitCode.NOTHING_CHECKED, error)
    sys.stdout.flush()
    os.execve(words[0], words, environment())  # noqa: S606 - the tool takes our place: its input, its Ctrl-C and its exit code


@local.command("jars")
def local_jars() -> None:
    """Download the jars of Kafka and ZooKeeper into the cache, unless they are there already."""
    from hikube_kafka.ensemble import EnsembleError
    from hikube_kafka.ensemble.conduct import Conduct
    from hikube_kafka.ensemble.jars import provide

    try:
        folder = provide(None, Conduct(progress=typer.echo))
    except EnsembleError as error:
        _fail(ExitCode.NOTHING_CHECKED, error)
    typer.echo(f"Kafka's jars are in {folder}.")


# --- provider ------------------------------------------------------------------------------------------------------


@provider.command("install")
def provider_install(
    *,
    directory: Annotated[
        Path | None,
        typer.Option(help="Mirror of providers to install into. Default: ~/.terraform.d/plugins.", file_okay=False),
    ] = None,
) -> None:
    """Install the provider where Terraform finds it: a small script that starts this Python environment.

    Terraform is asked whether it finds it there; if not, what to add to Terraform's configuration is printed. Exit code
    1: it does not find it in the default folder.
    """
    from hikube_kafka.provider.install import UnsupportedMachineError, install, terraform_command, why_not_found

    try:
        installed = install(directory)
    except (UnsupportedMachineError, OSError) as error:
        _fail(ExitCode.NOTHING_CHECKED, f"the provider cannot be installed: {error}")
    typer.echo(installed)
    terraform = terraform_command()
    if terraform is None:
        typer.echo("There is no terraform on the PATH: whether it finds the provider was not checked.")
    elif reason := why_not_found(installed, terraform):
        # Whoever names a mirror knows that Terraform has to be told of it, and may do so later.
        if directory is None:
            _fail(ExitCode.SOMETHING_WRONG, reason)
        typer.echo(f"\n{reason}")


@provider.command("serve", hidden=True)
def provider_serve() -> None:
    """Be the provider. Terraform starts it so where no other Python is known: see provider/shim.sh."""
    from hikube_kafka.plugin.serve import serve
    from hikube_kafka.provider.hikube import HikubePlugin

    serve(HikubePlugin)

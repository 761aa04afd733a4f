"""``hikube-kafka smoke``."""

import contextlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from hikube_kafka.exit_code import ExitCode

if TYPE_CHECKING:
    from hikube_kafka.smoke.contract_file import ContractFound
    from hikube_kafka.smoke.report import Report

_ERRORS = Console(stderr=True)


def smoke(
    *,
    outputs: Annotated[
        Path | None,
        typer.Option(help="File with the outputs: of `cdktf deploy --outputs-file`, or of `terraform output -json`."),
    ] = None,
    contract: Annotated[Path | None, typer.Option(help="File with the bare contract, in place of --outputs.")] = None,
    platform: Annotated[
        str | None,
        typer.Option(help="Check this platform alone, by its name or by the place of its contract. Default: all."),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="Also write the report to this file: .md, .html, .json or .xml (JUnit). May be repeated."),
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that a cluster that has just been started may take to settle.")
    ] = 30.0,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that each single read may take.")] = 5.0,
    canary: Annotated[
        bool, typer.Option(help="Send messages through a topic of their own, which is removed afterwards.")
    ] = True,
    kubeconfig: Annotated[
        str | None,
        typer.Option(
            help="For a platform in Kubernetes. Default, as in a plan: KUBE_CONFIG_PATH, KUBECONFIG, ~/.kube/config."
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(
            envvar="HIKUBE_KAFKA_CONTEXT",
            help="Context of the kubeconfig. Default: the contract's own, KUBE_CTX, the current one.",
        ),
    ] = None,
    in_cluster: Annotated[
        bool,
        typer.Option(
            "--in-cluster",
            help="The command runs inside the Kubernetes cluster: use the cluster's addresses, open no port-forward.",
        ),
    ] = False,
) -> None:
    """Check the running cluster against its contract: all that the file has, or the one named.

    A platform in Kubernetes is reached through port-forwards, which the command opens and closes itself.

    Ends with 0 if all is well, with 1 if a check failed, and with 2 if nothing could be checked: no contract, no route
    to the cluster, or nothing there that answers. Of several platforms the one that fails decides, then the one that
    could not be checked. Credentials come from the environment: HIKUBE_KAFKA_USERNAME,
    HIKUBE_KAFKA_PASSWORD, HIKUBE_KAFKA_CA_FILE, HIKUBE_KAFKA_CERTIFICATE_FILE, HIKUBE_KAFKA_KEY_FILE,
    HIKUBE_KAFKA_KEY_PASSWORD.
    """
    # The clients of Kafka and ZooKeeper are loaded only when something is checked: `--help` and completion stay quick.
    from hikube_kafka.smoke import formats
    from hikube_kafka.smoke.contract_file import ContractFileError, read_contracts
    from hikube_kafka.smoke.report import joint_exit_code

    file = outputs or contract
    if file is None or (outputs and contract):
        raise typer.BadParameter("name one file: --outputs FILE, or --contract FILE")
    try:
        for path in report or []:
            formats.format_of(path)
        found = read_contracts(file, platform)
    except (ContractFileError, ValueError) as error:
        _tell(f"could not check: {error}")
        raise typer.Exit(ExitCode.NOTHING_CHECKED) from error
    settings = {
        "patience": patience,
        "timeout": timeout,
        "canary": canary,
        "kubeconfig": kubeconfig,
        "context": context,
        "in_cluster": in_cluster,
    }
    with _leaves_in_order():
        reports = [_checked(each, found, settings) for each in found]
    try:
        for path in report or []:
            formats.write(reports, path)
    except OSError as error:
        _tell(f"the report cannot be written: {error}")
        raise typer.Exit(joint_exit_code(reports) or ExitCode.NOTHING_CHECKED) from error
    raise typer.Exit(joint_exit_code(reports))


def _checked(one: "ContractFound", found: "Sequence[ContractFound]", settings: Mapping[str, Any]) -> "Report":
    """Check one of the platforms of a file, and show its report; that it cannot be checked is its own."""
    from hikube_kafka.smoke import formats
    from hikube_kafka.smoke.gate import CannotCheckError, run
    from hikube_kafka.smoke.report import unchecked

    prefix = f"{one.platform}: " if len(found) > 1 else ""
    report = unchecked(one.platform, one.target, one.fault)
    if one.contract is not None:
        with _ERRORS.status(f"{prefix}connecting") as status:
            try:
                report = run(one.contract, **settings, progress=lambda text: status.update(prefix + text))
            except (CannotCheckError, ValueError, OSError) as error:
                report = unchecked(one.platform, one.target, str(error))
    if [each.platform for each in found].count(one.platform) > 1:
        report = replace(report, place=one.place)
    if report.unchecked:
        _tell(f"could not check: {prefix}{report.unchecked}")
    else:
        Console().print(formats.terminal(report))
    if commands := formats.commands(report):
        Console().print(commands, soft_wrap=True, markup=False, highlight=False)
    return report


@contextlib.contextmanager
def _leaves_in_order() -> Iterator[None]:
    """SIGTERM, by which a cancelled pipeline or a deleted pod ends the command, leaves it time to remove the canary."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(error: str) -> None:
    _ERRORS.print(error, style="bold red", markup=False, highlight=False, soft_wrap=True)

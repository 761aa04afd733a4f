"""``hikube-kafka smoke``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hikube_kafka.exit_code import ExitCode


def smoke(
    *,
    outputs: Annotated[
        Path | None,
        typer.Option(help="File with the outputs: of `cdktf deploy --outputs-file`, or of `terraform output -json`."),
    ] = None,
    contract: Annotated[Path | None, typer.Option(help="File with the bare contract, in place of --outputs.")] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="Also write the report to this file: .md, .json or .xml (JUnit). May be repeated."),
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
    """Check the running cluster against its contract.

    A platform in Kubernetes is reached through port-forwards, which the command opens and closes itself.

    Ends with 0 if all is well, with 1 if a check failed, and with 2 if nothing could be checked: no contract, no route
    to the cluster, or nothing there that answers. Credentials come from the environment: HIKUBE_KAFKA_USERNAME,
    HIKUBE_KAFKA_PASSWORD, HIKUBE_KAFKA_CA_FILE, HIKUBE_KAFKA_CERTIFICATE_FILE, HIKUBE_KAFKA_KEY_FILE,
    HIKUBE_KAFKA_KEY_PASSWORD.
    """
    # The clients of Kafka and ZooKeeper are loaded only when something is checked: `--help` and completion stay quick.
    from hikube_kafka.smoke import formats
    from hikube_kafka.smoke.contract_file import ContractFileError, read_contract
    from hikube_kafka.smoke.gate import CannotCheckError, run

    file = outputs or contract
    if file is None or (outputs and contract):
        raise typer.BadParameter("name one file: --outputs FILE, or --contract FILE")
    errors = Console(stderr=True)
    try:
        for path in report or []:
            formats.format_of(path)
        with errors.status("reading the contract") as status:
            findings = run(
                read_contract(file),
                patience=patience,
                timeout=timeout,
                canary=canary,
                kubeconfig=kubeconfig,
                context=context,
                in_cluster=in_cluster,
                progress=status.update,
            )
        for path in report or []:
            formats.write(findings, path)
    except (ContractFileError, CannotCheckError, ValueError, OSError) as error:
        errors.print(f"could not check: {error}", style="bold red", markup=False, highlight=False)
        raise typer.Exit(ExitCode.NOTHING_CHECKED) from error
    Console().print(formats.terminal(findings))
    if commands := formats.commands(findings):
        Console().print(commands, soft_wrap=True, markup=False, highlight=False)
    raise typer.Exit(findings.exit_code)

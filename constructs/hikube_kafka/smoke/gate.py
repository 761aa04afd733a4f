"""The gate: read until everything has settled, send the canary messages, report."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from hikube_kafka.kafka.errors import MissingCredentialError
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.kubernetes.errors import KubernetesError
from hikube_kafka.probe.contract import observe
from hikube_kafka.probe.observation import Observation, Unreadable
from hikube_kafka.probe.route import Route, open_route
from hikube_kafka.smoke.canary import CanaryRun, run_canary
from hikube_kafka.smoke.checks import CANARY, observed
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.smoke.report import Latency, Report, Stage
from hikube_kafka.spec.contract import Contract, ReachByPortForward

_IN_A_ROW = 3
"""Rounds in a row that a check must pass: a single one may be luck."""

_PAUSE = 0.5
"""Seconds between two rounds."""


class CannotCheckError(Exception):
    """Nothing could be checked: nothing is declared, the cluster cannot be reached, or a credential is missing."""


def run(
    contract: Contract,
    *,
    patience: float = 30.0,
    timeout: float = 5.0,
    canary: bool = True,
    kubeconfig: str | None = None,
    context: str | None = None,
    in_cluster: bool = False,
    progress: Callable[[str], None] = lambda _text: None,
) -> Report:
    """Check the running cluster against its contract.

    Credentials come from the environment (`hikube_kafka.kafka.security.Credentials`).

    Args:
        contract: What must be true.
        patience: Seconds that a cluster that has just been started may take to settle. A healthy one takes none.
        timeout: Seconds that each single read may take.
        canary: Whether to send messages through a topic of their own; without, those checks are reported as untested.
        kubeconfig: For a platform in Kubernetes: the file, or several joined as in ``KUBECONFIG``; None means
            ``KUBECONFIG``, then ``~/.kube/config``.
        context: Context of the kubeconfig; None means the contract's own, then the current one.
        in_cluster: Whether this runs inside the Kubernetes cluster: its own addresses are dialled then, and no
            port-forward is opened.
        progress: Told what is being done.

    Raises:
        CannotCheckError: Nothing could be checked.
    """
    if not contract.zookeeper.servers or not contract.kafka.brokers:
        raise CannotCheckError("the contract names no ZooKeeper server or no broker: there is nothing to check")
    if isinstance(contract.reach, ReachByPortForward):
        if context is not None:
            contract = contract.model_copy(update={"reach": contract.reach.model_copy(update={"context": context})})
        if not in_cluster:
            contract = contract.from_outside()
    try:
        credentials = Credentials.from_environment(contract.security.protocol, contract.security.mechanism)
    except MissingCredentialError as error:
        raise CannotCheckError(str(error)) from error
    started, clock = datetime.now(UTC), _Clock()
    progress("connecting")
    with contextlib.ExitStack() as stack:
        try:
            route = stack.enter_context(
                open_route(contract, kubeconfig=kubeconfig, in_cluster=in_cluster, pod_wait_seconds=patience)
            )
        except KubernetesError as error:
            raise CannotCheckError(str(error)) from error
        clock.stage("connect")
        observation, findings, looks = _settle(
            contract, credentials, route=route, patience=patience, timeout=timeout, progress=progress
        )
        clock.stage("settle")
        flown: CanaryRun | Unreadable | None = None
        if canary:
            progress("sending the canary's messages over every broker")
            flown = _canary(contract, credentials, observation)
            clock.stage("canary")
    return Report(
        platform=contract.platform,
        target=contract.target,
        started=started,
        findings=(*findings, *_judged(contract, flown)),
        stages=tuple(clock.stages),
        looks=looks,
        reached=observation.anything_answers,
        latency=_latency(flown),
    )


class _Clock:
    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._since = time.monotonic()

    def stage(self, name: str) -> None:
        """Close the stage that has been running."""
        now = time.monotonic()
        self.stages.append(Stage(name=name, seconds=now - self._since))
        self._since = now


def _settle(
    contract: Contract,
    credentials: Credentials,
    *,
    route: Route,
    patience: float,
    timeout: float,
    progress: Callable[[str], None],
) -> tuple[Observation, list[Finding], int]:
    """Read repeatedly until every check has passed several times in a row, or the patience is over."""
    begin = time.monotonic()
    well_since: dict[str, float] = {}
    in_a_row: dict[str, int] = {}
    last_fault: dict[str, Finding] = {}
    looks = 0
    progress("checking every server")
    while True:
        at = time.monotonic() - begin if looks else 0.0
        observation = observe(contract, credentials, timeout=timeout, route=route)
        looks += 1
        findings = [check(contract, observation) for check in observed(contract)]
        for finding in findings:
            if finding.is_fault:
                last_fault[finding.check] = finding
                in_a_row[finding.check] = 0
            else:
                if not in_a_row.get(finding.check):
                    well_since[finding.check] = at
                in_a_row[finding.check] = in_a_row.get(finding.check, 0) + 1
        unsettled = [check for check, times in in_a_row.items() if times < _IN_A_ROW]
        if not unsettled or (looks >= _IN_A_ROW and time.monotonic() - begin >= patience):
            break
        if faulty := [check for check in unsettled if not in_a_row[check]]:
            progress(f"waiting for {', '.join(faulty)} ({patience - at:.0f} s left)")
        time.sleep(_PAUSE)
    settled = []
    for finding in findings:
        times = in_a_row[finding.check]
        if times >= _IN_A_ROW:
            settled.append(dataclasses.replace(finding, settled_after=well_since[finding.check]))
        elif times == 0:
            settled.append(finding)
        else:
            # Well at last, but not for long enough: what was wrong before is what there is to tell.
            fault = last_fault[finding.check]
            unsteady = f"passed in the last {times} of {looks} rounds, but {_IN_A_ROW} in a row are required"
            settled.append(dataclasses.replace(fault, seen=(*fault.seen, unsteady)))
    return observation, settled, looks


def _canary(contract: Contract, credentials: Credentials, observation: Observation) -> CanaryRun | Unreadable:
    if not observation.kafka.views:
        return Unreadable("canary", "no broker answers")
    return run_canary(contract, credentials)


def _judged(contract: Contract, flown: CanaryRun | Unreadable | None) -> Iterator[Finding]:
    for check in CANARY:
        if flown is None:
            yield Finding(
                check=check.id,
                title=check.title,
                status=Status.UNTESTED,
                expected="nothing",
                seen=("the canary was skipped on request",),
                remedy="",
            )
        else:
            yield check(contract, flown)


def _latency(flown: CanaryRun | Unreadable | None) -> Latency | None:
    if not isinstance(flown, CanaryRun):
        return None
    p50, p99 = flown.latency_ms(50), flown.latency_ms(99)
    if p50 is None or p99 is None:
        return None
    return Latency(messages=len(flown.latencies_ms), p50_ms=p50, p99_ms=p99)

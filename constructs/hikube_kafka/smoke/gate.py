"""The gate: read until everything has settled, send the canary messages, report."""

import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
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
from hikube_kafka.waiting import until

_IN_A_ROW = 3
"""Rounds in a row that a check must pass: a single one may be luck. A fault that no waiting mends must be the same in
as many, for a broker may tell what it knew a moment ago."""

_STANDSTILL = 10.0
"""Seconds without any change after which a fault says so: what catches up changes."""

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
        kubeconfig: For a platform in Kubernetes: the file, or several joined as in ``KUBECONFIG``; None means what
            the environment says: see `hikube_kafka.kubernetes.kubeconfig.kubeconfig`.
        context: Context of the kubeconfig; None means the contract's own, then ``KUBE_CTX``, then the current one.
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
        skipped = _no_canary(observation) if canary else "the canary was skipped on request"
        if not skipped:
            progress("sending the canary's messages over every broker")
            flown = _canary(contract, credentials, observation)
            clock.stage("canary")
    return Report(
        platform=contract.platform,
        target=contract.target,
        started=started,
        findings=(*findings, *_judged(contract, flown, skipped)),
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
    """Read repeatedly until every check has passed several times in a row, or cannot any more, or patience is over."""
    progress("checking every server")
    rounds = _Rounds(patience, progress)

    def is_over() -> bool:
        observation = observe(contract, credentials, timeout=timeout, route=route)
        return rounds.add(observation, [check(contract, observation) for check in observed(contract)])

    until(is_over, None, every=_PAUSE)
    return rounds.observation, rounds.findings(), rounds.number


class _Rounds:
    """Rounds of all checks, and how often in a row each has passed.

    Args:
        patience: Seconds that the checks have to pass; a few rounds are made even if that is over.
        progress: Told what is waited for.
    """

    def __init__(self, patience: float, progress: Callable[[str], None]) -> None:
        self.number = 0
        self.observation = Observation()
        self._patience = patience
        self._progress = progress
        self._begin = time.monotonic()
        self._began_round = 0.0
        self._ended_round = 0.0
        self._latest: Sequence[Finding] = ()
        self._well_since: dict[str, float] = {}
        self._in_a_row: dict[str, int] = {}
        self._last_fault: dict[str, Finding] = {}
        self._lasting: dict[str, int] = {}
        self._same_since: dict[str, float] = {}

    def add(self, observation: Observation, findings: Sequence[Finding]) -> bool:
        """Take a round; answers whether it was the last: nothing is left to wait for, or the patience is over."""
        self.number += 1
        self.observation, self._latest = observation, findings
        self._ended_round = time.monotonic() - self._begin
        for finding in findings:
            if finding.is_fault:
                before = self._last_fault.get(finding.check)
                same = before and _timeless(before) == _timeless(finding) and not self._in_a_row[finding.check]
                if not same:
                    self._same_since[finding.check] = self._ended_round
                    self._lasting[finding.check] = 0
                self._lasting[finding.check] = self._lasting[finding.check] + 1 if finding.lasting else 0
                self._last_fault[finding.check] = finding
                self._in_a_row[finding.check] = 0
            else:
                if not self._in_a_row.get(finding.check):
                    self._well_since[finding.check] = self._began_round
                self._in_a_row[finding.check] = self._in_a_row.get(finding.check, 0) + 1
                self._lasting[finding.check] = 0
        unsettled = [
            check for check, times in self._in_a_row.items() if times < _IN_A_ROW and self._lasting[check] < _IN_A_ROW
        ]
        elapsed = self._ended_round
        if not unsettled or (self.number >= _IN_A_ROW and elapsed >= self._patience):
            return True
        if faulty := [check for check in unsettled if not self._in_a_row[check]]:
            self._progress(f"waiting for {', '.join(faulty)} ({max(0, self._patience - elapsed):.0f} s left)")
        self._began_round = elapsed + _PAUSE
        return False

    def findings(self) -> list[Finding]:
        """What each check has found in the end."""
        settled = []
        for finding in self._latest:
            times = self._in_a_row[finding.check]
            if times >= _IN_A_ROW:
                settled.append(dataclasses.replace(finding, settled_after=self._well_since[finding.check]))
            elif times == 0:
                still = self._ended_round - self._same_since[finding.check]
                settled.append(dataclasses.replace(finding, unchanged_for=still if still >= _STANDSTILL else None))
            else:
                # Well at last, but not for long enough: what was wrong before is what there is to tell.
                fault = self._last_fault[finding.check]
                unsteady = f"passed in the last {times} of {self.number} rounds, but {_IN_A_ROW} in a row are required"
                settled.append(dataclasses.replace(fault, seen=(*fault.seen, unsteady)))
        return settled


def _timeless(finding: Finding) -> tuple[str, ...]:
    """What was seen, without the milliseconds that librdkafka tells."""
    return tuple(re.sub(r" \(after [0-9]+ms[^)]*\)", "", line) for line in finding.seen)


def _no_canary(observation: Observation) -> str:
    """Why no canary can be sent; empty: one can."""
    for broker in observation.kafka.brokers:
        if not isinstance(broker.settings, Unreadable) and broker.settings.get("delete.topic.enable") == "false":
            return "the brokers delete no topics (delete.topic.enable = false): the canary topic would stay"
    return ""


def _canary(contract: Contract, credentials: Credentials, observation: Observation) -> CanaryRun | Unreadable:
    if not observation.kafka.views:
        refused = next((each.reason for each in observation.kafka.silent if each.lasting), None)
        return Unreadable("canary", refused or "no broker answers")
    return run_canary(contract, credentials)


def _judged(contract: Contract, flown: CanaryRun | Unreadable | None, skipped: str) -> Iterator[Finding]:
    for check in CANARY:
        if flown is None:
            yield Finding(
                check=check.id,
                title=check.title,
                status=Status.UNTESTED,
                expected="nothing",
                seen=(skipped,),
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

"""What the gate reports."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hikube_kafka.exit_code import ExitCode
from hikube_kafka.smoke.finding import Finding, Status


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the gate, and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long the canary messages took from the producer to the consumer. Reported, not judged."""

    messages: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that one run of the gate found."""

    platform: str
    target: str
    started: datetime
    findings: tuple[Finding, ...]
    stages: tuple[Stage, ...]
    looks: int
    """How many rounds it took until everything had settled, or the patience was over."""
    reached: bool
    """Whether anything answered at all."""
    latency: Latency | None = None
    """None: no message was timed."""
    place: str = ""
    """Where the contract stands among the outputs, where another platform of the same name stands there too."""
    unchecked: str = ""
    """Why nothing could be checked; empty: the findings tell."""

    @property
    def title(self) -> str:
        """Which platform this is about, and where it was delivered."""
        return f"{self.platform} ({', '.join(filter(None, [self.target, self.place]))})"

    @property
    def seconds(self) -> float:
        """How long the whole run took."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that keep the gate from passing."""
        return tuple(finding for finding in self.findings if finding.is_fault)

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends."""
        if not self.reached:
            return ExitCode.NOTHING_CHECKED
        return ExitCode.SOMETHING_WRONG if self.faults else ExitCode.ALL_WELL

    @property
    def verdict(self) -> str:
        """The outcome in one line."""
        match self.exit_code:
            case ExitCode.NOTHING_CHECKED:
                return f"could not check: {self.unchecked or f'nothing of {self.platform} answers'}"
            case ExitCode.SOMETHING_WRONG:
                return f"{len(self.faults)} of {len(self.findings)} checks failed"
            case ExitCode.ALL_WELL:
                untested = sum(finding.status is Status.UNTESTED for finding in self.findings)
                return f"all well: {len(self.findings) - untested} checks passed, {untested} untested"


def unchecked(platform: str, target: str, why: str) -> Report:
    """The report of a platform that could not be checked."""
    return Report(
        platform=platform,
        target=target,
        started=datetime.now(UTC),
        findings=(),
        stages=(),
        looks=0,
        reached=False,
        unchecked=why,
    )


def joint_exit_code(reports: Iterable[Report]) -> ExitCode:
    """How the command ends: something is wrong with one platform, or one could not be checked, or all is well."""
    codes = {report.exit_code for report in reports}
    for code in (ExitCode.SOMETHING_WRONG, ExitCode.NOTHING_CHECKED):
        if code in codes:
            return code
    return ExitCode.ALL_WELL


def joint_verdict(reports: Sequence[Report]) -> str:
    """The outcome of all platforms: one line of each where there are several."""
    if len(reports) == 1:
        return reports[0].verdict
    return "\n".join(f"{report.title}: {report.verdict}" for report in reports)

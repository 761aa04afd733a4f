"""What the gate reports."""

from dataclasses import dataclass
from datetime import datetime

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
                return f"could not check: nothing of {self.platform} answers"
            case ExitCode.SOMETHING_WRONG:
                return f"{len(self.faults)} of {len(self.findings)} checks failed"
            case ExitCode.ALL_WELL:
                untested = sum(finding.status is Status.UNTESTED for finding in self.findings)
                return f"all well: {len(self.findings) - untested} checks passed, {untested} untested"

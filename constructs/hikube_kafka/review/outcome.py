"""What a review comes to: everything that its outputs show."""

from collections.abc import Mapping
from dataclasses import dataclass

from hikube_kafka.exit_code import ExitCode
from hikube_kafka.review.finding import Finding, Verdict
from hikube_kafka.review.plan import Action


@dataclass(frozen=True, kw_only=True)
class Total:
    """A line of the table: something that all parts of one platform have together, before and after."""

    of: str
    """The platform or release: ``events-kafka``."""
    what: str
    """``brokers``, ``ZooKeeper servers``, ``storage``, ``memory``, ``cpu``, ``topics``, ``replicas of partitions``."""
    before: str
    """With its unit; empty: there is none."""
    after: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """A thing in the picture of what changes."""

    address: str
    kind: str
    """``topic``, ``brokers``, ``ZooKeeper``, ``storage``, ``namespace``, ``release``, ``other``."""
    what: str
    """``topic orders``."""
    action: Action
    belongs_to: str = ""
    """Address of the part that it stands on; empty: none."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """The outcome of one plan."""

    title: str
    """What was reviewed: ``events-staging``, or the name of the file."""
    findings: tuple[Finding, ...]
    """In order: what blocks first. Waived ones are not among them."""
    waived: tuple[Finding, ...] = ()
    totals: tuple[Total, ...] = ()
    parts: tuple[Part, ...] = ()
    actions: Mapping[Action, int] | None = None
    """How many managed resources each action concerns; None: nothing was read."""
    terraform: str = ""
    """Version that made the plan."""
    unreviewed: str = ""
    """Why nothing could be judged; empty: it was."""

    @property
    def verdict(self) -> Verdict:
        """What a pipeline is to do."""
        if self.unreviewed:
            return Verdict.UNREVIEWED
        return Verdict.BLOCKED if any(each.severity == "error" for each in self.findings) else Verdict.PASSED

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends: 0 passed, 1 blocked, 2 could not review."""
        return {
            Verdict.PASSED: ExitCode.ALL_WELL,
            Verdict.BLOCKED: ExitCode.SOMETHING_WRONG,
            Verdict.UNREVIEWED: ExitCode.NOTHING_CHECKED,
        }[self.verdict]

    @property
    def changes(self) -> str:
        """What the apply does, in numbers: ``1 to create, 2 to update, 5 unchanged``."""
        counts = self.actions or {}
        told = [f"{counts[action]:,} {words}" for action, words in _IN_WORDS.items() if counts.get(action)]
        return ", ".join(told) or "no managed resource"

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        if self.unreviewed:
            return f"Could not review: {self.unreviewed}"
        count = {
            severity: sum(each.severity == severity for each in self.findings) for severity in ("error", "warning")
        }
        warnings = f"{count['warning'] or 'no'} warning{'' if count['warning'] == 1 else 's'}"
        waived = f", {len(self.waived)} waived" if self.waived else ""
        if self.verdict is Verdict.BLOCKED:
            return (
                f"Blocked: {count['error']} finding{'s block' if count['error'] > 1 else ' blocks'}, {warnings}{waived}"
            )
        return f"Passed: nothing blocks, {warnings}{waived}"


_IN_WORDS: Mapping[Action, str] = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.REPLACE: "to replace",
    Action.DELETE: "to delete",
    Action.FORGET: "to forget",
    Action.FORGET_AND_CREATE: "to forget and create anew",
    Action.OTHER: "with an action that this version does not know",
    Action.READ: "to read",
    Action.NOTHING: "unchanged",
}

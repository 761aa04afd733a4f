"""What one plan does with each real thing at the addresses of the configuration.

The protocol names no address, and Terraform plans them in any order and at once, all in this process: whichever comes
second of two that stand for one thing is told.
"""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from hikube_kafka.plugin.diagnostics import Diagnostic
from hikube_kafka.plugin.resource import Plan, PlanRequest, State
from hikube_kafka.provider.problems import told
from hikube_kafka.spec.changes import address as changes
from hikube_kafka.spec.changes.address import Step, Thing


class Addresses:
    """One for the process; used from many threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], set[Step]] = defaultdict(set)

    def seen(self, thing: Thing | None) -> frozenset[Step]:
        """What this plan does with it, as far as it has been planned; nothing while it is not known."""
        with self._lock:
            return frozenset() if thing is None else frozenset(self._seen[thing.kind, thing.what])

    def checked(self, request: PlanRequest, plan: Plan, thing: Callable[[State], Thing | None]) -> Plan:
        """The plan of one address, refused if another address stands for the same thing and that cannot be.

        Args:
            request: What Terraform wants planned.
            plan: What the resource has planned.
            thing: The real thing that a prior or planned state stands for; None while that is not known.
        """
        faults: list[Diagnostic] = []
        for each, step in _steps(request, plan, thing):
            with self._lock:
                elsewhere = frozenset(self._seen[each.kind, each.what])
                self._seen[each.kind, each.what].add(step)
            faults += told(changes.problems(each, step, elsewhere))
        if not faults:
            return plan
        others = plan.diagnostics
        if any(fault.severity == "error" for fault in faults):
            # What else is wrong follows from it, such as that what is created exists already.
            others = [each for each in others if each.severity != "error"]
        return replace(plan, diagnostics=[*others, *faults])


def _steps(request: PlanRequest, plan: Plan, thing: Callable[[State], Thing | None]) -> list[tuple[Thing, Step]]:
    """What is planned with which thing at this address."""
    before = None if request.prior is None else thing(request.prior)
    after = None if plan.planned is None else thing(plan.planned)
    comes = [] if after is None else [(after, Step.COMES)]
    if before is None:
        # The second question about a replacement: the first one has said what stays, goes and comes.
        return [] if request.prior is not None or request.replaces else comes
    if plan.planned is None:
        return [(before, Step.GOES)]
    return [(before, Step.GOES), *comes] if before != after and plan.replace else [(before, Step.STAYS)]

"""An app that shows why a declaration is refused, and no traceback."""

import os
import sys
from typing import Any

from hikube_kafka.platform import cdk, policy, refusal
from hikube_kafka.spec.policy import PolicyError


class App(cdk.App):
    """The CDK's own app, except that a refused declaration ends the program, whoever handles its errors.

    The CDK shows the reasons twice, within forty lines of its own calls.

    Args:
        policy: a file with the limits that the platforms of the app are held to at synth, relative to the working
            directory: see ``docs/policy.md``. None means no limits.
        options: of the CDK's own app: ``outdir``, ``context``.
    """

    def __init__(self, *, policy: str | os.PathLike[str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._policy = policy

    def synth(self) -> None:
        """Write the Terraform of every stack.

        Raises:
            SystemExit: a construct refuses the declaration, it breaks a limit of the policy, or the policy cannot be
                obeyed; every reason has been written to stderr.
        """
        if self._policy is not None and (reasons := self._beyond_limits(self._policy)):
            sys.stderr.write(refusal.text(self, reasons))
            raise SystemExit(1)
        try:
            super().synth()
        except RuntimeError as error:
            text = refusal.told(error)
            if text is None:
                raise
            sys.stderr.write(text)
            raise SystemExit(1) from None

    def _beyond_limits(self, path: str | os.PathLike[str]) -> list[str]:
        try:
            return list(policy.refused(self, policy.read(path)))
        except PolicyError as error:
            return list(error.reasons)

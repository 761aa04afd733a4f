"""An app that shows why a declaration is refused, and no traceback."""

import sys

from hikube_kafka.platform import cdk, refusal


class App(cdk.App):
    """The CDK's own app, except that a refused declaration ends the program, whoever handles its errors.

    The CDK shows the reasons twice, within forty lines of its own calls.
    """

    def synth(self) -> None:
        """Write the Terraform of every stack.

        Raises:
            SystemExit: a construct refuses the declaration; every reason has been written to stderr.
        """
        try:
            super().synth()
        except RuntimeError as error:
            text = refusal.told(error)
            if text is None:
                raise
            sys.stderr.write(text)
            raise SystemExit(1) from None

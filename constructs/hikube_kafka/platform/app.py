"""An app that shows why a declaration is refused, and no traceback."""

import sys

from hikube_kafka.platform import cdk

_REFUSAL = "Error: Validation failed with the following errors:"


class App(cdk.App):
    """The CDK's own app, except that a refused declaration is reported without a traceback.

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
            refusal, found, reasons = str(error).partition(_REFUSAL)
            if refusal or not found:
                raise
            # The CDK's last paragraph tells how to ignore the reasons: nothing would be deployed of a refused platform.
            listed, _, _ = reasons.strip("\n").partition("\n\n")
            sys.stderr.write(f"The declaration is not valid:\n{listed}\n")
            raise SystemExit(1) from None

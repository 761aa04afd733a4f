"""What stands between a client and Connect's workers, and Connect's own refusals. No text holds a value of a config."""

from collections.abc import Sequence


class Unreachable(Exception):  # noqa: N818 - a state of the world, not a fault of the program
    """No worker answers. What they run is not known then: it is never taken for gone.

    Attributes:
        urls: The workers asked.
        reason: Why, as far as it is known.
    """

    def __init__(self, urls: Sequence[str], reason: str) -> None:
        self.urls = tuple(urls)
        self.reason = reason
        super().__init__(f"no worker of {', '.join(urls) or 'this Connect cluster'} answers: {reason}")


class Unanswered(Unreachable):
    """Something answers, but not this question: a proxy without a worker behind it, a worker without its leader.

    Attributes:
        urls: The workers asked.
        question: What they do not tell or do, to be read after "not to": ``GET /connectors``.
        reason: Why, as far as it is known.
    """

    def __init__(self, urls: Sequence[str], question: str, reason: str) -> None:
        super().__init__(urls, reason)
        self.question = question
        self.args = (f"{', '.join(urls)} answers, but not to {question}: {reason}",)


class Rebalancing(Exception):  # noqa: N818 - a state of the world
    """The workers are rebalancing, or agreeing on a configuration, and still were when the patience ended.

    Attributes:
        reason: Connect's sentence.
        waited_seconds: How long it was asked again.
    """

    def __init__(self, reason: str, waited_seconds: float) -> None:
        self.reason = reason
        self.waited_seconds = waited_seconds
        super().__init__(f"the workers are still rebalancing after {waited_seconds:g} s: {reason}")


class NotThere(Exception):  # noqa: N818 - a definite answer
    """Connect says that there is no such thing.

    Attributes:
        what: What was asked for: ``connector orders``.
        reason: Connect's sentence.
    """

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(f"there is no {what}: {reason}")


class Refused(Exception):  # noqa: N818 - Connect's own decision
    """Connect says no, or fails to do it.

    Attributes:
        status: Of HTTP: 400 for what it does not take, 500 for what it could not do.
        reason: Connect's sentence.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"Connect refuses it ({status}): {reason}")


class AlreadyThere(Refused):
    """A connector of this name exists."""

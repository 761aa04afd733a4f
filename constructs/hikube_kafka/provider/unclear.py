"""Which answers to a change leave open whether it was made: then the provider looks, and asks again.

librdkafka marks none of these errors as retriable (``KafkaError.retriable`` is false for every code of an answer to an
admin request, as measured with 2.13), and retries no change by itself, since it cannot know whether it was made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hikube_kafka.kafka.errors import KafkaRefused, Unclear, Unreachable

UNCLEAR: Mapping[str, str] = {
    # librdkafka's own: the request was sent, or may have been, and no answer came.
    "_TRANSPORT": "the connection broke before the answer came",
    "_TIMED_OUT": "no answer in time, or no controller known to ask",
    "_TIMED_OUT_QUEUE": "the request was never sent",
    "_ALL_BROKERS_DOWN": "no connection at this moment",
    "_RESOLVE": "a broker's name is not resolved at this moment: a pod that was just made",
    "_WAIT_COORD": "librdkafka is still looking for whom to ask",
    "_WAIT_CACHE": "librdkafka is still reading the metadata",
    "_DESTROY": "the client was given up while the request was under way",
    "_DESTROY_BROKER": "the broker left the metadata while the request was under way",
    "_INTR": "the request was interrupted",
    "_PURGE_INFLIGHT": "the request was given up while it was under way",
    "_PURGE_QUEUE": "the request was given up before it was sent",
    "_RETRY": "librdkafka itself says to ask again",
    "_PARTIAL": "a part of the answer is missing",
    # Kafka's: the broker asked is not, or no longer, the one that can carry the change out.
    "NOT_CONTROLLER": "another broker is the controller by now",
    "STALE_CTRL_EPOCH": "another controller was elected meanwhile",
    "STALE_BROKER_EPOCH": "the broker has restarted meanwhile",
    "UNKNOWN_CONTROLLER_ID": "the controller is not known to the broker asked",
    "BROKER_NOT_AVAILABLE": "the broker is not registered at this moment",
    "COORDINATOR_LOAD_IN_PROGRESS": "the broker is still starting",
    "COORDINATOR_NOT_AVAILABLE": "the broker is still starting",
    "NOT_COORDINATOR": "another broker is to be asked by now",
    "REBOOTSTRAP_REQUIRED": "the client must connect anew",
    # Kafka's: it has begun, and did not see the end.
    "REQUEST_TIMED_OUT": "the controller has begun, and the brokers did not confirm in time",
    "NETWORK_EXCEPTION": "the connection between brokers broke",
    "LEADER_NOT_AVAILABLE": "the topic is there, and its leaders are being elected",
    "NOT_LEADER_FOR_PARTITION": "leaders are changing at this moment",
    "UNKNOWN": "an error inside the broker, such as one that lost ZooKeeper while it changed something",
    # Kafka's: not now.
    "THROTTLING_QUOTA_EXCEEDED": "the quota of changes is used up for a moment",
    "OPERATION_NOT_ATTEMPTED": "the broker did not come to it",
}
"""By Kafka's or librdkafka's name; every other code is a definite no, or a fault of the request."""


def is_unclear(code: str) -> bool:
    """Whether an answer with this code leaves open if the change was made."""
    return code in UNCLEAR


@dataclass
class Change:
    """A change that is asked for until it is known to be made, or refused.

    Every callable may raise ``Unreachable``: then whoever should answer is away, and the question stays open.
    """

    ask: Callable[[], None]
    """Asks Kafka for it; raises ``KafkaRefused``."""
    compare: Callable[[], bool | None] = lambda: None
    """Looks anew whether what is there is what was asked for; None: it is not there."""
    own: str | None = None
    """What Kafka says of a change that is made already: after an unclear answer it may have been this one."""
    may_pass: Callable[[str], bool] = lambda _code: False
    """Definite refusals, by their code, that may be over in a moment."""
    last: KafkaRefused | None = None
    """The last answer that was not a consent."""

    def made(self) -> bool:
        """Ask; after an unclear answer look first.

        Raises:
            KafkaRefused: A definite no.
        """
        try:
            if self.last is not None and self.compare() is True:
                return True
            return self._asked()
        except Unreachable as problem:
            self.last = KafkaRefused("_TRANSPORT", problem.reason)
            return False

    def _asked(self) -> bool:
        try:
            self.ask()
        except KafkaRefused as refusal:
            ours = self.last is not None and refusal.code == self.own
            if not (ours or is_unclear(refusal.code) or self.may_pass(refusal.code)):
                raise
            if ours and self.compare() is False:
                raise
            self.last = refusal
            return False
        return True

    def given_up(self, seconds: float) -> KafkaRefused:
        """What is to be said when the time is over."""
        last = self.last or KafkaRefused("_TIMED_OUT", "nobody was asked")
        error = Unclear if is_unclear(last.code) or last.code == self.own else KafkaRefused
        return error(last.code, f"{last.reason.rstrip('.')} (asked again for up to {seconds:g} s, for all changes)")

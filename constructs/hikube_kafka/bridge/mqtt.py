"""The bridge from MQTT to Kafka: a message is acknowledged to MQTT once Kafka has acknowledged it."""

import logging
import time
from dataclasses import dataclass
from threading import Event

from hikube_kafka.bridge.health import Health
from hikube_kafka.bridge.logs import tell
from hikube_kafka.bridge.metrics import Metrics
from hikube_kafka.bridge.pipeline import Pipeline, limits
from hikube_kafka.bridge.routes import Message, Routes
from hikube_kafka.bridge.session import MqttBroker, MqttError, Session, SessionTerms
from hikube_kafka.bridge.window import Entry, Window
from hikube_kafka.kafka.security import Credentials

_PATIENCE_SECONDS = 10.0
"""How long a message of QoS 0 waits for room before it is dropped: less than the keep-alive, so that those of QoS 1
do not lose their connection over it."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What may be in flight, and how long an end may take."""

    messages: int
    bytes_: int
    drain_seconds: float


class MqttBridge:
    """Carries messages until it is stopped, or cannot go on.

    Args:
        broker: where the MQTT broker is.
        terms: what is asked of it.
        addresses: of Kafka's brokers.
        credentials: who the bridge is to them.
        routes: which message goes where.
        bounds: what may be in flight.
        listen: ``host:port`` of metrics and health.

    Raises:
        MqttError: The MQTT side cannot be set up.
        OSError: ``listen`` cannot be listened on.
        ValueError: ``listen`` is not an address.
    """

    def __init__(
        self,
        broker: MqttBroker,
        terms: SessionTerms,
        *,
        addresses: str,
        credentials: Credentials,
        routes: Routes,
        bounds: Bounds,
        listen: str,
    ) -> None:
        self._addresses, self._credentials = addresses, credentials
        self._routes, self._bounds, self._client_id = routes, bounds, terms.client_id
        self._stopped = Event()
        self._failure: str | None = None
        self._pipeline: Pipeline | None = None
        self._session = Session(broker, terms, take=self._take, lost=self._lost, begun=self._begun, fail=self.fail)
        self._window = Window(self._session.acknowledge, messages=bounds.messages, bytes_=bounds.bytes_)
        self.metrics = Metrics(
            acknowledged=lambda: self._window.acknowledged,
            in_flight=lambda: self._window.in_flight,
            in_flight_bytes=lambda: self._window.in_flight_bytes,
            mqtt_connected=lambda: self._session.subscribed,
            kafka_connected=self._kafka_connected,
        )
        self.health = Health(
            listen, metrics=self.metrics.text, failure=lambda: self._failure, waiting_for=self._waiting_for
        )

    def stop(self) -> None:
        """Take no further message, and end once those in flight are in Kafka. A signal handler may call it."""
        self._stopped.set()

    def fail(self, why: str) -> None:
        """End, and say why: the first reason is the one that counts. A drain ends too."""
        if self._failure is None:
            self._failure = why
        self._stopped.set()
        self._window.give_up()

    def run(self) -> str | None:
        """Carry messages until the end.

        Returns:
            Why it had to end; None: it was stopped, and all that it had taken is in Kafka and acknowledged.

        Raises:
            PipelineError: Kafka has not the topics, or does not let the bridge write to them.
            MqttError: The MQTT broker does not let it in, or does not let it subscribe.
        """
        try:
            known = limits(
                self._addresses, self._credentials, self._routes.topics, self._routes.dead_letters, self._stopped
            )
            if known is None:
                return None
            self._routes.limits = known
            self._pipeline = Pipeline(
                self._addresses,
                self._credentials,
                limits=known,
                client_id=self._client_id,
                memory=self._bounds.bytes_,
                fail=self.fail,
            )
            tell("kafka_connected", topics=list(self._routes.topics))
            self._session.start()
            self._stopped.wait()
            return self._drain(self._pipeline)
        finally:
            self.health.close()

    def _drain(self, pipeline: Pipeline) -> str | None:
        """Wait for what is in flight; what Kafka has not got by then comes again when the bridge is back."""
        self._window.close()
        tell("draining", in_flight=self._window.in_flight)
        if not self._window.wait_until_empty(0 if self._failure else self._bounds.drain_seconds) and not self._failure:
            self._failure = (
                f"after {self._bounds.drain_seconds:g} s Kafka had not acknowledged {self._window.in_flight} messages: "
                "the MQTT broker sends them again to the next bridge of this client id."
            )
        failure = self._failure
        self._session.end()
        pipeline.end()
        tell("ended", delivered=self.metrics.delivered, acknowledged=self._window.acknowledged, failure=failure)
        if failure is not None and not (self._session.was_subscribed or self.metrics.received):
            raise MqttError(failure)
        return failure

    # --- called by the MQTT client's thread ---

    def _begun(self, session_present: bool) -> None:  # noqa: FBT001 - MQTT's own flag
        if not session_present:
            self._window.forget()
            if self.metrics.connections:
                self.metrics.sessions_lost += 1
                tell("mqtt_session_lost", level=logging.WARNING, client_id=self._client_id)
        self.metrics.connections += 1

    def _lost(self) -> None:
        self._window.lost()

    def _take(self, mid: int, again: bool, message: Message) -> None:  # noqa: FBT001 - MQTT's own flag
        pipeline = self._pipeline
        if pipeline is None or self._stopped.is_set():
            return  # it is not acknowledged, and comes again
        self.metrics.received += 1
        if mid and again and self._window.resume(mid):
            self.metrics.duplicates += 1
            return
        record, why = self._routes.record(message)
        entry = self._window.enter(mid, record.size if record else 0, None if mid else _PATIENCE_SECONDS)
        if entry is None:
            self.metrics.dropped += not mid and not self._stopped.is_set()
            return
        if record is None:
            self.metrics.passed_over += 1
            self._window.delivered(entry)
            return
        if why is not None:
            self.metrics.dead_letters += 1
            tell(
                "dead_letter",
                level=logging.WARNING,
                mqtt_topic=message.topic.decode("utf-8", errors="backslashreplace"),
                reason=why,
            )
        pipeline.send(record, lambda: self._delivered(entry))

    # --- called by the pipeline's thread ---

    def _delivered(self, entry: Entry) -> None:
        self.metrics.latency.observe(time.monotonic() - entry.taken)
        self.metrics.delivered += 1
        self._window.delivered(entry)

    # --- called by the health server ---

    def _kafka_connected(self) -> bool:
        return self._pipeline is not None and self._pipeline.connected

    def _waiting_for(self) -> list[str]:
        if self._stopped.is_set():
            return ["it is ending"]
        missing = {"Kafka does not answer": self._kafka_connected(), "MQTT is not subscribed": self._session.subscribed}
        return [what for what, there in missing.items() if not there]

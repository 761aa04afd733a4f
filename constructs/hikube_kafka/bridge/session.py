"""A session with an MQTT broker that outlives its connections, on paho-mqtt."""

import logging
import os
import socket
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from hikube_kafka.bridge.logs import tell
from hikube_kafka.bridge.routes import Message
from hikube_kafka.kafka.address import join, reason

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.enums import MQTTErrorCode
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

KEEP_ALIVE_SECONDS = 30
_FIRST_PAUSE, _LONGEST_PAUSE = 1, 30
"""Seconds between two attempts to connect: doubled from the first to the longest."""
_PLAIN_PORT, _TLS_PORT = 1883, 8883
_FAILURE = 0x80
"""Reason codes from here on are refusals."""
_UNSUPPORTED_VERSION = 0x84
_LASTING = frozenset({_UNSUPPORTED_VERSION, 0x85, 0x86, 0x87, 0x8A, 0x8C})
"""Refusals that the next attempt meets again: version, client id, password, permission, ban, log-in method."""
_WHO_IT_IS = frozenset({0x86, 0x87, 0x8C})
"""Those of them that are about the user: password, permission, log-in method."""
_TAKEN_OVER = 0x8E
_HAS_EXPIRED, _NOT_YET_VALID = 10, 9
_OTHER_NAME = frozenset({62, 64})
"""What OpenSSL's verification says by number (X509_V_ERR_…): two are the wrong host name and the wrong IP address."""
_CERTIFICATE_ALERTS = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "HANDSHAKE_FAILURE",
)
"""Alerts of TLS by which a server refuses the certificate of a client, or that there is none."""
_NO_TLS_THERE = "has this port TLS? without it --mqtt begins with mqtt://"
_TLS_THERE = "it ended before the MQTT broker had answered; has this port TLS? then --mqtt begins with mqtts://"
_SHORT_SECONDS = 5.0
_SHORT_IN_A_ROW = 3
"""So many connections in a row that ended so soon look like two clients of one id, who end each other's."""


class MqttError(Exception):
    """The MQTT side cannot be set up, or will not let the bridge in; the text says what to change."""


@dataclass(frozen=True, kw_only=True)
class MqttBroker:
    """Where the MQTT broker is, and who the bridge is to it. No repr shows a secret."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """``host:port``."""
        return join(self.host, self.port)

    @classmethod
    def parse(cls, url: str, environment: Mapping[str, str] = os.environ) -> Self:
        """Read ``mqtt://host:1883`` or ``mqtts://host:8883``; the secrets come from the environment.

        ``HIKUBE_KAFKA_MQTT_USERNAME``, ``_PASSWORD`` or ``_PASSWORD_FILE``, ``_KEY_PASSWORD``, and the files
        ``_CA_FILE``, ``_CERTIFICATE_FILE`` and ``_KEY_FILE``. An empty variable counts as absent.

        Raises:
            MqttError: It is no such address, or has a password in it, or a file cannot be read.
        """

        def value(name: str) -> str | None:
            return environment.get(f"HIKUBE_KAFKA_MQTT_{name}") or None

        def file(name: str) -> Path | None:
            path = value(name)
            return None if path is None else Path(path)

        tls, host, port = _address(url)
        username, password = value("USERNAME"), _password(value("PASSWORD"), file("PASSWORD_FILE"))
        if password is not None and username is None:
            raise MqttError("there is a password for MQTT and no user: set HIKUBE_KAFKA_MQTT_USERNAME.")
        certificate, key = file("CERTIFICATE_FILE"), file("KEY_FILE")
        if (certificate is None) != (key is None):
            raise MqttError("HIKUBE_KAFKA_MQTT_CERTIFICATE_FILE and HIKUBE_KAFKA_MQTT_KEY_FILE go together.")
        if not tls and (certificate is not None or value("CA_FILE")):
            raise MqttError(f"certificates are given for {url!r}, which has no TLS: write mqtts://.")
        return cls(
            host=host,
            port=port,
            tls=tls,
            username=username,
            password=password,
            authorities=file("CA_FILE"),
            certificate=certificate,
            key=key,
            key_password=value("KEY_PASSWORD"),
        )

    def context(self) -> ssl.SSLContext | None:
        """What TLS needs; None: there is none.

        Raises:
            MqttError: A file cannot be read.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.authorities)
        except (OSError, ValueError) as error:
            raise MqttError(f"HIKUBE_KAFKA_MQTT_CA_FILE, {self.authorities}: {reason(error)}.") from None
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, password=self.key_password or "")
            except (OSError, ValueError) as error:
                raise MqttError(
                    f"the certificate {self.certificate} (HIKUBE_KAFKA_MQTT_CERTIFICATE_FILE) cannot be used with the "
                    f"key {self.key} (HIKUBE_KAFKA_MQTT_KEY_FILE, HIKUBE_KAFKA_MQTT_KEY_PASSWORD): {reason(error)}."
                ) from None
        return context

    def untrusted(self, error: ssl.SSLCertVerificationError) -> str | None:
        """Why its certificate is not accepted and what to do; None: waiting can help."""
        said = f"the certificate of the MQTT broker {self.address} is not accepted: {error.verify_message.rstrip('.')}"
        if error.verify_code == _NOT_YET_VALID:
            return None
        if error.verify_code == _HAS_EXPIRED:
            return f"{said}. Renew it there, or the certificate of its authority."
        if error.verify_code in _OTHER_NAME:
            return f"{said}. Give --mqtt a name that is in the certificate."
        trusted = "those that the system trusts" if self.authorities is None else self.authorities
        return f"{said}. HIKUBE_KAFKA_MQTT_CA_FILE has to name the authority that signed it; now it is {trusted}."

    def refused_certificate(self, alert: str) -> str:
        """What to do when it does not accept the bridge's own certificate."""
        said = f"the MQTT broker {self.address} does not accept"
        if self.certificate is None:
            return (
                f"{said} a client without a certificate: {alert}. Set HIKUBE_KAFKA_MQTT_CERTIFICATE_FILE and "
                "HIKUBE_KAFKA_MQTT_KEY_FILE."
            )
        return f"{said} the certificate {self.certificate}: {alert}. Take one of an authority that it trusts."

    def refused(self, code: str, *, user: bool) -> str:
        """What to do when it answers, and does not let the bridge in."""
        said = f"the MQTT broker {self.address} does not let the bridge in: {code}."
        if not user:
            return said
        if self.username is None:
            return f"{said} The bridge has given no user: set HIKUBE_KAFKA_MQTT_USERNAME, and its password."
        return f"{said} Correct HIKUBE_KAFKA_MQTT_USERNAME, now {self.username}, or its password."


def _address(url: str) -> tuple[bool, str, int]:
    """Whether there is TLS, host and port."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as the resolver does it
    except ValueError as error:
        raise MqttError(f"the address of the MQTT broker cannot be read: {error}.") from None
    if parts.username is not None or parts.password is not None:
        raise MqttError(
            "the address of the MQTT broker has a user or a password in it, which the process list shows: set "
            "HIKUBE_KAFKA_MQTT_USERNAME, and HIKUBE_KAFKA_MQTT_PASSWORD or HIKUBE_KAFKA_MQTT_PASSWORD_FILE."
        )
    if parts.scheme not in {"mqtt", "mqtts"} or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise MqttError(f"{url!r} is not mqtt://HOST:PORT or mqtts://HOST:PORT.")
    tls = parts.scheme == "mqtts"
    return tls, host, port or (_TLS_PORT if tls else _PLAIN_PORT)


def _password(given: str | None, file: Path | None) -> str | None:
    if file is None:
        return given
    try:
        return file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise MqttError(f"HIKUBE_KAFKA_MQTT_PASSWORD_FILE, {file}: {reason(error)}.") from None


@dataclass(frozen=True, kw_only=True)
class SessionTerms:
    """What the bridge asks of the MQTT broker."""

    client_id: str
    filters: Sequence[str]
    """As they are subscribed to, ``$share/GROUP/`` included."""
    receive_maximum: int
    """How many messages may be unacknowledged: MQTT 5's flow control."""
    expiry_seconds: int
    """How long the MQTT broker keeps the session, and what arrives meanwhile, without a connection."""
    retained: bool
    """Whether a new subscription gets the retained messages."""


class Session:
    """A persistent session. Its callbacks run in the thread of the client.

    Args:
        broker: where and who.
        terms: what is asked for.
        take: gets each message: packet identifier, whether it is sent again, the message.
        lost: called when a connection is gone.
        begun: called when there is one; told whether the session was still there.
        fail: called with the reason when no further attempt would help.

    Raises:
        MqttError: paho-mqtt is not installed, or a certificate cannot be used.
    """

    def __init__(
        self,
        broker: MqttBroker,
        terms: SessionTerms,
        *,
        take: Callable[[int, bool, Message], None],
        lost: Callable[[], None],
        begun: Callable[[bool], None],
        fail: Callable[[str], None],
    ) -> None:
        try:
            from paho.mqtt.client import Client, MQTTv5
            from paho.mqtt.enums import CallbackAPIVersion
            from paho.mqtt.packettypes import PacketTypes
            from paho.mqtt.properties import Properties
        except ImportError:
            raise MqttError("paho-mqtt is not installed: pip install 'hikube-kafka[mqtt]'.") from None
        self.broker = broker
        self.terms = terms
        self.subscribed = False
        self.was_subscribed = False
        self._connected_at = 0.0
        self._alert = ""
        self._short = 0
        self._take, self._lost, self._begun, self._fail = take, lost, begun, fail
        self._client: Client = Client(
            CallbackAPIVersion.VERSION2, client_id=terms.client_id, protocol=MQTTv5, manual_ack=True
        )
        if (context := broker.context()) is not None:
            self._client.tls_set_context(context)
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password)
        self._loop = self._client.loop_forever
        self._client.loop_forever = self._watched_loop  # type: ignore[method-assign]
        self._client.reconnect_delay_set(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._client.on_socket_open = self._on_socket_open
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_log = self._on_log
        self._asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        self._asked.SessionExpiryInterval = terms.expiry_seconds
        self._asked.ReceiveMaximum = terms.receive_maximum

    def _watched_loop(self, timeout: float = 1.0, retry_first_connection: bool = False) -> "MQTTErrorCode":  # noqa: FBT001, FBT002 - paho's own
        """What paho's thread runs: it would end in silence, and the bridge would look alive."""
        from paho.mqtt.enums import MQTTErrorCode

        try:
            return self._loop(timeout, retry_first_connection)
        except Exception as error:  # noqa: BLE001 - whatever an answer that makes no sense raises
            self.subscribed = False
            self._fail(
                f"the connection to the MQTT broker {self.broker.address} has ended with {type(error).__name__}: "
                f"{reason(error)}."
            )
            return MQTTErrorCode.MQTT_ERR_UNKNOWN

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""
        self._client.connect_async(
            self.broker.host, self.broker.port, KEEP_ALIVE_SECONDS, clean_start=False, properties=self._asked
        )
        self._client.loop_start()

    def acknowledge(self, mid: int) -> None:
        """Send the PUBACK of a message of this connection."""
        self._client.ack(mid, 1)

    def end(self) -> None:
        """Send what is left to send, and disconnect; the session stays."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: "Client", _data: Any, flags: "ConnectFlags", code: "ReasonCode", properties: "Properties | None"
    ) -> None:
        from paho.mqtt.subscribeoptions import SubscribeOptions

        if code.value >= _FAILURE:
            tell("mqtt_refused", level=logging.WARNING, address=self.broker.address, reason=str(code))
            if code.value in _LASTING:
                speaks = " It has to speak MQTT 5." if code.value == _UNSUPPORTED_VERSION else ""
                self._fail(self.broker.refused(str(code), user=code.value in _WHO_IT_IS) + speaks)
            return
        client.on_log = None  # it would be told of every packet
        kept = getattr(properties, "SessionExpiryInterval", self.terms.expiry_seconds)
        if kept < self.terms.expiry_seconds:
            tell("mqtt_session_shortened", level=logging.WARNING, asked_s=self.terms.expiry_seconds, granted_s=kept)
        self._connected_at = time.monotonic()
        tell("mqtt_connected", address=self.broker.address, session_present=flags.session_present)
        self._begun(flags.session_present)
        retained = (
            SubscribeOptions.RETAIN_SEND_IF_NEW_SUB if self.terms.retained else SubscribeOptions.RETAIN_DO_NOT_SEND
        )
        client.subscribe([(each, SubscribeOptions(qos=1, retainHandling=retained)) for each in self.terms.filters])

    @staticmethod
    def _on_socket_open(_client: "Client", _data: Any, opened: Any) -> None:
        # A PUBACK is 4 bytes: it is not to wait for the acknowledgement of the one before.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect_fail(self, _client: "Client", _data: Any) -> None:
        error = sys.exc_info()[1]  # paho calls this while it handles it, and does not pass it on
        hint: dict[str, str] = {}
        if isinstance(error, ssl.SSLCertVerificationError):
            why = self.broker.untrusted(error)
        else:
            why = self._alerted(str(error))
            if why is None and self.broker.tls and isinstance(error, ConnectionResetError | ssl.SSLError):
                hint = {"hint": _NO_TLS_THERE}
        said = "" if error is None else reason(error)
        tell("mqtt_unreachable", level=logging.WARNING, address=self.broker.address, reason=said, **hint)
        if why is not None:
            self._fail(why)

    def _alerted(self, said: str) -> str | None:
        """What to do if a TLS alert is in it that refuses the bridge's certificate."""
        alert = next((each for each in _CERTIFICATE_ALERTS if f"ALERT_{each}" in said), None)
        return alert and self.broker.refused_certificate(alert.lower().replace("_", " "))

    def _on_log(self, _client: "Client", _data: Any, _level: int, said: str) -> None:
        # With TLS 1.3 a server refuses a certificate after the handshake: paho writes it to its log, and no more.
        if "ALERT_" in said:
            self._alert = said

    def _on_disconnect(
        self, client: "Client", _data: Any, flags: "DisconnectFlags", code: "ReasonCode", _properties: Any
    ) -> None:
        self.subscribed = False
        client.on_log = self._on_log
        self._short = self._short + 1 if time.monotonic() - self._connected_at < _SHORT_SECONDS else 0
        self._lost()
        told = logging.INFO if code.value == 0 else logging.WARNING
        answered, self._connected_at = self._connected_at > 0, 0.0
        hint = {} if answered or self.broker.tls or code.value == 0 else {"hint": _TLS_THERE}
        tell("mqtt_disconnected", level=told, address=self.broker.address, reason=str(code), **hint)
        alert, self._alert = self._alert, ""
        if (why := self._alerted(alert)) is not None:
            self._fail(why)
        elif flags.is_disconnect_packet_from_server and code.value == _TAKEN_OVER:
            self._fail(
                f"another client of {self.broker.address} has taken over the client id {self.terms.client_id}: each "
                "bridge needs one of its own."
            )
        elif self._short >= _SHORT_IN_A_ROW:  # an MQTT broker need not say so: Mosquitto 2.0.11 does not
            tell(
                "mqtt_connections_short",
                level=logging.WARNING,
                in_a_row=self._short,
                hint=f"does another client use the client id {self.terms.client_id}?",
            )

    def _on_subscribe(
        self, _client: "Client", _data: Any, _mid: int, codes: "list[ReasonCode]", _properties: Any
    ) -> None:
        for filter_, code in zip(self.terms.filters, codes, strict=True):
            if code.value >= _FAILURE:
                self._fail(
                    f"the MQTT broker {self.broker.address} refuses the subscription to {filter_}: {code}. It has to "
                    f"allow {self.broker.username or 'the bridge'} to read there."
                )
                return
            if code.value == 0:
                self._fail(
                    f"the MQTT broker {self.broker.address} grants QoS 0 for {filter_}: no message would be safe."
                )
                return
        self.subscribed = self.was_subscribed = True
        tell("mqtt_subscribed", filters=list(self.terms.filters))

    def _on_message(self, _client: "Client", _data: Any, message: "MQTTMessage") -> None:
        try:
            self._take(
                message.mid if message.qos else 0,
                message.dup,
                Message(topic=message._topic, payload=bytes(message.payload), qos=message.qos, retain=message.retain),  # noqa: SLF001 - its bytes, valid or not
            )
        except Exception as error:  # noqa: BLE001 - the client's thread would end in silence
            tell("failed", level=logging.ERROR, error=reason(error))
            self._fail(f"a message could not be handled: {reason(error)}.")

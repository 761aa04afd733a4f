"""``hikube-kafka bridge``."""

import re
import signal
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from hikube_kafka.exit_code import ExitCode

if TYPE_CHECKING:
    from hikube_kafka.bridge.mqtt import MqttBridge

bridge = typer.Typer(help="Carry messages of another protocol into Kafka.", no_args_is_help=True)

_MOST_IN_FLIGHT = 65_535
"""MQTT 5 counts in 16 bits."""
_LONGEST_EXPIRY_SECONDS = 4_294_967_294
"""MQTT 5 counts in 32 bits, and the largest number means for ever."""


def _fail(code: ExitCode, message: object) -> NoReturn:
    typer.echo(f"hikube-kafka: {message}", err=True)
    raise typer.Exit(code)


@bridge.callback()
def _root() -> None:
    """Carry messages of another protocol into Kafka."""


@bridge.command("mqtt")
def mqtt(
    *,
    broker: Annotated[
        str, typer.Option("--mqtt", help="The MQTT broker: mqtt://HOST:1883, or mqtts://HOST:8883 for TLS.")
    ],
    bootstrap_servers: Annotated[str, typer.Option(help="Kafka's brokers: HOST:PORT, separated by commas.")],
    route: Annotated[
        list[str],
        typer.Option(
            help="What goes where: devices/{device}/telemetry=telemetry. {device} is the key of the record; without it "
            "the first wildcard is. May be repeated."
        ),
    ],
    dead_letters: Annotated[str, typer.Option(help="Kafka topic of messages that have no device, or are too large.")],
    client_id: Annotated[
        str, typer.Option(help="Names the session at the MQTT broker: of each bridge its own, the same at each start.")
    ],
    share: Annotated[
        str | None,
        typer.Option(
            help="Group of a shared subscription: several bridges get different messages. The order of a device is "
            "then lost; --shard keeps it."
        ),
    ] = None,
    shard: Annotated[
        str, typer.Option(help="Of several bridges, which one this is: 1/3. Each carries devices of its own.")
    ] = "1/1",
    in_flight: Annotated[
        int, typer.Option(min=1, max=_MOST_IN_FLIGHT, help="Messages that may be taken and not yet acknowledged.")
    ] = 1000,
    in_flight_bytes: Annotated[str, typer.Option(help="Bytes of them.")] = "64Mi",
    session_expiry: Annotated[
        str, typer.Option(help="How long the MQTT broker keeps what arrives while the bridge is away.")
    ] = "7d",
    retained: Annotated[
        Literal["new", "never"],
        typer.Option(help="Whether a new subscription gets the retained messages. A reconnect never does."),
    ] = "new",
    listen: Annotated[
        str, typer.Option(help="HOST:PORT for /metrics, /healthz and /readyz. They ask nobody who they are.")
    ] = "127.0.0.1:9641",
    drain: Annotated[
        float,
        typer.Option(min=0, max=3600, help="Seconds that messages in flight have, after SIGTERM, to reach Kafka."),
    ] = 20.0,
    protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], typer.Option(help="Kafka's security.protocol.")
    ] = "PLAINTEXT",
    mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], typer.Option(help="Kafka's sasl.mechanism.")
    ] = "SCRAM-SHA-512",
) -> None:
    """Carry messages from MQTT 5 to Kafka: acknowledged once Kafka has them, in order for each device.

    Runs until SIGTERM or Ctrl-C; it then lets what is in flight reach Kafka. Exit code 0: it did; 1: it could not go
    on, or not all of it did (no message is lost: the MQTT broker sends again what was not acknowledged); 2: it could
    not begin.

    Credentials come from the environment. For Kafka: HIKUBE_KAFKA_USERNAME, HIKUBE_KAFKA_PASSWORD,
    HIKUBE_KAFKA_CA_FILE, HIKUBE_KAFKA_CERTIFICATE_FILE, HIKUBE_KAFKA_KEY_FILE, HIKUBE_KAFKA_KEY_PASSWORD. For MQTT the
    same with HIKUBE_KAFKA_MQTT_, and HIKUBE_KAFKA_MQTT_PASSWORD_FILE.
    """
    from hikube_kafka.bridge.logs import log_to_stderr
    from hikube_kafka.bridge.mqtt import Bounds, MqttBridge
    from hikube_kafka.bridge.routes import Route, RouteError, Routes, Shard
    from hikube_kafka.bridge.session import MqttBroker, MqttError, SessionTerms
    from hikube_kafka.kafka.errors import MissingCredentialError
    from hikube_kafka.kafka.security import Credentials
    from hikube_kafka.spec.quantities import Duration, Quantity

    if not client_id.strip():
        _fail(ExitCode.NOTHING_CHECKED, "--client-id is empty: a session needs a name to be found again.")
    if share is not None and (not share or re.search(r"[/+#\0]", share)):
        _fail(ExitCode.NOTHING_CHECKED, f"--share {share!r} is not the name of a group: it has no /, + or #.")
    try:
        divided = Shard.parse(shard)
        if share is not None and divided.of > 1:
            _fail(ExitCode.NOTHING_CHECKED, "--share and --shard exclude each other: both divide the messages.")
        routes = Routes([Route.parse(each) for each in route], dead_letters, divided)
        expiry, memory = Duration(session_expiry), Quantity(in_flight_bytes)
        if not 1 <= expiry.seconds <= _LONGEST_EXPIRY_SECONDS:
            _fail(ExitCode.NOTHING_CHECKED, f"--session-expiry {expiry}: MQTT allows 1s to 136 years.")
        if memory.bytes < 1:
            _fail(ExitCode.NOTHING_CHECKED, f"--in-flight-bytes {memory}: nothing could be carried.")
        credentials = Credentials.from_environment(protocol, mechanism if protocol.startswith("SASL_") else None)
        log_to_stderr()
        carrier = MqttBridge(
            MqttBroker.parse(broker),
            SessionTerms(
                client_id=client_id,
                filters=[f"$share/{share}/{each.filter}" if share else each.filter for each in routes.routes],
                receive_maximum=in_flight,
                expiry_seconds=int(expiry.seconds),
                retained=retained == "new",
            ),
            addresses=bootstrap_servers,
            credentials=credentials,
            routes=routes,
            bounds=Bounds(messages=in_flight, bytes_=memory.bytes, drain_seconds=drain),
            listen=listen,
        )
    except (RouteError, MqttError, MissingCredentialError) as error:
        _fail(ExitCode.NOTHING_CHECKED, error)
    except (OSError, OverflowError) as error:
        _fail(ExitCode.NOTHING_CHECKED, f"--listen {listen}: {error}")
    except ValueError as error:
        _fail(ExitCode.NOTHING_CHECKED, error)
    _run(carrier)


def _run(carrier: "MqttBridge") -> None:
    from hikube_kafka.bridge.pipeline import PipelineError
    from hikube_kafka.bridge.session import MqttError

    for number in (signal.SIGTERM, signal.SIGINT):
        # In a thread: the handler interrupts this one, which may hold the lock that stop() needs.
        signal.signal(number, lambda *_: Thread(target=carrier.stop).start())
    try:
        failure = carrier.run()
    except (PipelineError, MqttError) as error:
        _fail(ExitCode.NOTHING_CHECKED, error)
    if failure is not None:
        _fail(ExitCode.SOMETHING_WRONG, failure)

"""An event bus: orders, payments and notifications from an outbox to services, and what is computed of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import (
    ConnectCluster,
    Connector,
    DeclarationError,
    Duration,
    Kafka,
    LocalLayout,
    Plugin,
    Problem,
    Quantity,
    Resources,
    Topic,
    ZooKeeper,
)

DEBEZIUM = Plugin(
    "debezium-postgres",
    version="3.1.3.Final",
    classes=["io.debezium.connector.postgresql.PostgresConnector"],
    maven="io.debezium:debezium-connector-postgres:3.1.3.Final:tar.gz:plugin",
    checksum="sha256:2ed3f0b1dd3ee3b1180cc975e0464b675cca5f972db6a9ae3a75f5376874f652",
)

_MEASURES: Mapping[str, Callable[[str], float]] = {
    "heartbeat": lambda text: Duration(text).milliseconds,
    "wal_cap": lambda text: Quantity(text).bytes,
    "lag_alert": lambda text: Quantity(text).bytes,
}


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """The transactional outbox of a database: events that are there if, and only if, their transaction was committed.

    Whoever leaves out what keeps a replication slot from filling the disk of the database, or from being lost, gets a
    :class:`~hikube_kafka.spec.DeclarationError`. There is no default for these on purpose: they belong to the database.

    Raises:
        DeclarationError: all that is missing or mistaken.
    """

    host: str
    port: int
    database: str
    user: str
    password: str | None = None
    """A reference: ``${dir:/secrets/shop:password}``. None where the database asks for none."""
    slot: str = ""
    """Name of the replication slot: one for each connector, and known to whoever watches it."""
    publication: str = ""
    """Name of the publication, which the owner of the tables has created for the outbox and the heartbeat alone."""
    heartbeat: str = ""
    """How often the connector writes into the heartbeat's table: ``10s``."""
    heartbeat_table: str = ""
    """The table, in the publication. Without it the slot of a quiet outbox keeps the log of the busy rest."""
    wal_cap: str = ""
    """The database's ``max_slot_wal_keep_size``: beyond it the slot is lost, and not the database."""
    lag_alert: str = ""
    """Lag at which somebody is called: ``slot_lag.py --most``. Below the cap, or nobody is called in time."""

    def __post_init__(self) -> None:
        """Refuse what would end badly."""
        if problems := list(self._problems()):
            raise DeclarationError(problems)

    def _problems(self) -> Iterator[Problem]:
        missing = {
            "slot": ("A slot of Debezium's default name is taken over by the next connector.", "a name of its own"),
            "publication": (
                "The connector would publish every table of the database.",
                "the name of one for the outbox",
            ),
            "heartbeat": ("A quiet outbox keeps the log of everything else that is written.", "10s"),
            "heartbeat_table": (
                "A heartbeat that writes nothing does not move the slot.",
                "a table of the publication",
            ),
            "wal_cap": ("A connector that is away fills the disk of the database.", "its max_slot_wal_keep_size: 10Gi"),
            "lag_alert": ("A slot that is lost means a new snapshot, and events that are missing.", "half of wal_cap"),
        }
        for field, (why, what) in missing.items():
            if not getattr(self, field):
                yield _problem(
                    f"outbox-{field.replace('_', '-')}", f"{field} is not declared.", why, f"Declare {what}."
                )
        if self.password is not None and not self.password.startswith("${"):
            why = "It would stand in the plan, in the state and in Connect's topic."
            yield _problem("outbox-password", "the password is written out.", why, "Declare a reference: ${dir:…}.")
        amounts: dict[str, float] = {}
        for field, measure in _MEASURES.items():
            if text := getattr(self, field):
                try:
                    amount = measure(text)
                except ValueError as error:
                    mistake = f"{field}: {error}."
                else:
                    amounts[field], mistake = amount, "" if amount > 0 else f"{field} is {text}."
                if mistake:
                    why, what = missing[field]
                    yield _problem(f"outbox-{field.replace('_', '-')}", mistake, why, f"Declare {what}.")
        if {"wal_cap", "lag_alert"} <= amounts.keys() and amounts["lag_alert"] >= amounts["wal_cap"] > 0:
            message = f"lag_alert {self.lag_alert} is not below wal_cap {self.wal_cap}."
            yield _problem("outbox-lag-alert", message, "The slot is lost before anybody knows.", "Declare half of it.")

    def connector(self, name: str, topic_prefix: str) -> Connector:
        """The connector.

        Args:
            name: its name.
            topic_prefix: of what is not routed: the heartbeat's topic is ``heartbeat.<topic_prefix>``.
        """
        schema_table = r"public\.outbox"
        return Connector(
            name,
            "io.debezium.connector.postgresql.PostgresConnector",
            config={
                "database.hostname": self.host,
                "database.port": self.port,
                "database.dbname": self.database,
                "database.user": self.user,
                **({"database.password": self.password} if self.password else {}),
                "topic.prefix": topic_prefix,
                "plugin.name": "pgoutput",
                "slot.name": self.slot,
                "publication.name": self.publication,
                "publication.autocreate.mode": "disabled",
                "table.include.list": f"public.outbox,public.{self.heartbeat_table}",
                # The outbox is empty whenever one looks: there is nothing to take a snapshot of.
                "snapshot.mode": "no_data",
                "heartbeat.interval.ms": Duration(self.heartbeat).milliseconds,
                "heartbeat.action.query": (
                    f"INSERT INTO {self.heartbeat_table} (id, at) VALUES (1, now()) "  # noqa: S608 - declared, not input
                    "ON CONFLICT (id) DO UPDATE SET at = excluded.at"
                ),
                "topic.heartbeat.prefix": "heartbeat",
                "tombstones.on.delete": False,
                # An event that was read and whose offset was not: it is not written twice.
                "exactly.once.support": "required",
                "transaction.boundary": "poll",
                # How long it waits where there was nothing to read: 500 ms by default, the most of what an event takes.
                "poll.interval.ms": 100,
                "predicates": "isEvent,isBeat",
                "predicates.isEvent.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
                "predicates.isEvent.pattern": rf"{topic_prefix}\.{schema_table}",
                "predicates.isBeat.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
                "predicates.isBeat.pattern": rf"{topic_prefix}\.public\.{self.heartbeat_table}",
                "transforms": "dropBeats,route",
                "transforms.dropBeats.type": "org.apache.kafka.connect.transforms.Filter",
                "transforms.dropBeats.predicate": "isBeat",
                "transforms.route.type": "io.debezium.transforms.outbox.EventRouter",
                "transforms.route.predicate": "isEvent",
                "transforms.route.route.topic.replacement": "${routedByValue}",
                "transforms.route.table.fields.additional.placement": "type:header:event-type",
                "transforms.route.table.expand.json.payload": True,
                "key.converter": "org.apache.kafka.connect.storage.StringConverter",
                # Written by services that are free to choose: what is no event stops the connector, and is seen.
                "errors.tolerance": "none",
            },
        )


def _problem(rule: str, message: str, why: str, remedy: str) -> Problem:
    return Problem(rule=rule, severity="error", where="Outbox", message=message, remedy=remedy, why=why)


TUNED = frozenset({"exactly.once.support", "transaction.boundary", "poll.interval.ms"})
"""Entries of the connector that its defaults can take the place of."""


def untuned(connector: Connector) -> Connector:
    """The connector with the defaults of those entries, for a comparison."""
    return connector.model_copy(
        update={"config": {key: value for key, value in connector.config.items() if key not in TUNED}}
    )


class EventBusPlatform(TerraformStack):
    """The platform ``event-bus``.

    Args:
        scope: the app.
        id: name of the stack.
        small: one broker, one ZooKeeper server, few partitions: to try the programs out.
        tuned: False leaves Connect's and Debezium's own settings in place of ours, for a comparison: events are then
            written again after a worker was killed.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's name
        *,
        small: bool = False,
        tuned: bool = True,
    ) -> None:
        super().__init__(scope, id)
        LocalBackend(self, path=f"../../../{id}.tfstate")
        partitions = 3 if small else 6

        outbox = Outbox(
            host="127.0.0.1",
            port=25432,
            database="shop",
            user="shop",
            slot="shop_outbox",
            publication="shop_outbox",
            heartbeat="5s",
            heartbeat_table="outbox_heartbeat",
            wal_cap="512Mi",
            lag_alert="256Mi",
        )
        capture = outbox.connector("shop-outbox", "shop")
        self.platform = KafkaPlatform(
            self,
            "event-bus",
            target=LocalTarget(
                LocalLayout(
                    broker_port=25092, zookeeper_port=25181, peer_port=25288, election_port=25388, connect_port=25083
                ),
                keep_data=False,
            ),
            zookeeper=ZooKeeper(servers=1 if small else 3, resources=Resources(cpu="250m", memory="256Mi")),
            kafka=Kafka(brokers=1 if small else 3, resources=Resources(cpu=1, memory="1Gi")),
            topics=[
                # Keyed by customer: what concerns one customer is read in its order.
                *(
                    Topic.events(name, partitions=partitions, deletion_protection=False)
                    for name in ("orders", "payments", "notifications")
                ),
                Topic.events("fraud.alerts", partitions=partitions, retention="30d", deletion_protection=False),
                # What the fraud program remembers: partition for partition that of `orders`.
                Topic.changelog("fraud.windows", partitions=partitions, deletion_protection=False),
                Topic.changelog("orders.totals", partitions=1, deletion_protection=False),
                Topic.changelog("heartbeat.shop", partitions=1, deletion_protection=False),
            ],
            connect=[
                ConnectCluster(
                    "changes",
                    workers=1,  # this connector has one task: a second worker stands by, where there is room
                    resources=Resources(cpu=1, memory="1Gi"),
                    plugins=[DEBEZIUM],
                    connectors=[capture if tuned else untuned(capture)],
                    config={"exactly.once.source.support": "enabled"} if tuned else {},
                    deletion_protection=False,
                )
            ],
        )

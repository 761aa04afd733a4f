"""Kafka Connect itself judges workers and connectors that are declared: its verdict and ours must be one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.ensemble.jars import cache_folder, named_folder
from hikube_kafka.spec.connect import ConnectCluster, Connector, Plugin
from hikube_kafka.spec.connect_worker import OWNED, connector_config, worker_properties
from hikube_kafka.spec.definitions.catalog import connect_definitions
from hikube_kafka.spec.definitions.connect import CONNECTOR_FIELDS
from hikube_kafka.spec.definitions.definition import Definition
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.rules import CONNECT, check
from hikube_kafka.spec.topic import Topic
from tests.support.judge import Judge, judging

pytestmark = pytest.mark.ensemble

PROGRAM = Path(__file__).parents[2] / "scripts/definitions/ConnectJudge.java"
SINK, SOURCE = "judged.ConnectJudge$Sink", "judged.ConnectJudge$Source"
PLUGIN = Plugin("judged", version="1", classes=[SINK, SOURCE], volume="judged")
BRIEF = {
    "ROUTED": "transforms=r & transforms.r.type=~RegexRouter & transforms.r.regex=a & transforms.r.replacement=b",
    "AS_H": "transforms=h & transforms.h.type",
    "AS_T": "transforms=t & transforms.t.type",
    "WHERE": "transforms.r.predicate=x & predicates=x & predicates.x.type",
    "CREATES": "topic.creation.default.partitions=1 & topic.creation.default.replication.factor=1",
}
"""What several cases begin with."""


def platform(*connectors: Connector, config: Mapping[str, Any] | None = None) -> Platform:
    cluster = ConnectCluster("c", plugins=[PLUGIN], connectors=connectors, config=config or {})
    return Platform(name="shop", topics=[Topic("orders", partitions=1)], connect=[cluster])


def properties(declared: Platform) -> dict[str, str]:
    return worker_properties(
        declared,
        declared.connect[0],
        bootstrap_servers="127.0.0.1:9092",
        listeners="http://127.0.0.1:8083",
        advertised=("127.0.0.1", 8083),
        plugin_path="plugins",
        secrets=str(PROGRAM.parent),  # the file provider wants a folder that there is
    )


def refused(declared: Platform) -> list[str]:
    """Our errors."""
    return [str(each) for each in (*declared.problems(), *check(declared, CONNECT)) if each.severity == "error"]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with judging(PROGRAM, named_folder(None) or cache_folder()) as judge:
        assert judge.verdict("worker", properties(platform()))[0]
        yield judge


class Differences:
    """Cases of which our verdict is not Kafka's."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.too_strict: dict[str, str] = {}
        self.missed: dict[str, str] = {}
        self.verdicts: list[bool] = []

    def worker(self, scope: str, case: str, config: Mapping[str, str]) -> None:
        declared = platform(config=config)
        self._compare(scope, case, refused(declared), properties(declared))

    def connector(self, case: str, connector_class: str, config: Mapping[str, str], tasks_max: int = 1) -> None:
        connector = Connector("one", connector_class, config=config, tasks_max=tasks_max)
        readable = Connector("one", connector_class, config=config)
        complete = connector_config(platform(readable), readable) | {"name": "one", "tasks.max": str(tasks_max)}
        self._compare("connector", case, refused(platform(connector)), complete)

    def _compare(self, scope: str, case: str, ours: list[str], config: Mapping[str, str]) -> None:
        accepted, reasons = self._judge.verdict(scope, config)
        self.verdicts.append(accepted)
        if accepted and ours:
            self.too_strict[case] = f"we say: {ours}"
        elif not accepted and not ours:
            self.missed[case] = f"Kafka says: {reasons}"


def cases(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """One a line, entries with & in between; ~ is the package of Kafka's transforms, and a visible blank is one."""
    for line in text.strip().splitlines():
        long = line
        for short, meant in BRIEF.items():
            long = long.replace(short, meant)
        entries = (entry.partition("=") for entry in long.split(" & "))
        package = "org.apache.kafka.connect.transforms."
        yield line, {key: value.replace("~", package).replace("␣", " ") for key, _, value in entries}


CONVERTERS = {"key.converter", "value.converter", "header.converter"}
"""Class names without a package, or of another's: only workers know which there are."""


def values(definition: Definition) -> list[str]:
    """On both sides of what the key takes."""
    numbers = {0, 1, -1, -2, 2**15, 2**31 - 1, 2**31, 2**63 - 1, 2**63}
    for bound in (definition.minimum, definition.maximum, *definition.also):
        numbers |= {int(bound) - 1, int(bound), int(bound) + 1} if bound is not None else set()
    texts = [
        *("", " ", "true", "FALSE", "yes", "1.5", "1e3", "+5", " 7 ", "text", "a,b", "a,,b", ",", "["),
        *(form for each in definition.allowed for form in (each, each.upper(), each.lower(), f" {each} ")),
    ]
    known = [definition.default] if definition.default is not None else []
    return list(dict.fromkeys([*map(str, sorted(numbers)), *texts, *known]))


def test_kafka_takes_of_every_key_of_a_connector_what_we_take(judge: Judge) -> None:
    found = Differences(judge)
    base = {"sink": (SINK, {"topics": "orders"}), "source": (SOURCE, {})}
    for kind, (connector_class, config) in base.items():
        for key, definition in connect_definitions("sink" if kind == "sink" else "source").items():
            if key in CONNECTOR_FIELDS or key in CONVERTERS:
                continue
            for value in values(definition)[::2]:
                found.connector(f"{kind}: {key}={value}", connector_class, {**config, key: value})
    for tasks in (0, -1, 1, 2**31 - 1, 2**31):
        found.connector(f"tasks.max={tasks}", SINK, {"topics": "orders"}, tasks_max=tasks)
    # Dead letters that a declaration asks for, and that nothing can reach.
    assert found.too_strict.keys() <= {"sink: errors.tolerance=none"}
    assert found.missed == {}
    assert len(found.verdicts) > 300
    assert set(found.verdicts) == {True, False}


JUDGED_BELOW = {
    "heartbeat.interval.ms", "session.timeout.ms", "rebalance.timeout.ms",  # refused by a worker as a whole
    "inter.worker.key.generation.algorithm", "inter.worker.key.size", "inter.worker.signature.algorithm",
    "inter.worker.verification.algorithms",  # what the JVM has
    "admin.listeners", "response.http.headers.config",  # grammars of their own
}  # fmt: skip


def test_kafka_takes_of_every_key_of_a_worker_what_we_take(judge: Judge) -> None:
    found = Differences(judge)
    for key, definition in connect_definitions("worker").items():
        if key in OWNED or key in JUDGED_BELOW or definition.type in {"CLASS", "PASSWORD"}:
            continue
        for value in values(definition)[::2]:
            found.worker("entries", f"{key}={value}", {key: value})
    assert (found.too_strict, found.missed) == ({}, {})
    assert len(found.verdicts) > 500
    assert set(found.verdicts) == {True, False}


SINKS = """
ROUTED
ROUTED & transforms.r.regex=(
ROUTED & transforms.r.regex=
ROUTED & transforms.r.type=RegexRouter
ROUTED & transforms.r.type=Regex
ROUTED & transforms.r.type=
ROUTED & transforms.r.type=~Cast
ROUTED & transforms.r.negate=true
ROUTED & transforms.r.predicate=x
ROUTED & WHERE=~predicates.RecordIsTombstone
ROUTED & WHERE=~predicates.RecordIsTombstone & transforms.r.negate=yes
ROUTED & WHERE=~predicates.RecordIsTombstone & transforms.r.negate=TRUE
ROUTED & WHERE=~predicates.TopicNameMatches
ROUTED & WHERE=~predicates.TopicNameMatches & predicates.x.pattern=(
ROUTED & WHERE=~predicates.HasHeaderKey & predicates.x.name=
ROUTED & WHERE=~predicates.HasHeaderKey & predicates.x.name=h
ROUTED & transforms.r.predicate=
ROUTED & transforms.r.predicate=␣x & predicates=x & predicates.x.type=~predicates.RecordIsTombstone
ROUTED & predicates=x
ROUTED & predicates=x & predicates.x.type=~RegexRouter
ROUTED & predicates=x & predicates.x.type=~predicates.RecordIsTombstone
ROUTED & transforms.r.type=~predicates.RecordIsTombstone
ROUTED & transforms=r,r
ROUTED & transforms=r,
ROUTED & transforms=␣r␣
ROUTED & transforms=,r
ROUTED & transforms=
ROUTED & transforms=r, x
ROUTED & transforms.x.type=a.B
transforms=r
transforms.r.type=~RegexRouter
ROUTED & transforms.r.bogus=x
transforms=c & transforms.c.type=~Cast$Value & transforms.c.spec=a:int32
transforms=c & transforms.c.type=~Cast$Value & transforms.c.spec=int32
transforms=c & transforms.c.type=~Cast$Value & transforms.c.spec=a:int
transforms=c & transforms.c.type=~Cast$Value & transforms.c.spec=
transforms=c & transforms.c.type=~Cast$Value & transforms.c.spec=int32,a:int8
transforms=c & transforms.c.type=~Cast$Value
transforms=c & transforms.c.type=~Cast$Value & transforms.c.spec=a:INT32
transforms=c & transforms.c.type=~Cast$Value & transforms.c.spec=a:int32,b
transforms=f & transforms.f.type=~Filter
transforms=f & transforms.f.type=~Filter & transforms.f.predicate=x & predicates=x & predicates.x.type=RecordIsTombstone
transforms=f & transforms.f.type=~ReplaceField$Value & transforms.f.renames=a:b
transforms=f & transforms.f.type=~ReplaceField$Value & transforms.f.renames=a
transforms=f & transforms.f.type=~ReplaceField$Value & transforms.f.renames=a:b:c
transforms=f & transforms.f.type=~ReplaceField$Value & transforms.f.exclude=a & transforms.f.include=b
transforms=f & transforms.f.type=~ReplaceField$Value & transforms.f.blacklist=a
transforms=f & transforms.f.type=~ReplaceField$Value & transforms.f.whitelist=a
AS_T=~TimestampConverter$Value & transforms.t.target.type=string
AS_T=~TimestampConverter$Value & transforms.t.target.type=string & transforms.t.format=yyyy
AS_T=~TimestampConverter$Value & transforms.t.target.type=string & transforms.t.format=qqqq'
AS_T=~TimestampConverter$Value & transforms.t.target.type=Text
AS_T=~TimestampConverter$Value & transforms.t.target.type=unix & transforms.t.unix.precision=years
AS_T=~TimestampRouter
AS_T=~TimestampRouter & transforms.t.timestamp.format=bogus
transforms=i & transforms.i.type=~InsertField$Value
transforms=i & transforms.i.type=~InsertField$Value & transforms.i.static.field=x
transforms=i & transforms.i.type=~InsertField$Value & transforms.i.static.field=x & transforms.i.static.value=y
transforms=i & transforms.i.type=~InsertField$Value & transforms.i.offset.field=x!
transforms=m & transforms.m.type=~MaskField$Value & transforms.m.fields=a
transforms=m & transforms.m.type=~MaskField$Value & transforms.m.fields=
transforms=m & transforms.m.type=~MaskField$Value & transforms.m.fields=a & transforms.m.replacement=
AS_H=~HeaderFrom$Value & transforms.h.fields=a & transforms.h.headers=b & transforms.h.operation=move
AS_H=~HeaderFrom$Value & transforms.h.fields=a & transforms.h.headers=b,c & transforms.h.operation=move
AS_H=~HeaderFrom$Value & transforms.h.fields=a & transforms.h.headers=b & transforms.h.operation=MOVE
AS_H=~InsertHeader & transforms.h.header=a & transforms.h.value.literal=1
AS_H=~InsertHeader & transforms.h.header=
AS_H=~DropHeaders & transforms.h.headers=a
AS_H=~HoistField$Key & transforms.h.field=a
AS_H=~ExtractField$Key & transforms.h.field=a.b & transforms.h.field.syntax.version=V2
AS_H=~ExtractField$Key & transforms.h.field=a.b & transforms.h.field.syntax.version=V9
AS_H=~ExtractField$Key & transforms.h.field=a.`b & transforms.h.field.syntax.version=V2
AS_H=~Flatten$Value
AS_H=~Flatten$Value & transforms.h.delimiter=
AS_H=~ValueToKey & transforms.h.fields=a
AS_H=~SetSchemaMetadata$Value & transforms.h.schema.version=x
AS_H=~SetSchemaMetadata$Value & transforms.h.schema.version=
key.converter=org.apache.kafka.connect.json.JsonConvertor
key.converter=StringConverter
key.converter=org.apache.kafka.connect.storage.StringConverter & key.converter.encoding=UTF-99
key.converter=JsonConverter & key.converter.schemas.enable=x
key.converter=JsonConverter & key.converter.schemas.cache.size=-1
key.converter=JsonConverter & key.converter.decimal.format=numeric
key.converter=JsonConverter & key.converter.decimal.format=x
header.converter=SimpleHeaderConverter
header.converter=JsonConverter
key.converter=SimpleHeaderConverter
key.converter=org.apache.kafka.connect.storage.SimpleHeaderConverter
header.converter=LongConverter
key.converter.schemas.enable=false
value.converter=JsonConverter & value.converter.converter.type=key
value.converter=JsonConverter & value.converter.type=x
topics.regex=a.*
errors.deadletterqueue.topic.replication.factor=0
errors.deadletterqueue.topic.replication.factor=-1
config.action.reload=RESTART
config.action.reload=none
consumer.override.group.id=shop-connect-c
consumer.override.group.id=x
consumer.override.max.poll.records=0
consumer.override.auto.offset.reset=latest
consumer.override.auto.offset.reset=LATEST
consumer.override.session.timeout.ms=1000
consumer.override.heartbeat.interval.ms=45000
consumer.override.isolation.level=read
producer.override.acks=0
producer.override.enable.idempotence=true & producer.override.acks=1
producer.override.delivery.timeout.ms=1
producer.override.bogus=1
admin.override.retries=-1
producer.override.linger.ms=x
topics=orders,orders
topics=orders,
topics=,
topics=orders one
errors.retry.timeout=-1
errors.retry.timeout=-2
errors.retry.delay.max.ms=-5
transaction.boundary=poll
exactly.once.support=requested
exactly.once.support=required
offsets.storage.topic=x
topic.creation.default.partitions=1
topic.creation.groups=x
errors.tolerance=all
unknown.key=x
producer.override.sasl.jaas.config=${file:/tmp/x:y}
a=${file:/tmp/nothing:y}
"""
SOURCES = """
CREATES
topic.creation.default.partitions=1
topic.creation.default.replication.factor=1
CREATES & topic.creation.default.partitions=0
CREATES & topic.creation.default.partitions=-1
CREATES & topic.creation.default.replication.factor=0
CREATES & topic.creation.default.cleanup.policy=bogus
CREATES & topic.creation.default.cleanup.policy=compact
CREATES & topic.creation.default.bogus=compact
CREATES & topic.creation.groups=a
CREATES & topic.creation.groups=a,a
CREATES & topic.creation.groups=a,
CREATES & topic.creation.groups=default
CREATES & topic.creation.groups=a & topic.creation.a.include=x.*
CREATES & topic.creation.groups=a & topic.creation.a.include=(
CREATES & topic.creation.groups=a & topic.creation.a.include=
CREATES & topic.creation.groups=a & topic.creation.a.partitions=0
CREATES & topic.creation.groups=a & topic.creation.a.include=x & topic.creation.a.retention.ms=soon
CREATES & topic.creation.b.include=x
CREATES & topic.creation.default.include=(
CREATES & topic.creation.default.exclude=(
CREATES & topic.creation.groups=
topic.creation.groups=
topic.creation.groups=a
CREATES & topic.creation.enable=true
CREATES & topic.creation.default.partitions=
CREATES & topic.creation.groups=a.b & topic.creation.a.b.include=x
CREATES & topic.creation.default.min.compaction.lag.ms=2 & topic.creation.default.max.compaction.lag.ms=1
transaction.boundary=poll
transaction.boundary=POLL
transaction.boundary=interval
transaction.boundary=interval & transaction.boundary.interval.ms=-1
transaction.boundary=interval & transaction.boundary.interval.ms=0
transaction.boundary=connector
transaction.boundary=batch
exactly.once.support=required
exactly.once.support=REQUIRED
exactly.once.support=Requested
exactly.once.support=␣required
offsets.storage.topic=
offsets.storage.topic=␣
offsets.storage.topic=mine
offsets.storage.topic=a b
errors.deadletterqueue.topic.replication.factor=1
errors.deadletterqueue.context.headers.enable=true
errors.tolerance=all
producer.override.transactional.id=x
producer.override.compression.type=zstd
producer.override.compression.type=ZSTD
producer.override.enable.idempotence=false
producer.override.key.serializer=no.Such
producer.override.max.request.size=x
"""
WORKERS = """
inter.worker.key.size=1
inter.worker.key.size=0
inter.worker.key.size=256
inter.worker.signature.algorithm=HmacSHA512
inter.worker.signature.algorithm=x
inter.worker.verification.algorithms=HmacSHA512
inter.worker.verification.algorithms=
inter.worker.key.generation.algorithm=x
inter.worker.signature.algorithm=HmacSHA512 & inter.worker.verification.algorithms=HmacSHA512,HmacSHA256
session.timeout.ms=3000
heartbeat.interval.ms=10000
heartbeat.interval.ms=9999
session.timeout.ms=30000 & heartbeat.interval.ms=10000
connector.client.config.override.policy=None
connector.client.config.override.policy=Principal
connector.client.config.override.policy=all
connector.client.config.override.policy=Nope
connector.client.config.override.policy=org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy
response.http.headers.config=add X-A:b
response.http.headers.config=x
response.http.headers.config=add
response.http.headers.config=set Cache-Control: no-cache, no-store
response.http.headers.config="set Cache-Control: no-cache, no-store"
admin.listeners=
admin.listeners=␣
admin.listeners=http://127.0.0.1:9999
admin.listeners=x
admin.listeners=,
rest.extension.classes=
rest.extension.classes=no.Such
metric.reporters=
metric.reporters=no.Such
security.protocol=SSL
security.protocol=SASL_SSL
security.protocol=ssl
security.protocol=bogus
security.protocol=␣PLAINTEXT
security.protocol=SASL_PLAINTEXT & sasl.mechanism=PLAIN & sasl.jaas.config=x
sasl.mechanism=bogus
producer.acks=1
producer.acks=bogus
producer.enable.idempotence=true
producer.enable.idempotence=true & producer.acks=1
producer.linger.ms=x
producer.delivery.timeout.ms=1
producer.max.in.flight.requests.per.connection=10 & producer.enable.idempotence=true
producer.transactional.id=x
producer.compression.type=ZSTD
producer.compression.type=zstd
producer.bootstrap.servers=a:1
producer.bootstrap.servers=a
producer.key.serializer=no.Such
consumer.group.id=x
consumer.auto.offset.reset=EARLIEST
consumer.auto.offset.reset=never
consumer.isolation.level=READ_COMMITTED
consumer.fetch.min.bytes=-1
consumer.group.protocol=consumer
consumer.enable.auto.commit=true
consumer.session.timeout.ms=1
consumer.max.poll.records=0
admin.retries=-1
admin.default.api.timeout.ms=1
acks=bogus
retries=-1
max.poll.records=0
metrics.context.a=b
config.providers=x
config.providers=x & config.providers.x.class=no.Such
config.providers=
config.providers=file,dir,env,x & config.providers.x.class=org.apache.kafka.common.config.provider.FileConfigProvider
config.providers.file.class=no.Such
value.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=StringConverter
value.converter=String
value.converter=Json
value.converter=org.apache.kafka.connect.json.JsonConvertor
value.converter.schemas.enable=x
value.converter.schemas.cache.size=x
value.converter.decimal.format=numeric
value.converter.decimal.format=text
key.converter=org.apache.kafka.connect.converters.LongConverter
plugin.discovery=never
exactly.once.source.support=ENABLED
exactly.once.source.support=preparing
exactly.once.source.support=␣enabled
exactly.once.source.support=on
connect.protocol=EAGER
connect.protocol=eager
connect.protocol=x
topic.creation.enable=yes
topic.creation.enable=TRUE
topic.creation.enable=false
offset.flush.interval.ms=0
offset.flush.interval.ms=-1
offset.flush.interval.ms=1.5
offset.flush.interval.ms=9223372036854775808
offset.flush.interval.ms=␣7␣
offset.flush.interval.ms=
rebalance.timeout.ms=0
rebalance.timeout.ms=-1
worker.sync.timeout.ms=-1
task.shutdown.graceful.timeout.ms=-1
scheduled.rebalance.max.delay.ms=-1
session.timeout.ms=0
client.id=
client.id=a%b
client.dns.lookup=default
ssl.client.auth=REQUIRED
metrics.recording.level=TRACE
metrics.recording.level=debug
sasl.login.refresh.window.factor=0.4
sasl.login.refresh.window.factor=NaN
reconnect.backoff.ms=-1
connections.max.idle.ms=-1
ssl.enabled.protocols=TLSv9
ssl.keystore.type=XYZ
metrics.num.samples=0
send.buffer.bytes=-1
send.buffer.bytes=-2
receive.buffer.bytes=-2
request.timeout.ms=-1
auto.include.jmx.reporter=false
access.control.allow.methods=BOGUS
internal.key.converter=x
"""
STRICTER = ("has no effect", "would ignore it", "is read of a", "'NaN'")
"""What we say of entries that Kafka takes and nobody reads, which are mistakes; and of NaN, which no bound holds."""
MISSED = {
    # Classes and algorithms: only the workers' JVM knows which there are.
    "ROUTED & transforms.r.type=Regex", "producer.override.key.serializer=no.Such", "metric.reporters=no.Such",
    "connector.client.config.override.policy=Nope", "producer.key.serializer=no.Such",
    "config.providers=x & config.providers.x.class=no.Such", "config.providers.file.class=no.Such",
    "inter.worker.key.size=1", "inter.worker.key.size=0", "inter.worker.key.generation.algorithm=x",
    # Grammars of their own: Java's dates, paths to nested fields, headers of HTTP, URLs.
    "AS_T=~TimestampConverter$Value & transforms.t.target.type=string & transforms.t.format=qqqq'",
    "AS_H=~ExtractField$Key & transforms.h.field=a.`b & transforms.h.field.syntax.version=V2",
    "response.http.headers.config=x", "response.http.headers.config=add",
    "response.http.headers.config=set Cache-Control: no-cache, no-store", "admin.listeners=x", "admin.listeners=,",
    # Names that resolve, and files and logins that there are: of the machine on which the worker runs.
    "producer.bootstrap.servers=a:1", "producer.bootstrap.servers=a", "security.protocol=SASL_SSL",
    "a=${file:/tmp/nothing:y}",
    # Taken where the workers' exactly.once.source.support is enabled, which makes the producer idempotent.
    "producer.override.transactional.id=x", "producer.transactional.id=x",
    "admin.default.api.timeout.ms=1",
}  # fmt: skip
"""What a worker refuses and we do not, by the reason."""


def test_kafka_takes_of_a_sink_what_we_take(judge: Judge) -> None:
    found = Differences(judge)
    for case, config in cases(SINKS):
        found.connector(case, SINK, {"topics": "orders", **config})
    _tell(found)


def test_kafka_takes_of_a_source_what_we_take(judge: Judge) -> None:
    found = Differences(judge)
    for case, config in cases(SOURCES):
        found.connector(case, SOURCE, config)
    _tell(found)


def test_kafka_takes_of_a_worker_what_we_take(judge: Judge) -> None:
    found = Differences(judge)
    for case, config in cases(WORKERS):
        found.worker("worker", case, config)
    _tell(found)


def _tell(found: Differences) -> None:
    too_strict = {case: told for case, told in found.too_strict.items() if not any(each in told for each in STRICTER)}
    missed = {case: told for case, told in found.missed.items() if case not in MISSED}
    assert (too_strict, missed) == ({}, {})
    assert set(found.verdicts) == {True, False}

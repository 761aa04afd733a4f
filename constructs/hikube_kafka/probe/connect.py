"""Reading Kafka Connect: each worker by itself, the group as Kafka's coordinator has it, and what sinks leave."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.errors import Rebalancing, Refused, Unanswered, Unreachable
from hikube_kafka.kafka.connection import Connection
from hikube_kafka.kafka.errors import Denied, explain, is_forbidden
from hikube_kafka.kafka.errors import Unreachable as KafkaUnreachable
from hikube_kafka.kafka.security import PLAINTEXT, Credentials
from hikube_kafka.probe.observation import ConnectSeen, GroupSeen, Unreadable, WorkerSeen
from hikube_kafka.probe.worker_group import ask_for_group
from hikube_kafka.spec.contract import ConnectExpected, ConnectorExpected

Answer = TypeVar("Answer")


def observe_connect(
    expected: ConnectExpected,
    bootstrap: str,
    credentials: Credentials = PLAINTEXT,
    *,
    timeout: float = 5.0,
    dial: Mapping[str, str] | None = None,
) -> ConnectSeen:
    """Ask every worker by itself, and Kafka about their group, all at once.

    Args:
        expected: What there should be: it says where to look.
        bootstrap: ``host:port`` of brokers, as they are dialled, separated by commas.
        credentials: How to be let in by the brokers.
        timeout: Seconds that each read may take.
        dial: Where to dial a worker, if elsewhere, by its address: ``host:port``.
    """
    addresses = expected.addresses
    with ThreadPoolExecutor(len(addresses) + 1) as pool:
        kafka = pool.submit(_Kafka(bootstrap, credentials, timeout).read, expected)
        workers = pool.map(lambda address: _worker(address, (dial or {}).get(address, address), timeout), addresses)
        group, lags, dead_letters = kafka.result()
        return ConnectSeen(
            name=expected.name, workers=tuple(workers), group=group, lags=lags, dead_letters=dead_letters
        )


def _worker(address: str, dialled: str, timeout: float) -> WorkerSeen:
    url = dialled if "://" in dialled else f"http://{dialled}"

    def asked(what: str, ask: Callable[[ConnectClient], Answer]) -> Answer | Unreadable:
        try:
            return ask(client)
        except (Unreachable, Rebalancing, Refused) as problem:
            told = f"it answers, but not to {problem.question}: " if isinstance(problem, Unanswered) else ""
            return Unreadable(f"{what} of worker {address}", told + problem.reason)

    with ConnectClient([url], timeout=timeout, answer=timeout, patience=0) as client:
        root = asked("version", ConnectClient.root)
        if isinstance(root, Unreadable):
            return WorkerSeen.unreadable(address, root)
        return WorkerSeen(
            address=address,
            version=root.get("version"),
            cluster_id=root.get("kafka_cluster_id"),
            plugins=asked("plugins", lambda client: client.plugins(connectors_only=False)),
            connectors=asked("connectors", ConnectClient.connectors),
        )


class _Kafka:
    """What Kafka has of the workers and of their sinks."""

    def __init__(self, bootstrap: str, credentials: Credentials, timeout: float) -> None:
        self._bootstrap = bootstrap
        self._credentials = credentials
        self._timeout = timeout

    def read(
        self, expected: ConnectExpected
    ) -> tuple[GroupSeen | Unreadable, dict[str, int | Unreadable], dict[str, int | Unreadable]]:
        """The group, the lag of each sink by its name, and the number of records in each dead-letter topic."""
        sinks = [each for each in expected.connectors if each.most_lag is not None]
        topics = sorted({each.dead_letters for each in expected.connectors if each.dead_letters})
        try:
            connection = Connection(self._bootstrap, self._credentials)
            connection.metadata(self._timeout)
        except (KafkaUnreachable, Denied) as problem:
            nobody = Unreadable("Kafka", problem.reason, lasting=isinstance(problem, Denied) and problem.lasting)
            return (
                replace(nobody, what=f"group {expected.group_id}"),
                {each.name: replace(nobody, what=f"lag of {each.consumer_group}") for each in sinks},
                {topic: replace(nobody, what=f"records in {topic}") for topic in topics},
            )
        asked = partial(self._asked, connection)
        return (
            asked(f"group {expected.group_id}", partial(ask_for_group, connection, expected.group_id, self._timeout)),
            {each.name: asked(f"lag of {each.consumer_group}", partial(self._lag, connection, each)) for each in sinks},
            {topic: asked(f"records in {topic}", partial(self._records, connection, topic)) for topic in topics},
        )

    @staticmethod
    def _asked(connection: Connection, what: str, ask: Callable[[], Answer]) -> Answer | Unreadable:
        try:
            return ask()
        except (KafkaException, TimeoutError) as error:
            reason = explain(error) if is_forbidden(error) else connection.explained(error).reason
            return Unreadable(what, reason, lasting=is_forbidden(error))
        except LookupError as error:
            return Unreadable(what, str(error.args[0]))

    def _lag(self, connection: Connection, sink: ConnectorExpected) -> int:
        """Records between where its group is and what it may read, over all partitions that it reads or has read."""
        asked = ConsumerGroupTopicPartitions(sink.consumer_group)
        (future,) = connection.client.list_consumer_group_offsets(
            [asked], require_stable=False, request_timeout=self._timeout
        ).values()
        answer = future.result(self._timeout + 1).topic_partitions or ()
        at = {(each.topic, each.partition): each.offset for each in answer if each.offset >= 0}
        if sink.begins is None:
            # A sink that has delivered nothing since it was made has committed nothing: it is at the beginning.
            fresh = [each for each in self._assigned(connection, sink) if (each.topic, each.partition) not in at]
            at |= self._offsets(connection, fresh, latest=False, isolation=IsolationLevel.READ_COMMITTED)
        # A sink reads what is committed: the end is where the first open transaction begins.
        ends = self._offsets(
            connection, itertools.starmap(TopicPartition, at), latest=True, isolation=IsolationLevel.READ_COMMITTED
        )
        return sum(max(0, ends[each] - offset) for each, offset in at.items())

    def _assigned(self, connection: Connection, sink: ConnectorExpected) -> list[TopicPartition]:
        """The partitions that its tasks read just now."""
        (future,) = connection.client.describe_consumer_groups(
            [sink.consumer_group], request_timeout=self._timeout
        ).values()
        members = future.result(self._timeout + 1).members
        return [each for member in members if member.assignment for each in member.assignment.topic_partitions]

    def _records(self, connection: Connection, topic: str) -> int:
        partitions = self._partitions(connection, topic)
        asked = [TopicPartition(topic, number) for number in partitions]
        ends = self._offsets(connection, asked, latest=True, isolation=IsolationLevel.READ_UNCOMMITTED)
        begins = self._offsets(connection, asked, latest=False, isolation=IsolationLevel.READ_UNCOMMITTED)
        return sum(ends[each] - begins[each] for each in ends)

    def _partitions(self, connection: Connection, topic: str) -> Iterable[int]:
        metadata = connection.client.list_topics(topic, timeout=self._timeout).topics.get(topic)
        if metadata is None or not metadata.partitions:
            told = metadata.error.str() if metadata is not None and metadata.error is not None else ""
            raise LookupError(told or "there is no such topic")
        return metadata.partitions.keys()

    def _offsets(
        self, connection: Connection, partitions: Iterable[TopicPartition], *, latest: bool, isolation: object
    ) -> dict[tuple[str, int], int]:
        spec = OffsetSpec.latest() if latest else OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(each.topic, each.partition): spec for each in partitions}
        if not asked:
            return {}
        answers = connection.client.list_offsets(asked, isolation_level=isolation, request_timeout=self._timeout)
        return {
            (each.topic, each.partition): int(future.result(self._timeout + 1).offset)
            for each, future in answers.items()
        }

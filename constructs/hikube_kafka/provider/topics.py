"""The Kafka cluster, as the provider sees it: one read for the whole process, changes gathered into few requests."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from hikube_kafka.kafka.address import dial, join, reason
from hikube_kafka.kafka.connection import Connection, answering_broker, dial_any
from hikube_kafka.kafka.errors import Denied, Forbidden, KafkaRefused, Unanswered, Unreachable
from hikube_kafka.kubernetes.errors import KubernetesError
from hikube_kafka.provider import existence
from hikube_kafka.provider.gathering import Gathering
from hikube_kafka.provider.moves import QUESTION as MOVES
from hikube_kafka.provider.moves import Moves, read_moves
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.unclear import Change, is_unclear
from hikube_kafka.spec.changes.replicas import Reach
from hikube_kafka.waiting import Stopped, until

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient, ConfigResource

    from hikube_kafka.provider.forwarding import Forwarding

Answer = TypeVar("Answer")
Made = TypeVar("Made")

_ANSWER_SECONDS = 10.0
"""For a broker that took the connection to answer a read."""
_MOST_ASKED = 3
"""Brokers asked for the same configurations, one after another, before it is given up."""
_SHOWING_SECONDS = 10.0
"""For brokers to show a topic that the controller has: after a start of all servers it takes up to a few seconds."""
_ABSENT_IN_A_ROW = 3
"""Looks in a row in which all brokers agree that a topic is not there: a single one may fall between two updates."""
_CHANGE_SECONDS = 30.0
"""For the controller to carry out a change: it waits until the brokers know of it. As long as Kafka's own clients wait
(request.timeout.ms); what takes longer is looked for afterwards."""
_UNCLEAR_SECONDS = 60.0
"""For a change to be made after an answer that leaves open whether it was, and for the controller to be there at all.

A broker that nobody knows to be dead is missed after 4 s, or Kafka's 18 s (zookeeper.session.timeout.ms), then another
is elected controller within seconds; a container that died is back within a minute. All changes share the wait."""
_ARRIVAL_SECONDS = 120.0
"""For the cluster to answer during an apply: what was made a moment ago may still be starting."""
_RETURN_SECONDS = 5.0
"""For a cluster to answer that nothing is starting: it was only away for a moment, or it is gone."""
_JOIN_SECONDS = 3.0
"""For brokers that are just registering to be told to all others."""
_OTHERS_SECONDS = 30.0
"""For another broker, or controller, to answer in place of one that died: it is named until its session ends."""
_POLL_SECONDS = 0.25
_LETTING_GO_POLL_SECONDS = 0.05
"""Brokers learn of a deletion within milliseconds of each other, and all that wait for one share each look."""

_CREATING_CONNECTIONS = 8
"""Connections that share the creation of topics.

Kafka works off the requests of one connection one after another, and the topics of one request likewise; each waits for
ZooKeeper's disk. Over several connections the waits are shared: 50 topics in 0.4 s in place of 1.9 s, as measured.
"""

_LOOK_UPS_BY_NAME = 2
"""Requests that ask for the configuration of named topics alone: of a few topics it stays cheap in a cluster of
thousands. Whoever has more gets a share of all the others with each further request, and is served meanwhile."""
_SHARE = 250
"""Topics that such a request asks for, the named ones among them: a thousand take four requests, of 50 ms each."""
_MOST_SHARES = 10
"""Requests at most for all topics, however many there are."""
_CONFIGS_PER_REQUEST = 1000
"""An answer about one topic has some 4 kB; librdkafka takes up to 100 MB."""


@dataclass(frozen=True, kw_only=True)
class LiveTopic:
    """A topic as it is."""

    replicas: Mapping[int, tuple[int, ...]]
    """The brokers that hold each partition, preferred leader first."""
    in_sync: Mapping[int, tuple[int, ...]]
    config: Mapping[str, str]
    """The entries set on the topic itself; what it has from the brokers or from Kafka is not among them."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The cluster's metadata at one moment."""

    brokers: frozenset[int]
    """Live brokers."""
    replicas: Mapping[str, Mapping[int, tuple[int, ...]]]
    """The brokers that hold each partition of each topic, preferred leader first."""
    in_sync: Mapping[str, Mapping[int, tuple[int, ...]]]

    def load(self, *, without: str) -> Counter[int]:
        """How many replicas each broker holds, one topic aside."""
        return Counter(
            broker
            for topic, partitions in self.replicas.items()
            if topic != without
            for replicas in partitions.values()
            for broker in replicas
        )


@dataclass(frozen=True, kw_only=True)
class NewTopic:
    """A topic to be made."""

    partitions: int
    replication_factor: int
    config: Mapping[str, str]


class KafkaCluster:
    """One cluster, for one provider process; used from many threads at once.

    Args:
        settings: Where it is. None of them may be unknown.
        stopped: Set when the user presses Ctrl-C: waits then end.
        on_statistics: Takes librdkafka's statistics (JSON) twice a second: for counting requests.
    """

    def __init__(
        self,
        settings: Settings,
        stopped: threading.Event,
        *,
        on_statistics: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.addresses = settings.bootstrap_servers or ""
        self._stopped = stopped
        self._on_statistics = on_statistics
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._creators: list[Connection] = []
        self._created_by: int | None = None
        self._forwarding: Forwarding | None = None
        self._layout: Layout | None = None
        self._looks = 0
        self._answering: int | None = None
        self._advertised: Mapping[int, str] = {}
        self._failure: Unreachable | Denied | None = None
        self._unanswered: dict[str, Unreachable] = {}  # by question: a thousand topics wait once for no answer
        self._waited = 0.0
        self._changes = 0  # of the servers themselves
        self._moves: Moves | None = None
        self._moves_asked = False
        self._move_looks = 0
        self._controller: int | None = None
        self._most_brokers = 0
        self._not_joined: int | None = None
        self._unclear_until: float | None = None
        self._doubted = False
        self._configs: dict[str, Mapping[str, str]] = {}
        self._existence: dict[str, existence.Answer] = {}  # of topics that the metadata does not show
        self._wanted: set[str] = set()
        self._refused: dict[str, Denied | Unanswered] = {}  # topics whose configuration is not told, and why
        self._look_ups = 0
        self._creations: Gathering[NewTopic, None] = Gathering(self._create)
        self._growths: Gathering[int, None] = Gathering(self._grow)
        self._alterations: Gathering[Mapping[str, str | None], None] = Gathering(self._alter)
        self._deletions: Gathering[None, None] = Gathering(self._delete)

    # ---- reading ---------------------------------------------------------------------------------------------------

    def layout(self, *, fresh: bool = False) -> Layout:
        """The metadata, read once per process unless it must be fresh.

        What is fresh was read after it was asked for: all that wait while one reads are answered by the next read.

        Raises:
            Unreachable: No broker answers; remembered, so that a dead cluster costs seconds once and not per topic.
            Denied: The client is not let in; remembered likewise.
        """
        begun = self._looks
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._layout is None or (fresh and self._looks == begun):
                self._looks += 1
                try:
                    self._layout = self._read_layout()
                except (Unreachable, Denied) as failure:
                    self._failure, self._layout = failure, None  # whoever asks once it is forgotten reads anew
                    raise
            return self._layout

    def await_answer(self, *, starting: bool = True) -> Layout:
        """The metadata, waiting a bounded time for a cluster that may be starting. For an apply.

        The time begins anew if the servers are changed meanwhile.

        Args:
            starting: Whether it may; if not, it gets a moment to come back and no more.

        Raises:
            Unreachable: Nobody answered in time; the next caller does not wait as long again.
            Denied: The client is not let in.
            Stopped: Ctrl-C.
        """
        patience = _ARRIVAL_SECONDS if starting else _RETURN_SECONDS
        problems: list[Unreachable] = []

        def answered() -> Layout | None:
            looks = self._looks
            # Held for a look and not for the wait: what starts the brokers may have to ask as well.
            with self._lock:
                if isinstance(self._failure, Unreachable) and self._looks == looks:
                    self._failure = None
                    self._unanswered.clear()  # whoever was away may now know
                try:
                    return self.layout()
                except Unreachable as problem:
                    problems.append(problem)
                    return None

        changes = -1
        layout = None
        while layout is None and changes != self._changes:
            changes = self._changes
            layout = self.until(answered, patience - self._waited)
        if layout is None:
            self._waited = max(self._waited, patience)
            last = problems[-1]
            reason = f"{last.reason}; waited {self._waited:g} s for it"
            if isinstance(last, Unanswered):
                raise Unanswered(last.addresses, last.question, reason)
            raise Unreachable(last.addresses, reason)
        return layout

    def look(self) -> Layout:
        """The metadata as it is now, whatever an earlier look came to. For a wait that goes on.

        Raises:
            Unreachable: No broker answers at this moment.
            Denied: The client is not let in.
        """
        if isinstance(self._failure, Unreachable):
            self._failure = None
        return self.layout(fresh=True)

    def live_brokers(self, at_least: int) -> frozenset[int]:
        """The live brokers; if there are fewer than wanted, brokers that are just joining get a moment to do so."""
        with self._lock:
            waited = self._not_joined is not None and self._not_joined <= at_least
            if len(self.layout().brokers) < at_least and not waited:
                joined = self.eventually(lambda layout: len(layout.brokers) >= at_least, seconds=_JOIN_SECONDS)
                self._not_joined = None if joined else at_least  # a thousand topics wait once
            return self.layout().brokers

    def topic(self, name: str, *, partitions: int = 0) -> LiveTopic | None:
        """A topic, or None if there is none.

        It is only gone if the cluster says so when it is asked for by name: see ``provider.existence``.

        Args:
            name: Its name.
            partitions: How many it is known to have had: it cannot have lost any, so fewer are doubted for a moment.

        Raises:
            Forbidden: The client may not see it, or its configuration.
            Denied: The client is not let in.
            Unanswered: Brokers answer, but not whether it exists, or not how it is configured.
            Unreachable: No broker answers.
            Stopped: Ctrl-C, while a cluster that has just started was waited for.
        """
        self._wanted.add(name)
        # Without the lock: who holds it may be reading what others wait for.
        layout, config = self._layout, self._configs.get(name)
        shown = {} if layout is None else layout.replicas.get(name, {})
        known = bool(shown) and len(shown) >= partitions and self._failure is None
        if config is not None and layout is not None and known:
            return LiveTopic(replicas=layout.replicas[name], in_sync=layout.in_sync[name], config=config)
        with self._lock:
            if self._is_gone(name):
                return None
            config = self._config(name)
            if config is None:  # it went while it was being read, or whoever was asked did not know it yet
                self._existence.pop(name, None)
                self._layout = None
                if self._is_gone(name):
                    return None
                config = self._once("late configurations", lambda: self._late_config(name))
            if len(self.layout().replicas.get(name, ())) < partitions and not self._doubted:
                self._doubted = True  # by then a cluster that was starting has told of all topics
                self.eventually(lambda its: len(its.replicas.get(name, ())) >= partitions, seconds=_JOIN_SECONDS)
            layout = self.layout()
            if name not in layout.replicas:
                raise Unanswered(self.addresses, existence.QUESTION, f"topic {name} was shown a moment ago")
            return LiveTopic(replicas=layout.replicas[name], in_sync=layout.in_sync[name], config=config)

    def _late_config(self, name: str) -> Mapping[str, str]:
        """Wait until whoever is asked for a configuration knows the topic too."""
        if self.until(lambda: self._config(name) is not None, _SHOWING_SECONDS):
            return self._configs[name]
        reason = f"a broker does not know topic {name} yet; waited {_SHOWING_SECONDS:g} s"
        raise Unanswered(self.addresses, "the configuration of topics", reason)

    def exists(self, name: str) -> bool:
        """Whether there is a topic of this name, as far as this client may ask.

        Raises:
            Forbidden: The client may not see whether it exists.
            Denied: The client is not let in.
            Unanswered: Brokers answer, but not whether it exists.
            Unreachable: No broker answers.
        """
        return self._answer(name) is True

    def asks_for(self, names: Iterable[str]) -> None:
        """Have the next question whether a topic exists be about all of these: one request, and not one for each."""
        self._wanted.update(names)

    def _answer(self, name: str) -> bool | None:
        """Whether a topic exists; None: no broker knows it by now, and the client may not ask the controller."""
        self._wanted.add(name)
        with self._lock:
            shown = self.layout().replicas.keys()
            if name in shown:
                return True
            if name not in self._existence:
                # Callers queue for the lock: whoever gets it asks for all that wait by then.
                names = sorted(self._wanted - shown - self._existence.keys())
                self._existence |= self._once(existence.QUESTION, lambda: self._ask_for(names))
            answer = self._existence[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

    def _ask_for(self, names: list[str]) -> dict[str, existence.Answer]:
        answers = self._ask_by_name(names)
        silence = next((answer for answer in answers.values() if isinstance(answer, Unreachable)), None)
        if silence is not None:
            raise silence
        return answers

    def _ask_by_name(self, names: list[str]) -> dict[str, existence.Answer]:
        answers = existence.asked_for(self._connected(), names, _ANSWER_SECONDS)
        return {name: self.forbidden(each) if isinstance(each, Forbidden) else each for name, each in answers.items()}

    def forbidden(self, refusal: Forbidden) -> Forbidden:
        """The refusal, with what a user needs to reach the same brokers."""
        refusal.before = self.reach().before
        return refusal

    def _is_gone(self, name: str) -> bool:
        """Whether a topic is definitely not there; once it is not, the metadata shows it.

        Raises:
            Unanswered: It exists, but the brokers do not show it; or they do not agree that it does not.
            Stopped: Ctrl-C.
        """
        answer = self._answer(name)
        if answer is False:
            return True
        if name in self.layout().replicas:
            return False
        return self._once(f"the topics, {answer}", lambda: self._settles(name, there=answer))

    def _settles(self, name: str, *, there: bool | None) -> bool:
        """Wait until the brokers show a topic, or, where the controller could not be asked, agree that it is absent."""
        doubt: str | None = None
        absent = 0

        def settled() -> bool:
            nonlocal doubt, absent
            if name in self.layout(fresh=True).replicas:
                return True
            if there is None:
                addresses = self._advertised.values()
                doubt = existence.agree_on_absence(addresses, self.settings.security, name, _ANSWER_SECONDS)
                absent = 0 if doubt else absent + 1
            return absent == _ABSENT_IN_A_ROW

        if self.until(settled, _SHOWING_SECONDS):
            return name not in self.layout().replicas
        reason = "the controller has topics that they do not show yet"
        if there is None:
            reason = f"{doubt}, and to ask the controller instead, the client lacks Alter on topic {name}"
        raise Unanswered(self.addresses, existence.QUESTION, f"{reason}; waited {_SHOWING_SECONDS:g} s")

    def _once(self, question: str, ask: Callable[[], Answer]) -> Answer:
        """Ask; a question that gets no answer is not asked again, however many topics it is about."""
        if question in self._unanswered:
            raise self._unanswered[question]
        try:
            return ask()
        except Unreachable as problem:
            self._unanswered[question] = problem
            raise

    def moves(self, *, fresh: bool = False) -> Moves | None:
        """The reassignments that Kafka carries out, asked once per process unless they must be fresh.

        What is fresh was asked after that, as in :meth:`layout`: topics that change at the same time share an answer.
        The metadata is read anew afterwards: what has ended by then is seen as it is.

        Returns:
            None: Kafka does not tell, for example because it takes Describe on the cluster.

        Raises:
            Unanswered: They must be fresh, and nobody answers for long: whoever then began a move might cancel one.
            Stopped: Ctrl-C, while an answer was waited for.
        """
        answers: list[Moves | None] = []
        problems: list[Unanswered] = []

        def told() -> bool:
            begun = self._move_looks
            with self._lock:
                if not self._moves_asked or (fresh and self._move_looks == begun):
                    try:
                        self._moves = self._read_moves()
                    except Unanswered as problem:
                        problems.append(problem)
                        return False
                    self._move_looks += 1
                    self._moves_asked, self._layout = True, None
                answers.append(self._moves)
                return True

        if not fresh:
            if not told():
                self._moves, self._moves_asked = None, True  # a plan goes on without, and asks no more
            return self._moves
        patience = 0.0 if MOVES in self._unanswered else _OTHERS_SECONDS
        if not self.until(told, patience):
            self._unanswered[MOVES] = problems[-1]
            raise problems[-1]
        self._unanswered.pop(MOVES, None)
        return answers[-1]

    def reach(self) -> Reach:
        """How a user meets the brokers: port-forwards of this process end with it, and are opened again by hand."""
        logs_in = self.settings.security.protocol != "PLAINTEXT"
        with self._lock:
            if self._forwarding is None:
                return Reach(self.addresses, logs_in=logs_in)
            return Reach(self._forwarding.addresses, before=self._forwarding.by_hand(), logs_in=logs_in)

    def eventually(self, holds: Callable[[Layout], bool], *, seconds: float) -> bool:
        """Whether something becomes true of the metadata in time.

        Raises:
            Stopped: Ctrl-C.
        """
        return self.until(lambda: holds(self.layout(fresh=True)), seconds)

    def until(self, condition: Callable[[], Answer], seconds: float | None) -> Answer:
        """Ask again and again until the answer is true, the time is over, or Ctrl-C: see ``waiting.until``.

        Raises:
            Stopped: Ctrl-C.
        """
        return until(condition, seconds, self._stopped.is_set, every=_POLL_SECONDS)

    def _config(self, name: str) -> Mapping[str, str] | None:
        # Callers queue for the lock: whoever gets it asks for all that wait by then.
        if name not in self._configs and name not in self._refused:
            self._look_ups += 1
            known = self.layout().replicas
            missing = known.keys() - self._configs.keys() - self._refused.keys()
            names = sorted(self._wanted & missing)
            if self._look_ups > _LOOK_UPS_BY_NAME:
                share = max(_SHARE, len(known) // _MOST_SHARES)
                names += sorted(missing - set(names))[: max(0, share - len(names))]
            self._once("configurations", lambda: self._read_configs(names))
        if name in self._refused:
            raise self._refused[name]
        return self._configs.get(name)

    def _read_layout(self) -> Layout:
        self._forward()
        dial_any(self.addresses)
        try:
            metadata = self._connected().metadata(_ANSWER_SECONDS)
        except (Unreachable, Denied):
            self._connection = None  # the next look must not meet the backoff of this one
            raise
        self._answering = answering_broker(metadata)
        self._controller = metadata.controller_id
        self._most_brokers = max(self._most_brokers, len(metadata.brokers))
        self._advertised = {id_: join(str(broker.host), broker.port) for id_, broker in metadata.brokers.items()}
        if self._forward(frozenset(metadata.brokers)):
            self._connection = None  # the next one knows all addresses
        topics = {name: topic.partitions for name, topic in metadata.topics.items() if topic.partitions}
        return Layout(
            brokers=frozenset(metadata.brokers),
            replicas={name: {p: tuple(its[p].replicas) for p in sorted(its)} for name, its in topics.items()},
            in_sync={name: {p: tuple(its[p].isrs) for p in sorted(its)} for name, its in topics.items()},
        )

    def _read_moves(self) -> Moves | None:
        return read_moves(self.addresses, self.settings.security)

    def reachable_addresses(self) -> str:
        """Where the brokers are met from here: the local ends of port-forwards, where there are any.

        Empty, or those of pods that do not run, if nobody answers: whoever dials will say so.
        """
        with self._lock, contextlib.suppress(Unreachable, Denied):
            self.layout()
        return self.addresses

    def zookeeper(self, servers: Collection[int]) -> dict[str, str]:
        """Where ZooKeeper servers in Kubernetes are to be dialled, by the name of their pod and its port.

        Raises:
            Unreachable: None of their pods can be reached.
            Denied: The kubeconfig is at fault.
        """
        return self._through(lambda forwarding: forwarding.zookeeper(servers))

    def _forward(self, brokers: frozenset[int] | None = None) -> bool:
        """Open port-forwards, to the first brokers or to those named; answers whether that changed anything."""
        if self.settings.kubernetes is None:
            return False
        opened = self._through(
            lambda forwarding: forwarding.open(brokers) if brokers is not None else forwarding.open()
        )
        if self._forwarding is not None:
            self.addresses = self._forwarding.addresses
        return opened

    def _through(self, do: "Callable[[Forwarding], Made]") -> "Made":
        from hikube_kafka.provider.forwarding import Forwarding, is_final

        reach = self.settings.kubernetes
        if reach is None:
            raise Unreachable(self.addresses, "there is no kubernetes block")
        with self._lock:
            if self._forwarding is None:
                self._forwarding = Forwarding(reach)
            try:
                return do(self._forwarding)
            except KubernetesError as error:
                where = f"release {reach.release} in namespace {reach.namespace}"
                raise (Denied if is_final(error) else Unreachable)(where, str(error)) from None

    def _connected(self) -> Connection:
        # Another thread may drop the connection at any moment: what was there a moment ago is answered.
        connection = self._connection
        if connection is None:
            self._connection = connection = self._new_connection()
        return connection

    def _admin(self) -> "AdminClient":
        return self._connected().client

    def _new_connection(self) -> Connection:
        settings: dict[str, Any] = {"client.id": "terraform-provider-hikube", "reconnect.backoff.max.ms": 1000}
        if self._on_statistics is not None:
            settings |= {"statistics.interval.ms": 500, "stats_cb": self._on_statistics}
        return Connection(self.addresses, self.settings.security, settings)

    def _read_configs(self, names: list[str]) -> None:
        from confluent_kafka.admin import ConfigResource, ResourceType

        # The metadata names brokers that do not answer, such as one that was suspended: then another is asked.
        asked: list[int | None] = [self._answering, *sorted(self._advertised.keys() - {self._answering})]
        for start in range(0, len(names), _CONFIGS_PER_REQUEST):
            resources = [
                ConfigResource(ResourceType.TOPIC, name) for name in names[start : start + _CONFIGS_PER_REQUEST]
            ]
            for left, broker in reversed([*enumerate(reversed(asked[:_MOST_ASKED]))]):
                try:
                    untold = self._take_configs(resources, broker)
                except Unanswered:
                    if left == 0:
                        self._connection = None  # the next look must not meet the backoff of this one
                        raise
                    continue
                if left > 0 and len(untold) == len(resources):
                    continue
                self._refused |= untold  # brokers answer: what they do not tell is a matter of these topics
                self._answering = broker
                break

    def _take_configs(self, resources: "list[ConfigResource]", broker: int | None) -> dict[str, Unanswered]:
        """Read the entries of topics, from one broker or from whoever answers.

        Returns:
            The topics whose entries it does not tell, though it answers.

        Raises:
            Unanswered: It does not answer.
            Denied: The client is not let in.
        """
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import ConfigSource

        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        whom = {} if broker is None else {"broker": broker}
        answers = self._admin().describe_configs(resources, request_timeout=_ANSWER_SECONDS, **whom)
        untold: dict[str, Unanswered] = {}
        answered = True
        for resource, answer in answers.items():
            try:
                entries = answer.result()
            except KafkaException as error:
                code = error.args[0].name()
                if code == "UNKNOWN_TOPIC_OR_PART":
                    continue
                if code.endswith("AUTHORIZATION_FAILED"):
                    principal = self.settings.security.principal
                    refusal = Forbidden.topic(self.addresses, "DescribeConfigs", resource.name, principal, code)
                    self._refused[resource.name] = self.forbidden(refusal)
                    continue
                problem = self._connected().explained(error)
                if isinstance(problem, Denied):
                    self._connection = None
                    raise problem from None
                untold[resource.name] = Unanswered(self.addresses, "the configuration of topics", problem.reason)
                answered = answered and not code.startswith("_") and code != "REQUEST_TIMED_OUT"
                continue
            self._configs[resource.name] = {
                key: entry.value or "" for key, entry in entries.items() if entry.source == own
            }
        if len(untold) == len(resources) and not answered:
            raise next(iter(untold.values()))
        return untold

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, name: str, topic: NewTopic) -> None:
        """Make a topic.

        Raises:
            KafkaRefused: Kafka says no to this topic; ``Unclear``: it does not say whether it has made it.
            Stopped: Ctrl-C, while an unclear answer was looked into.
        """

        def returns(code: str) -> bool:
            # This process has met as many brokers: one of them is away, and may come back.
            return code == "INVALID_REPLICATION_FACTOR" and topic.replication_factor <= self._most_brokers

        self._settle(
            lambda: self._creations.submit(name, topic),
            lambda layout: self._is_as_asked(layout, name, topic),
            own="TOPIC_ALREADY_EXISTS",
            may_pass=returns,
        )

    def grow(self, name: str, partitions: int) -> None:
        """Raise the number of partitions, and wait until all brokers know.

        Raises:
            KafkaRefused: Kafka says no.
        """

        def grown(layout: Layout) -> bool | None:
            seen = len(layout.replicas.get(name, {}))
            return None if seen < partitions else seen == partitions

        self._settle(lambda: self._growths.submit(name, partitions), grown, own="INVALID_PARTITIONS")

    def alter_config(self, name: str, entries: Mapping[str, str | None]) -> None:
        """Set entries of a topic, and remove those whose value is None; all others stay as they are.

        Raises:
            KafkaRefused: Kafka says no.
        """
        self._settle(lambda: self._alterations.submit(name, entries))

    def delete(self, name: str) -> None:
        """Delete a topic; whether the brokers have let go of it is another question.

        Raises:
            KafkaRefused: Kafka says no.
        """
        self._settle(lambda: self._deletions.submit(name, None))

    def away(self, brokers: int) -> bool:
        """Whether this process has met as many brokers, more than there are now: some are away, and may come back."""
        return len(self.layout().brokers) < brokers <= self._most_brokers

    def _settle(
        self,
        change: Callable[[], None],
        compare: Callable[[Layout], bool | None] = lambda _layout: None,
        *,
        own: str | None = None,
        may_pass: Callable[[str], bool] = lambda _code: False,
    ) -> None:
        """Have a change made; after an unclear answer look, compare, and ask again, until the time for all is over.

        Raises:
            KafkaRefused: Kafka says no; ``Unclear``: it does not say whether it has made it.
            Denied: The client is not let in.
            Stopped: Ctrl-C, and it does not show that the change is made.
        """

        def ask() -> None:
            try:
                change()
            except KafkaRefused as refusal:
                if is_unclear(refusal.code):
                    self._connect_anew()
                raise

        def look() -> bool | None:
            self.look()
            self._see_controller()
            return compare(self.layout())

        asked = Change(ask, look, own, may_pass)
        try:
            made = asked.made() or self.until(asked.made, self._patience())
        except Stopped:
            with contextlib.suppress(Unreachable):
                if look() is True:
                    return
            raise
        if not made:
            raise asked.given_up(_UNCLEAR_SECONDS)
        self._unclear_until = None

    def _patience(self) -> float:
        """Seconds left of the wait that all unclear changes share; it begins anew once a change has been made."""
        with self._lock:
            now = time.monotonic()
            if self._unclear_until is None:
                self._unclear_until = now + _UNCLEAR_SECONDS
            return max(0.0, self._unclear_until - now)

    def _connect_anew(self) -> None:
        """Forget who the controller was: librdkafka would go on waiting for the one that it knows."""
        with self._lock:
            self._connection = None
            self._creators = []

    def _see_controller(self) -> None:
        """See that the controller takes a connection: librdkafka would wait for a dead one until the time is over.

        Raises:
            Unreachable: It does not, or there is none.
        """
        address = self._advertised.get(-1 if self._controller is None else self._controller)
        if address is None:
            if self._advertised:
                raise Unanswered(self.addresses, "who the controller is", "no controller is elected at this moment")
            return
        try:
            dial(address, _ANSWER_SECONDS).close()
        except OSError as error:
            raise Unanswered(
                self.addresses, "a change", f"the controller, broker {self._controller} at {address}: {reason(error)}"
            ) from None

    def _is_as_asked(self, layout: Layout, name: str, topic: NewTopic) -> bool | None:
        """Whether a topic is the one that was asked for; None: there is none, or not all of it is seen."""
        partitions = layout.replicas.get(name)
        if partitions is None:
            return None
        with self._lock:
            self._configs.pop(name, None)
            self._refused.pop(name, None)
            self._read_configs([name])
            config = self._configs.get(name)
        if config is None and not isinstance(self._refused.get(name), Denied):
            return None
        factors = {len(replicas) for replicas in partitions.values()}
        return (
            len(partitions) == topic.partitions
            and factors == {topic.replication_factor}
            and config in (None, topic.config)
        )

    def racks(self) -> dict[int, str | None]:
        """The rack of each live broker.

        Raises:
            Unreachable: No broker tells; remembered, so that a thousand topics wait for it once.
            Denied: The client is not let in.
            Stopped: Ctrl-C.
        """
        from confluent_kafka import KafkaException

        problems: list[Unanswered] = []

        def asked() -> dict[int, str | None]:
            connection = self._connected()
            try:
                nodes = connection.client.describe_cluster(request_timeout=_ANSWER_SECONDS).result().nodes
            except KafkaException as error:
                problem = connection.explained(error)
                if isinstance(problem, Denied):
                    raise problem from None
                problems.append(Unanswered(self.addresses, "the racks of brokers", problem.reason))
                return {}
            return {node.id: node.rack for node in nodes}

        def told() -> dict[int, str | None]:
            racks = self.until(asked, _OTHERS_SECONDS)
            if not racks:
                raise problems[-1]
            return racks

        return self._once("racks", told)

    def disappears(self, name: str, *, seconds: float) -> bool:
        """Whether the brokers let go of a deleted topic in time; what was known of it is forgotten.

        A topic that can no longer be seen has not gone for that: see :meth:`topic`. Who does not answer at one moment,
        such as a controller that died, may at the next.

        Raises:
            Forbidden: The client may not see whether it is there.
            Unreachable: No broker has answered, or none has said whether it is there; the next caller looks once.
            Denied: The client is not let in.
            Stopped: Ctrl-C.
        """
        self._configs.pop(name, None)
        question = "whether topics are gone"
        waits = question not in self._unanswered
        silence: Unreachable | None = None

        def gone() -> bool:
            nonlocal silence
            silence = None
            try:
                if name in self.look().replicas:
                    return False
                # Before the lock: whoever gets it asks for all that wait by then.
                self._existence.pop(name, None)
                self.asks_for([name])
                with self._lock:
                    if waits:
                        self._unanswered.pop(existence.QUESTION, None)
                    return self._answer(name) is not True and self._is_gone(name)
            except Unreachable as problem:
                silence = problem
                if isinstance(problem, Unanswered):
                    self._connect_anew()
                time.sleep(_POLL_SECONDS)
                return False

        if until(gone, seconds if waits else 0.0, self._stopped.is_set, every=_LETTING_GO_POLL_SECONDS):
            self._unanswered.pop(question, None)
            return True
        if silence is not None:
            self._unanswered[question] = silence
            raise silence
        return False

    def forget(self, name: str) -> None:
        """Read a topic anew when it is next asked for, and the metadata with it."""
        with self._lock:
            self._layout = None
            self._configs.pop(name, None)
            self._existence.pop(name, None)

    def forget_all(self) -> None:
        """The servers themselves have been changed: read everything anew, and wait for them again."""
        with self._lock:
            self._changes += 1
            self._connection = None
            self._creators = []
            self._layout = None
            self._failure = None
            self._waited = 0.0
            self._most_brokers = 0
            self._not_joined = None
            self._unclear_until = None
            self._unanswered.clear()
            self._doubted = False
            self._moves_asked = False
            self._configs.clear()
            self._existence.clear()
            self._refused.clear()
            self._look_ups = 0

    def _create(self, topics: Mapping[str, NewTopic]) -> Mapping[str, Future[None]]:
        from confluent_kafka.admin import NewTopic as Wanted

        self._see_controller()

        def ask(connection: Connection, names: Sequence[str]) -> "Mapping[str, Future[Any]]":
            wanted = [
                Wanted(name, topics[name].partitions, topics[name].replication_factor, config=dict(topics[name].config))
                for name in names
            ]
            answers: Mapping[str, Future[Any]] = connection.client.create_topics(
                wanted, operation_timeout=_CHANGE_SECONDS, request_timeout=_CHANGE_SECONDS + _ANSWER_SECONDS
            )
            return answers

        names = [*topics]
        answers: dict[str, Future[Any]] = {}
        for share, connection in enumerate(self._creating_connections(len(names))):
            answers |= _each_its_own(names[share::_CREATING_CONNECTIONS], partial(ask, connection))
        return _refusals(answers)

    def _creating_connections(self, topics: int) -> list[Connection]:
        """Connections for so many topics, no more than there are topics."""
        needed = min(topics, _CREATING_CONNECTIONS)
        with self._lock:
            if self._created_by != self._controller:
                self._creators, self._created_by = [], self._controller  # they would wait for the one that they know
            while len(self._creators) < needed:
                self._creators.append(self._new_connection())
            return self._creators[:needed]

    def _grow(self, topics: Mapping[str, int]) -> Mapping[str, Future[None]]:
        from confluent_kafka.admin import NewPartitions

        self._see_controller()

        def ask(names: Sequence[str]) -> "Mapping[str, Future[Any]]":
            answers: Mapping[str, Future[Any]] = self._admin().create_partitions(
                [NewPartitions(name, topics[name]) for name in names],
                operation_timeout=_CHANGE_SECONDS,
                request_timeout=_CHANGE_SECONDS + _ANSWER_SECONDS,
            )
            return answers

        return _refusals(_each_its_own([*topics], ask))

    def _alter(self, topics: Mapping[str, Mapping[str, str | None]]) -> Mapping[str, Future[None]]:
        from confluent_kafka.admin import (
            AlterConfigOpType,
            ConfigEntry,
            ConfigResource,
            ResourceType,
        )

        self._see_controller()

        def ask(names: Sequence[str]) -> "Mapping[str, Future[Any]]":
            resources = [
                ConfigResource(
                    ResourceType.TOPIC,
                    name,
                    incremental_configs=[
                        ConfigEntry(
                            key,
                            value,
                            incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET,
                        )
                        for key, value in topics[name].items()
                    ],
                )
                for name in names
            ]
            answers = self._admin().incremental_alter_configs(resources, request_timeout=_CHANGE_SECONDS)
            return {resource.name: answer for resource, answer in answers.items()}

        return _refusals(_each_its_own([*topics], ask))

    def _delete(self, topics: Mapping[str, None]) -> Mapping[str, Future[None]]:
        self._see_controller()

        def ask(names: Sequence[str]) -> "Mapping[str, Future[Any]]":
            answers: Mapping[str, Future[Any]] = self._admin().delete_topics(
                list(names), operation_timeout=_CHANGE_SECONDS, request_timeout=_CHANGE_SECONDS + _ANSWER_SECONDS
            )
            return answers

        return _refusals(_each_its_own([*topics], ask))


def _each_its_own(
    names: Sequence[str], ask: "Callable[[Sequence[str]], Mapping[str, Future[Any]]]"
) -> "dict[str, Future[Any]]":
    """What became of each topic of a request.

    Kafka's client refuses a request as a whole, before it sends any of it, if it cannot write one of its items. Then
    each topic gets a request of its own, and only the one that cannot be written is refused.
    """
    from confluent_kafka import KafkaException

    try:
        return {**ask(names)}
    except (KafkaException, ValueError, TypeError, OverflowError) as error:
        if len(names) > 1:
            return {name: answer for each in names for name, answer in _each_its_own([each], ask).items()}
        refused: Future[Any] = Future()
        refused.set_exception(KafkaRefused("_INVALID_ARG", f"Kafka's client cannot send it: {error}"))
        return {names[0]: refused}


def _refusals(answers: Mapping[str, "Future[Any]"]) -> dict[str, Future[None]]:
    """The answers of Kafka's client, with its exceptions as ours."""
    from confluent_kafka import KafkaException

    settled: dict[str, Future[None]] = {}
    for name, answer in answers.items():
        settled[name] = Future()
        error = answer.exception()
        if isinstance(error, KafkaException):
            settled[name].set_exception(KafkaRefused(error.args[0].name(), error.args[0].str()))
        elif error is not None:
            settled[name].set_exception(error)
        else:
            settled[name].set_result(None)
    return settled

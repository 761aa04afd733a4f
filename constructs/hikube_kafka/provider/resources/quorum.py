"""``hikube_kafka_quorum``: what ZooKeeper and Kafka say of themselves."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hikube_kafka.kafka.errors import Denied, Forbidden, Unreachable
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.resource import DataSource, State
from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, Attribute, List, Nested, Schema
from hikube_kafka.provider.session import Session
from hikube_kafka.spec.problem import shortened
from hikube_kafka.spec.quorum import HIGHEST_SERVER_ID
from hikube_kafka.spec.topic_limits import MOST_BROKERS

if TYPE_CHECKING:
    from hikube_kafka.probe.observation import KafkaSeen, Metadata, ZooKeeperSeen

_FIRST_SERVERS = 3
"""ZooKeeper servers in Kubernetes that are asked first, unless it is known how many there are: each names all."""
_INTERNAL = "__consumer_offsets"
"""Asked for by name, it is refused to whoever may not describe all topics, whether it is there or not."""


class QuorumDataSource(DataSource):
    """Read at every plan; unhealthy is an answer, not an error."""

    type_name = "hikube_kafka_quorum"
    schema = Schema(
        description="What ZooKeeper and Kafka report, each server and broker asked by itself. Unhealthy is an answer; "
        "only when nothing can be read at all is there an error. Give it `depends_on` where the same configuration "
        "starts the servers.",
        attributes={
            "expected_brokers": Attribute(
                NUMBER,
                optional=True,
                minimum=1,
                maximum=MOST_BROKERS,
                description="How many brokers there should be; fewer or more is a reason.",
            ),
            "expected_zookeeper_servers": Attribute(
                NUMBER,
                optional=True,
                minimum=1,
                maximum=HIGHEST_SERVER_ID,
                description="How many ZooKeeper servers should serve.",
            ),
            "healthy": Attribute(BOOL, computed=True, description="Whether `reasons` is empty."),
            "reasons": Attribute(List(STRING), computed=True, description="Everything that is not as it should be."),
            "zookeeper": Attribute(
                nested=Nested(
                    "list",
                    {
                        "address": Attribute(STRING, computed=True, description="`host:port`."),
                        "mode": Attribute(
                            STRING,
                            computed=True,
                            description="`leader`, `follower`, `observer`, `standalone`; null: it does not serve.",
                        ),
                    },
                ),
                computed=True,
                description="The ZooKeeper servers of the provider's settings.",
            ),
            "zookeeper_leader": Attribute(STRING, computed=True, description="Address of the leading server."),
            "brokers": Attribute(
                List(NUMBER), computed=True, description="Ids of the brokers that answer or are named."
            ),
            "controller": Attribute(
                NUMBER, computed=True, description="Id of the controller; null: none is agreed on."
            ),
            "cluster_id": Attribute(STRING, computed=True, description="Kafka's cluster id."),
            "topics": Attribute(NUMBER, computed=True, description="Number of topics, internal ones included."),
            "under_replicated_partitions": Attribute(
                NUMBER, computed=True, description="Partitions with a replica that is not in sync."
            ),
            "offline_partitions": Attribute(NUMBER, computed=True, description="Partitions without a leader."),
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, config: State) -> State:
        """Look at every server and every broker by itself."""
        settings = self._session.settings
        if settings.unknown:
            reason = (
                f"not read yet: the provider's settings are unknown before the apply ({', '.join(settings.unknown)})"
            )
            return {**_answer(None, None), **_expectations(config), "healthy": False, "reasons": [reason]}
        from hikube_kafka.probe.kafka import observe_kafka

        unread: list[str] = []
        kafka = None
        try:
            zookeeper = self._zookeeper(config["expected_zookeeper_servers"])
        except (Unreachable, Denied) as problem:
            zookeeper, unread = None, [f"ZooKeeper is not reachable: {problem.reason}"]
        addresses = self._brokers()
        if addresses:
            kafka = observe_kafka(_split(addresses), settings.security, topic_configs=False)
        reasons = [*(unread or _zookeeper_reasons(zookeeper, config)), *_kafka_reasons(kafka, zookeeper, config)]
        if kafka is not None and kafka.views and not any(view.topics for view in kafka.views):
            reasons += self._hidden()
        if not (kafka and kafka.views) and not (zookeeper and zookeeper.serving):
            raise Refusal(
                Diagnostic(
                    "Nothing can be read of the cluster",
                    f"{'; '.join(reasons)}. Check bootstrap_servers and zookeeper_servers of the provider block.",
                )
            )
        return {
            **_answer(zookeeper, kafka),
            **_expectations(config),
            "healthy": not reasons,
            "reasons": reasons,
        }

    def _zookeeper(self, expected: int | None) -> "ZooKeeperSeen | None":
        """What ZooKeeper says, where the settings tell how to meet it.

        Raises:
            Unreachable: It is in Kubernetes, and none of its pods can be reached.
            Denied: It is in Kubernetes, and the kubeconfig is at fault.
        """
        from hikube_kafka.probe.zookeeper import observe_zookeeper

        settings = self._session.settings
        if settings.zookeeper_servers:
            servers, slash, chroot = settings.zookeeper_servers.partition("/")
            return observe_zookeeper(_split(servers), chroot=slash + chroot)
        reach = settings.kubernetes
        if reach is None or reach.zookeeper_release is None:
            return None
        cluster = self._session.cluster()
        if cluster is None:
            return None
        asked = set(range(1, (expected or _FIRST_SERVERS) + 1))
        while True:
            dial = cluster.zookeeper(asked)
            seen = observe_zookeeper(list(dial), chroot=reach.zookeeper_chroot or "", dial=dial)
            voters = {voter for view in seen.voting_views.values() for voter in view.voters}
            if expected is not None or not voters - asked:
                return seen
            asked |= voters

    def _hidden(self) -> Iterator[str]:
        """Whether it may be the client that sees no topic, where there are some: none seen is not all in sync."""
        cluster = self._session.cluster()
        try:
            if cluster is not None:
                cluster.exists(_INTERNAL)
        except Forbidden:
            yield "no topic is shown, and the client may not Describe all of them: none may be in sync"
        except (Unreachable, Denied) as problem:
            yield f"no topic is shown, and whether there are any is not told: {problem.reason}"

    def _brokers(self) -> str | None:
        """Where the brokers are met; through a port-forward as well."""
        if self._session.settings.kubernetes is None:
            if not (self._session.settings.bootstrap_servers or self._session.settings.zookeeper_servers):
                self._session.cluster()  # refuses: nothing says where the cluster is
            return self._session.settings.bootstrap_servers
        cluster = self._session.cluster()
        return cluster.reachable_addresses() if cluster is not None else None


def _expectations(config: State) -> dict[str, Any]:
    return {name: config[name] for name in ("expected_brokers", "expected_zookeeper_servers")}


def _split(addresses: str) -> list[str]:
    return [address.strip() for address in addresses.split(",")]


def _answer(zookeeper: "ZooKeeperSeen | None", kafka: "KafkaSeen | None") -> dict[str, Any]:
    serving = zookeeper.serving if zookeeper else {}
    leaders = zookeeper.leaders if zookeeper else ()
    views = kafka.views if kafka else ()
    return {
        "zookeeper": [
            {
                "address": server.address,
                "mode": serving[server.address].mode if server.address in serving else None,
            }
            for server in (zookeeper.servers if zookeeper else ())
        ],
        "zookeeper_leader": leaders[0] if len(leaders) == 1 else None,
        "brokers": sorted({broker for view in views for broker in view.brokers}),
        "controller": kafka.controller if kafka else None,
        "cluster_id": kafka.cluster_id if kafka else None,
        "topics": max((len(view.topics) for view in views), default=None),
        "under_replicated_partitions": max((len(_behind(view)) for view in views), default=None),
        "offline_partitions": max((len(_offline(view)) for view in views), default=None),
    }


def _zookeeper_reasons(zookeeper: "ZooKeeperSeen | None", config: State) -> Iterator[str]:
    expected = config["expected_zookeeper_servers"]
    if zookeeper is None:
        if expected is not None:
            yield (
                "expected_zookeeper_servers is set, but the provider block sets neither zookeeper_servers nor "
                "kubernetes.zookeeper_release"
            )
        return
    serving, leaders = zookeeper.serving, zookeeper.leaders
    for server in zookeeper.servers:
        if server.address not in serving:
            yield str(server.status)
    if len(leaders) != 1:
        yield f"{len(leaders)} ZooKeeper servers lead: {', '.join(leaders) or 'none'}"
    if expected is not None and len(serving) != expected:
        yield f"{len(serving)} ZooKeeper servers serve, {expected} are expected"


def _kafka_reasons(kafka: "KafkaSeen | None", zookeeper: "ZooKeeperSeen | None", config: State) -> Iterator[str]:
    expected = config["expected_brokers"]
    if kafka is None:
        if expected is not None:
            yield "expected_brokers is set, but the provider block does not set bootstrap_servers"
        return
    for unread in kafka.silent:
        yield str(unread)
    if kafka.views:
        yield from _membership_reasons(kafka, zookeeper, expected)
        yield from _unshown_reasons(kafka.views, zookeeper)
        yield from _partition_reasons(kafka.views)


def _membership_reasons(kafka: "KafkaSeen", zookeeper: "ZooKeeperSeen | None", expected: int | None) -> Iterator[str]:
    views = kafka.views
    named = sorted({tuple(sorted(view.brokers)) for view in views})
    if len(named) > 1:
        yield f"the brokers do not agree on who they are: {_lists(named)}"
    if expected is not None and any(len(each) != expected for each in named):
        yield f"brokers {_lists(named)} are there, {expected} are expected"
    registries = zookeeper.registries if zookeeper else {}
    registered = sorted({tuple(sorted(each.brokers)) for each in registries.values()})
    if registered and registered != named:
        yield f"ZooKeeper has registered {_lists(registered)}, the brokers' metadata has {_lists(named)}"
    if kafka.controller is None:
        controllers = {view.controller for view in views}
        yield f"no controller is agreed on: {', '.join(sorted(map(str, controllers)))}"
    clusters = sorted({str(view.cluster_id) for view in views})
    if len(clusters) > 1:
        yield f"the brokers are of different clusters: {', '.join(clusters)}"


def _unshown_reasons(views: "Sequence[Metadata]", zookeeper: "ZooKeeperSeen | None") -> Iterator[str]:
    known = frozenset[str]().union(*(view.topics for view in views))
    apart = known - frozenset[str].intersection(*(frozenset(view.topics) for view in views))
    if apart:
        yield f"{len(apart)} topics are not known to all brokers: {shortened(sorted(apart))}"
    hidden = (zookeeper.topics if zookeeper else frozenset()) - known
    if hidden:
        yield (
            f"{len(hidden)} topics that ZooKeeper has are shown by no broker: {shortened(sorted(hidden))}; the client "
            "may not Describe them, or the brokers do not know them yet"
        )


def _partition_reasons(views: "Sequence[Metadata]") -> Iterator[str]:
    offline = max((_offline(view) for view in views), key=len)
    if offline:
        yield f"{len(offline)} partitions have no leader: {shortened(offline)}"
    behind = max((_behind(view) for view in views), key=len)
    if behind:
        yield f"{len(behind)} partitions are under-replicated: {shortened(behind)}"


def _offline(view: "Metadata") -> list[str]:
    return [f"{topic}-{number}" for topic, number, partition in view.partitions if not partition.is_online]


def _behind(view: "Metadata") -> list[str]:
    return [f"{topic}-{number}" for topic, number, partition in view.partitions if partition.behind]


def _lists(each: Sequence[tuple[int, ...]]) -> str:
    return " or ".join(str(list(one)) for one in each)

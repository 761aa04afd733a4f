"""A healthy cluster of three servers and three brokers, as contract and as everything seen of it."""

import pytest

from hikube_kafka.kubernetes.claim import ClaimSeen
from hikube_kafka.probe.observation import (
    BrokerRegistration,
    BrokerSeen,
    BudgetSeen,
    Followers,
    KafkaRegistry,
    KafkaSeen,
    KubernetesSeen,
    Metadata,
    Observation,
    Partition,
    PodSeen,
    ReadBack,
    ServerStatus,
    TopicConfig,
    VotingView,
    ZooKeeperSeen,
    ZooKeeperServerSeen,
)
from hikube_kafka.smoke.canary import CanaryRun
from hikube_kafka.spec.contract import (
    BrokerExpected,
    ClaimExpected,
    Contract,
    KafkaExpected,
    KubernetesExpected,
    ReachByAddress,
    ReachByPortForward,
    ServersExpected,
    TopicExpected,
    ZooKeeperExpected,
    ZooKeeperServerExpected,
)
from hikube_kafka.spec.quantities import Quantity

SERVERS = {1: "zk-1:2181", 2: "zk-2:2181", 3: "zk-3:2181"}
BROKERS = {0: "b-0:9092", 1: "b-1:9092", 2: "b-2:9092"}
CLUSTER = "cluster-of-the-contract"


@pytest.fixture
def contract() -> Contract:
    return Contract(
        platform="orders",
        target="local",
        reach=ReachByAddress(),
        coordinator=ZooKeeperExpected(
            servers=tuple(ZooKeeperServerExpected(id=id_, address=address) for id_, address in SERVERS.items())
        ),
        kafka=KafkaExpected(
            version="3.9.2",
            brokers=tuple(
                BrokerExpected(id=id_, address=address, rack=f"rack-{id_}") for id_, address in BROKERS.items()
            ),
            settings={"auto.create.topics.enable": "false"},
        ),
        topics=(
            TopicExpected(name="payments", partitions=2, replication_factor=3, config={"min.insync.replicas": "2"}),
        ),
    )


@pytest.fixture
def in_kubernetes(contract: Contract) -> Contract:
    """The same platform, delivered to Kubernetes, with all that can be promised of it there."""
    claims = (ClaimExpected(name="data", size=Quantity("10Gi"), storage_class="replicated"),)
    everywhere = ServersExpected(claims=claims, max_unavailable=1, own_nodes=True, zones=3)
    return contract.model_copy(
        update={
            "target": "kubernetes",
            "reach": ReachByPortForward(namespace="shop", kafka_pods="orders-kafka", zookeeper_pods="orders-zookeeper"),
            "kubernetes": KubernetesExpected(
                coordinator=everywhere.model_copy(update={"images": {"zookeeper": "zookeeper:3.9.5"}}),
                kafka=everywhere.model_copy(update={"images": {"kafka": "apache/kafka:3.9.2"}}),
            ),
        }
    )


def _kubernetes() -> KubernetesSeen:
    images = {"orders-zookeeper": {"zookeeper": "zookeeper:3.9.5"}, "orders-kafka": {"kafka": "apache/kafka:3.9.2"}}
    pods = {
        f"{release}-{ordinal}": PodSeen(
            state="Running", ready=True, images=run, node=f"node-{ordinal}", stateful_set=release
        )
        for release, run in images.items()
        for ordinal in range(3)
    }
    budgets = {each: BudgetSeen(name=each, max_unavailable="1", min_available=None) for each in images}
    return KubernetesSeen(
        pods=pods | {"web-0": PodSeen(state="Pending", ready=False, images={}, node=None, stateful_set="web")},
        claims={
            f"data-{pod}": ClaimSeen(name=f"data-{pod}", size="10240Mi", capacity="10Gi", storage_class="replicated")
            for pod in pods
        },
        budgets={pod: (budgets[str(seen.stateful_set)],) for pod, seen in pods.items()},
        zones={f"node-{number}": f"zone-{number}" for number in range(3)},
    )


@pytest.fixture
def healthy() -> Observation:
    voters = {id_: f"zk-{id_}:2888:3888" for id_ in SERVERS}
    registry = KafkaRegistry(
        brokers={
            id_: BrokerRegistration(rack=f"rack-{id_}", endpoints=(f"PLAINTEXT://{address}",))
            for id_, address in BROKERS.items()
        },
        controller=1,
        cluster_id=CLUSTER,
    )
    metadata = Metadata(
        cluster_id=CLUSTER,
        controller=1,
        brokers=BROKERS,
        topics={
            "payments": {
                0: Partition(leader=0, replicas=(0, 1, 2), in_sync=(0, 1, 2)),
                1: Partition(leader=1, replicas=(1, 2, 0), in_sync=(1, 2, 0)),
            },
            "__consumer_offsets": {0: Partition(leader=2, replicas=(2, 0, 1), in_sync=(2, 0, 1))},
        },
    )
    return Observation(
        zookeeper=ZooKeeperSeen(
            servers=tuple(
                ZooKeeperServerSeen(
                    address=address,
                    status=ServerStatus(mode="leader" if id_ == 3 else "follower", zxid=0x200000007, version="3.8.4"),
                    followers=Followers(synced=2, pending_syncs=0)
                    if id_ == 3
                    else Followers(synced=None, pending_syncs=None),
                    voting_view=VotingView(own_id=id_, voters=voters, version="0"),
                    kafka=registry,
                )
                for id_, address in SERVERS.items()
            )
        ),
        read_backs=tuple(
            ReadBack(writer=writer, reader=reader, written="here", read="here")
            for writer in SERVERS.values()
            for reader in SERVERS.values()
        ),
        kafka=KafkaSeen(
            brokers=tuple(
                BrokerSeen(address=address, id=id_, metadata=metadata, settings={"auto.create.topics.enable": "false"})
                for id_, address in BROKERS.items()
            ),
            topic_configs={
                "payments": TopicConfig(in_force={"min.insync.replicas": "2"}, own=frozenset({"min.insync.replicas"})),
                "__consumer_offsets": TopicConfig(in_force={"min.insync.replicas": "2"}, own=frozenset()),
            },
        ),
        kubernetes=_kubernetes(),
    )


@pytest.fixture
def flown() -> CanaryRun:
    messages = tuple(range(4))
    return CanaryRun(
        topic="hikube-kafka-canary-20260102T030405Z-0a1b2c3d",
        leaders={0: 0, 1: 1, 2: 2},
        sent=dict.fromkeys(BROKERS, 4),
        acknowledged=dict.fromkeys(BROKERS, messages),
        refused={},
        received=dict.fromkeys(BROKERS, messages),
        latencies_ms=(4.0, 1.0, 3.0, 2.0),
        offsets=dict.fromkeys(BROKERS, 4),
        removed=None,
    )

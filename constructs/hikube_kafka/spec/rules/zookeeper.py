"""What concerns the ZooKeeper servers."""

from collections.abc import Iterator

from hikube_kafka.spec import quorum
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.resources import ZOOKEEPER_HEAP
from hikube_kafka.spec.rules.heap import heap_problems
from hikube_kafka.spec.rules.platform import wins
from hikube_kafka.spec.zoo_cfg import ZOOKEEPER_PLATFORM_KEYS, overrides

SINGLE = Rule(
    id="zookeeper-single",
    severity="warning",
    message="a single ZooKeeper server is not a quorum: while it is away, no leader can be elected.",
    why="Three servers survive the loss of one, a single one survives nothing.",
    remedy="Declare 3 outside development.",
)
CONFIG_OWNED = Rule(
    id="zookeeper-config-owned",
    severity="error",
    message="{key} belongs to the platform: it follows from {owner}.",
    why="What the platform computes from the declaration cannot be declared a second time.",
    remedy="Drop {key}.",
)


def count_is_odd(platform: Platform) -> Iterator[Problem]:
    """An even number of servers."""
    return quorum.even_problems("zookeeper.servers", platform.zookeeper.servers)


def user_config_wins(platform: Platform) -> Iterator[Problem]:
    """An entry that the user sets and the platform would have computed."""
    return wins(overrides(platform.zookeeper))


def not_alone(platform: Platform) -> Iterator[Problem]:
    """One server, which is for development."""
    if platform.zookeeper.servers == 1:
        yield SINGLE("zookeeper.servers")


def heap_fits(platform: Platform) -> Iterator[Problem]:
    """A heap that the memory of a server cannot hold."""
    zookeeper = platform.zookeeper
    return heap_problems("zookeeper", ZOOKEEPER_HEAP, zookeeper.heap, zookeeper.resources)


def config_is_free(platform: Platform) -> Iterator[Problem]:
    """An entry that the platform computes."""
    for key in sorted(platform.zookeeper.config):
        owner = "zookeeper.servers" if key.startswith("server.") else ZOOKEEPER_PLATFORM_KEYS.get(key)
        if owner:
            yield CONFIG_OWNED("zookeeper.config", key=key, owner=owner)

"""What concerns the ZooKeeper servers."""

from collections.abc import Iterator

from hikube_kafka.spec import quorum
from hikube_kafka.spec.definitions.problems import zookeeper_config_problems
from hikube_kafka.spec.definitions.zookeeper import UNSAFE, session_bounds, unsafe, zookeeper_definitions
from hikube_kafka.spec.mistakes import of_config
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.properties import cluster_settings, text
from hikube_kafka.spec.quantities import whole
from hikube_kafka.spec.resources import ZOOKEEPER_HEAP
from hikube_kafka.spec.rules.heap import heap_problems
from hikube_kafka.spec.rules.platform import wins
from hikube_kafka.spec.zoo_cfg import ZOOKEEPER_PLATFORM_KEYS, computed_zoo_cfg, overrides, zookeeper_settings

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

CONFIG_SECRET = Rule(
    id="zookeeper-config-secret",
    severity="error",
    message="{key} is a secret, and would stand in the stack and the state.",
    why="What is declared is read by everyone who reads the stack, the plan or the state.",
    remedy="Leave the value with the servers: in a file that ssl.keyStore.passwordPath or ssl.trustStore.passwordPath "
    "names.",
)
SESSION = Rule(
    id="zookeeper-session-timeout",
    severity="warning",
    message="brokers ask for sessions of {asked} ms, and ZooKeeper grants {least} to {most} ms.",
    why="ZooKeeper takes the nearest one without a word: a broker that dies is noticed earlier or later than declared.",
    remedy="Change zookeeper.session.timeout.ms in kafka.config; or tickTime, minSessionTimeout or maxSessionTimeout "
    "in zookeeper.config.",
)
LIMIT = Rule(
    id="zookeeper-limit-short",
    severity="warning",
    message="{key} = {ticks} is {declared} ms, and {computed} ms are computed: a tick is {tick} ms.",
    why="A number of ticks that was chosen for a longer tick, such as the 2000 ms of ZooKeeper's sample configuration, "
    "is less time than was meant: a follower is given up while it loads a snapshot (initLimit), or at a short pause "
    "(syncLimit).",
    remedy="Multiply {key} by the ratio of the ticks, declare the tickTime that it was chosen for, or leave {key} out.",
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
        if owner := _owner(key):
            yield CONFIG_OWNED("zookeeper.config", key=key, owner=owner)


def _owner(key: str) -> str | None:
    # ZooKeeper takes every key that begins so for one of the list of servers.
    return "zookeeper.servers" if key.startswith(("server.", "group", "weight")) else ZOOKEEPER_PLATFORM_KEYS.get(key)


def config_is_zookeepers(platform: Platform) -> Iterator[Problem]:
    """An entry that ZooKeeper does not read, or a value that it does not take."""
    config = _free(platform)
    for key in config:
        definition = zookeeper_definitions().get(key)
        if definition and definition.sensitive:
            yield CONFIG_SECRET("zookeeper.config", key=key)
    found = zookeeper_config_problems("zookeeper.config", config, computed_zoo_cfg(platform.zookeeper))
    yield from of_config("zookeeper.config", platform.zookeeper.config, found)


def config_is_safe(platform: Platform) -> Iterator[Problem]:
    """An entry that ZooKeeper takes, and that works against the platform."""
    for key, value, consequence in unsafe(_free(platform)):
        yield UNSAFE("zookeeper.config", key=key, value=value, consequence=consequence)


def sessions_are_granted(platform: Platform) -> Iterator[Problem]:
    """A broker's session that ZooKeeper makes shorter or longer."""
    bounds = session_bounds(zookeeper_settings(platform.zookeeper))
    asked = whole(cluster_settings(platform)["zookeeper.session.timeout.ms"])
    # Bounds that contradict each other are refused.
    if bounds and asked is not None and bounds[0] <= bounds[1] and not bounds[0] <= asked <= bounds[1]:
        yield SESSION("zookeeper.config", asked=asked, least=bounds[0], most=bounds[1])


def limits_are_long_enough(platform: Platform) -> Iterator[Problem]:
    """A limit in ticks, declared without the tick, that gives less time than what is computed."""
    config, computed = _free(platform), computed_zoo_cfg(platform.zookeeper)
    if "tickTime" in config:
        return
    tick = int(computed["tickTime"])
    for key in ("initLimit", "syncLimit"):
        ticks, usual = whole(config.get(key, computed[key])), int(computed[key])
        if ticks is not None and 0 < ticks < usual:
            yield LIMIT(
                "zookeeper.config", key=key, ticks=ticks, declared=ticks * tick, computed=usual * tick, tick=tick
            )


def _free(platform: Platform) -> dict[str, str]:
    """The entries that do not belong to the platform."""
    return {key: text(value) for key, value in platform.zookeeper.config.items() if not _owner(key)}

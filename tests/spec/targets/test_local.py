"""A healthy layout raises nothing; each test spoils one thing and sees that one problem."""

from typing import Any

import pytest

from hikube_kafka.spec import rules
from hikube_kafka.spec.connect import ConnectCluster, Connector, Plugin
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.targets.local import LocalLayout, check
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper


def platform(**kafka: Any) -> Platform:
    return Platform(name="events", kafka=Kafka(**kafka), topics=(Topic("orders", partitions=6),))


def test_what_stays_on_this_machine_may_be_read_there() -> None:
    assert [problem.rule for problem in rules.check(platform())] == ["listener-plaintext"]
    assert list(check(platform(), LocalLayout())) == []


@pytest.mark.parametrize(
    ("layout", "kafka", "rule", "part"),
    [
        (
            {},
            {"listeners": (Listener("client", port=9092, protocol="SSL"),)},
            "local-listener-protocol",
            "neither certificates nor users",
        ),
        ({"zookeeper_port": 29093}, {"brokers": 1}, None, ""),
        (
            {"zookeeper_port": 29092},
            {"brokers": 1},
            "local-port-twice",
            "port 29092 is given to zookeeper-1 and broker-0",
        ),
        (
            {"broker_port": 65534},
            {},
            "local-port-range",
            "the ports of 3 brokers would be 65534 to 65536, and there are",
        ),
        ({"zookeeper_port": 0}, {}, "local-port-range", "the ports of 3 ZooKeeper servers would be 0 to 2"),
        ({"peer_port": -5}, {}, "local-port-range", "would be -5 to -3"),
        ({"election_port": 70000}, {}, "local-port-range", "would be 70000 to 70002"),
        (
            {"broker_port": 65500},
            {"listeners": (Listener("client", port=9092), Listener("other", port=9093))},
            "local-port-range",
            "65500 to 65602",
        ),
        ({"broker_port": 65533}, {}, None, ""),
    ],
)
def test_a_spoilt_layout_is_refused(layout: dict[str, Any], kafka: dict[str, Any], rule: str | None, part: str) -> None:
    problems = [each for each in check(platform(**kafka), LocalLayout(**layout)) if each.severity == "error"]
    assert [each.rule for each in problems] == ([rule] if rule else [])
    assert all(part in each.message for each in problems)


def test_the_contract_is_read_at_the_addresses_themselves() -> None:
    contract = LocalLayout().contract(platform(racks=("a", "b")))
    assert (contract.target, contract.reach.by, contract.kubernetes) == ("local", "address", None)
    assert contract.bootstrap_servers == "127.0.0.1:29092,127.0.0.1:29093,127.0.0.1:29094"
    assert contract.zookeeper_connect == "127.0.0.1:22181,127.0.0.1:22182,127.0.0.1:22183"
    assert [broker.rack for broker in contract.kafka.brokers] == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("servers", "config", "part"),
    [
        (3, {"secureClientPort": 2281}, "secureClientPort = 2281 is the same port for 3 servers"),
        (3, {"observerMasterPort": 2191}, "observerMasterPort = 2191 is the same port for 3 servers"),
        (1, {"secureClientPort": 22181}, "secureClientPort = 22181 is the port of zookeeper-1"),
        (1, {"secureClientPort": 29094}, "secureClientPort = 29094 is the port of broker-2"),
    ],
)
def test_a_further_port_of_zookeeper_is_one_for_all_on_this_machine(
    servers: int, config: dict[str, int], part: str
) -> None:
    declared = Platform(name="events", zookeeper=ZooKeeper(servers=servers, config=config))
    (problem,) = [each for each in check(declared, LocalLayout()) if each.severity == "error"]
    assert problem.rule == "local-zookeeper-port"
    assert part in problem.message


def test_a_further_port_of_a_single_server_is_taken() -> None:
    for servers, config in ((1, {"secureClientPort": 2281}), (3, {"admin.enableServer": True})):
        declared = Platform(name="events", zookeeper=ZooKeeper(servers=servers, config=config))
        assert not [each for each in check(declared, LocalLayout()) if each.severity == "error"]


@pytest.mark.parametrize("place", ["", " ", "a\nb", "a\x00b"])
def test_a_folder_that_is_none_is_refused(place: str) -> None:
    problems = check(platform(), LocalLayout(), directory=place, kafka_home=place)
    assert [(each.rule, each.where) for each in problems] == [
        ("local-place", "directory"),
        ("local-place", "kafka_home"),
    ]


@pytest.mark.parametrize("place", [None, "data", "../data", "~/my data", "/größe/a b"])
def test_a_folder_is_taken(place: str | None) -> None:
    assert list(check(platform(), LocalLayout(), directory=place, kafka_home=place)) == []


def connected(*clusters: ConnectCluster) -> Platform:
    return Platform(name="events", kafka=Kafka(brokers=2), connect=clusters)


def test_workers_meet_the_brokers_and_each_other_on_this_machine() -> None:
    changes, search = ConnectCluster("changes", workers=2), ConnectCluster("search", workers=1)
    both, layout = connected(changes, search), LocalLayout()
    first, second = layout.connect_processes(both, changes)
    assert (first.name, second.name, second.ports, second.heap) == ("worker-0", "worker-1", (28084,), "1024m")
    assert (
        dict(second.properties).items()
        >= {
            "group.id": "events-connect-changes",
            "bootstrap.servers": "127.0.0.1:29092,127.0.0.1:29093",
            "listeners": "http://127.0.0.1:28084",
            "rest.advertised.host.name": "127.0.0.1",
            "rest.advertised.port": "28084",
            "plugin.path": "plugins",
            "config.providers.dir.param.allowed.paths": "../secrets",
        }.items()
    )
    assert layout.connect_urls(both, changes) == ("http://127.0.0.1:28083", "http://127.0.0.1:28084")
    assert layout.connect_urls(both, search) == ("http://127.0.0.1:28103",)
    assert [worker.ports for worker in layout.connect_processes(both, search)] == [(28103,)]


def test_the_tasks_of_a_worker_that_restarts_here_wait_no_longer_than_it_takes() -> None:
    delay = "scheduled.rebalance.max.delay.ms"
    for config, expected in (({}, "10000"), ({delay: 300_000}, "300000")):
        cluster = ConnectCluster("changes", config=config)
        workers = LocalLayout().connect_processes(connected(cluster), cluster)
        assert {worker.properties[delay] for worker in workers} == {expected}


@pytest.mark.parametrize(
    ("layout", "workers", "rule", "part"),
    [
        ({}, (20, 20), None, ""),
        ({}, (21, 1), "local-connect-workers", "Connect cluster a: 21 workers, and a Connect cluster on this machine"),
        ({"connect_port": 29092}, (1,), "local-port-twice", "broker-0 and worker-0 of Connect cluster a"),
        ({"connect_port": 29072}, (1, 2), "local-port-twice", "broker-0 and worker-0 of Connect cluster b"),
        ({"connect_port": 65515}, (3, 1), None, ""),
        ({"connect_port": 65515}, (3, 2), "local-port-range", "the ports of 5 workers would be 65515 to 65536"),
        ({"connect_port": 0}, (1,), "local-port-range", "the ports of 1 workers would be 0 to 0"),
    ],
)
def test_workers_have_ports_of_their_own(
    layout: dict[str, int], workers: tuple[int, ...], rule: str | None, part: str
) -> None:
    clusters = [ConnectCluster(name, workers=count) for name, count in zip("ab", workers, strict=False)]
    problems = [each for each in check(connected(*clusters), LocalLayout(**layout)) if each.severity == "error"]
    assert {each.rule for each in problems} == ({rule} if rule else set())
    assert all(part in str(each) for each in problems[:1])


def of_this_machine(declared: Platform, **where: Any) -> list[tuple[str, str]]:
    problems = check(declared, LocalLayout(), **where)
    return [(each.rule, each.where) for each in problems if each.severity == "error"]


def test_a_plugin_that_processes_cannot_have_is_refused() -> None:
    alone = Plugin("search", version="1", image="mirror.example.com/search:1", volume="search")
    declared = connected(ConnectCluster("a", plugins=[alone]))
    assert of_this_machine(declared) == [("local-plugin-source", "plugin search")]
    both = Plugin("search", version="1", volume="search", maven="a:b:1", checksum=f"sha256:{'a' * 64}")
    assert of_this_machine(connected(ConnectCluster("a", plugins=[both]))) == []


def test_mirrormaker_is_not_among_the_jars_of_this_machine() -> None:
    name = "org.apache.kafka.connect.mirror.MirrorSourceConnector"
    mirror = Connector("mirror", name)
    declared = connected(ConnectCluster("a", connectors=[mirror]))
    assert of_this_machine(declared) == [("local-connector-class", "connector mirror")]
    assert of_this_machine(declared, kafka_home="~/kafka") == []
    plugin = Plugin("mirror", version="3.9.2", maven="a:b:1", checksum=f"sha256:{'a' * 64}", classes=[name])
    assert of_this_machine(connected(ConnectCluster("a", connectors=[mirror], plugins=[plugin]))) == []

"""Every value of a chart moves what is rendered; a wrong one is refused with its path."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from hikube_kafka.spec.chart_values import ConnectValues, KafkaValues, ZooKeeperValues
from tests.support.kubernetes import Render, Template

DOORS = {
    "listeners": "CLIENT://:9092,OUTSIDE://:9094,FORWARD://127.0.0.1:<forward-port>",
    "advertised.listeners": "CLIENT://<host>:9092,OUTSIDE://<node>:<node-port>,FORWARD://127.0.0.1:<forward-port>",
}
OUTSIDE = {"listeners": [{"name": "client", "port": 9092}, {"name": "outside", "port": 9094}], "config": DOORS}
LOAD_BALANCER = {"type": "LoadBalancer", "listener": "outside", "host": "kafka-<ordinal>.example.com"}
NODE_PORT = {"type": "NodePort", "listener": "outside"}
ALONE = {
    "config": {
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
    }
}

# path: (value, what the rendered chart then says and did not say before, values that both renderings have)
Case = tuple[Any, str, dict[str, Any]]
SHARED: dict[str, Case] = {
    "replicas": (5, "replicas: 5", {}),
    "image.registry": ("mirror.example.com", 'image: "mirror.example.com/', {}),
    "image.repository": ("own/server", 'image: "own/server:', {}),
    "image.tag": ("9.9.9", ":9.9.9", {}),
    "image.digest": ("sha256:" + 64 * "a", "@sha256:aaaa", {}),
    "image.pullPolicy": ("Always", "imagePullPolicy: Always", {}),
    "imagePullSecrets": (["mirror"], 'imagePullSecrets:\n        - name: "mirror"', {}),
    "heap": ("777m", "-Xms777m -Xmx777m", {"resources": {"memory": "2Gi"}}),
    "jvmOptions": (["-Down=1", "-Dtwo=2 -Dof=one"], "-Down=1 -Dtwo=2 -Dof=one", {}),
    "resources.cpu": ("3", 'cpu: "3"', {}),
    "resources.memory": ("9Gi", 'memory: "9Gi"', {}),
    "claimRetention.whenDeleted": ("Delete", "whenDeleted: Delete", {}),
    "claimRetention.whenScaled": ("Delete", "whenScaled: Delete", {}),
    "pods.antiAffinity": ("preferred", "preferredDuringSchedulingIgnoredDuringExecution", {}),
    "pods.nodeSelector": ({"disk": "fast"}, "nodeSelector:\n        disk: fast", {}),
    "pods.tolerations": (
        [{"key": "kafka", "operator": "Equal", "value": "1", "effect": "NoExecute"}],
        'operator: Equal\n          key: "kafka"\n          value: "1"\n          effect: NoExecute',
        {},
    ),
    "pods.priorityClassName": ("high", 'priorityClassName: "high"', {}),
    "pods.annotations": ({"own": "1"}, 'own: "1"', {}),
    "networkPolicy.clients": (
        [{"namespace": "shop", "labels": {"app": "cart"}}],
        (
            "app: cart\n          namespaceSelector:\n            matchLabels:\n"
            '              kubernetes.io/metadata.name: "shop"'
        ),
        {},
    ),
    "labels": ({"team": "billing"}, "team: billing", {}),
    "storage.data.size": ("77Gi", 'storage: "77Gi"', {}),
    "storage.data.storageClass": ("local", 'storageClassName: "local"', {}),
    "terminationGraceSeconds": (777, "terminationGracePeriodSeconds: 777", {}),
}
ZOOKEEPER: dict[str, Case] = SHARED | {
    "config": ({"tickTime": "3000"}, "tickTime=3000", {}),
    "storage.log": (
        {"size": "3Gi"},
        'storage: "3Gi"',
        {"storage": {"log": {"size": "2Gi"}}, "config": {"dataLogDir": "/datalog"}},
    ),
    "membershipSecret": ("own", 'secretName: "own"', {}),
}
KAFKA: dict[str, Case] = SHARED | {
    "config": ({"log.retention.hours": "24"}, "log.retention.hours=24", {}),
    "listeners": (OUTSIDE["listeners"], '{name: "outside", containerPort: 9094}', {"config": DOORS}),
    "forwardPort": (29092, 'name: FORWARD_PORT, value: "29092"', {}),
    "external.type": ("LoadBalancer", "type: LoadBalancer", OUTSIDE | {"external": {"listener": "outside"}}),
    "external.listener": (
        "client",
        '- name: "client"\n      port: 9092\n      targetPort: "client"',
        OUTSIDE | {"external": LOAD_BALANCER},
    ),
    "external.nodePort": (31000, "nodePort: 31002", OUTSIDE | {"external": NODE_PORT}),
    "external.sources": (["203.0.113.0/24"], 'ipBlock: {cidr: "203.0.113.0/24"}', OUTSIDE | {"external": NODE_PORT}),
    "external.annotations": (
        {"dns": "kafka-<ordinal>.example.com"},
        '"dns": "kafka-2.example.com"',
        OUTSIDE | {"external": LOAD_BALANCER},
    ),
    "rack.names": (["a", "b"], 'name: RACKS, value: "a b"', {"config": {"broker.rack": "<rack>"}}),
    "fastFailover": (False, 'name: FAST_FAILOVER, value: "false"', {}),
    "startupSeconds": (600, "failureThreshold: 300", {}),
    "shutdownGateSeconds": (17, 'shutdown, "17"', {}),
}
PLUGINS = [
    {"name": "image", "image": "mirror.example.com/plugins:1", "imagePath": "/opt/plugin"},
    {"name": "volume", "volume": "installed"},
    {"name": "archive", "archive": "https://plugins.example.com/a.tar.gz?at=$(x)", "checksum": "sha256:" + 64 * "a"},
]
CONNECT: dict[str, Case] = {
    path: case
    for path, case in SHARED.items()
    if path != "networkPolicy.clients" and path.split(".")[0] not in {"claimRetention", "storage"}
} | {
    "config": ({"offset.flush.interval.ms": "5000"}, "offset.flush.interval.ms=5000", {}),
    "plugins": (PLUGINS, '- name: plugin-image\n          image: "mirror.example.com/plugins:1"', {}),
    "secrets": (["database"], "mountPath: /secrets/database, readOnly: true", {}),
    "startupSeconds": (900, "failureThreshold: 450", {}),
}
GONE: dict[str, Case] = {"networkPolicy.enabled": (False, "kind: NetworkPolicy", {})}
# The host is in the configuration that spec computes, as part of advertised.listeners; zones need a cluster.
ELSEWHERE = {"kafka": {"external.host", "rack.fromZone"}, "zookeeper": set[str](), "connect": set[str]()}
OF_SERVERS = {"zookeeper": ZOOKEEPER, "kafka": KAFKA}
CASES = {**OF_SERVERS, "connect": CONNECT}


def paths(model: type[BaseModel]) -> Iterator[str]:
    """The path of each value that is no group of values."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        alias = field.alias or name
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (f"{alias}.{inner}" for inner in paths(kind))
        else:
            yield alias


def at(path: str, value: Any, others: dict[str, Any]) -> dict[str, Any]:
    """Values with this one set at its path, beside the others."""
    first, _, rest = path.partition(".")
    return others | {first: at(rest, value, others.get(first, {})) if rest else value}


@pytest.mark.parametrize(
    ("chart", "model"), [("zookeeper", ZooKeeperValues), ("kafka", KafkaValues), ("connect", ConnectValues)]
)
def test_no_value_is_without_its_test(chart: str, model: type[BaseModel]) -> None:
    assert set(paths(model)) == CASES[chart].keys() | GONE.keys() | ELSEWHERE[chart]


@pytest.mark.parametrize(("chart", "path"), [(chart, path) for chart, cases in CASES.items() for path in cases])
def test_a_value_moves_what_is_rendered(chart: str, path: str, template: Template) -> None:
    value, expected, others = CASES[chart][path]
    before, after = template(chart, others), template(chart, at(path, value, others))
    assert (before.returncode, after.returncode) == (0, 0), before.stderr + after.stderr
    assert expected not in before.stdout
    assert expected in after.stdout
    assert list(yaml.safe_load_all(after.stdout))


@pytest.mark.parametrize("chart", list(CASES))
def test_a_network_policy_can_be_left_out(chart: str, template: Template) -> None:
    ((path, (value, gone, _)),) = GONE.items()
    assert gone in template(chart, {}).stdout
    assert gone not in template(chart, at(path, value, {})).stdout


def test_a_single_server_needs_no_node_of_its_own(template: Template) -> None:
    for chart, others in (("zookeeper", {}), ("kafka", ALONE)):
        assert "podAntiAffinity" in template(chart, {"replicas": 3}).stdout
        assert "podAntiAffinity" not in template(chart, {"replicas": 1, **others}).stdout


def test_without_a_cluster_no_password_is_made(template: Template) -> None:
    """It would be another one at every rendering."""
    refused = template("zookeeper", {"membershipSecret": ""}, "events")
    assert refused.returncode != 0
    assert "membershipSecret is needed where the chart is rendered without a cluster" in refused.stderr
    made = 'kubectl -n shop create secret generic events-membership --from-literal=password="$(openssl rand -hex 16)"'
    assert made in refused.stderr


def test_without_a_cluster_the_zones_of_its_nodes_are_not_taken_for_none(template: Template) -> None:
    refused = template("kafka", {"rack": {"fromZone": True}})
    assert refused.returncode != 0
    assert "rack.fromZone: the zones of the nodes are not known" in refused.stderr


@pytest.mark.parametrize("chart", list(CASES))
def test_what_is_rendered_without_a_cluster_is_the_same_each_time(chart: str, template: Template) -> None:
    first, second = template(chart, {}), template(chart, {})
    assert (first.returncode, first.stdout) == (0, second.stdout)
    assert "kind: Secret" not in first.stdout


@pytest.mark.parametrize(("servers", "said"), [(2, "Give 1 or 3."), (4, "4 servers need 3 for a quorum")])
def test_an_even_number_of_zookeeper_servers_is_refused(servers: int, said: str, template: Template) -> None:
    done = template("zookeeper", {"replicas": servers})
    assert done.returncode != 0
    assert f"replicas: {servers} servers need" in done.stderr
    assert said in done.stderr


def test_text_survives_the_way_into_a_properties_file(template: Template) -> None:
    done = template("kafka", {"config": {"a": "one\ntwo", "b": 'C:\\x "quoted"', "c": "<ordinal> & co"}})
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "a=one\\ntwo" in lines
    assert 'b=C:\\\\x \\"quoted\\"' in lines
    assert "c=<ordinal> & co" in lines


@pytest.mark.parametrize(
    ("chart", "values", "path"),
    [
        ("connect", {"plugins": [{"name": "A"}]}, "/plugins/0/name"),
        ("connect", {"plugins": [{"name": "a", "archive": "here.zip"}]}, "/plugins/0/archive"),
        ("connect", {"plugins": [{"name": "a", "checksum": "md5:0"}]}, "/plugins/0/checksum"),
        ("connect", {"secrets": ["My_Secret"]}, "/secrets/0"),
        ("connect", {"networkPolicy": {"clients": []}}, "/networkPolicy"),
        ("kafka", {"replicas": 0}, "/replicas"),
        ("kafka", {"replicas": "3"}, "/replicas"),
        ("kafka", {"heap": "1Gi"}, "/heap"),
        ("kafka", {"config": {"num.partitions": 3}}, "/config/num.partitions"),
        ("kafka", {"external": {"type": "Ingress"}}, "/external/type"),
        ("kafka", {"listeners": [{"name": "client", "port": 80}]}, "/listeners/0/port"),
        ("kafka", {"image": {"digest": "abc"}}, "/image/digest"),
        ("kafka", {"pods": {"antiAffinty": "preferred"}}, "/pods"),
        ("kafka", {"replica": 3}, "replica"),
        ("zookeeper", {"storage": {"data": {"size": "5 GB"}}}, "/storage/data/size"),
        ("zookeeper", {"claimRetention": {"whenDeleted": "Remove"}}, "/claimRetention/whenDeleted"),
        ("zookeeper", {"networkPolicy": {"clients": [{"namespaces": "shop"}]}}, "/networkPolicy/clients/0"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(
    chart: str, values: dict[str, Any], path: str, template: Template
) -> None:
    done = template(chart, values)
    assert done.returncode != 0
    assert path in done.stderr


def test_external_access_to_a_listener_that_is_not_there_is_refused(template: Template) -> None:
    done = template("kafka", {"external": NODE_PORT})
    assert done.returncode != 0
    assert 'external.listener: "outside" is not among the listeners' in done.stderr


def test_a_gate_that_outlasts_the_grace_is_refused(template: Template) -> None:
    done = template("kafka", {"shutdownGateSeconds": 300})
    assert done.returncode != 0
    assert "shutdownGateSeconds: it must end before terminationGraceSeconds" in done.stderr


# Each with all that is wrong in it, and what the refusal says of each.
REFUSED: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "what Kubernetes does not take": (
        "kafka",
        {
            "image": {"tag": "a b", "repository": "Apache/Kafka:1"},
            "imagePullSecrets": ["My_Secret"],
            "labels": {"a b": "1", "team": "c d"},
            "pods": {
                "nodeSelector": {"disk": "-"},
                "priorityClassName": "a: b",
                "annotations": {"a b": "1"},
                "tolerations": [{"key": "{{ x }}"}],
            },
            "networkPolicy": {"clients": [{"namespace": "a.b"}]},
            "storage": {"data": {"size": "10Gi", "storageClass": "-"}},
            "listeners": [{"name": "a--b", "port": 9092}],
            "external": {"sources": ["203.0.113.0", "10.0.0.0/33"]},
            "rack": {"names": ["zone a", "zöne"]},
            "config": {"a b": "1", "num.partitions": "ü"},
        },
        (
            "/image/tag",
            "/image/repository",
            "/imagePullSecrets/0",
            "'/labels': additional properties 'a b' not allowed",
            "/labels/team",
            "/pods/nodeSelector/disk",
            "/pods/priorityClassName",
            "'/pods/annotations': additional properties 'a b' not allowed",
            "/pods/tolerations/0/key",
            "/networkPolicy/clients/0/namespace",
            "/storage/data/storageClass",
            "/listeners/0/name",
            "/external/sources/0",
            "/external/sources/1",
            "/rack/names/0",
            "/rack/names/1",
            "'/config': additional properties 'a b' not allowed",
            "/config/num.partitions",
        ),
    ),
    "a group that a null takes away": (
        "kafka",
        {"pods": None, "rack": None, "image": {"pullPolicy": None}},
        ("'pods'", "'rack'", "'pullPolicy'"),
    ),
    "what the chart has no value for": (
        "zookeeper",
        {"fullnameOverride": "x", "nodeSelector": {"disk": "fast"}},
        ("fullnameOverride", "nodeSelector"),
    ),
    "one broker, and three copies": (
        "kafka",
        {"replicas": 1, "config": {"offsets.topic.replication.factor": None}},
        (
            "config.default.replication.factor: 3, but there is 1 broker",
            'Give "1" at most',
            "config.offsets.topic.replication.factor: 3, Kafka's own default, but there is 1 broker",
            "config.transaction.state.log.replication.factor: 3, but",
        ),
    ),
    "a heap above the memory": (
        "kafka",
        {"heap": "2g", "resources": {"memory": "2Gi"}},
        ("heap: 2g does not fit into resources.memory 2Gi", "heap=1792m at most, or resources.memory=2304Mi or more"),
    ),
    "a memory that is too little for any heap": (
        "zookeeper",
        {"heap": "16m", "resources": {"memory": "100M", "cpu": "0"}},
        (
            "heap: 16m is too little, a server needs 128Mi",
            "Give resources.memory=224Mi or more",
            "resources.cpu: 0 is no processor",
        ),
    ),
    "a claim that holds nothing": (
        "zookeeper",
        {"storage": {"data": {"size": "10"}, "log": {"size": "100m"}}},
        (
            "storage.data.size: 10 holds nothing",
            "storage.log.size: 100m holds nothing",
            "storage.log: config.dataLogDir does not say where",
        ),
    ),
    "names and options of the chart's own": (
        "kafka",
        {
            "labels": {"app.kubernetes.io/name": "x", "controller-revision-hash": "y"},
            "pods": {
                "annotations": {"checksum/configuration": "x"},
                "tolerations": [{"value": "x"}, {"operator": "Equal", "value": "x"}],
            },
            "jvmOptions": ["-Down=1 -Xmx9g"],
        },
        (
            "labels: app.kubernetes.io/name is",
            "labels: controller-revision-hash is",
            "pods.annotations: checksum/configuration is",
            "pods.tolerations[0]: the operator Exists takes no value",
            "pods.tolerations[1]: the operator Equal needs a key",
            "jvmOptions: -Xmx9g is the heap",
        ),
    ),
    "a configuration on which the scripts cannot rely": (
        "kafka",
        {
            "config": {
                "broker.id": "7",
                "log.dirs": "/data",
                "zookeeper.connect": None,
                "listeners": "CLIENT://:9093",
            },
            "rack": {"names": ["a"], "fromZone": True},
        },
        (
            'config.broker.id: "7" is not',
            'config.log.dirs: "/data" is not on the claim',
            "config.zookeeper.connect: it is missing",
            "config.listeners: none of them is bound to 127.0.0.1:<forward-port>",
            "listeners: client has port 9092, to which no listener of config.listeners is bound: CLIENT://:9093",
            "rack.fromZone: a broker has one rack",
            "rack: config.broker.rack does not take it over",
        ),
    ),
    "a zoo.cfg on which the scripts cannot rely": (
        "zookeeper",
        {
            "replicas": 4,
            "config": {
                "dataDir": "data",
                "dataLogDir": "/log",
                "server.1": "a:2888:3888",
                "clientPort": "2182",
                "4lw.commands.whitelist": "ruok",
            },
        },
        (
            "replicas: 4 servers need 3 for a quorum",
            "config.dataDir: data is no folder",
            "config.dataLogDir: /log is on no claim",
            "config.server.1: who votes",
            "config.clientPort: who votes",
            "config.4lw.commands.whitelist: the probes ask with srvr",
        ),
    ),
    "ports that are taken, or beyond the last": (
        "kafka",
        {
            "forwardPort": 65534,
            "listeners": [{"name": "client", "port": 9092}, {"name": "client", "port": 65535}],
            "external": {"type": "NodePort", "listener": "client", "nodePort": 65534},
        },
        (
            "forwardPort: 65534 leaves no port for the last of 3 brokers. Give 65533 at most",
            "listeners: two have the name client",
            "listeners: client has port 65535, which a broker's forward listener has as well",
            "external.nodePort: 65534 leaves no port for the last of 3 brokers",
        ),
    ),
    "workers who do not find one another, and what they are to install": (
        "connect",
        {
            "config": {
                "group.id": None,
                "listeners": "http://:8083",
                "rest.advertised.host.name": "127.0.0.1",
                "plugin.path": "/usr/share/java",
            },
            "plugins": [
                {"name": "a"},
                {"name": "a", "image": "a:1", "volume": "a"},
                {"name": "b", "archive": "https://plugins.example.com/b.zip"},
                {"name": "c", "archive": "https://me:pass@plugins.example.com/c.zip", "checksum": f"sha256:{64 * 'a'}"},
                {"name": "d", "archive": "https://plugins.example.com/d.zip?sig=x", "checksum": f"sha256:{64 * 'a'}"},
            ],
            "secrets": ["a", "a"],
            "heap": "2g",
        },
        (
            "config.group.id: it is missing",
            "config.listeners: http://127.0.0.1:8083 is not among them",
            "config.listeners: http://:8084 is not among them",
            "config.rest.advertised: 127.0.0.1:8084 does not lead from one worker to another",
            'config.plugin.path: "/usr/share/java" is not where',
            "plugins: two have the name a",
            "plugins: a has no source",
            "plugins: a has image and volume",
            "plugins: b has an archive without a checksum",
            "plugins: c has an archive with a user name, a password or a signature in its URL",
            "plugins: d has an archive with a user name, a password or a signature in its URL",
            "secrets: a is given twice",
            "heap: 2g does not fit into resources.memory 2Gi",
        ),
    ),
    "a listener of which nobody is told": (
        "kafka",
        {
            "listeners": [{"name": "client", "port": 9092}, {"name": "outside", "port": 9094}],
            "config": {"listeners": "CLIENT://:9092,EXT://:9094,FORWARD://127.0.0.1:<forward-port>"},
            "external": {"type": "NodePort", "listener": "outside"},
        },
        ("external.listener: config.advertised.listeners does not say where clients meet EXT", "EXT://<node>:<node-po"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_by_name_and_all_at_once(case: str, template: Template) -> None:
    chart, values, said = REFUSED[case]
    done = template(chart, values)
    assert done.returncode != 0
    assert [each for each in said if each not in done.stderr] == []


@pytest.mark.parametrize(
    ("text"), ["-", "yes", "0123", "a: b", 'say "it\'s"', "one\ntwo", "bell \a", "{{ .Values.heap }}", "~", "*a"]
)
def test_a_free_text_is_rendered_as_it_was_given(text: str, render: Render) -> None:
    values = {
        "pods": {"annotations": {"own": text}},
        "config": DOORS | {"own": text},
        "listeners": OUTSIDE["listeners"],
        "external": {**NODE_PORT, "annotations": {"own": text, "b<ordinal>.example.com/of": "<ordinal>"}},
    }
    rendered = {(each["kind"], each["metadata"]["name"]): each for each in render("kafka", values)}
    pods = rendered["StatefulSet", "kafka"]["spec"]["template"]["metadata"]["annotations"]
    service = rendered["Service", "kafka-2"]["metadata"]["annotations"]
    properties = rendered["ConfigMap", "kafka"]["data"]["server.properties"].splitlines()
    assert (pods["own"], service) == (text, {"own": text, "b2.example.com/of": "2"})
    assert f"own={json.dumps(text)[1:-1]}" in properties


@pytest.mark.parametrize("name", ["yes", "null", "n0123"])
def test_a_name_is_a_text_whatever_yaml_takes_it_for(name: str, render: Render) -> None:
    named = {
        "labels": {"team": name},
        "imagePullSecrets": [name],
        "pods": {"priorityClassName": name, "tolerations": [{"key": name}], "nodeSelector": {name: name}},
        "networkPolicy": {"clients": [{"namespace": name, "labels": {name: name}}]},
        "storage": {"data": {"storageClass": name}},
    }
    for chart in ("zookeeper", "kafka"):
        for each in render(chart, named, name):
            assert each["metadata"]["name"].startswith(name)
            assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == name
        (servers,) = (each for each in render(chart, named, name) if each["kind"] == "StatefulSet")
        pod = servers["spec"]["template"]["spec"]
        assert (pod["priorityClassName"], pod["tolerations"][0]["key"]) == (name, name)
        assert (pod["imagePullSecrets"], pod["nodeSelector"]) == ([{"name": name}], {name: name})
        assert servers["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == name


@pytest.mark.parametrize("name", ["a.b", "0a", 53 * "a"])
@pytest.mark.parametrize("chart", list(CASES))
def test_a_release_that_no_service_can_be_called_after_is_refused(chart: str, name: str, template: Template) -> None:
    refused = template(chart, {}, name)
    assert refused.returncode != 0
    assert f'release name "{name}": services, pods and their host names are called after it' in refused.stderr
    assert template(chart, {}, 52 * "a").returncode == 0


@pytest.mark.parametrize("chart", ["zookeeper", "kafka"])
def test_an_empty_storage_class_is_none_and_a_missing_one_the_clusters_default(chart: str, render: Render) -> None:
    def classes(values: dict[str, Any]) -> dict[str, Any]:
        (servers,) = (each for each in render(chart, values) if each["kind"] == "StatefulSet")
        (claim,) = servers["spec"]["volumeClaimTemplates"]
        return {key: value for key, value in claim["spec"].items() if key == "storageClassName"}

    assert classes({}) == classes({"storage": {"data": {"storageClass": None}}}) == {}
    assert classes({"storage": {"data": {"storageClass": ""}}}) == {"storageClassName": ""}


def test_a_large_number_is_not_written_in_powers_of_ten(template: Template) -> None:
    seconds = {"terminationGraceSeconds": 2_000_000, "shutdownGateSeconds": 1_000_000}
    for chart, values in (("zookeeper", {"terminationGraceSeconds": 2_000_000}), ("kafka", seconds)):
        rendered = template(chart, values).stdout
        assert "terminationGracePeriodSeconds: 2000000" in rendered
        assert "e+06" not in rendered


def test_networks_of_either_family_may_connect(render: Render) -> None:
    networks = ["203.0.113.0/24", "2001:db8::/32", "::/0"]
    rendered = render("kafka", OUTSIDE | {"external": {**LOAD_BALANCER, "sources": networks}})
    (policy,) = (each for each in rendered if (each["kind"], each["metadata"]["name"]) == ("NetworkPolicy", "kafka"))
    assert policy["spec"]["ingress"][-1]["from"] == [{"ipBlock": {"cidr": each}} for each in networks]


@pytest.mark.parametrize("chart", list(CASES))
def test_a_containing_chart_may_hand_down_its_globals(chart: str, template: Template) -> None:
    assert template(chart, {"global": {"own": 1}}).returncode == 0

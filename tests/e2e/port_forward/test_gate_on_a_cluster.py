"""The gate from outside, with nothing but a kubeconfig: well, and with one thing broken for real."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from hikube_kafka.exit_code import ExitCode
from hikube_kafka.kubernetes.errors import KubeconfigError
from hikube_kafka.probe.forwards import forwarded
from hikube_kafka.probe.observation import Unreadable
from hikube_kafka.probe.route import open_route
from hikube_kafka.probe.workloads import workloads
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.smoke.gate import CannotCheckError, run
from hikube_kafka.smoke.report import Report
from hikube_kafka.spec.contract import ClaimExpected, Contract, ReachByPortForward, TopicExpected
from hikube_kafka.spec.quantities import Quantity
from tests.support.kubernetes import rolled_out
from tests.support.load import knows
from tests.support.waiting import until

MANIFEST = Path(__file__).with_name("three_and_three.yaml")
SLOW = 30.0
"""Seconds for a read: what is broken here is broken at once, and a machine that is busy is only slow."""
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def declared(contract: Contract, reach: ReachByPortForward) -> Contract:
    """The contract with a topic, which exists."""
    topic = TopicExpected(name="orders", partitions=3, replication_factor=3, config={"retention.ms": "60000"})
    with forwarded(reach, brokers=[0, 1, 2], zookeeper=[]) as forwards:
        bootstrap = ",".join(forwards.brokers.values())
        until(lambda: knows(bootstrap, len(contract.kafka.brokers)), "every broker is known")
        admin = AdminClient({"bootstrap.servers": bootstrap})
        made = NewTopic(topic.name, topic.partitions, topic.replication_factor, config=dict(topic.config))
        admin.create_topics([made], operation_timeout=30)[topic.name].result(30)
    return contract.model_copy(update={"topics": (topic,)})


@pytest.fixture
def gone(kubectl: Kubectl, reach: ReachByPortForward, contract: Contract) -> Iterator[Callable[[str, int], None]]:
    """Delete a pod, and have nobody bring it back before the test is over."""

    def delete(kind: str, ordinal: int) -> None:
        kubectl("-n", reach.namespace, "delete", "statefulset", kind, "--cascade=orphan")
        kubectl("-n", reach.namespace, "delete", "pod", f"{kind}-{ordinal}", "--force", "--grace-period=0")
        kubectl("-n", reach.namespace, "wait", "--for=delete", f"pod/{kind}-{ordinal}", "--timeout=60s")

    yield delete
    kubectl("-n", reach.namespace, "apply", "-f", str(MANIFEST))
    for kind in ("zookeeper", "kafka"):
        rolled_out(reach.namespace, kind)
    assert run(contract, patience=300, timeout=SLOW, canary=False).faults == ()


def finding(report: Report, check: str) -> Finding:
    return next(each for each in report.findings if each.check == check)


def smoke(contract: Contract, file: Path, *arguments: str, prefix: str = "") -> subprocess.CompletedProcess[str]:
    file.write_text(contract.model_dump_json(exclude_none=True))
    program = "from hikube_kafka.cli import main; main()"
    command = [*shlex.split(prefix), sys.executable, "-c", program, "smoke", "--contract", str(file), *arguments]
    environment = {**os.environ, "COLUMNS": "160"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_healthy_platform_passes_from_outside_and_every_forward_is_closed(declared: Contract) -> None:
    sockets = len(psutil.Process().net_connections("inet"))

    report = run(declared)

    assert report.faults == ()
    assert report.exit_code is ExitCode.ALL_WELL
    passed = {each.check for each in report.findings if each.status is Status.PASSED}
    assert {"kubernetes-pods", "kubernetes-images", "kubernetes-claim-sizes", "kubernetes-disruption-budgets"} < passed
    assert len(psutil.Process().net_connections("inet")) <= sockets


def test_the_command_takes_the_kubeconfig_and_says_where_it_could_not_check(declared: Contract, tmp_path: Path) -> None:
    kubeconfig = os.environ["KUBECONFIG"]
    well = smoke(declared, tmp_path / "contract.json", "--kubeconfig", kubeconfig, "--no-canary")
    assert well.returncode == 0, well.stdout + well.stderr
    assert "kubernetes-pods" in well.stdout
    nowhere = smoke(declared, tmp_path / "contract.json", "--context", "elsewhere")
    assert nowhere.returncode == 2
    assert "no context 'elsewhere'" in " ".join(nowhere.stderr.split())


def test_the_gate_as_tests_reaches_the_platform_too(declared: Contract, tmp_path: Path) -> None:
    file = tmp_path / "contract.json"
    file.write_text(declared.model_dump_json(exclude_none=True))
    arguments = ["--pyargs", "hikube_kafka.smoke", "--contract", str(file), "--contract-kubeconfig"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, os.environ["KUBECONFIG"]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KUBECONFIG": "/nowhere"},
    )
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    report = run(declared)
    untested = sum(each.status is Status.UNTESTED for each in report.findings)
    assert f"{len(report.findings) - untested} passed, {untested} skipped" in done.stdout


def test_a_deleted_broker_pod_is_named_and_the_gate_passes_once_it_is_back(
    declared: Contract, gone: Callable[[str, int], None], reach: ReachByPortForward, kubectl: Kubectl
) -> None:
    gone("kafka", 1)

    report = run(declared, patience=0, timeout=SLOW, canary=False)

    assert report.exit_code is ExitCode.SOMETHING_WRONG
    assert "pod kafka-1 is missing" in finding(report, "kubernetes-pods").seen
    told = " ".join(finding(report, "brokers-answer").seen)
    assert f"broker 1 ({reach.broker_address(1)}): " in told
    assert "(pod kafka-1: there is no such pod)" in told
    # The pod comes back while the gate looks: the same forward leads to it then.
    kubectl("-n", reach.namespace, "apply", "-f", str(MANIFEST))
    assert run(declared, patience=120, canary=False).exit_code is ExitCode.ALL_WELL


def test_a_killed_zookeeper_leader_is_named(
    declared: Contract, gone: Callable[[str, int], None], reach: ReachByPortForward, kubectl: Kubectl
) -> None:
    def mode(ordinal: int) -> str:
        ask = "exec 3<>/dev/tcp/127.0.0.1/2181 && printf srvr >&3 && grep ^Mode <&3"
        return kubectl("-n", reach.namespace, "exec", f"zookeeper-{ordinal}", "--", "bash", "-c", ask)

    leader = next(ordinal for ordinal in range(3) if "leader" in mode(ordinal))
    gone("zookeeper", leader)

    report = run(declared, patience=0, timeout=SLOW, canary=False)

    assert report.exit_code is ExitCode.SOMETHING_WRONG
    assert f"pod zookeeper-{leader} is missing" in finding(report, "kubernetes-pods").seen
    told = " ".join(finding(report, "zookeeper-servers-answer").seen)
    assert f"ZooKeeper server {leader + 1} (" in told
    assert f"(pod zookeeper-{leader}: there is no such pod)" in told


def test_a_missing_topic_is_named(declared: Contract) -> None:
    missing = TopicExpected(name="invoices", partitions=1, replication_factor=3)

    report = run(
        declared.model_copy(update={"topics": (*declared.topics, missing)}), patience=0, timeout=SLOW, canary=False
    )

    assert {each.check for each in report.faults} == {"topics-exist", "topics-partitions", "topics-replication-factor"}
    assert all("invoices" in line for each in report.faults for line in each.seen)


def test_what_differs_from_the_declaration_is_named(declared: Contract) -> None:
    promised = declared.kubernetes
    assert promised is not None
    wanted = promised.kafka.model_copy(
        update={
            "images": {"kafka": "apache/kafka:3.9.1"},
            "claims": (ClaimExpected(name="data", size=Quantity("2Gi"), storage_class="replicated"),),
            "max_unavailable": 2,
            "zones": 4,
        }
    )
    kubernetes = promised.model_copy(update={"kafka": wanted})

    report = run(declared.model_copy(update={"kubernetes": kubernetes}), patience=0, timeout=SLOW, canary=False)

    assert {each.check for each in report.faults} == {
        "kubernetes-images",
        "kubernetes-claim-sizes",
        "kubernetes-storage-classes",
        "kubernetes-disruption-budgets",
    }
    assert (
        finding(report, "kubernetes-images").seen[0]
        == "kafka of pod kafka-0 runs apache/kafka:3.9.2, not apache/kafka:3.9.1"
    )
    assert finding(report, "kubernetes-claim-sizes").seen[2] == "claim data-kafka-2 asks for 1Gi, not 2Gi"
    assert finding(report, "kubernetes-storage-classes").seen[0].endswith("is of class standard, not replicated")
    assert finding(report, "kubernetes-disruption-budgets").seen == (
        "budget kafka allows maxUnavailable 1, not maxUnavailable 2",
    )
    assert finding(report, "kubernetes-zones").status is Status.PASSED, "three brokers cannot be in four zones"


def of_cluster(declared: Contract, uid: str) -> Contract:
    return declared.model_copy(update={"reach": declared.reach.model_copy(update={"cluster": uid})})


def test_a_contract_of_another_cluster_is_refused(declared: Contract, kubectl: Kubectl) -> None:
    uid = kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")

    with pytest.raises(CannotCheckError, match=f"of another cluster.* the UID elsewhere, .* has {uid}"):
        run(of_cluster(declared, "elsewhere"), canary=False)
    with open_route(of_cluster(declared, uid).from_outside()) as way:
        assert way.dial


def test_a_user_who_may_only_forward_is_told_which_verbs_are_missing(
    declared: Contract, kubeconfig_of: Callable[..., str]
) -> None:
    report = run(
        # Whoever may not read which cluster it is goes on: it cannot be told.
        of_cluster(declared, "anywhere"),
        patience=0,
        timeout=SLOW,
        canary=False,
        kubeconfig=kubeconfig_of(pods="get", pods_portforward="get create", persistentvolumeclaims="list"),
    )

    unread = {each.check: each for each in report.faults}
    assert set(unread) == {"kubernetes-pods", "kubernetes-images", "kubernetes-disruption-budgets"}
    assert 'cannot list resource "pods"' in unread["kubernetes-pods"].seen[0]
    assert "verb list on pods" in unread["kubernetes-pods"].remedy
    assert finding(report, "kubernetes-claim-sizes").status is Status.PASSED


def test_a_pod_s_own_service_account_serves_where_there_is_no_kubeconfig(
    reach: ReachByPortForward,
    kubeconfig_of: Callable[..., str],
    kubectl: Kubectl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = json.loads(Path(kubeconfig_of(pods="list")).read_text())
    address = config["clusters"][0]["cluster"]["server"].removeprefix("https://")
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "token").write_text(config["users"][0]["user"]["token"])
    authority = kubectl("-n", reach.namespace, "get", "configmap/kube-root-ca.crt", "-o", r"jsonpath={.data.ca\.crt}")
    (account / "ca.crt").write_text(authority)
    monkeypatch.setattr("hikube_kafka.kubernetes.kubeconfig.SERVICE_ACCOUNT", account)
    monkeypatch.setattr("hikube_kafka.kubernetes.client.SERVICE_ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", address.rpartition(":")[0])
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", address.rpartition(":")[2])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG")

    with workloads(reach.namespace) as look:
        seen = look(nodes=False, timeout=10)

    assert not isinstance(seen.pods, Unreadable)
    assert "kafka-0" in seen.pods
    assert isinstance(seen.claims, Unreadable), "as the service account, and nobody else"
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with pytest.raises(KubeconfigError), workloads(reach.namespace):
        pass


@pytest.mark.by_hand
def test_inside_the_cluster_its_own_addresses_are_dialled(declared: Contract, tmp_path: Path) -> None:
    done = smoke(declared, tmp_path / "contract.json", "--in-cluster", prefix=os.environ["IN_CLUSTER"])

    assert done.returncode == 0, done.stdout + done.stderr
    assert "brokers-answer" in done.stdout

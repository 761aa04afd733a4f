"""The commands that a user is told, once the provider's own port-forwards have ended."""

import os
import subprocess
import threading
from pathlib import Path

from hikube_kafka.kafka.errors import Forbidden
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.provider.forwarding import Forwarding
from hikube_kafka.provider.session import not_reached
from hikube_kafka.provider.settings import KubernetesReach, Settings
from hikube_kafka.provider.topics import KafkaCluster
from tests.support.waiting import until

REACH = KubernetesReach(kubeconfig=None, context=None, namespace="kafka", release="demo")


def standing(reach: KubernetesReach) -> Forwarding:
    forwarding = Forwarding(reach)
    forwarding._brokers = {0: "127.0.0.1:21192", 2: "127.0.0.1:21194"}
    return forwarding


def test_the_forwards_are_opened_again_by_a_command_that_a_shell_takes(tmp_path: Path) -> None:
    kubectl, asked = tmp_path / "kubectl", tmp_path / "asked"
    kubectl.write_text(f'#!/bin/sh\necho "$@" >>{asked}\n')
    kubectl.chmod(0o755)
    forwarding = standing(
        KubernetesReach(
            kubeconfig="/a folder/kubeconfig", context="far away", namespace="kafka", release="demo", forward_port=21192
        )
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", f"{forwarding.by_hand()}\nwait"], env=environment, check=True, timeout=30)
    where = "--kubeconfig /a folder/kubeconfig --context far away -n kafka port-forward"
    wanted = [f"{where} demo-0 21192", f"{where} demo-2 21194"]
    until(lambda: sorted(asked.read_text().splitlines()) == wanted, "both are opened")


def test_commands_for_brokers_that_are_met_through_forwards_open_them_first() -> None:
    settings = Settings(kubernetes=REACH, security=Credentials(protocol="SASL_PLAINTEXT"))
    cluster = KafkaCluster(settings, threading.Event())
    cluster._forwarding = standing(REACH)
    opened, shown = cluster.reach().progress().splitlines()
    assert opened == (f"  for broker in 0 2; do {REACH.command()} port-forward demo-$broker $((19092 + broker)) & done")
    assert "--bootstrap-server 127.0.0.1:21192,127.0.0.1:21194 --command-config client.properties --list" in shown


def test_what_an_administrator_is_to_run_opens_the_forwards_first_too() -> None:
    cluster = KafkaCluster(Settings(kubernetes=REACH), threading.Event())
    cluster._forwarding = standing(REACH)
    hidden = Forbidden.topic("127.0.0.1:21192", "Describe", "orders", "User:me", "TOPIC_AUTHORIZATION_FAILED")
    told = not_reached(cluster.forbidden(hidden), doing="read topic orders").detail
    opened, listed, allowed = (line.strip() for line in told.splitlines() if line.startswith("  "))
    assert opened.startswith(f"for broker in 0 2; do {REACH.command()} port-forward demo-$broker ")
    assert listed == "kafka-acls.sh --bootstrap-server 127.0.0.1:21192 --list --topic orders"
    assert allowed.endswith("--add --allow-principal 'User:me' --operation Describe --topic orders")

"""What ``start.sh`` fills in where a broker starts, up to where it becomes the broker."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.kubernetes import CHARTS

ADVERTISED = "CLIENT://<host>:9092,OUTSIDE://<node>:<node-port>,FORWARD://127.0.0.1:<forward-port>"


def advertised(folder: Path, node: str) -> str:
    """The advertised listeners of broker 2 on the node with that address."""
    (folder / "server.properties").write_text(f"advertised.listeners={ADVERTISED}\nlog.dirs={folder}\n")
    script = (CHARTS / "kafka/files/start.sh").read_text()
    for path in ("/tmp/", "/release/"):
        script = script.replace(path, f"{folder}{'' if path == '/release/' else '/filled'}/")
    (folder / "filled").mkdir()
    (folder / "start.sh").write_text(script.replace("exec /opt/kafka/bin/kafka-server-start.sh", "cat"))
    pod = {"HOSTNAME": "kafka-2", "SERVICE": "kafka-headless", "NAMESPACE": "shop", "NODE_NAME": "node-1", "RACKS": ""}
    ports = {"FORWARD_PORT": "19092", "NODE_PORT": "30092"}
    done = subprocess.run(
        ["bash", folder / "start.sh"],
        env={"PATH": os.environ["PATH"], **pod, **ports, "NODE_ADDRESS": node},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    (line,) = (each for each in done.stdout.splitlines() if each.startswith("advertised.listeners="))
    return line.partition("=")[2]


@pytest.mark.parametrize(("node", "told"), [("10.0.0.7", "10.0.0.7"), ("2001:db8::7", "[2001:db8::7]")])
def test_a_nodes_address_is_advertised_with_its_port(node: str, told: str, tmp_path: Path) -> None:
    expected = f"CLIENT://kafka-2.kafka-headless.shop.svc:9092,OUTSIDE://{told}:30094,FORWARD://127.0.0.1:19094"
    assert advertised(tmp_path, node) == expected

"""The commands ``kubectl`` and ``helm``, as tests run them."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "constructs/hikube_kafka/charts"
HELM = ROOT / ".build/bin/helm"
"""``make setup`` brings it."""
KUBECTL_SECONDS = 900
READY_SECONDS = 300
"""For pods to become ready. Three and three took 28 s on two cores, and 56 s beside other work."""
TOLD_LINES = 150
TOLD_LOG = 30

Kubectl = Callable[..., str]
Manifest = dict[str, Any]
Template = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[Manifest]]


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl; gives its output, or fails with what it said."""
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=KUBECTL_SECONDS
    )
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def rolled_out(namespace: str, stateful_set: str) -> None:
    """Wait until every pod of a StatefulSet is ready and of its newest revision; fail with what the pods say."""
    with pods_told(namespace):
        awaited = f"statefulset/{stateful_set}", f"--timeout={READY_SECONDS}s"
        kubectl("-n", namespace, "rollout", "status", *awaited)


def pods_ready(namespace: str, *which: str, seconds: float = READY_SECONDS) -> None:
    """Wait until pods are ready, named or by ``-l``; fail with what the pods say."""
    with pods_told(namespace):
        kubectl("-n", namespace, "wait", *which, "--for=condition=Ready", f"--timeout={seconds:g}s")


@contextmanager
def pods_told(namespace: str) -> Iterator[None]:
    """What fails in here says besides what became of the pods of a namespace."""
    try:
        yield
    except AssertionError as error:
        try:
            error.add_note("\n".join(_told(namespace)))
        except AssertionError as unread:  # the first failure is the one to be told
            error.add_note(f"the pods of {namespace} cannot be read: {unread}")
        raise


def _told(namespace: str) -> list[str]:
    """Every pod in a line; of those that are not ready what they wait for, what befell them, and the end of the log."""
    pods = json.loads(kubectl("-n", namespace, "get", "pods", "-o", "json"))["items"]
    events = json.loads(kubectl("-n", namespace, "get", "events", "-o", "json"))["items"]
    events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")))
    told = [f"pods of {namespace}:", *(f"  {_in_short(pod)}" for pod in pods)]
    late = [_in_full(namespace, pod, events) for pod in pods if not _is_ready(pod)]
    # What one pod leaves of its share the longer ones have.
    for number, lines in enumerate(sorted(late, key=len)):
        room = (TOLD_LINES - len(told)) // (len(late) - number)
        begin = room // 3
        told += lines if len(lines) <= room else [*lines[:begin], "  ...", *lines[begin + 1 - room :]]
    return told


def _is_ready(pod: Manifest) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return pod["status"].get("phase") == "Succeeded" or conditions.get("Ready") == "True"


def _concerns(event: Manifest, pod: Manifest) -> bool:
    volumes = pod["spec"].get("volumes", ())
    claims = {each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each}
    about = event["involvedObject"]
    if about["kind"] == "Pod":
        return bool(about["name"] == pod["metadata"]["name"])
    return about["kind"] == "PersistentVolumeClaim" and about["name"] in claims


def _in_short(pod: Manifest) -> str:
    restarts = sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))
    node, ready = pod["spec"].get("nodeName", "no node"), "ready" if _is_ready(pod) else "NOT READY"
    leaving = ", terminating" if "deletionTimestamp" in pod["metadata"] else ""
    return f"{pod['metadata']['name']}: {ready}, {pod['status'].get('phase')}, {node}, {restarts} restarts{leaving}"


def _in_full(namespace: str, pod: Manifest, events: list[Manifest]) -> list[str]:
    name, status = pod["metadata"]["name"], pod["status"]
    told = [f"{name}:"]
    told += [
        f"  not {each['type']}: {each.get('reason', '')} {each.get('message', '')}".rstrip()
        for each in status.get("conditions", ())
        if each["status"] != "True"
    ]
    containers = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    for each in containers:
        told.append(f"  container {each['name']}: {each['restartCount']} restarts, {json.dumps(each['state'])}")
        if each.get("lastState"):
            told.append(f"    before: {json.dumps(each['lastState'])}")
    for event in [event for event in events if _concerns(event, pod)][-5:]:
        when = event.get("lastTimestamp") or event.get("eventTime")
        text = " ".join(event.get("message", "").split())
        told.append(f"  {when} {event['reason']} ({event.get('count') or 1} times): {text[:300]}")
    for each in containers:
        if each.get("lastState"):
            told += _log(namespace, name, each["name"], "--previous")
        if "waiting" not in each["state"]:
            told += _log(namespace, name, each["name"])
    return told


def _log(namespace: str, pod: str, container: str, *which: str) -> list[str]:
    try:
        text = kubectl("-n", namespace, "logs", pod, "-c", container, "--tail=300", *which)
    except AssertionError as error:
        text = str(error)
    lines = [line[:300] for line in text.splitlines() if not line.startswith("\tat ")]  # where in Java it was
    return [f"  log of {' '.join((container, *which))}:", *(f"    {line}" for line in lines[-TOLD_LOG:])]


@contextmanager
def new_namespace(kind: str, *, restricted: bool = False) -> Iterator[str]:
    """A namespace with a name of its own; it goes with everything in it.

    Args:
        kind: what its name begins with.
        restricted: it lets in nothing but the restricted standard of pods.
    """
    name = f"{kind}-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    try:
        if restricted:
            kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")
        # All at once: without ZooKeeper a broker waits for it until its grace is over. Nothing is started again here.
        kubectl("-n", name, "delete", "pods", "--all", "--force", "--grace-period=0")
        kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=400s")


class Helm:
    """The command ``helm``; it keeps no cache and no settings of the user's."""

    def __init__(self, home: Path) -> None:
        kinds = ("CACHE", "CONFIG", "DATA")
        self._environment = os.environ | {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in kinds}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever that is."""
        return subprocess.run(
            [HELM, *arguments], env=self._environment, capture_output=True, text=True, check=False, timeout=900
        )


def rendered(helm: Helm, chart: str, release: str, *arguments: str) -> list[Manifest]:
    """A chart's objects in the namespace ``shop``, as Helm renders them without a cluster."""
    where = ("--kube-version", "1.34", "--namespace", "shop")
    done = helm("template", release, str(CHARTS / chart), *where, *arguments)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]

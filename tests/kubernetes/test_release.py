"""The newest revision of a release is known by its Secrets alone, and what it has made by its manifest."""

import asyncio
import base64
import gzip
import json
from typing import Any, cast

import pytest

from hikube_kafka.kubernetes.client import METADATA, ApiServer
from hikube_kafka.kubernetes.errors import ForbiddenError
from hikube_kafka.kubernetes.release import Revision, manifest, newest_revision

MANIFEST = """---
apiVersion: v1
kind: Service
metadata: {name: events-kafka}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: events-kafka, labels: {a: b}}
spec: {replicas: 3}
---
"""


def secret(number: int, status: str) -> dict[str, Any]:
    labels = {"owner": "helm", "name": "events-kafka", "status": status, "version": str(number)}
    name = f"sh.helm.release.v1.events-kafka.v{number}"
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}}


class Api:
    namespace = "events"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []

    async def find(self, path: str, **how: Any) -> Any:
        self.asked.append((path, how))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def newest(answer: Any) -> Revision | None:
    return asyncio.run(newest_revision(cast("ApiServer", Api(answer)), "events-kafka"))


@pytest.mark.parametrize(
    ("secrets", "number", "pending"),
    [
        ([secret(1, "deployed")], 1, False),
        ([secret(1, "pending-install")], 1, True),
        ([secret(9, "superseded"), secret(11, "pending-upgrade"), secret(10, "deployed")], 11, True),
        ([secret(9, "pending-upgrade"), secret(10, "deployed")], 10, False),  # rolled back by hand: it is over
        ([secret(2, "failed")], 2, False),
        ([secret(3, "pending-rollback")], 3, True),
    ],
)
def test_the_newest_revision_says_whether_helm_is_at_work(secrets: list[Any], number: int, *, pending: bool) -> None:
    found = newest({"items": secrets})
    assert found is not None
    assert (found.number, found.pending, found.secret) == (
        number,
        pending,
        f"sh.helm.release.v1.events-kafka.v{number}",
    )


def test_no_release_and_no_right_to_read_secrets_are_no_faults() -> None:
    assert newest({"items": []}) is None
    assert newest({"items": None}) is None  # how the API server writes an empty list of metadata
    assert newest(None) is None
    assert newest(ForbiddenError("events", "secrets", "secrets is forbidden")) is None


def test_secrets_are_looked_at_without_what_is_in_them() -> None:
    api = Api({"items": []})
    asyncio.run(newest_revision(cast("ApiServer", api), "events-kafka"))
    ((path, how),) = api.asked
    assert path == "/api/v1/namespaces/events/secrets?labelSelector=owner%3Dhelm%2Cname%3Devents-kafka"
    assert how == {"accept": METADATA}


def of_manifest(answer: Any, kind: str = "StatefulSet") -> Any:
    revision = Revision(secret="v1", number=1, status="deployed", since="")
    return asyncio.run(manifest(cast("ApiServer", Api(answer)), revision, kind, "events-kafka"))


def test_an_object_of_a_revision_is_marked_as_helm_marks_it() -> None:
    release = {"name": "events-kafka", "namespace": "events", "manifest": MANIFEST}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    found = of_manifest({"data": {"release": packed}})
    assert found["spec"] == {"replicas": 3}
    assert found["metadata"] == {
        "name": "events-kafka",
        "labels": {"a": "b", "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "events-kafka", "meta.helm.sh/release-namespace": "events"},
    }
    assert of_manifest({"data": {"release": packed}}, kind="Deployment") is None


@pytest.mark.parametrize(
    "answer",
    [None, {}, {"data": {"release": "bm90aGluZw=="}}, ForbiddenError("events", "secrets", "secrets is forbidden")],
)
def test_what_cannot_be_read_of_a_revision_is_none(answer: Any) -> None:
    assert of_manifest(answer) is None

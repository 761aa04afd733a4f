import asyncio
from typing import Any

from hikube_kafka.kubernetes.claim import ClaimSeen, claim_of
from hikube_kafka.kubernetes.stateful_set import StatefulSetSeen, TemplateClaimSeen, TemplateSeen, observe_stateful_set


def claim(name: str, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"resources": {"requests": {"storage": "2Gi"}}, "storageClassName": "replicated"},
        "status": status,
    }


def condition(kind: str, message: str = "", status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status, "message": message}


def test_a_claim_without_a_volume_has_no_capacity() -> None:
    assert claim_of(claim("data-kafka-0")) == ClaimSeen(
        name="data-kafka-0", size="2Gi", capacity=None, storage_class="replicated"
    )


def test_what_stands_on_a_claim_while_its_volume_grows_is_told_and_what_is_over_is_not() -> None:
    seen = claim_of(
        claim(
            "data-kafka-0",
            capacity={"storage": "1Gi"},
            conditions=[condition("FileSystemResizePending"), condition("Resizing", status="False")],
        )
    )
    assert (seen.capacity, seen.growing, seen.trouble) == ("1Gi", ("FileSystemResizePending",), None)


def test_a_volume_that_cannot_grow_says_why_in_kubernetes_own_words() -> None:
    seen = claim_of(
        claim(
            "data-kafka-0",
            allocatedResourceStatuses={"storage": "ControllerResizeInfeasible"},
            conditions=[condition("ControllerResizeError", "out of space"), condition("NodeResizeError")],
        )
    )
    assert seen.trouble == "ControllerResizeInfeasible; out of space; NodeResizeError"


class Api:
    """An API server with one StatefulSet and these claims."""

    namespace = "platform"

    def __init__(self, *claims: str, stateful_set: bool = True) -> None:
        template = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "3Gi"}}}}
        self.objects: dict[str, dict[str, Any]] = {
            "/api/v1/namespaces/platform/persistentvolumeclaims": {"items": [claim(name) for name in claims]}
        }
        if stateful_set:
            self.objects["/apis/apps/v1/namespaces/platform/statefulsets/kafka"] = {
                "metadata": {"uid": "7"},
                "spec": {"replicas": 2, "volumeClaimTemplates": [template]},
            }

    async def find(self, path: str) -> dict[str, Any] | None:
        return self.objects.get(path)


def made(template: str, ordinal: int) -> TemplateClaimSeen:
    name = f"{template}-kafka-{ordinal}"
    return TemplateClaimSeen(
        name=name, size="2Gi", capacity=None, storage_class="replicated", template=template, ordinal=ordinal
    )


def test_the_claims_of_a_stateful_set_are_those_that_its_name_and_a_number_end_in() -> None:
    api = Api("logs-kafka-0", "data-kafka-10", "data-kafka-2", "data-kafka-01", "data-kafka-x-1", "data-zookeeper-0")
    assert asyncio.run(observe_stateful_set(api, "kafka")) == StatefulSetSeen(  # type: ignore[arg-type]
        name="kafka",
        uid="7",
        replicas=2,
        templates={"data": TemplateSeen(size="3Gi", storage_class=None)},
        claims=(made("data", 2), made("data", 10), made("logs", 0)),
    )


def test_claims_outlive_their_stateful_set() -> None:
    seen = asyncio.run(observe_stateful_set(Api("data-kafka-0", stateful_set=False), "kafka"))  # type: ignore[arg-type]
    assert (seen.uid, seen.replicas, seen.templates, seen.claims) == (None, 0, {}, (made("data", 0),))

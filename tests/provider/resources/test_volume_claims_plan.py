"""What a plan of claims says; where it asks a cluster, the answer is given here."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hikube_kafka.kubernetes.client import ApiServer
from hikube_kafka.kubernetes.errors import ApiServerError, ForbiddenError
from hikube_kafka.kubernetes.stateful_set import StatefulSetSeen, TemplateClaimSeen, TemplateSeen
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, collected_warnings
from hikube_kafka.plugin.resource import Plan, PlanRequest
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider import claim_growth
from hikube_kafka.provider.claim_growth import Survey
from hikube_kafka.provider.resources.volume_claims import VolumeClaimsResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach, Settings

REACH = KubernetesReach(kubeconfig=None, context=None, namespace="kafka", release="events-kafka")
NAMES = tuple(f"data-events-kafka-{ordinal}" for ordinal in range(3))
Living = Callable[[Any], None]


@pytest.fixture
def claims() -> VolumeClaimsResource:
    session = Session()
    session.configure(Settings(kubernetes=REACH))
    return VolumeClaimsResource(session)


@pytest.fixture
def living(monkeypatch: pytest.MonkeyPatch) -> Living:
    """Set what the cluster answers, or the error that comes in place of an answer."""

    def answer(found: Survey | Exception) -> None:
        def survey(_reach: KubernetesReach, _name: str, **_: bool) -> Survey:
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(claim_growth, "survey", survey)

    answer(AssertionError("the cluster was asked"))
    return answer


def template(size: Any = "10Gi", storage_class: Any = "fast") -> dict[str, Any]:
    return {"size": size, "storage_class": storage_class}


def config(**templates: Any) -> dict[str, Any]:
    declared = templates or {"data": template()}
    return {"stateful_set": "events-kafka", "templates": declared, "created_namespace": "", "claims": None}


def state(*sizes: str, **templates: Any) -> dict[str, Any]:
    return {**config(**templates), "claims": dict(zip(NAMES, sizes, strict=False))}


def seen(
    *sizes: str, storage_class: str | None = "fast", grows: bool | None = True, lives: bool = True, **more: Any
) -> Survey:
    """A StatefulSet whose claims have these sizes; its template has that of the first one. The claims may be alone."""
    claims = tuple(
        TemplateClaimSeen(
            name=name,
            template="data",
            ordinal=ordinal,
            size=size,
            storage_class=storage_class,
            **{"capacity": size, **more},
        )
        for ordinal, (name, size) in enumerate(zip(NAMES, sizes, strict=False))
    )
    return Survey(
        seen=StatefulSetSeen(
            name="events-kafka",
            uid="uid" if sizes and lives else None,
            replicas=len(sizes),
            templates={"data": TemplateSeen(size=sizes[0], storage_class=storage_class)} if sizes and lives else {},
            claims=claims,
        ),
        grows={storage_class: grows} if storage_class else {},
    )


def planned(resource: VolumeClaimsResource, prior: dict[str, Any] | None, wanted: dict[str, Any]) -> Plan:
    """As Terraform asks: what the configuration leaves out is carried over where it is computed."""
    proposed = {**wanted, "claims": (prior or {}).get("claims")}
    return resource.plan(PlanRequest(prior=prior, proposed=proposed, config=wanted))


def of(severity: str, found: Any) -> list[str]:
    return [each.summary for each in found if each.severity == severity]


def errors(found: Any) -> list[Diagnostic]:
    return [each for each in found if each.severity == "error"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({**config(), "stateful_set": "Events_Kafka"}, "cannot be the name of a StatefulSet"),
        (config(data=template("10 GB")), "'10 GB' is not the size of a claim"),
        (config(data=template("0Gi")), "'0Gi' is not the size of a claim"),
        (config(data=template("10")), "'10' is not the size of a claim"),
        (config(data=template("100m")), "'100m' is not the size of a claim"),
        (config(data=template("\u00b2Gi")), "'\u00b2Gi' is not the size of a claim"),
        ({**config(), "templates": {}}, "templates is empty"),
    ],
)
def test_what_kubernetes_would_not_take_is_found_before_it_is_asked(
    claims: VolumeClaimsResource, wanted: dict[str, Any], said: str
) -> None:
    (fault,) = claims.validate(wanted)
    assert said in fault.summary
    assert fault.path


@pytest.mark.usefixtures("living")
def test_unknown_values_are_no_faults_and_ask_nobody(claims: VolumeClaimsResource) -> None:
    for wanted in (
        config(data=template(UNKNOWN)),
        config(data=template(storage_class=UNKNOWN)),
        {**config(), "stateful_set": UNKNOWN},
        {**config(), "templates": UNKNOWN},
    ):
        assert list(claims.validate(wanted)) == []
        plan = planned(claims, None, wanted)
        assert plan.planned is not None
        assert plan.planned["claims"] is UNKNOWN
        assert not plan.diagnostics


def test_before_the_first_release_there_is_nothing_to_do(claims: VolumeClaimsResource, living: Living) -> None:
    living(seen())
    plan = planned(claims, None, config())
    assert plan.planned is not None
    assert plan.planned["claims"] is UNKNOWN
    assert not plan.diagnostics


@pytest.mark.usefixtures("living")
def test_what_is_as_declared_plans_nothing_and_asks_nobody(claims: VolumeClaimsResource) -> None:
    prior = state("10Gi", "10Gi", "10Gi")
    assert planned(claims, prior, config()).planned == prior
    # Kubernetes' quantities are compared by value.
    assert planned(claims, prior, config(data=template("10240Mi"))).planned == prior
    # Claims that came with the release are nobody's change.
    assert planned(claims, state(), config()).planned == state()


def test_growth_is_shown_claim_by_claim(claims: VolumeClaimsResource, living: Living) -> None:
    living(seen("10Gi", "10Gi", "10Gi"))
    plan = planned(claims, state("10Gi", "10Gi", "10Gi"), config(data=template("20Gi")))
    assert plan.planned == state("20Gi", "20Gi", "20Gi", data=template("20Gi"))
    assert of("error", plan.diagnostics) == []
    assert of("warning", plan.diagnostics) == [
        "StatefulSet events-kafka: it will be deleted without its pods [stateful-set-recreated]"
    ]


def test_a_claim_that_is_smaller_than_declared_is_drift_that_heals(
    claims: VolumeClaimsResource, living: Living
) -> None:
    living(seen("10Gi", "5Gi", "10Gi"))
    plan = planned(claims, state("10Gi", "5Gi", "10Gi"), config())
    assert plan.planned == state("10Gi", "10Gi", "10Gi")
    assert not plan.diagnostics, "the StatefulSet is as declared, and stays"


def test_shrinking_is_refused(claims: VolumeClaimsResource, living: Living) -> None:
    living(seen("10Gi", "10Gi"))
    plan = planned(claims, state("10Gi", "10Gi"), config(data=template("9Gi")))
    assert [each.summary for each in errors(plan.diagnostics)] == [
        "Claim data-events-kafka-0: it cannot shrink from 10Gi to 9Gi [claim-shrinks]",
        "Claim data-events-kafka-1: it cannot shrink from 10Gi to 9Gi [claim-shrinks]",
    ]
    assert {each.path for each in errors(plan.diagnostics)} == {("templates", "data", "size")}
    # Without the cluster, what the state remembers is enough to know.
    living(ApiServerError("https://there", "connection refused"))
    plan = planned(claims, state("10Gi", "10Gi"), config(data=template("9Gi")))
    assert len(errors(plan.diagnostics)) == 2
    # Claims that an earlier release left behind are not shrunk either.
    living(seen("10Gi"))
    claims._session.changed()
    assert len(errors(planned(claims, None, config(data=template("9Gi"))).diagnostics)) == 1


def test_a_claim_grown_by_hand_is_shown_and_stops_nobody(claims: VolumeClaimsResource, living: Living) -> None:
    prior = state("10Gi", "30Gi")
    plan = planned(claims, prior, config())
    assert plan.planned == prior
    assert of("warning", plan.diagnostics) == [
        "Claim data-events-kafka-1: it was grown outside Terraform [claim-grown-elsewhere]"
    ]
    living(seen("10Gi", "30Gi"))
    plan = planned(claims, prior, config(data=template("20Gi")))
    assert of("error", plan.diagnostics) == [
        "Claim data-events-kafka-1: it cannot shrink from 30Gi to 20Gi [claim-shrinks]"
    ]
    plan = planned(claims, prior, config(data=template("30Gi")))
    assert errors(plan.diagnostics) == []


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (seen("10Gi", grows=False), "allowVolumeExpansion is not true"),
        (seen("10Gi", storage_class=None), "no storage class"),
        (seen("10Gi", capacity=None), "no volume yet"),
    ],
)
def test_growth_that_kubernetes_would_refuse_is_refused(
    claims: VolumeClaimsResource, living: Living, found: Survey, why: str
) -> None:
    living(found)
    plan = planned(claims, state("10Gi", data=template(storage_class=None)), config(data=template("20Gi", None)))
    (error,) = errors(plan.diagnostics)
    assert error.summary.startswith("Claim data-events-kafka-0: it cannot grow from 10Gi to 20Gi: ")
    assert why in error.summary


def test_a_class_that_may_not_be_read_is_left_to_the_api_server(claims: VolumeClaimsResource, living: Living) -> None:
    living(seen("10Gi", grows=None))
    plan = planned(claims, state("10Gi"), config(data=template("20Gi")))
    assert errors(plan.diagnostics) == []


def test_another_storage_class_is_refused(claims: VolumeClaimsResource, living: Living) -> None:
    living(seen("10Gi"))
    plan = planned(claims, state("10Gi"), config(data=template(storage_class="slow")))
    (error,) = errors(plan.diagnostics)
    assert (
        error.summary
        == "Claim data-events-kafka-0: it is of storage class fast, not slow [claim-storage-class-changes]"
    )
    assert error.path == ("templates", "data", "storage_class")
    # To name the class that the claims have, in place of the cluster's default, is no change of class.
    plan = planned(claims, state("10Gi", data=template(storage_class=None)), config())
    assert errors(plan.diagnostics) == []


@pytest.mark.parametrize("found", [seen("10Gi"), seen("10Gi", lives=False), ApiServerError("https://there", "away")])
def test_a_template_that_comes_or_goes_is_refused_while_claims_are_there(
    claims: VolumeClaimsResource, living: Living, found: Survey | Exception
) -> None:
    """The servers would look in an empty volume for what they have written elsewhere."""
    living(found)
    plan = planned(claims, state("10Gi"), config(data=template(), log=template()))
    assert of("error", plan.diagnostics) == [
        "StatefulSet events-kafka: claim template log cannot be added [claim-template-added]"
    ]
    plan = planned(claims, state("10Gi"), config(other=template()))
    assert of("error", plan.diagnostics) == [
        "StatefulSet events-kafka: claim template other cannot be added [claim-template-added]",
        "StatefulSet events-kafka: claim template data cannot be removed [claim-template-removed]",
    ]


def test_a_template_may_come_before_the_first_claim_is_made(claims: VolumeClaimsResource, living: Living) -> None:
    for found in (seen(), ApiServerError("https://there", "away")):
        living(found)
        plan = planned(claims, state(), config(data=template(), log=template()))
        assert errors(plan.diagnostics) == []


def test_another_stateful_set_has_claims_of_its_own_and_the_old_ones_stay(claims: VolumeClaimsResource) -> None:
    plan = planned(claims, state("10Gi"), {**config(), "stateful_set": "other"})
    assert list(plan.replace) == [("stateful_set",)]
    assert of("warning", plan.diagnostics) == ["StatefulSet events-kafka: its claims stay [claims-kept]"]
    gone = claims.plan(PlanRequest(prior=state("10Gi"), proposed=None, config=None))
    assert of("warning", gone.diagnostics) == ["StatefulSet events-kafka: its claims stay [claims-kept]"]
    assert not claims.plan(PlanRequest(prior=state(), proposed=None, config=None)).diagnostics


def test_a_read_keeps_the_users_spelling_and_tells_what_is_missing(
    claims: VolumeClaimsResource, living: Living
) -> None:
    found = seen("10Gi", "10Gi", "10Gi")
    living(found)
    prior = state("10240Mi", "10240Mi", "10240Mi", data=template("10240Mi"))
    assert claims.read(prior, b"") == prior
    lost = StatefulSetSeen(
        name="events-kafka", uid="uid", replicas=3, templates=found.seen.templates, claims=found.seen.claims[:2]
    )
    living(Survey(seen=lost, grows={}))
    with collected_warnings() as warnings:
        assert claims.read(state("10Gi", "10Gi", "10Gi"), b"") == state("10Gi", "10Gi")
    assert of("warning", warnings) == ["Claim data-events-kafka-2 is missing"]


def test_a_cluster_that_does_not_answer_has_not_lost_the_claims(claims: VolumeClaimsResource, living: Living) -> None:
    living(ApiServerError("https://there", "connection refused"))
    with collected_warnings() as warnings:
        assert claims.read(state("10Gi"), b"") == state("10Gi")
    assert of("warning", warnings) == ["The claims of StatefulSet events-kafka were not read"]
    assert not planned(claims, None, config()).diagnostics
    claims._session.changed()
    living(ForbiddenError("kafka", "/api/v1", "no"))
    with pytest.raises(Refusal, match="cannot be read"):
        claims.read(state("10Gi"), b"")
    assert len(errors(planned(claims, None, config()).diagnostics)) == 1


def test_an_api_server_that_does_not_answer_is_waited_for_once_and_not_once_per_resource(
    claims: VolumeClaimsResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def survey(_reach: KubernetesReach, name: str, **_: bool) -> Survey:
        asked.append(name)
        raise ApiServerError("https://there", "timed out")

    monkeypatch.setattr(claim_growth, "survey", survey)
    states = [{**state("10Gi"), "stateful_set": name} for name in ("zookeeper", "kafka")]
    with collected_warnings() as warnings:
        assert [claims.read(each, b"") for each in states] == states
    assert len(of("warning", warnings)) == 2
    assert asked == ["zookeeper"]
    with pytest.raises(Refusal):
        claims.create({**config(), "stateful_set": "kafka"}, b"")
    assert asked[1:], "an apply asks again"


@pytest.mark.parametrize("namespace", [404, 403, 200])
def test_claims_are_not_gone_where_the_whole_namespace_is_not_there(
    namespace: int, claims: VolumeClaimsResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(self: ApiServer, path: str) -> dict[str, Any] | None:
        if path.endswith("persistentvolumeclaims"):
            return {"items": []}  # as the API server answers in a namespace that does not exist
        if path == "/api/v1/namespaces/kafka" and namespace == 403:
            raise ForbiddenError(self.namespace, path, "no")
        return {} if path == "/api/v1/namespaces/kafka" and namespace == 200 else None

    def ask(_kubeconfig: None, _context: None, name: str, work: Callable[[ApiServer], Any]) -> Any:
        api = ApiServer.__new__(ApiServer)
        api.namespace = name
        api._auth = SimpleNamespace(server="https://there")  # type: ignore[assignment]
        return asyncio.run(work(api))

    monkeypatch.setattr(ApiServer, "find", find)
    monkeypatch.setattr(claim_growth, "ask", ask)
    with collected_warnings() as warnings:
        read = claims.read(state("10Gi"), b"")
    there = namespace == 404
    assert read["claims"] == (state("10Gi")["claims"] if there else {})
    assert len(of("warning", warnings)) == int(there)
    # Before a first release there may be no namespace yet.
    assert claims.read(state(), b"") == state()


def test_without_a_kubernetes_block_it_says_which_one_is_missing() -> None:
    session = Session()
    session.configure(Settings(bootstrap_servers="broker:9092"))
    with pytest.raises(Refusal, match="hikube_volume_claims needs the provider's kubernetes block"):
        planned(VolumeClaimsResource(session), None, config())
    session.configure(Settings(unknown=("kubernetes",)))
    assert not planned(VolumeClaimsResource(session), None, config()).diagnostics


@pytest.mark.parametrize(("labelled", "refused"), [("kafka", "claims-namespace-goes"), (None, "claims-kept")])
def test_a_state_that_does_not_remember_who_created_the_namespace_asks_its_label(
    labelled: str | None, refused: str, claims: VolumeClaimsResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_growth, "created_namespace", lambda _: labelled)
    old = {**state("10Gi"), "created_namespace": None}
    plan = claims.plan(PlanRequest(prior=old, proposed=None, config=None))
    assert [f"[{refused}]" in each.summary for each in plan.diagnostics] == [True]

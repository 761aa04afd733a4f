"""The protocol's calls, made over a real gRPC channel on the socket that the handshake line names."""

import base64
import json
import re
import shutil
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc
import pytest

from hikube_kafka.plugin import tfplugin6_pb2 as pb
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.resource import DataSource, Plan, PlanRequest, Provider, Resource, State
from hikube_kafka.plugin.schema import NUMBER, STRING, Attribute, Block, List, Map, Nested, Object, Schema
from hikube_kafka.plugin.serve import _listen
from hikube_kafka.plugin.servicer import Servicer
from hikube_kafka.plugin.values import UNKNOWN, Codec

SECRET = "hunter2"

BOOK = Schema(
    {
        "title": Attribute(STRING, required=True, description="What it *says* on the cover."),
        "pages": Attribute(NUMBER, optional=True, computed=True, minimum=1),
        "labels": Attribute(Map(STRING), optional=True),
        "tags": Attribute(List(STRING), optional=True),
        "key": Attribute(STRING, optional=True, sensitive=True),
        "chapters": Attribute(
            nested=Nested("list", {"name": Attribute(STRING, required=True), "page": Attribute(NUMBER, computed=True)}),
            optional=True,
        ),
        "id": Attribute(STRING, computed=True),
    },
    {"cover": Block({"color": Attribute(STRING, required=True)}, description="Cloth.")},
    description="A book.",
)

DUNE: State = {
    "title": "Dune",
    "pages": 412,
    "labels": {"genre": "sf"},
    "tags": ["a", "b"],
    "key": None,
    "chapters": [{"name": "one", "page": 1}],
    "id": "id-Dune",
    "cover": {"color": "red"},
}
DUNE_CONFIG = DUNE | {"pages": None, "id": None, "chapters": [{"name": "one", "page": None}]}


class Book(Resource):
    """Does as it is told; a test replaces the method it is about."""

    type_name = "toy_book"
    schema = BOOK

    def plan(self, request: PlanRequest) -> Plan:
        if request.proposed is None or request.prior is not None:
            return Plan(request.proposed, private=request.private)
        chapters = [chapter | {"page": UNKNOWN} for chapter in request.proposed["chapters"] or []]
        return Plan(request.proposed | {"pages": UNKNOWN, "id": UNKNOWN, "chapters": chapters or None})

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - a resource's interface
        return self.complete(planned)

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - a resource's interface
        return self.complete(planned)

    def delete(self, prior: State, private: bytes) -> None:
        pass

    def read(self, state: State, private: bytes) -> State | None:  # noqa: ARG002 - a resource's interface
        return state

    @staticmethod
    def complete(planned: State) -> State:
        told = {"pages": 412, "id": "id-" + planned["title"]}
        chapters = [chapter | {"page": index + 1} for index, chapter in enumerate(planned["chapters"] or [])]
        return (
            planned | {name: told[name] for name in told if planned[name] is UNKNOWN} | {"chapters": chapters or None}
        )


class Library(DataSource):
    type_name = "toy_library"
    schema = Schema({"name": Attribute(STRING, required=True), "books": Attribute(List(STRING), computed=True)})

    def read(self, config: State) -> State:
        return config | {"books": ["Dune"]}


class Toy(Provider):
    schema = Schema({"url": Attribute(STRING, optional=True), "extra": Attribute(NUMBER, optional=True)})

    def __init__(self) -> None:
        self.book = Book()
        self.library = Library()
        self.resources = (self.book,)
        self.data_sources = (self.library,)
        self.settings: State | None = None
        self.stopped = threading.Event()

    def configure(self, config: State) -> Iterable[Diagnostic]:
        self.settings = config
        return ()

    def stop(self) -> None:
        self.stopped.set()


class Terraform:
    """The side of the protocol that Terraform has."""

    def __init__(self, channel: grpc.Channel, toy: Toy) -> None:
        self.channel = channel
        self.toy = toy

    def call(self, name: str, **fields: Any) -> Any:
        messages = getattr(pb, name)
        method = self.channel.unary_unary(
            f"/tfplugin6.Provider/{name}",
            request_serializer=messages.Request.SerializeToString,
            response_deserializer=messages.Response.FromString,
        )
        return method(messages.Request(**fields), timeout=30)

    def raw(self, path: str, request: bytes = b"") -> bytes:
        answer: bytes = self.channel.unary_unary(path)(request, timeout=30)
        return answer

    def plan(
        self, prior: State | None, config: State | None, proposed: State | None = None, private: bytes = b""
    ) -> Any:
        return self.call(
            "PlanResourceChange",
            type_name="toy_book",
            prior_state=dynamic(prior),
            proposed_new_state=dynamic(config if proposed is None else proposed),
            config=dynamic(config),
            prior_private=private,
        )

    def apply(self, prior: State | None, planned: State | None, private: bytes = b"") -> Any:
        return self.call(
            "ApplyResourceChange",
            type_name="toy_book",
            prior_state=dynamic(prior),
            planned_state=dynamic(planned),
            config=dynamic(planned and DUNE_CONFIG),
            planned_private=private,
        )


def dynamic(value: Any, kind: Object = BOOK.type) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=Codec(kind).encode(value))


def state_of(message: pb.DynamicValue, kind: Object = BOOK.type) -> Any:
    return Codec(kind).decode(message.msgpack)


def path_of(diagnostic: Any) -> list[Any]:
    return [getattr(step, step.WhichOneof("selector")) for step in diagnostic.attribute.steps]


def only(diagnostics: Any) -> Any:
    assert len(diagnostics) == 1, diagnostics
    return diagnostics[0]


@pytest.fixture
def connect(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., grpc.Channel]]:
    """Starts a server and connects to it as Terraform does, trusting exactly the certificate of the handshake."""
    running: list[tuple[grpc.Server, grpc.Channel, str]] = []

    def start(servicer: Servicer, on_shutdown: Callable[[], None] = lambda: None) -> grpc.Channel:
        directory = tempfile.mkdtemp(prefix="toy-")
        server = _listen(servicer, directory, on_shutdown)
        *_, address, _, certificate = capfd.readouterr().out.strip().split("|")
        der = base64.b64decode(certificate + "=" * (-len(certificate) % 4))
        channel = grpc.secure_channel(
            f"unix:{address}",
            grpc.ssl_channel_credentials(ssl.DER_cert_to_PEM_cert(der).encode()),
            options=[("grpc.ssl_target_name_override", "localhost"), ("grpc.max_receive_message_length", 256 << 20)],
        )
        running.append((server, channel, directory))
        return channel

    yield start
    for server, channel, directory in running:
        channel.close()
        server.stop(None).wait()
        shutil.rmtree(directory)


@pytest.fixture
def terraform(connect: Callable[..., grpc.Channel]) -> Terraform:
    toy = Toy()
    return Terraform(connect(Servicer(lambda: toy)), toy)


@pytest.fixture
def book(terraform: Terraform) -> Book:
    return terraform.toy.book


# ---- What there is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [method.name for method in pb.DESCRIPTOR.services_by_name["Provider"].methods])
def test_every_call_of_the_protocol_is_answered(terraform: Terraform, name: str) -> None:
    terraform.call(name)


def test_the_schema_tells_terraform_what_a_user_may_write(terraform: Terraform) -> None:
    answer = terraform.call("GetProviderSchema")
    schema = answer.resource_schemas["toy_book"]
    assert schema.version == schema.block.version == 0
    assert schema.block.description == "A book."
    by_name = {each.name: each for each in schema.block.attributes}
    assert list(by_name) == list(BOOK.attributes)
    assert {name: json.loads(each.type) for name, each in by_name.items() if each.type} == {
        "title": "string",
        "pages": "number",
        "labels": ["map", "string"],
        "tags": ["list", "string"],
        "key": "string",
        "id": "string",
    }
    assert by_name["title"].required
    assert by_name["title"].description == "What it *says* on the cover."
    assert by_name["title"].description_kind == pb.MARKDOWN
    assert (by_name["pages"].optional, by_name["pages"].computed) == (True, True)
    assert by_name["key"].sensitive
    assert by_name["chapters"].nested_type.nesting == pb.Schema.Object.LIST
    assert [each.name for each in by_name["chapters"].nested_type.attributes] == ["name", "page"]
    (cover,) = schema.block.block_types
    # With another least number than the greatest, Terraform refuses the schema of a resource.
    assert (cover.type_name, cover.nesting, cover.min_items, cover.max_items) == (
        "cover",
        pb.Schema.NestedBlock.SINGLE,
        0,
        0,
    )
    assert cover.block.description == "Cloth."
    assert list(answer.data_source_schemas) == ["toy_library"]
    assert [each.name for each in answer.provider.block.attributes] == ["url", "extra"]


def test_destroys_are_announced_as_planned_where_terraform_looks_for_it(terraform: Terraform) -> None:
    for name in ("GetProviderSchema", "GetMetadata"):
        capabilities = terraform.call(name).server_capabilities
        assert capabilities.plan_destroy
        assert capabilities.get_provider_schema_optional


def test_the_metadata_names_every_type(terraform: Terraform) -> None:
    answer = terraform.call("GetMetadata")
    assert [each.type_name for each in answer.resources] == ["toy_book"]
    assert [each.type_name for each in answer.data_sources] == ["toy_library"]


@pytest.mark.parametrize("name", ["ValidateResourceConfig", "ReadResource", "PlanResourceChange", "ReadDataSource"])
def test_a_type_that_does_not_exist_is_named(terraform: Terraform, name: str) -> None:
    assert "toy_film" in only(terraform.call(name, type_name="toy_film").diagnostics).summary


# ---- Settings ------------------------------------------------------------------------------------------------------


def test_settings_reach_the_provider_unknown_ones_too(terraform: Terraform) -> None:
    kind = Toy.schema.type
    assert not terraform.call("ConfigureProvider", config=dynamic({"url": UNKNOWN, "extra": None}, kind)).diagnostics
    assert terraform.toy.settings == {"url": UNKNOWN, "extra": None}


def test_refused_settings_point_at_the_setting(terraform: Terraform, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = Diagnostic("That is slow", severity="warning", path=("url",))
    monkeypatch.setattr(Toy, "validate", lambda _self, _config: [warning])
    kind = Toy.schema.type
    shown = only(terraform.call("ValidateProviderConfig", config=dynamic({"url": "x", "extra": 1}, kind)).diagnostics)
    assert (shown.summary, shown.severity, path_of(shown)) == ("That is slow", pb.Diagnostic.WARNING, ["url"])


def test_a_provider_that_cannot_be_made_says_so_at_every_call(connect: Callable[..., grpc.Channel]) -> None:
    def broken() -> Provider:
        raise OSError(SECRET)

    terraform = Terraform(connect(Servicer(broken)), Toy())
    for name in ("GetProviderSchema", "ConfigureProvider", "PlanResourceChange"):
        shown = only(terraform.call(name).diagnostics)
        assert "OSError" in shown.detail
        assert SECRET not in shown.detail


# ---- Validation ----------------------------------------------------------------------------------------------------


def test_a_diagnostic_points_into_lists_maps_and_objects_and_stops_where_the_type_does(
    terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: list[tuple[str | int, ...]] = [
        ("chapters", 1, "name"),
        ("labels", "a b"),
        ("tags", 0, "x"),
        ("cover", "color"),
        (),
    ]
    monkeypatch.setattr(book, "validate", lambda _config: [Diagnostic("no", path=path) for path in paths])
    answer = terraform.call("ValidateResourceConfig", type_name="toy_book", config=dynamic(DUNE_CONFIG))
    shown = [path_of(each) for each in answer.diagnostics]
    assert shown == [["chapters", 1, "name"], ["labels", "a b"], ["tags", 0], ["cover", "color"], []]
    key = answer.diagnostics[1].attribute.steps[1]
    assert key.WhichOneof("selector") == "element_key_string"


def test_a_number_below_its_minimum_is_refused_before_the_resource_is_asked(terraform: Terraform) -> None:
    config = dynamic(DUNE_CONFIG | {"pages": 0})
    shown = only(terraform.call("ValidateResourceConfig", type_name="toy_book", config=config).diagnostics)
    assert (shown.summary, path_of(shown)) == ("pages must be a whole number of at least 1", ["pages"])


def test_what_terraform_cannot_mean_becomes_a_diagnostic(terraform: Terraform) -> None:
    garbage = pb.DynamicValue(msgpack=b"\x93garbage")
    shown = only(terraform.call("ValidateResourceConfig", type_name="toy_book", config=garbage).diagnostics)
    assert shown.severity == pb.Diagnostic.ERROR


# ---- Plans ---------------------------------------------------------------------------------------------------------


def test_a_plan_to_create_leaves_computed_values_to_the_apply(terraform: Terraform) -> None:
    answer = terraform.plan(None, DUNE_CONFIG)
    assert not answer.diagnostics
    told_later: State = {"pages": UNKNOWN, "id": UNKNOWN, "chapters": [{"name": "one", "page": UNKNOWN}]}
    assert state_of(answer.planned_state) == DUNE | told_later


def test_the_second_question_about_a_replacement_is_told_from_a_creation(
    terraform: Terraform, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[PlanRequest] = []

    def plan(request: PlanRequest) -> Plan:
        asked.append(request)
        return Plan(request.proposed)

    monkeypatch.setattr(terraform.toy.book, "plan", plan)
    # Terraform hands on what the first answer has planned to keep, even for a provider that keeps nothing.
    first = terraform.plan(DUNE, DUNE_CONFIG, DUNE)
    terraform.plan(None, DUNE_CONFIG, private=first.planned_private)
    terraform.plan(None, DUNE_CONFIG)
    assert [(request.replaces, request.private) for request in asked] == [(False, b""), (True, b""), (False, b"")]
    assert terraform.apply(DUNE, DUNE, private=first.planned_private).private == b""


def test_a_plan_without_a_change_is_the_prior_state_and_keeps_the_private_bytes(terraform: Terraform) -> None:
    answer = terraform.plan(DUNE, DUNE_CONFIG, DUNE, private=b"mine")
    assert not answer.diagnostics
    assert state_of(answer.planned_state) == DUNE
    assert answer.planned_private == b"mine"


def test_a_plan_of_an_unknown_value_stays_unknown(terraform: Terraform) -> None:
    config = DUNE_CONFIG | {"title": UNKNOWN}
    answer = terraform.plan(None, config)
    assert not answer.diagnostics
    assert state_of(answer.planned_state)["title"] is UNKNOWN


def test_a_destroy_can_be_refused(terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def protect(request: PlanRequest) -> Plan:
        assert request.proposed is None
        assert request.config is None
        return Plan(None, diagnostics=[Diagnostic("It is protected")])

    assert not terraform.plan(DUNE, None).diagnostics
    monkeypatch.setattr(book, "plan", protect)
    assert only(terraform.plan(DUNE, None).diagnostics).summary == "It is protected"


def test_a_warning_comes_with_the_plan(terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    warned = [Diagnostic("Beware", severity="warning")]
    monkeypatch.setattr(book, "plan", lambda asked: Plan(asked.proposed, diagnostics=warned))
    answer = terraform.plan(None, DUNE_CONFIG)
    assert only(answer.diagnostics).severity == pb.Diagnostic.WARNING
    assert state_of(answer.planned_state)["title"] == "Dune"


def test_a_replacement_names_what_forces_it(terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    forcing = [("title",), ("chapters", 0, "name")]
    monkeypatch.setattr(book, "plan", lambda asked: Plan(asked.proposed, replace=forcing))
    answer = terraform.plan(DUNE, DUNE_CONFIG, DUNE)
    assert not answer.diagnostics
    first, second = answer.requires_replace
    assert [each.attribute_name for each in first.steps] == ["title"]
    assert [each.WhichOneof("selector") for each in second.steps] == [
        "attribute_name",
        "element_key_int",
        "attribute_name",
    ]


@pytest.mark.parametrize(
    "planned", [{"title": "Dune"}, DUNE | {"pages": "many"}], ids=["attributes missing", "wrong type"]
)
def test_a_plan_that_is_no_book_is_a_mistake(
    terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch, planned: State
) -> None:
    monkeypatch.setattr(book, "plan", lambda _asked: Plan(planned))
    assert "bug in the provider" in only(terraform.plan(None, DUNE_CONFIG).diagnostics).detail


# ---- Applies -------------------------------------------------------------------------------------------------------


PLANNED = DUNE | {"pages": UNKNOWN, "id": UNKNOWN, "chapters": [{"name": "one", "page": UNKNOWN}]}


def test_an_apply_creates_updates_and_deletes(terraform: Terraform) -> None:
    created = terraform.apply(None, PLANNED, b"mine")
    assert not created.diagnostics
    assert state_of(created.new_state) == DUNE
    assert created.private == b"mine"
    longer = DUNE | {"pages": 500}
    assert state_of(terraform.apply(DUNE, longer).new_state) == longer
    deleted = terraform.apply(DUNE, None, b"mine")
    assert not deleted.diagnostics
    assert state_of(deleted.new_state) is None


@pytest.mark.parametrize(
    ("method", "prior", "planned"), [("create", None, PLANNED), ("update", DUNE, PLANNED), ("delete", DUNE, None)]
)
def test_a_refused_apply_leaves_the_state_as_it_was(
    terraform: Terraform,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    prior: State | None,
    planned: State | None,
) -> None:
    def refuse(*_: object) -> State:
        raise Refusal(Diagnostic("The shelf is full"), Diagnostic("It is dusty too", severity="warning"))

    monkeypatch.setattr(terraform.toy.book, method, refuse)
    answer = terraform.apply(prior, planned)
    assert [each.summary for each in answer.diagnostics] == ["The shelf is full", "It is dusty too"]
    assert state_of(answer.new_state) == prior


@pytest.mark.parametrize("prior", [None, DUNE | {"pages": 1}], ids=["create", "update"])
def test_what_exists_after_a_failed_apply_is_recorded(
    terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch, prior: State | None
) -> None:
    half = DUNE | {"chapters": None, "id": UNKNOWN}

    def fail(*_: object) -> State:
        raise Refusal(Diagnostic("Out of ink"), state=half)

    monkeypatch.setattr(book, "create", fail)
    monkeypatch.setattr(book, "update", fail)
    answer = terraform.apply(prior, PLANNED)
    assert only(answer.diagnostics).summary == "Out of ink"
    assert state_of(answer.new_state) == half | {"id": None}


@pytest.mark.parametrize(
    ("result", "path", "recorded"),
    [
        (DUNE | {"id": UNKNOWN}, ["id"], DUNE | {"id": None}),
        (DUNE | {"pages": "many"}, ["pages"], DUNE | {"pages": None}),
        ({"title": "Dune", "id": "id-Dune"}, [], DUNE | {"pages": None, "chapters": None}),
        (DUNE | {"labels": None, "id": 7}, ["id"], DUNE | {"labels": None, "id": None}),
        (None, [], DUNE | {"pages": None, "id": None, "chapters": None}),
    ],
    ids=["still unknown", "wrong type", "attributes missing", "a null and a wrong type", "nothing"],
)
def test_a_faulty_result_is_a_mistake_and_is_recorded_as_far_as_it_goes(
    terraform: Terraform, monkeypatch: pytest.MonkeyPatch, result: State, path: list[str], recorded: State
) -> None:
    monkeypatch.setattr(terraform.toy.book, "create", lambda _planned, _private: result)
    answer = terraform.apply(None, PLANNED)
    assert answer.diagnostics
    assert path_of(answer.diagnostics[0]) == path
    assert "bug in the provider" in answer.diagnostics[0].detail
    assert state_of(answer.new_state) == recorded


def test_a_result_may_use_tuples_for_lists(terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    chapters = ({"name": "one", "page": 1},)
    made = DUNE | {"tags": ("a", "b"), "chapters": chapters}
    monkeypatch.setattr(book, "create", lambda _planned, _private: made)
    answer = terraform.apply(None, PLANNED)
    assert not answer.diagnostics
    assert state_of(answer.new_state) == DUNE


def test_an_unknown_inside_any_python_sequence_is_found(
    terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = DUNE | {"chapters": ({"name": "one", "page": UNKNOWN},)}
    monkeypatch.setattr(book, "create", lambda _planned, _private: made)
    answer = terraform.apply(None, PLANNED)
    assert path_of(answer.diagnostics[0]) == ["chapters", 0, "page"]
    assert "at chapters[0].page: it is still unknown" in answer.diagnostics[0].detail
    assert state_of(answer.new_state)["chapters"] is None


def test_an_exception_is_reported_by_type_and_place_and_never_by_its_text(
    terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def explode(_planned: State, _private: bytes) -> State:
        raise LookupError(SECRET)

    monkeypatch.setattr(book, "create", explode)
    answer = terraform.apply(None, PLANNED)
    shown = only(answer.diagnostics)
    assert "LookupError" in shown.detail
    assert re.search(r"plugin/test_calls\.py:\d+ in explode", shown.detail)
    assert SECRET not in str(shown)
    assert SECRET not in capfd.readouterr().err
    assert state_of(answer.new_state) is None


def test_ten_applies_run_at_once_and_a_stop_gets_through(
    terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(11)

    def wait_for_the_others(planned: State, _private: bytes) -> State:
        together.wait(timeout=30)
        assert terraform.toy.stopped.wait(timeout=30)
        return Book.complete(planned)

    monkeypatch.setattr(book, "create", wait_for_the_others)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(terraform.apply(None, PLANNED))) for _ in range(10)]
    for thread in threads:
        thread.start()
    together.wait(timeout=30)
    assert not terraform.call("StopProvider").Error
    for thread in threads:
        thread.join(timeout=30)
    assert [list(answer.diagnostics) for answer in answers] == [[]] * 10


def test_a_stop_that_fails_says_so(terraform: Terraform, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode() -> None:
        raise OSError(SECRET)

    monkeypatch.setattr(terraform.toy, "stop", explode)
    error = terraform.call("StopProvider").Error
    assert "OSError" in error
    assert SECRET not in error


def test_a_state_of_many_megabytes_passes(terraform: Terraform) -> None:
    long = DUNE | {"labels": {str(index): "x" * 1000 for index in range(8000)}}
    answer = terraform.call("ReadResource", type_name="toy_book", current_state=dynamic(long))
    assert state_of(answer.new_state) == long


# ---- Warnings ------------------------------------------------------------------------------------------------------


def test_any_method_can_warn_beside_its_answer(
    terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(state: State, _private: bytes) -> State:
        warn("The paper is thin", "Turn the pages with care.", ("pages",))
        return state

    monkeypatch.setattr(book, "read", read)
    for _ in range(2):  # a warning belongs to one call, not to the next one too
        answer = terraform.call("ReadResource", type_name="toy_book", current_state=dynamic(DUNE))
        shown = only(answer.diagnostics)
        assert (shown.summary, shown.severity, path_of(shown)) == (
            "The paper is thin",
            pb.Diagnostic.WARNING,
            ["pages"],
        )
        assert state_of(answer.new_state) == DUNE


def test_a_warning_survives_a_refusal(terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(_planned: State, _private: bytes) -> State:
        warn("The paper is thin")
        raise Refusal(Diagnostic("The ink ran out"))

    monkeypatch.setattr(book, "create", create)
    answer = terraform.apply(None, PLANNED)
    assert {each.summary for each in answer.diagnostics} == {"The paper is thin", "The ink ran out"}


# ---- Reading, upgrading, importing, moving -------------------------------------------------------------------------


def test_reading_answers_the_resource_or_that_it_is_gone(
    terraform: Terraform, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = terraform.call("ReadResource", type_name="toy_book", current_state=dynamic(DUNE), private=b"mine")
    assert state_of(answer.new_state) == DUNE
    assert answer.private == b"mine"
    monkeypatch.setattr(book, "read", lambda _state, _private: None)
    answer = terraform.call("ReadResource", type_name="toy_book", current_state=dynamic(DUNE))
    assert not answer.diagnostics
    assert state_of(answer.new_state) is None


def upgrade(terraform: Terraform, version: int, state: dict[str, Any]) -> Any:
    raw = pb.RawState(json=json.dumps(state).encode())
    return terraform.call("UpgradeResourceState", type_name="toy_book", version=version, raw_state=raw)


def test_a_state_of_the_current_version_is_read_as_it_is(terraform: Terraform) -> None:
    answer = upgrade(terraform, 0, DUNE | {"removed": 1})
    assert not answer.diagnostics
    assert state_of(answer.upgraded_state) == DUNE


def test_a_newer_state_is_refused(terraform: Terraform) -> None:
    assert "newer provider" in only(upgrade(terraform, 1, DUNE).diagnostics).summary


def test_a_state_without_json_is_refused_with_a_way_out(terraform: Terraform) -> None:
    raw = pb.RawState(flatmap={"id": "1"})
    answer = terraform.call("UpgradeResourceState", type_name="toy_book", version=0, raw_state=raw)
    assert "terraform import" in only(answer.diagnostics).detail


def test_a_state_in_the_json_encoding_is_understood(terraform: Terraform) -> None:
    value = pb.DynamicValue(json=json.dumps(DUNE).encode())
    answer = terraform.call("ReadResource", type_name="toy_book", current_state=value)
    assert state_of(answer.new_state) == DUNE


def test_an_import_answers_what_the_resource_found_and_null_for_the_rest(
    terraform: Terraform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Book, "import_state", lambda _self, identifier: {"id": identifier}, raising=False)
    imported = only(terraform.call("ImportResourceState", type_name="toy_book", id="id-Dune").imported_resources)
    assert imported.type_name == "toy_book"
    assert state_of(imported.state) == dict.fromkeys(DUNE) | {"id": "id-Dune"}


def test_what_cannot_be_imported_says_so(terraform: Terraform) -> None:
    answer = terraform.call("ImportResourceState", type_name="toy_book", id="x")
    assert "cannot be imported" in only(answer.diagnostics).summary


def test_a_move_between_types_is_refused_with_a_way_out(terraform: Terraform) -> None:
    answer = terraform.call("MoveResourceState", source_type_name="other_book", target_type_name="toy_book")
    shown = only(answer.diagnostics)
    assert "other_book" in shown.detail
    assert "import block" in shown.detail


# ---- Data sources --------------------------------------------------------------------------------------------------


LIBRARY = Library.schema.type


def test_a_data_source_is_read(terraform: Terraform) -> None:
    config = dynamic({"name": "main", "books": None}, LIBRARY)
    assert not terraform.call("ValidateDataResourceConfig", type_name="toy_library", config=config).diagnostics
    answer = terraform.call("ReadDataSource", type_name="toy_library", config=config)
    assert not answer.diagnostics
    assert state_of(answer.state, LIBRARY) == {"name": "main", "books": ["Dune"]}


# ---- What go-plugin expects beside the provider --------------------------------------------------------------------


def test_the_health_check_says_serving(terraform: Terraform) -> None:
    assert terraform.raw("/grpc.health.v1.Health/Check", b"\n\x06plugin") == b"\x08\x01"


def test_shutdown_is_passed_on(connect: Callable[..., grpc.Channel]) -> None:
    asked = threading.Event()
    terraform = Terraform(connect(Servicer(Toy), asked.set), Toy())
    assert terraform.raw("/plugin.GRPCController/Shutdown") == b""
    assert asked.is_set()


def test_the_streams_that_nobody_needs_end_at_once(terraform: Terraform) -> None:
    assert list(terraform.channel.unary_stream("/plugin.GRPCStdio/StreamStdio")(b"", timeout=30)) == []
    assert list(terraform.channel.stream_stream("/plugin.GRPCBroker/StartStream")(iter(()), timeout=30)) == []


def test_null_elements_are_not_declared_and_make_no_difference(terraform: Terraform) -> None:
    seen: list[State | None] = []

    def plan(request: PlanRequest) -> Plan:
        seen.append(request.config)
        return Plan((request.proposed or {}) | {"id": "1", "pages": 1})

    terraform.toy.book.plan = plan  # type: ignore[method-assign]
    terraform.toy.book.create = lambda planned, private: planned  # type: ignore[method-assign] # noqa: ARG005
    terraform.toy.book.update = lambda prior, planned, private: planned  # type: ignore[method-assign] # noqa: ARG005
    nulls: State = {
        "labels": {"a": None, "b": "1"},
        "tags": [None, "x", None],
        "chapters": [None, {"name": "n", "page": 1}],
    }
    bare: State = {"labels": {"b": "1"}, "tags": ["x"], "chapters": [{"name": "n", "page": 1}]}
    config = DUNE_CONFIG | nulls
    planned = state_of(terraform.plan(None, config).planned_state)
    assert seen == [DUNE_CONFIG | bare]
    assert planned == config | {"id": "1", "pages": 1}
    made = state_of(terraform.apply(None, planned).new_state)
    assert made == planned
    read = terraform.call("ReadResource", type_name="toy_book", current_state=dynamic(made))
    assert state_of(read.new_state) == made
    # Neither their coming nor their going is a change of what exists; another value beside them is.
    kept = DUNE_CONFIG | bare | {"id": "1", "pages": 1}
    assert state_of(terraform.plan(made, DUNE_CONFIG | bare).planned_state) == made
    assert state_of(terraform.plan(kept, config).planned_state) == kept
    other = config | {"tags": [None, "y"]}
    changed = state_of(terraform.plan(made, other).planned_state)
    assert changed["tags"] == [None, "y"]
    assert state_of(terraform.apply(made, changed).new_state) == changed


def test_a_required_attribute_that_is_null_is_refused_wherever_it_is(terraform: Terraform) -> None:
    config = DUNE_CONFIG | {"title": None, "chapters": [{"name": None, "page": None}], "cover": {"color": None}}
    answer = terraform.call("ValidateResourceConfig", type_name="toy_book", config=dynamic(config))
    assert [(each.summary, path_of(each)) for each in answer.diagnostics] == [
        ("title is required", ["title"]),
        ("name is required", ["chapters", 0, "name"]),
        ("color is required", ["cover", "color"]),
    ]

"""The protocol's calls, answered by an author's provider.

Whatever goes wrong becomes a diagnostic: a refusal as its author worded it, anything else as a mistake of the provider.
No exception reaches Terraform, which would only say that the plugin crashed.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any, Generic, TypeVar

import grpc

from hikube_kafka.plugin import tfplugin6_pb2 as pb
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, collected_warnings
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.messages import crash, diagnostic_message, mistake, path_message, schema_message
from hikube_kafka.plugin.resource import DataSource, PlanRequest, Provider, Resource, State, configuration_faults
from hikube_kafka.plugin.schema import Object, Schema
from hikube_kafka.plugin.values import (
    Codec,
    DecodeError,
    EncodeError,
    holds_elements,
    is_known,
    unknowns,
    with_nulls,
    without_nulls,
)

SERVICE = "tfplugin6.Provider"

_CAPABILITIES = pb.ServerCapabilities(plan_destroy=True, get_provider_schema_optional=True)
_NULL = pb.DynamicValue(msgpack=b"\xc0")
_NO_SCHEMA = Schema()
_NOTHING_PRIVATE = b"\0"
"""Stands for no private bytes in the plan of what exists.

Terraform asks twice about a replacement, the second time as about a creation but with the private bytes that the first
answer had: by them the two are told apart.
"""

Diagnostics = Iterable[Diagnostic]
_Author = TypeVar("_Author", bound=Resource | DataSource | Provider)
_Kind = TypeVar("_Kind")


class Servicer:
    """Answers every call of the protocol; one for the process, from several threads at once.

    Args:
        provider_factory: Makes the provider; called once, by whoever needs it first.
    """

    def __init__(self, provider_factory: Callable[[], Provider]) -> None:
        self._factory = provider_factory
        self._all: _All | None = None
        self._making = Lock()

    @property
    def provider(self) -> Provider:
        """The author's provider."""
        return self._known().provider.author

    def _known(self) -> "_All":
        if self._all is None:
            with self._making:
                if self._all is None:
                    self._all = _All(self._factory())
        return self._all

    def handlers(self) -> grpc.GenericRpcHandler:
        """The calls, as a gRPC server takes them."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "GetMetadata": self._call(pb.GetMetadata, self._metadata),
                "GetProviderSchema": self._call(pb.GetProviderSchema, self._schema),
                "GetFunctions": self._call(pb.GetFunctions, lambda _request, _answer: ()),
                "StopProvider": self._call(pb.StopProvider, self._stop),
                "ValidateProviderConfig": self._call(
                    pb.ValidateProviderConfig, self._validate_provider, self._settings
                ),
                "ConfigureProvider": self._call(pb.ConfigureProvider, self._configure, self._settings),
                "ValidateResourceConfig": self._call(
                    pb.ValidateResourceConfig, self._validate_resource, self._of_resource
                ),
                "UpgradeResourceState": self._call(pb.UpgradeResourceState, self._upgrade, self._of_resource),
                "ReadResource": self._call(pb.ReadResource, self._read, self._of_resource),
                "PlanResourceChange": self._call(pb.PlanResourceChange, self._plan, self._of_resource),
                "ApplyResourceChange": self._call(pb.ApplyResourceChange, self._apply, self._of_resource),
                "ImportResourceState": self._call(pb.ImportResourceState, self._import, self._of_resource),
                "MoveResourceState": self._call(pb.MoveResourceState, self._move),
                "ValidateDataResourceConfig": self._call(
                    pb.ValidateDataResourceConfig, self._validate_data, self._of_data
                ),
                "ReadDataSource": self._call(pb.ReadDataSource, self._read_data, self._of_data),
            },
        )

    def _call(
        self,
        messages: Any,
        work: Callable[[Any, Any], Diagnostics],
        schema_of: Callable[[Any], Schema] = lambda _request: _NO_SCHEMA,
    ) -> grpc.RpcMethodHandler:
        """One call: its messages, the work, and the schema in which the paths of its diagnostics are looked up."""

        def answer_to(request: Any, _context: grpc.ServicerContext) -> Any:
            started = time.monotonic()
            answer = messages.Response()
            type_name = getattr(request, "type_name", "")
            during = f"{messages.DESCRIPTOR.name} for {type_name}" if type_name else messages.DESCRIPTOR.name
            with collected_warnings() as warnings:
                try:
                    diagnostics = list(work(request, answer))
                except Refusal as refusal:
                    diagnostics = list(refusal.diagnostics)
                except (DecodeError, EncodeError) as problem:
                    diagnostics = mistake(during, [(problem.path, problem.problem)])
                except Exception as exception:  # noqa: BLE001 - the boundary: whatever it is, the user gets to read it
                    diagnostics = [crash(during, exception)]
            diagnostics += warnings
            if diagnostics:
                _report(answer, diagnostics, schema_of, request)
            errors = sum(each.severity == "error" for each in diagnostics)
            log("debug", "answered", call=during, errors=errors, seconds=round(time.monotonic() - started, 4))
            return answer

        return grpc.unary_unary_rpc_method_handler(
            answer_to, messages.Request.FromString, messages.Response.SerializeToString
        )

    # ---- The provider itself ---------------------------------------------------------------------------------------

    def _metadata(self, _request: Any, answer: pb.GetMetadata.Response) -> Diagnostics:
        answer.server_capabilities.CopyFrom(_CAPABILITIES)
        answer.resources.extend(pb.GetMetadata.TypeName(type_name=each.type_name) for each in self.provider.resources)
        answer.data_sources.extend(
            pb.GetMetadata.TypeName(type_name=each.type_name) for each in self.provider.data_sources
        )
        return ()

    def _schema(self, _request: Any, answer: pb.GetProviderSchema.Response) -> Diagnostics:
        # Terraform 1.11 reads plan_destroy here, not in the metadata.
        answer.server_capabilities.CopyFrom(_CAPABILITIES)
        answer.provider.CopyFrom(schema_message(self.provider.schema))
        for resource in self.provider.resources:
            answer.resource_schemas[resource.type_name].CopyFrom(schema_message(resource.schema))
        for source in self.provider.data_sources:
            answer.data_source_schemas[source.type_name].CopyFrom(schema_message(source.schema))
        return ()

    def _settings(self, _request: Any) -> Schema:
        return self.provider.schema

    def _validate_provider(self, request: pb.ValidateProviderConfig.Request, _answer: Any) -> Diagnostics:
        known = self._known().provider
        return configuration_faults(known.author, known.declared(known.value(request.config)))

    def _configure(self, request: pb.ConfigureProvider.Request, _answer: Any) -> Diagnostics:
        known = self._known().provider
        return known.author.configure(known.declared(known.value(request.config)))

    def _stop(self, _request: Any, _answer: Any) -> Diagnostics:
        self.provider.stop()
        return ()

    # ---- Resources -------------------------------------------------------------------------------------------------

    def _resource(self, type_name: str) -> "_Known[Resource]":
        return _named(type_name, self._known().resources, "resource")

    def _of_resource(self, request: Any) -> Schema:
        return self._resource(request.type_name).schema

    def _validate_resource(self, request: pb.ValidateResourceConfig.Request, _answer: Any) -> Diagnostics:
        known = self._resource(request.type_name)
        return configuration_faults(known.author, known.declared(known.value(request.config)))

    def _upgrade(
        self, request: pb.UpgradeResourceState.Request, answer: pb.UpgradeResourceState.Response
    ) -> Diagnostics:
        known = self._resource(request.type_name)
        if not request.raw_state.json:
            raise Refusal(
                Diagnostic(
                    "The state is too old to read",
                    f"The state of this {request.type_name} has the form that Terraform wrote before version 0.12. "
                    "Remove it from the state (terraform state rm) and import it anew (terraform import).",
                )
            )
        if request.version > 0:
            raise Refusal(
                Diagnostic(
                    "The state was written by a newer provider",
                    f"The state of this {request.type_name} has schema version {request.version}; this version of the "
                    "provider knows version 0. Use the newer version of the provider.",
                )
            )
        known.put(answer.upgraded_state, known.codec.from_json(request.raw_state.json))
        return ()

    def _read(self, request: pb.ReadResource.Request, answer: pb.ReadResource.Response) -> Diagnostics:
        known = self._resource(request.type_name)
        before = known.value(request.current_state)
        state = known.author.read(known.declared(before), request.private)
        known.put(answer.new_state, known.as_written(state, before))
        answer.private = request.private
        return ()

    def _plan(self, request: pb.PlanResourceChange.Request, answer: pb.PlanResourceChange.Response) -> Diagnostics:
        known = self._resource(request.type_name)
        prior, config = known.value(request.prior_state), known.value(request.config)
        asked = PlanRequest(
            prior=known.declared(prior),
            proposed=known.declared(known.value(request.proposed_new_state)),
            config=known.declared(config),
            private=_private(request.prior_private),
            replaces=prior is None and bool(request.prior_private),
        )
        plan = known.author.plan(asked)
        if any(each.severity == "error" for each in plan.diagnostics):
            return plan.diagnostics
        # Left as it was rather than as it is written now, where the two differ by nulls alone: that is no change.
        known.put(answer.planned_state, known.as_written(plan.planned, config, prior))
        answer.planned_private = plan.private or (b"" if prior is None else _NOTHING_PRIVATE)
        answer.requires_replace.extend(path_message(path, known.schema.type) for path in plan.replace)
        return plan.diagnostics

    def _apply(self, request: pb.ApplyResourceChange.Request, answer: pb.ApplyResourceChange.Response) -> Diagnostics:
        known = self._resource(request.type_name)
        # What stays recorded if nothing comes of it: the prior state, null for what was to be created.
        answer.new_state.CopyFrom(request.prior_state)
        private = _private(request.planned_private)
        answer.private = private
        prior, planned = known.value(request.prior_state), known.value(request.planned_state)
        if planned is None:
            known.author.delete(known.declared(prior), private)
            answer.new_state.CopyFrom(_NULL)
            answer.private = b""
            return ()
        diagnostics: Diagnostics = ()
        try:
            if prior is None:
                result = known.author.create(known.declared(planned), private)
            else:
                result = known.author.update(known.declared(prior), known.declared(planned), private)
        except Refusal as refusal:
            if refusal.state is None:
                raise
            result, diagnostics = refusal.state, refusal.diagnostics
        result = known.as_applied(result, planned, prior)
        return [*diagnostics, *_record(answer, result, planned, known, refused=bool(diagnostics))]

    def _import(self, request: pb.ImportResourceState.Request, answer: pb.ImportResourceState.Response) -> Diagnostics:
        known = self._resource(request.type_name)
        if type(known.author).import_state is Resource.import_state:
            raise Refusal(Diagnostic("This cannot be imported", f"A {request.type_name} has nothing to import it by."))
        found = known.author.import_state(request.id)
        state = dict.fromkeys(known.schema.type.attributes) | found
        known.put(answer.imported_resources.add(type_name=request.type_name).state, state)
        return ()

    def _move(self, request: pb.MoveResourceState.Request, _answer: Any) -> Diagnostics:
        raise Refusal(
            Diagnostic(
                "A resource cannot be moved to another type",
                f"No {request.source_type_name} can become a {request.target_type_name}. Remove the one from the state "
                "with a removed block, and import the other with an import block.",
            )
        )

    # ---- Data sources ----------------------------------------------------------------------------------------------

    def _source(self, type_name: str) -> "_Known[DataSource]":
        return _named(type_name, self._known().data_sources, "data source")

    def _of_data(self, request: Any) -> Schema:
        return self._source(request.type_name).schema

    def _validate_data(self, request: pb.ValidateDataResourceConfig.Request, _answer: Any) -> Diagnostics:
        known = self._source(request.type_name)
        return configuration_faults(known.author, known.declared(known.value(request.config)))

    def _read_data(self, request: pb.ReadDataSource.Request, answer: pb.ReadDataSource.Response) -> Diagnostics:
        known = self._source(request.type_name)
        config = known.value(request.config)
        known.put(answer.state, known.as_written(known.author.read(known.declared(config)), config))
        return ()


class _Known(Generic[_Author]):
    """A resource, data source or provider block, with how its values are read and written."""

    def __init__(self, author: _Author) -> None:
        self.author = author
        self.schema = author.schema
        self.codec = Codec(author.schema.type)
        self._kinds = {name: kind for name, kind in author.schema.type.attributes.items() if holds_elements(kind)}

    def value(self, message: pb.DynamicValue) -> Any:
        """What Terraform sent; ``None`` for nothing."""
        if message.msgpack:
            return self.codec.decode(message.msgpack)
        return self.codec.from_json(message.json) if message.json else None

    def declared(self, value: Any) -> Any:
        """The value as its author gets it: null elements of lists and maps are not declared, and left out."""
        if not isinstance(value, dict):
            return value
        return {**value, **{name: without_nulls(value[name], kind) for name, kind in self._kinds.items()}}

    def as_written(self, value: Any, written: Any, before: Any = None) -> Any:
        """An author's answer with the null elements of the value that it answers.

        Args:
            value: The answer.
            written: What it answers: a configuration, or a state.
            before: The prior state, whose nulls are kept where they make the only difference.
        """
        if not isinstance(value, dict) or not isinstance(written, dict):
            return value
        whole = dict(value)
        for name, kind in self._kinds.items():
            original = written[name]
            if isinstance(before, dict) and None not in (before[name], original):
                original = before[name] if value[name] == without_nulls(before[name], kind) else original
            whole[name] = with_nulls(value[name], original, kind)
        return whole

    def as_applied(self, value: Any, planned: State, prior: Any) -> Any:
        """What an apply came to, with the nulls of the plan, or of the prior state as far as it has stayed that."""
        if not isinstance(value, dict) or value.keys() != planned.keys():
            return value  # a mistake of the author's, which is told
        whole = dict(value)
        for name, kind in self._kinds.items():
            stayed = isinstance(prior, dict) and value[name] == without_nulls(prior[name], kind)
            changed = value[name] != without_nulls(planned[name], kind)
            whole[name] = with_nulls(value[name], prior[name] if stayed and changed else planned[name], kind)
        return whole

    def put(self, message: pb.DynamicValue, value: Any) -> None:
        """Answer a value."""
        message.msgpack = self.codec.encode(value)


class _All:
    """What a provider has, by the names of the types."""

    def __init__(self, provider: Provider) -> None:
        self.provider: _Known[Provider] = _Known(provider)
        self.resources = {each.type_name: _Known(each) for each in provider.resources}
        self.data_sources = {each.type_name: _Known(each) for each in provider.data_sources}


def _private(private: bytes) -> bytes:
    return b"" if private == _NOTHING_PRIVATE else private


def _named(type_name: str, among: Mapping[str, _Kind], what: str) -> _Kind:
    known = among.get(type_name)
    if known is None:
        raise Refusal(
            Diagnostic(
                f"There is no {what} {type_name}",
                "The running provider does not have it: is the version that Terraform selected an older one?",
            )
        )
    return known


def _record(
    answer: pb.ApplyResourceChange.Response,
    result: State,
    planned: State,
    known: _Known[Resource],
    *,
    refused: bool,
) -> list[Diagnostic]:
    """Put what an apply made into the answer, and what it lacks into words.

    Something exists by now: even a faulty result is recorded as far as it goes, so that Terraform does not lose it.
    """
    during = f"ApplyResourceChange for {known.author.type_name}"
    problems: list[Diagnostic] = []
    try:
        known.put(answer.new_state, result)
    except EncodeError as problem:
        problems = mistake(during, [(problem.path, problem.problem)])
    else:
        if result is None:
            problems = mistake(during, [((), "nothing is answered, where there should be what was made")])
        elif is_known(result):
            return []
        elif not refused:  # a refusal tells by unknowns what it did not come to
            problems = mistake(during, ((path, "it is still unknown after the apply") for path in unknowns(result)))
    known.put(answer.new_state, _recordable(result, planned, known.schema.type))
    return problems


def _recordable(result: Any, planned: State, kind: Object) -> State:
    """The attributes of a result that are known values of their types, else as planned, else null."""

    def sound(value: Any, codec: Codec) -> bool:
        try:
            codec.encode(value)
        except EncodeError:
            return False
        return is_known(value)

    codecs = {name: Codec(inner) for name, inner in kind.attributes.items()}
    candidates = (result, planned) if isinstance(result, dict) else (planned,)
    return {
        name: next((each[name] for each in candidates if name in each and sound(each[name], codec)), None)
        for name, codec in codecs.items()
    }


def _report(answer: Any, diagnostics: Iterable[Diagnostic], schema_of: Callable[[Any], Schema], request: Any) -> None:
    if isinstance(answer, pb.StopProvider.Response):  # the one answer that has room for a sentence only
        answer.Error = "; ".join(f"{each.summary}: {each.detail}" for each in diagnostics)
        return
    try:
        kind = schema_of(request).type
    except Exception:  # noqa: BLE001 - there is no such type, or no provider at all: the diagnostics say so already
        kind = _NO_SCHEMA.type
    answer.diagnostics.extend(diagnostic_message(each, kind) for each in diagnostics)

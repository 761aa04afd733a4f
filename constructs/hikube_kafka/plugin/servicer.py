"""The protocol's calls, answered by an author's provider.

Whatever goes wrong becomes a diagnostic: a refusal as its author worded it, anything else as a mistake of the provider.
No exception reaches Terraform, which would only say that the plugin crashed.
"""

import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, TypeVar

import grpc

from hikube_kafka.plugin import tfplugin6_pb2 as pb
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, collected_warnings
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.messages import crash, diagnostic_message, mistake, path_message, schema_message
from hikube_kafka.plugin.plan_rules import plan_breaches, result_breaches
from hikube_kafka.plugin.resource import DataSource, PlanRequest, Provider, Resource, State
from hikube_kafka.plugin.schema import Object, Schema, Type
from hikube_kafka.plugin.values import (
    DecodeError,
    EncodeError,
    conform,
    decode,
    encode,
    from_json,
    parse_json,
    unknowns,
    unrefined,
)

SERVICE = "tfplugin6.Provider"

_CAPABILITIES = pb.ServerCapabilities(plan_destroy=True, get_provider_schema_optional=True)
_NULL = pb.DynamicValue(msgpack=b"\xc0")
_NO_SCHEMA = Schema()

Diagnostics = Iterable[Diagnostic]
_Kind = TypeVar("_Kind", Resource, DataSource)


class Servicer:
    """Answers every call of the protocol; one for the process, from several threads at once.

    Args:
        provider_factory: Makes the provider; called once, by whoever needs it first.
    """

    def __init__(self, provider_factory: Callable[[], Provider]) -> None:
        self._factory = provider_factory
        self._provider: Provider | None = None
        self._making = Lock()

    @property
    def provider(self) -> Provider:
        """The author's provider."""
        with self._making:
            if self._provider is None:
                self._provider = self._factory()
            return self._provider

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
        return self.provider.validate(_value(request.config, self.provider.schema.type))

    def _configure(self, request: pb.ConfigureProvider.Request, _answer: Any) -> Diagnostics:
        return self.provider.configure(_value(request.config, self.provider.schema.type))

    def _stop(self, _request: Any, _answer: Any) -> Diagnostics:
        self.provider.stop()
        return ()

    # ---- Resources -------------------------------------------------------------------------------------------------

    def _resource(self, type_name: str) -> Resource:
        return _named(type_name, self.provider.resources, "resource")

    def _of_resource(self, request: Any) -> Schema:
        return self._resource(request.type_name).schema

    def _validate_resource(self, request: pb.ValidateResourceConfig.Request, _answer: Any) -> Diagnostics:
        resource = self._resource(request.type_name)
        return resource.validate(_value(request.config, resource.schema.type))

    def _upgrade(
        self, request: pb.UpgradeResourceState.Request, answer: pb.UpgradeResourceState.Response
    ) -> Diagnostics:
        resource = self._resource(request.type_name)
        schema = resource.schema
        if not request.raw_state.json:
            raise Refusal(
                Diagnostic(
                    "The state is too old to read",
                    f"The state of this {resource.type_name} has the form that Terraform wrote before version 0.12. "
                    "Remove it from the state (terraform state rm) and import it anew (terraform import).",
                )
            )
        if request.version > schema.version:
            raise Refusal(
                Diagnostic(
                    "The state was written by a newer provider",
                    f"The state of this {resource.type_name} has schema version {request.version}; this version of the "
                    f"provider knows versions up to {schema.version}. Use the newer version of the provider.",
                )
            )
        raw = parse_json(request.raw_state.json)
        if request.version < schema.version:
            raw = resource.upgrade(request.version, raw)
        answer.upgraded_state.CopyFrom(_dynamic(conform(raw, schema.type), schema.type))
        return ()

    def _read(self, request: pb.ReadResource.Request, answer: pb.ReadResource.Response) -> Diagnostics:
        resource = self._resource(request.type_name)
        kind = resource.schema.type
        state = resource.read(_value(request.current_state, kind), request.private)
        answer.new_state.CopyFrom(_dynamic(state, kind))
        answer.private = request.private
        return mistake("ReadResource", ((path, "it is unknown") for path in unknowns(state)))

    def _plan(self, request: pb.PlanResourceChange.Request, answer: pb.PlanResourceChange.Response) -> Diagnostics:
        resource = self._resource(request.type_name)
        kind = resource.schema.type
        asked = PlanRequest(
            prior=_value(request.prior_state, kind),
            proposed=_value(request.proposed_new_state, kind),
            config=_value(request.config, kind),
            private=request.prior_private,
        )
        plan = resource.plan(asked)
        if any(each.severity == "error" for each in plan.diagnostics):
            return plan.diagnostics
        answer.planned_state.CopyFrom(_dynamic(plan.planned, kind))
        answer.planned_private = plan.private
        replace = [path_message(path, kind) for path in plan.replace]
        answer.requires_replace.extend(replace)
        breaches = [
            (path, "a replacement is asked for by a path that the schema does not have")
            for path, message in zip(plan.replace, replace, strict=True)
            if not path or len(message.steps) < len(path)
        ]
        if (plan.planned is None) != (asked.proposed is None):
            breaches.append(((), "a destroy is planned where none was asked for, or none where one was"))
        elif plan.planned is not None and answer.planned_state.msgpack != request.proposed_new_state.msgpack:
            # What was proposed keeps the rules: Terraform made it so. The rest is read again, as Terraform will see it.
            planned = _value(answer.planned_state, kind)
            breaches.extend(plan_breaches(resource.schema, asked.prior, asked.config, planned))
        return [*plan.diagnostics, *mistake(f"PlanResourceChange for {resource.type_name}", breaches)]

    def _apply(self, request: pb.ApplyResourceChange.Request, answer: pb.ApplyResourceChange.Response) -> Diagnostics:
        resource = self._resource(request.type_name)
        kind = resource.schema.type
        # What stays recorded if nothing comes of it: the prior state, null for what was to be created.
        answer.new_state.CopyFrom(request.prior_state)
        answer.private = request.planned_private
        prior, planned = _value(request.prior_state, kind), _value(request.planned_state, kind)
        if planned is None:
            resource.delete(prior, request.planned_private)
            answer.new_state.CopyFrom(_NULL)
            answer.private = b""
            return ()
        diagnostics: Diagnostics = ()
        try:
            if prior is None:
                result = resource.create(planned, request.planned_private)
            else:
                result = resource.update(prior, planned, request.planned_private)
        except Refusal as refusal:
            if refusal.state is None:
                raise
            result, diagnostics = refusal.state, refusal.diagnostics
        return [*diagnostics, *_record(answer, result, planned, resource, refused=bool(diagnostics))]

    def _import(self, request: pb.ImportResourceState.Request, answer: pb.ImportResourceState.Response) -> Diagnostics:
        resource = self._resource(request.type_name)
        if type(resource).import_state is Resource.import_state:
            raise Refusal(Diagnostic("This cannot be imported", f"A {resource.type_name} has nothing to import it by."))
        found = resource.import_state(request.id)
        kind = resource.schema.type
        state = dict.fromkeys(kind.attributes) | found
        answer.imported_resources.add(type_name=request.type_name, state=_dynamic(state, kind))
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

    def _source(self, type_name: str) -> DataSource:
        return _named(type_name, self.provider.data_sources, "data source")

    def _of_data(self, request: Any) -> Schema:
        return self._source(request.type_name).schema

    def _validate_data(self, request: pb.ValidateDataResourceConfig.Request, _answer: Any) -> Diagnostics:
        source = self._source(request.type_name)
        return source.validate(_value(request.config, source.schema.type))

    def _read_data(self, request: pb.ReadDataSource.Request, answer: pb.ReadDataSource.Response) -> Diagnostics:
        source = self._source(request.type_name)
        kind = source.schema.type
        config = _value(request.config, kind)
        answer.state.CopyFrom(_dynamic(source.read(config), kind))
        state = _value(answer.state, kind)
        breaches = [*plan_breaches(source.schema, None, config, state)]
        breaches += [(path, "it is unknown") for path in unknowns(state)]
        return mistake(f"ReadDataSource for {source.type_name}", breaches)


def _named(type_name: str, among: Iterable[_Kind], what: str) -> _Kind:
    for each in among:
        if each.type_name == type_name:
            return each
    raise Refusal(
        Diagnostic(
            f"There is no {what} {type_name}",
            "The running provider does not have it: is the version that Terraform selected an older one?",
        )
    )


def _value(message: pb.DynamicValue, kind: Type) -> Any:
    if message.msgpack:
        return unrefined(decode(message.msgpack, kind))
    return from_json(message.json, kind) if message.json else None


def _dynamic(value: Any, kind: Type) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=encode(value, kind))


def _record(
    answer: pb.ApplyResourceChange.Response, result: State, planned: State, resource: Resource, *, refused: bool
) -> list[Diagnostic]:
    """Put what an apply made into the answer, and what it lacks into words.

    Something exists by now: even a faulty result is recorded as far as it goes, so that Terraform does not lose it.
    """
    kind = resource.schema.type
    answer.new_state.CopyFrom(_dynamic(_recordable(result, planned, kind), kind))
    during = f"ApplyResourceChange for {resource.type_name}"
    try:
        made = decode(encode(result, kind), kind)  # as Terraform sees it
    except EncodeError as problem:
        return mistake(during, [(problem.path, problem.problem)])
    # What was refused halfway may differ from the plan: the refusal says why.
    return [] if refused else mistake(during, result_breaches(kind, planned, made))


def _recordable(result: Any, planned: State, kind: Object) -> State:
    """The attributes of a result that are known values of their types, else as planned, else null."""

    def sound(value: Any, kind: Type) -> bool:
        try:
            encode(value, kind)
        except EncodeError:
            return False
        return not any(True for _ in unknowns(value))

    candidates = (result, planned) if isinstance(result, dict) else (planned,)
    return {
        name: next((each[name] for each in candidates if name in each and sound(each[name], inner)), None)
        for name, inner in kind.attributes.items()
    }


def _report(answer: Any, diagnostics: Iterable[Diagnostic], schema_of: Callable[[Any], Schema], request: Any) -> None:
    if isinstance(answer, pb.StopProvider.Response):  # the one answer that has room for a sentence only
        answer.Error = "; ".join(f"{each.summary}: {each.detail}" for each in diagnostics)
        return
    try:
        kind: Type = schema_of(request).type
    except Exception:  # noqa: BLE001 - there is no such type, or no provider at all: the diagnostics say so already
        kind = _NO_SCHEMA.type
    answer.diagnostics.extend(diagnostic_message(each, kind) for each in diagnostics)

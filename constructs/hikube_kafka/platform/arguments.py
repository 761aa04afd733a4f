"""What targets, platforms and their parts are given: checked by the signatures, all at once, and told with the rest."""

import functools
import inspect
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, ParamSpec, Union, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from pydantic import ConfigDict, InstanceOf, create_model

from hikube_kafka.platform import apart, refusal
from hikube_kafka.platform.cdk import Construct, TerraformResource, require_family
from hikube_kafka.spec.mistakes import VALUE_UNKNOWN, is_reference
from hikube_kafka.spec.model import Declared
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.quantities import Measure

P = ParamSpec("P")


def checked(
    *elsewhere: str, instead: Mapping[str, Callable[[], Any]] | None = None, hands_on: Iterable[str] = ()
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Have the constructor run with what is right of its arguments; :func:`mistaken` has the rest.

    Args:
        elsewhere: arguments that the constructor looks at itself.
        instead: what it is given for an argument that is missing or mistaken, and has no default.
        hands_on: names that it takes by ``**``, and hands on to whoever looks at them.
    """
    return lambda init: _checking(_Signature(init, frozenset(elsewhere), tuple(hands_on)), init, instead or {})


def checked_part(init: Callable[P, None]) -> Callable[P, None]:
    """Have the constructor of a part run if all its arguments are right; otherwise the part is refused.

    Attributes of Terraform's resources may be references; those of a declaration must be known.
    """
    signature = _Signature(init, frozenset(), ())

    @functools.wraps(init)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        call = signature.call(type(self).__name__, args, kwargs)
        if call is None:
            init(self, *args, **kwargs)  # Python says what is wrong with it
            return
        require_family(call.heads["scope"])
        problems = call.arguments.problems(type(self).__name__)
        if isinstance(self, TerraformResource):
            problems = [problem for problem in problems if problem.rule != VALUE_UNKNOWN.id]
        if problems:
            refuse_part(self, call.heads, problems)
        else:
            init(self, **call.heads, **call.readable(), **call.references(), **call.rest)

    return construct  # type: ignore[return-value]


def refuse_part(part: Any, heads: Mapping[str, Any], problems: list[Problem]) -> None:
    """Make a construct of a part that adds nothing to its stack, and refuse it.

    Args:
        part: the instance, before its constructor has run.
        heads: its scope and its id.
        problems: why.
    """
    if isinstance(part, TerraformResource):
        TerraformResource.__init__(part, heads["scope"], heads["id"], terraform_resource_type="refused")
    else:
        Construct.__init__(part, heads["scope"], heads["id"])
    apart.watch(part)
    refusal.refuse(part, problems)


def mistaken(of: object) -> list[Problem]:
    """What was mistaken in the arguments of a constructor."""
    return _MISTAKEN.get(of, [])


_MISTAKEN: WeakKeyDictionary[Any, list[Problem]] = WeakKeyDictionary()


def _checking(signature: "_Signature", init: Callable[P, None], instead: Mapping[str, Any]) -> Callable[P, None]:
    @functools.wraps(init)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        call = signature.call(type(self).__name__, args, kwargs)
        if call is None:
            init(self, *args, **kwargs)  # Python says what is wrong with it
            return
        problems = call.arguments.own_problems(type(self).__name__)
        values = call.readable()
        if problems:
            _MISTAKEN[self] = problems
            values |= {name: make() for name, make in instead.items() if name not in values}
        init(self, **call.heads, **values, **call.rest)

    return construct  # type: ignore[return-value]


class _Arguments(Declared):
    """Of one call."""

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())


class _Call:
    """A call of a constructor."""

    def __init__(
        self, arguments: _Arguments, given: Mapping[str, Any], heads: Mapping[str, Any], rest: Mapping[str, Any]
    ) -> None:
        self.arguments = arguments
        self.heads = heads
        """Scope and id."""
        self.rest = rest
        """What the constructor hands on."""
        self._given = given

    def readable(self) -> dict[str, Any]:
        """What is right of that which was given."""
        values = self.arguments.__dict__
        return {name: values[name] for name in self._given if name in values}

    def references(self) -> dict[str, Any]:
        """What cannot be read because it is a reference, as it is."""
        unread = type(self.arguments).model_fields.keys() - self.arguments.__dict__.keys()
        return {name: value for name, value in self._given.items() if name in unread and is_reference(value)}


class _Signature:
    """What a constructor takes."""

    def __init__(self, init: Callable[..., None], elsewhere: frozenset[str], hands_on: tuple[str, ...]) -> None:
        self._init = init
        self._elsewhere = elsewhere
        parameters = list(inspect.signature(init).parameters.values())[1:]
        self._named = [each for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD]
        self._hands_on = sorted(set(hands_on) - {each.name for each in self._named})
        self._positional = [each.name for each in self._named if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]

    def call(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Call | None:
        """The call; None where it has no place in the tree of constructs, or gives an argument twice."""
        placed = dict(zip(self._positional, args, strict=False))
        given = placed | dict(kwargs)
        heads = {each: given.pop(each) for each in _HEADS if each in given}
        if len(placed.keys() & kwargs.keys()) or len(heads) < len(_HEADS & {each.name for each in self._named}):
            return None
        rest = {each: given.pop(each) for each in self._hands_on if each in given}
        arguments = self._model(name)(*args[len(self._positional) :], **given)
        return _Call(arguments, given, heads, rest)

    @functools.cache  # noqa: B019 - one for each constructor
    def _model(self, name: str) -> type[_Arguments]:
        hints = get_type_hints(self._init, include_extras=True)
        fields: dict[str, Any] = {
            each.name: (
                Any if each.name in self._elsewhere else _checkable(hints.get(each.name, Any)),
                ... if each.default is inspect.Parameter.empty else each.default,
            )
            for each in self._named
            if each.name not in _HEADS
        }
        fields |= dict.fromkeys(self._hands_on, (Any, None))
        return create_model(name, __base__=_Arguments, **fields)


_HEADS = {"scope", "id"}
_INSTANCE_OF: Any = InstanceOf


def _checkable(annotation: Any) -> Any:
    """The annotation as far as it can be checked: protocols and iterators are left to whoever uses them."""
    origin = get_origin(annotation)
    if origin in {Union, UnionType}:
        members = [_checkable(each) for each in get_args(annotation)]
        if any(isinstance(each, type) and issubclass(each, Measure) for each in members):
            members = [each for each in members if each not in {str, int, float}]  # what it is read from
        return Any if Any in members else functools.reduce(operator.or_, members)
    if origin is Literal or annotation in {str, int, bool, float, NoneType}:
        return annotation
    if origin is Annotated:
        taken, *how = get_args(annotation)
        inner = _checkable(taken)
        return Any if inner is Any else Annotated[(inner, *how)]
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, Declared | Measure):
            return annotation
        # Of a dataclass pydantic would check the fields as well, which may be protocols.
        is_left = getattr(annotation, "_is_protocol", False) or is_dataclass(annotation)
        return Any if is_left else _INSTANCE_OF[annotation]
    return Any

"""What every model of a declaration has in common: it is frozen, and it refuses fields it does not know."""

import inspect
import math
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from hikube_kafka.spec.frozen import FrozenDict
from hikube_kafka.spec.mistakes import Mistake, Path, of_errors, stands_for_all, unnamed
from hikube_kafka.spec.problem import DeclarationError, Problem


class Model(BaseModel):
    """A frozen, closed model.

    Frozen, because a declaration is compared, hashed and handed on; closed, because a misspelt field that is dropped
    silently becomes a cluster that differs from what somebody believes to have declared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)


class ChartModel(Model):
    """A model that is part of a chart's values too, where its fields are written in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


def _no_truth(value: Any) -> Any:
    """Python counts ``True`` as 1, and pydantic follows: nobody who declares a number means it."""
    if isinstance(value, bool):
        raise ValueError(f"{value} is not a number: declare one, such as 3")  # noqa: TRY004 - pydantic collects ValueError alone
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return value


K = TypeVar("K")
V = TypeVar("V")


def _with_entries(value: Any) -> Any:
    """A reference in place of all entries has none that could be told apart, or added to."""
    if stands_for_all(value):
        raise ValueError("its entries are known only at apply")
    return value


Frozen = Annotated[Mapping[K, V], AfterValidator(_with_entries), AfterValidator(FrozenDict)]
"""A mapping as a field: a copy of what was given, which nobody changes."""


def _in_order(value: Any) -> Any:
    """A set has another order in every run, and a plan would show a difference where there is none."""
    return sorted(value, key=str) if isinstance(value, set | frozenset) else value


Several = Annotated[tuple[str, ...], BeforeValidator(_in_order), AfterValidator(_with_entries)]
"""Several texts as a field."""
Texts = list[str] | tuple[str, ...]
"""Several texts, as they are given: a single one, which Python takes for a sequence of its letters, is none."""
Whole = Annotated[int, BeforeValidator(_no_truth)]
"""A whole number that somebody declares."""
Number = Annotated[float, BeforeValidator(_no_truth)]
"""A number that somebody declares."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """Of a text that is a field: ``Annotated[str, Form(...)]``. Whoever misses it is told in words."""

    pattern: str
    """Regular expression of the whole text; a JSON schema has it too."""
    what: str
    """What another text is not: ``a valid name of a namespace``."""
    instead: str
    """What to do about it: ``use lower-case letters``."""
    shows: Callable[[str], str] = str
    """The text as an error may show it: without what may be a secret."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._of_this_form, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | {"pattern": self.pattern}

    def _of_this_form(self, text: str | None) -> str | None:
        if text is not None and not re.fullmatch(self.pattern, text):
            raise ValueError(f"{self.shows(text)!r} is not {self.what}: {self.instead}")
        return text


class FieldError(DeclarationError):
    """A field was read that was not declared as it must be.

    Attributes:
        of: the model.
    """

    def __init__(self, of: "Declared") -> None:
        super().__init__(of.problems())
        self.of = of


if TYPE_CHECKING:
    _Deferring = type
else:

    class _Deferring(type(BaseModel)):
        """Makes an instance of whatever a model is called with: what is wrong is kept, and told with all the rest."""

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            try:
                instance = super().__call__(*args, **kwargs)
            except ValidationError as error:
                if _is_somebody_elses(cls.__init__):
                    return _mistaken(cls, (), _handed_on(cls, error), error)
                return _mistaken(cls, args, kwargs, error)
            except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
                if _is_somebody_elses(cls.__init__):
                    raise
                # Of the call itself, or of a model that pydantic makes of a mapping.
                return _mistaken(cls, args, kwargs, error)
            if cls.is_located:
                # Beside the fields, as pydantic keeps cached properties: it is no part of what is declared.
                instance.__dict__[_PLACE] = place()
            return instance


class Declared(Model, metaclass=_Deferring):
    """A model that people write, and that never raises where it is written.

    Whoever mistypes three of their forty topics wants to be told of all three, by one error, with what the rules say
    about the rest. So an instance keeps its mistakes, whoever delivers it asks for them (:meth:`problems`), and only
    reading a field that is mistaken raises. ``model_validate``, which reads data from elsewhere, raises at once.
    """

    separable: ClassVar[frozenset[str]] = frozenset()
    """Fields with several entries, of which the good ones can be read without the others."""
    is_located: ClassVar[bool] = False
    """Whether an instance remembers the line on which it was declared, for the review of a plan."""

    _mistakes: tuple[Mistake, ...] = PrivateAttr(default=())
    _unread: Mapping[str, Any] = PrivateAttr(default_factory=dict)
    """What was given for the fields that cannot be read."""
    _place: str = PrivateAttr(default="")
    """File and line of what is mistaken."""

    @property
    def declared_at(self) -> str:
        """File and line: ``stacks/events.py:12``; empty where nobody remembers it."""
        return str(self.__dict__.get(_PLACE, ""))

    def problems(self, where: str = "") -> list[Problem]:
        """What is mistaken in it, and in what it contains.

        Args:
            where: how its owner calls it: ``kafka.storage``. Empty means by its own name.
        """
        return list(_problems(self, where or type(self).__name__))

    def own_problems(self, where: str) -> list[Problem]:
        """What is mistaken in it, and not in what it contains.

        Args:
            where: how its owner calls it.
        """
        private = self.__pydantic_private__ or {}
        label = self.label(where)
        there = f"{label} ({private['_place']})" if private.get("_place") else label
        return [mistake.problem(there) for mistake in private.get("_mistakes", ())]

    def label(self, where: str) -> str:
        """How it is called in an error.

        Args:
            where: how its owner calls it.
        """
        return where

    def inner(self, where: str, name: str) -> str:
        """How a field of it is called in an error.

        Args:
            where: how its owner calls it.
            name: of the field.
        """
        return f"{where}.{name}"

    @classmethod
    def model_validate(cls, obj: Any, **how: Any) -> Self:
        """The model of the data.

        Raises:
            pydantic.ValidationError: they are not of its form.
            DeclarationError: a part of them is not.
        """
        read = super().model_validate(obj, **how)
        if problems := read.problems():
            raise DeclarationError(problems)
        return read

    @classmethod
    def spelled_alike(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is given by the names of the fields, where one of them has another spelling."""
        return given

    @classmethod
    def mistaken(cls, *mistakes: Mistake) -> Any:
        """An instance of which no field can be read, because of these mistakes."""
        instance = cls.unknown()
        instance.__pydantic_private__ |= {"_mistakes": mistakes, "_place": place()}
        return instance

    @classmethod
    def unknown(cls) -> Any:
        """An instance of which no field can be read, because of a mistake elsewhere."""
        instance = cls.__new__(cls)
        object.__setattr__(instance, "__dict__", {})
        object.__setattr__(instance, "__pydantic_fields_set__", set())
        object.__setattr__(instance, "__pydantic_extra__", None)
        private = {"_mistakes": (), "_unread": dict.fromkeys(cls.model_fields), "_place": ""}
        object.__setattr__(instance, "__pydantic_private__", private)
        return instance

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            private = object.__getattribute__(self, "__pydantic_private__")
            if private and name in private["_unread"]:
                raise FieldError(self)
            return super().__getattr__(name)


def _mistaken(cls: type[Declared], args: Sequence[Any], kwargs: Mapping[str, Any], error: Exception) -> Any:
    given, unplaced = _bound(cls, args, kwargs)
    fields = [name for name in cls.model_fields if name != "kind"]
    found = [*unnamed(unplaced, cls.__name__, [name for name in fields if name not in given])]
    probe = cls.__new__(cls)
    try:
        BaseModel.__init__(probe, **given)
    except ValidationError as again:
        found += of_errors(again.errors(include_url=False), given, cls.__name__, fields=_fields_of(cls))
    except (TypeError, ValueError, AttributeError, ArithmeticError):
        found += _one_by_one(cls, given)
    if unplaced:
        # What has no name is what seems to be missing.
        found = [each for each in found if each.rule.id != "field-missing"]
    if not found:
        about = {"type": "value_error", "loc": (), "input": None, "ctx": {"error": error}}
        found = of_errors([about], {}, cls.__name__, fields=_fields_of(cls))
    instance = cls.unknown()
    wrong = {str(each.path[0]) for each in found if each.path}
    declared = cls.spelled_alike(given)
    for name, field in cls.model_fields.items():
        value = declared.get(name, declared.get(field.alias or name, _ABSENT))
        if name in wrong and name in cls.separable:
            value = _without(value, [each.path for each in found if each.path[:1] == (name,)])
        if (name in wrong and name not in cls.separable) or value is _ABSENT:
            read = _ABSENT if name in wrong or field.is_required() else field.get_default(call_default_factory=True)
        else:
            try:
                read = _adapter(cls, name).validate_python(value)
            except (ValidationError, TypeError, ValueError):
                read = _ABSENT
        if read is _ABSENT:
            instance.__pydantic_private__["_unread"][name] = None if value is _ABSENT else value
        else:
            del instance.__pydantic_private__["_unread"][name]
            instance.__dict__[name] = read
    instance.__pydantic_fields_set__.update(declared.keys() & cls.model_fields.keys())
    instance.__pydantic_private__ |= {"_mistakes": tuple(found), "_place": place()}
    return instance


_ABSENT: Any = object()


def _is_somebody_elses(init: Callable[..., None]) -> bool:
    """Whether the constructor is of a model that somebody has derived: it may take anything, and have faults."""
    return init.__module__.partition(".")[0] not in _OURS


def _handed_on(cls: type[Declared], error: ValidationError) -> dict[str, Any]:
    """What such a constructor has given to that of the fields, which pydantic's error does not tell."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is _INIT and type(frame.f_locals["self"]) is cls:
            return dict(frame.f_locals["data"])
    raise error  # of another model, which the constructor has made


_INIT = vars(BaseModel)["__init__"].__code__


def _bound(cls: type[Declared], args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[Any]]:
    """What is given by name, and what has no name."""
    # Of a model without a constructor of its own that is pydantic's: all by name.
    by_name = cls.__init__.__code__ is _INIT or _is_somebody_elses(cls.__init__)
    signature = {} if by_name else inspect.signature(cls.__init__).parameters
    positional = [
        name
        for name, each in signature.items()
        if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and name != "self"
    ]
    given = dict(zip(positional, args, strict=False)) | {
        # None means the default where the signature says so, whatever the field itself takes.
        name: value
        for name, value in kwargs.items()
        if value is not None or name not in signature or signature[name].default is not None
    }
    return given, args[len(positional) :]


def _one_by_one(cls: type[Declared], given: Mapping[str, Any]) -> list[Mistake]:
    """Mistakes by field, where validating all of them together ended in an error of another kind."""
    errors: list[Mapping[str, Any]] = []
    for name in given:
        if name not in cls.model_fields:
            errors.append({"type": "extra_forbidden", "loc": (name,), "input": None})
            continue
        try:
            _adapter(cls, name).validate_python(given[name])
        except ValidationError as error:
            errors += [{**each, "loc": (name, *each["loc"])} for each in error.errors(include_url=False)]
        except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
            errors.append({"type": "value_error", "loc": (name,), "input": given[name], "ctx": {"error": error}})
    required = [name for name, field in cls.model_fields.items() if field.is_required() and name not in given]
    errors += [{"type": "missing", "loc": (name,), "input": None} for name in required]
    return of_errors(errors, given, cls.__name__, fields=_fields_of(cls))


def _fields_of(cls: type[BaseModel]) -> Callable[[Path], tuple[str, Sequence[str]]]:
    """Tells the name and the fields of the model at a place in this one."""

    def at(path: Path) -> tuple[str, Sequence[str]]:
        model = cls
        for part in path:
            if part in model.model_fields:
                model = next(iter(_models(model.model_fields[str(part)].annotation)), model)
        return model.__name__, [name for name in model.model_fields if name != "kind"]

    return at


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _adapter(cls: type[Declared], name: str) -> TypeAdapter[Any]:
    field = cls.model_fields[name]
    annotation: Any = field.annotation
    return TypeAdapter(Annotated[(annotation, *field.metadata)] if field.metadata else annotation)


def _without(value: Any, paths: Sequence[Path]) -> Any:
    """The value without its mistaken entries; what has none is mistaken as a whole."""
    entries = {path[1] for path in paths if len(path) > 1}
    if any(len(path) == 1 for path in paths):
        return _ABSENT
    if isinstance(value, Mapping):
        return {key: each for key, each in value.items() if key not in entries}
    return [each for index, each in enumerate(value) if index not in entries]


def _problems(value: object, where: str) -> Iterator[Problem]:
    """Every mistake below a value, whatever holds it."""
    if isinstance(value, Declared):
        yield from value.own_problems(where)
        unread = (value.__pydantic_private__ or {}).get("_unread", {})
        for name in type(value).model_fields:
            yield from _problems(value.__dict__.get(name, unread.get(name)), value.inner(where, name))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _problems(each, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _problems(each, f"{where}[{index}]")


def place() -> str:
    """File and line outside of this package from which it was called: ``stacks/events.py:12``."""
    frame = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads the source of every frame
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame = frame.f_back
    file = frame.f_code.co_filename
    here = os.path.relpath(file) if file.startswith(os.getcwd() + os.sep) else file  # noqa: PTH109 - text for people
    return f"{here}:{frame.f_lineno}"


_PLACE = "declared at"
_OURS = frozenset({"hikube_kafka", "pydantic", "pydantic_core", "jsii", "constructs"})

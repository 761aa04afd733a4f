"""What every model of a declaration has in common: it is frozen, and it refuses fields it does not know."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel


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
        raise ValueError(f"{value} is not a number")  # noqa: TRY004 - pydantic collects ValueError alone
    return value


Whole = Annotated[int, BeforeValidator(_no_truth)]
"""A whole number that somebody declares."""
Number = Annotated[float, BeforeValidator(_no_truth)]
"""A number that somebody declares."""

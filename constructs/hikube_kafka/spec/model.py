"""What every model of a declaration has in common: it is frozen, and it refuses fields it does not know."""

from pydantic import BaseModel, ConfigDict
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

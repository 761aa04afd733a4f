"""Every rule by its id. Apart from the rules: it loads all of them, and only a file that names some needs that."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import walk_packages

from hikube_kafka import spec
from hikube_kafka.spec.problem import Rule


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule that a module of ``spec`` holds, alone or in a mapping."""
    found: dict[str, Rule] = {}
    for module in walk_packages(spec.__path__, f"{spec.__name__}."):
        for value in vars(import_module(module.name)).values():
            for each in value.values() if isinstance(value, Mapping) else [value]:
                if isinstance(each, Rule):
                    found[each.id] = each
    return found

"""Whether a label selector of Kubernetes selects something."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector of Kubernetes selects something with these labels.

    An empty selector selects everything, none selects nothing, as in policy/v1.
    """
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    meets: Mapping[str, Callable[[str, Sequence[str]], bool]] = {
        "In": lambda key, values: labels.get(key) in values,
        "NotIn": lambda key, values: labels.get(key) not in values,
        "Exists": lambda key, _values: key in labels,
        "DoesNotExist": lambda key, _values: key not in labels,
    }
    return all(
        meets[each["operator"]](each["key"], each.get("values", [])) for each in selector.get("matchExpressions", [])
    )

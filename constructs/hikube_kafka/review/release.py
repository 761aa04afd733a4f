"""A ``helm_release`` of a plan as what it declares: which of our charts, and its values as Helm merges them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from hikube_kafka.review import helm_values
from hikube_kafka.review.helm_values import UnreadableValuesError
from hikube_kafka.review.hidden import Hidden, all_hidden, concealed, revealed
from hikube_kafka.review.plan import Change

Chart = Literal["kafka", "zookeeper", "connect"]

HELM = "hashicorp/helm"
"""The provider, whatever registry it comes from."""
_CLOAKED = "(sensitive value)"
"""What the provider writes in place of a value of ``set_sensitive`` in ``metadata.values``."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release, before or after the apply."""

    name: str
    namespace: str
    chart: Chart | None
    """Which of this project's charts; None: it is somebody else's, and nothing is known of its values."""
    chart_named: str
    """As the plan names it: ``./assets/chart-kafka/310d1181dff93f43``, ``oci://charts.example.com/charts/kafka``."""
    repository: str = ""
    version: str = ""
    """Of the chart; empty: the plan does not tell."""
    settings: Mapping[str, Any]
    """Values as the chart's templates see them: its defaults, if it is ours, below what is given. Secrets are
    ``Hidden``. What only the apply will tell is missing."""
    given: Mapping[str, Any]
    """The values that the release gives, without defaults."""
    unknown: frozenset[tuple[str, ...]] = frozenset()
    """Settings that only the apply will tell; ``()``: any of them."""
    unreadable: tuple[str, ...] = ()
    """What could not be read, and why: a sentence each."""
    waits: bool = True
    """Whether the apply waits until the pods are ready."""
    timeout_seconds: int = 300
    """How long it waits."""
    atomic: bool = False
    """A release that is not ready in time is rolled back: the servers restart a second time."""
    cleans_up: bool = False
    """``cleanup_on_fail``: what a failed upgrade created is deleted."""
    recreates_pods: bool = False
    """``recreate_pods``: all pods are deleted at once."""
    forces: bool = False
    """``force_update``: objects are deleted and created where they cannot be changed."""
    replaces: bool = False
    """``replace``: what a failed or uninstalled release of this name has left is taken over."""
    reuses_values: bool = False
    """``reuse_values``: what is no longer given stays as it was."""


def is_release(change: Change) -> bool:
    """Whether it is a ``helm_release`` of Terraform's helm provider."""
    return change.type == "helm_release" and "/".join(change.provider.split("/")[-2:]) == HELM


def releases(change: Change) -> tuple[Release | None, Release | None]:
    """What a release is before the apply, and after it; None: there is none."""
    before, after = change.before, change.after
    # Charts are told apart by all that is known: what an upgrade gives may say less than what is there.
    is_same = before is not None and after is not None and _source(before) == _source(after)
    former = _read(before, frozenset(), former=None, chart=_chart(before)) if before is not None else None
    if after is None:
        return former, None
    chart = _chart(after) or (former.chart if former and is_same else None)
    if former and former.chart is None and chart and is_same and before is not None:
        former = _read(before, frozenset(), former=None, chart=chart)
    upgrade = former if change.action.value == "update" else None
    later = _read(after, change.unknown, former=upgrade, chart=chart, wo_before=(before or {}).get(_WO))
    if chart and _is_rendered_anew(change):
        later = replace(later, unreadable=(*later.unreadable, "What postrender makes of the manifests is in no plan."))
    return former, later


def _is_rendered_anew(change: Change) -> bool:
    """Whether a program that Helm has not run so far changes the manifests."""
    before, after = (revealed((each or {}).get("postrender")) or None for each in (change.before, change.after))
    return change.is_unknown("postrender") or (after is not None and after != before)


_WO = "set_wo_revision"


def _source(resource: Mapping[str, Any]) -> tuple[Any, Any]:
    return resource.get("chart"), resource.get("repository")


# --- whose chart it is ---


@cache
def _defaults(chart: Chart) -> Mapping[str, Any]:
    return helm_values.read((files("hikube_kafka") / "charts" / chart / "values.yaml").read_text("utf-8"))


@cache
def _properties(chart: Chart) -> frozenset[str]:
    schema = json.loads((files("hikube_kafka") / "charts" / chart / "values.schema.json").read_text("utf-8"))
    return frozenset(schema["properties"])


_OURS_ALONE: Mapping[Chart, frozenset[str]] = {
    "kafka": frozenset({"claimRetention", "forwardPort", "shutdownGateSeconds", "startupSeconds"}),
    "zookeeper": frozenset({"claimRetention", "membershipSecret"}),
    "connect": frozenset({"plugins", "secrets", "startupSeconds", "terminationGraceSeconds"}),
}
"""Values that charts of the same name have not been seen to have."""
_ASSET = re.compile(
    r"(?:^|/)assets/(?:chart-(kafka|zookeeper|connect)|\w*_(kafka|zookeeper|connect)_chart_[0-9A-F]{8})(?:_[0-9A-F]+)?(?:/|$)"
)
"""Where a synthesized stack has a copy of the chart."""
_PROMISES = ("Uninstalling keeps the claims", "Uninstalling keeps connectors and offsets")
"""What the notes of the charts end with."""
_APPLICATION = re.compile(r"3\.[0-9]+\.[0-9]+")
_SOMEBODY_ELSES = re.compile(r"bitnami|1password", re.IGNORECASE)
"""In the address of a chart of the same name."""


def _chart(resource: Mapping[str, Any]) -> Chart | None:
    """Which of our charts it is. Others have the same names: Bitnami's ``kafka`` and ``zookeeper`` above all."""
    metadata = _metadata(resource)
    named = revealed(resource.get("chart"))
    if (found := _ASSET.search(named if isinstance(named, str) else "")) is not None:
        return _named(found[1] or found[2])
    name = str(metadata.get("chart") or _base_name(named)).casefold()
    # A copy of ours may have a name of its own: acme-kafka.
    kind = next((each for each in ("connect", "zookeeper", "kafka") if each in name), "")
    if any(promise in str(metadata.get("notes") or "") for promise in _PROMISES) and kind:
        return _named(kind)
    values = revealed(_Values(resource, frozenset()).given)
    for chart in _OURS_ALONE:
        # With any other value the chart's own schema refuses the release.
        if not values.keys() <= _properties(chart):
            continue
        if values.keys() & _OURS_ALONE[chart] and (kind == chart or _typical(chart, values)):
            return chart
        application = metadata.get("app_version")
        if (
            name == chart
            and not any(_SOMEBODY_ELSES.search(_word(resource, each)) for each in ("chart", "repository"))
            and _is_released(chart, str(metadata.get("version") or _word(resource, "version")))
            and (application is None or _APPLICATION.fullmatch(str(application)))
        ):
            return chart
    return None


def _named(kind: str) -> Chart:
    return next(chart for chart in _OURS_ALONE if chart == kind)


@cache
def _major(chart: Chart) -> int:
    about = helm_values.read((files("hikube_kafka") / "charts" / chart / "Chart.yaml").read_text("utf-8"))
    return int(str(about["version"]).partition(".")[0])


def _is_released(chart: Chart, version: str) -> bool:
    """Whether it may be a version of ours, or one to come: others of the same name are far ahead. ``~> 0.1`` too."""
    first = re.search(r"[0-9]+", version)
    return first is None or int(first[0]) <= _major(chart)


def _typical(chart: Chart, values: Mapping[str, Any]) -> bool:
    """Whether values that come with a chart of another name can be no other chart's."""
    return _OURS_ALONE[chart] <= values.keys() or "hikube.kafka/platform" in (values.get("labels") or ())


def _base_name(named: object) -> str:
    name = str(named or "").rstrip("/").rpartition("/")[2]
    return re.sub(r"(-v?[0-9]+(\.[0-9]+)*(-[\w.]+)?)?\.tgz$", "", name)


def _metadata(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of what is deployed; the provider's version 2 has it as a list of one."""
    metadata = revealed(resource.get("metadata"))
    if isinstance(metadata, list):
        metadata = metadata[0] if metadata else None
    return metadata if isinstance(metadata, Mapping) else {}


# --- what it gives ---


@dataclass
class _Values:
    """What a resource gives the chart, in the provider's order: documents, ``set``, ``set_list``, ``set_sensitive``."""

    resource: Mapping[str, Any]
    unknown_paths: frozenset[tuple[str | int, ...]]
    given: dict[str, Any] = field(default_factory=dict)
    unknown: set[tuple[str, ...]] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._documents()
        self._settings("set", self._set)
        self._settings("set_list", self._set_list)
        self._settings("set_sensitive", self._set)

    def _is_unknown(self, *path: str | int) -> bool:
        return any(each == path[: len(each)] for each in self.unknown_paths)

    def _documents(self) -> None:
        if self._is_unknown("values"):
            self.unknown.add(())
            self.unreadable.append("values is only known after the apply.")
            return
        documents, secret = _opened(self.resource.get("values"))
        for index, document in enumerate(self._list("values", documents)):
            text, hidden = _opened(document)
            if self._is_unknown("values", index):
                self.unknown.add(())
                self.unreadable.append(f"values[{index}] is only known after the apply.")
            elif text is not None and not isinstance(text, str):
                self._refuse(f"values[{index}] is not a text.")
            elif text:
                try:
                    found = helm_values.read(text)
                except UnreadableValuesError as problem:
                    self.unknown.add(())
                    self.unreadable.append(f"values[{index}] cannot be read: {problem}.")
                    continue
                self.given = helm_values.merged(self.given, all_hidden(found) if secret or hidden else found)

    def _refuse(self, why: str) -> None:
        self.unknown.add(())
        self.unreadable.append(why)

    def _list(self, attribute: str, value: Any) -> list[Any]:
        if value is not None and not isinstance(value, list):
            self._refuse(f"{attribute} is not a list.")
        return value if isinstance(value, list) else []

    def _settings(self, attribute: str, into: Callable[[str, Mapping[str, Any], bool], None]) -> None:
        if self._is_unknown(attribute):
            self.unknown.add(())
            self.unreadable.append(f"{attribute} is only known after the apply.")
            return
        entries, secret = _opened(self.resource.get(attribute))
        for index, each in enumerate(self._list(attribute, entries)):
            entry, hidden = _opened(each)
            if not isinstance(entry, Mapping):
                self._refuse(f"{attribute}[{index}] is not an object.")
                continue
            name = revealed(entry.get("name"))
            if self._is_unknown(attribute, index, "name") or not isinstance(name, str):
                self.unknown.add(())
                self.unreadable.append(f"the name of {attribute}[{index}] is only known after the apply.")
                continue
            if any(path[:2] == (attribute, index) for path in self.unknown_paths):
                self._tell_later(attribute, name)
                continue
            try:
                into(name, entry, secret or hidden or attribute == "set_sensitive")
            except UnreadableValuesError as problem:
                self.unknown.add(())
                self.unreadable.append(f"Helm refuses the setting {name} of {attribute}: {problem}.")

    def _tell_later(self, attribute: str, name: str) -> None:
        self.unreadable.append(f"the setting {name} of {attribute} is only known after the apply.")
        there: dict[str, Any] = {}
        try:
            helm_values.put(there, name, "", text=True)
        except UnreadableValuesError:
            self.unknown.add(())
            return
        for path in _leaves(there):
            self.unknown.add(path)
            self.given = _without(self.given, path)

    def _set(self, name: str, entry: Mapping[str, Any], hidden: bool) -> None:  # noqa: FBT001 - a callback's
        value, secret = _opened(entry.get("value"))
        wrap: Callable[[Any], Any] = all_hidden if hidden or secret else _as_it_is
        given = dict(self.given)
        match revealed(entry.get("type")):
            case None | "" | "auto":
                helm_values.put(given, name, _text(value), text=False, wrap=wrap)
            case "string":
                helm_values.put(given, name, _text(value), text=True, wrap=wrap)
            case "literal":
                helm_values.put_literal(given, name, _text(value), wrap=wrap)
            case _:
                raise UnreadableValuesError("its type is none that Helm has")
        self.given = given

    def _set_list(self, name: str, entry: Mapping[str, Any], hidden: bool) -> None:  # noqa: FBT001 - a callback's
        items, secret = _opened(entry.get("value"))
        if not isinstance(items, list):
            raise UnreadableValuesError("its value is not a list")
        texts = [_text(revealed(each)) for each in items if revealed(each) is not None]
        given = dict(self.given)
        wrap: Callable[[Any], Any] = all_hidden if hidden or secret else _as_it_is
        helm_values.put(given, name, f"{{{','.join(texts)}}}", text=False, wrap=wrap)
        self.given = given


def _as_it_is(value: Any) -> Any:
    return value


def _opened(value: Any) -> tuple[Any, bool]:
    """What is hidden, and that it is."""
    return (value.reveal(), True) if isinstance(value, Hidden) else (value, False)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def _without(values: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    found = dict(values)
    key, *rest = path
    if rest and isinstance(found.get(key), dict):
        found[key] = _without(found[key], tuple(rest))
    elif not rest:
        found.pop(key, None)
    return found


# --- the release ---


def _read(
    resource: Mapping[str, Any],
    unknown_paths: frozenset[tuple[str | int, ...]],
    *,
    former: Release | None,
    chart: Chart | None,
    wo_before: Any = None,
) -> Release:
    """A release.

    Args:
        resource: Its attributes.
        unknown_paths: What of them only the apply will tell.
        former: What it upgrades; None: it is installed, or it is what is there.
        chart: Which of our charts it is.
        wo_before: ``set_wo_revision`` of what it upgrades.
    """
    values = _Values(resource, unknown_paths)
    given, unreadable, unknown = values.given, list(values.unreadable), set(values.unknown)
    revision = revealed(resource.get(_WO)) or 0
    if revision and revision != (revealed(wo_before) or 0):
        # An upgrade with the same revision leaves the values of set_wo out.
        unknown.add(())
        unreadable.append("the values of set_wo are in no plan.")
    deployed = None if revision else _deployed(resource)
    if deployed is not None:
        given, unreadable, unknown = _uncloaked(deployed, given), [], set()
    given = concealed(given)
    reuses = _yes(resource, "reuse_values") and not _yes(resource, "reset_values")
    below: Mapping[str, Any] = _defaults(chart) if chart else {}
    if former is not None and deployed is None:
        if reuses:
            below, given = former.settings, helm_values.reused(given, former.given)
            unreadable += former.unreadable
            unknown |= former.unknown
        elif not given and not unknown and former.given and not _yes(resource, "reset_values"):
            # Helm keeps what a release had if an upgrade gives nothing at all.
            given, unreadable, unknown = dict(former.given), list(former.unreadable), set(former.unknown)
    settings = helm_values.effective(given, below)
    for path in unknown:
        settings = _without(settings, path) if path else settings
    if chart and (extra := sorted(settings.keys() - _properties(chart))):
        unreadable.append(f"the chart {chart} has no value {', '.join(extra)}: Helm refuses the release.")
    return Release(
        name=_word(resource, "name"),
        namespace=_word(resource, "namespace") or "default",
        chart=chart,
        chart_named=_word(resource, "chart"),
        repository=_word(resource, "repository"),
        version=_word(resource, "version") or str(_metadata(resource).get("version") or ""),
        settings=settings,
        given=given,
        unknown=frozenset(unknown),
        unreadable=tuple(unreadable),
        waits=_yes(resource, "wait", default=True),
        timeout_seconds=_count(resource, "timeout", default=300),
        atomic=_yes(resource, "atomic"),
        cleans_up=_yes(resource, "cleanup_on_fail"),
        recreates_pods=_yes(resource, "recreate_pods"),
        forces=_yes(resource, "force_update"),
        replaces=_yes(resource, "replace"),
        reuses_values=reuses,
    )


def _deployed(resource: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values that the release in the cluster was given, whoever gave them; None: the plan does not tell."""
    text = _metadata(resource).get("values")
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return _numbers(found) if isinstance(found, dict) else None


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _uncloaked(deployed: Any, declared: Any) -> Any:
    """Values as they are deployed, with what the provider cloaked taken from what is declared; and hidden as there."""
    if isinstance(deployed, dict):
        there = declared if isinstance(declared, dict) else {}
        return {key: _uncloaked(each, there.get(key)) for key, each in deployed.items()}
    if isinstance(deployed, list):
        items = declared if isinstance(declared, list) else []
        return [_uncloaked(each, items[index] if index < len(items) else None) for index, each in enumerate(deployed)]
    if deployed == _CLOAKED:
        return declared if isinstance(declared, Hidden) else Hidden(deployed)
    return Hidden(deployed) if isinstance(declared, Hidden) else deployed


def _word(resource: Mapping[str, Any], attribute: str) -> str:
    value = revealed(resource.get(attribute))
    return value if isinstance(value, str) else ""


def _yes(resource: Mapping[str, Any], attribute: str, *, default: bool = False) -> bool:
    value = revealed(resource.get(attribute))
    return value if isinstance(value, bool) else default


def _count(resource: Mapping[str, Any], attribute: str, *, default: int) -> int:
    value = revealed(resource.get(attribute))
    return int(value) if isinstance(value, int | float) else default

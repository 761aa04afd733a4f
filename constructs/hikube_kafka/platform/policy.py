"""An app held to an organisation's policy at synth: to the limits that a review holds its plan to, by the same rules.

What is asked is what Terraform will be given: parts that stand alone and what was overridden are held to it as well.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hikube_kafka.platform import refusal
from hikube_kafka.platform.cdk import Annotations, IConstruct, TerraformResource, TerraformStack
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource
from hikube_kafka.platform.release import HelmRelease
from hikube_kafka.spec import limits
from hikube_kafka.spec.limits import Asked, Brokers
from hikube_kafka.spec.mistakes import is_reference
from hikube_kafka.spec.policy import Policy, PolicyError


def read(path: str | os.PathLike[str]) -> Policy:
    """Read the file of a policy.

    Args:
        path: Relative to the working directory.

    Raises:
        PolicyError: It is not there, or cannot be obeyed.
    """
    name = os.fspath(path)
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise PolicyError([f"{name}: the policy cannot be read: {why}."]) from None
    return Policy.parse(content, name)


def refused(app: IConstruct, policy: Policy) -> Iterator[str]:
    """Every limit that the app breaks and that blocks: ``[stack/events] topic orders: ...``.

    Those that do not block are added to their constructs as warnings and notices. What only the apply tells is left to
    the review of the plan.
    """
    today = datetime.now(UTC).date()
    for parts in _stacks(app):
        brokers = [value for each in parts for value in each.brokers]
        there = {asked.where for each in parts for asked in each.asked}
        for part in parts:
            asked = [*part.asked, *(each for each in part.claims if each.where not in there)]
            for problem in policy.limits.problems(asked, brokers, policy.name):
                address = f"{part.resource.terraform_resource_type}.{part.resource.friendly_unique_id}"
                severity = policy.severity(problem.rule, address, problem.severity)
                if problem.rule == limits.VALUE_UNKNOWN.id:
                    continue
                if policy.waiver(problem.rule, address, problem.where, today=today) is not None:
                    continue
                if severity == "error":
                    yield f"[{part.construct.node.path}] {problem}"
                elif severity == "warning":
                    Annotations.of(part.construct).add_warning(str(problem))
                else:
                    Annotations.of(part.construct).add_info(str(problem))


def _stacks(app: IConstruct) -> Iterable[Sequence["_Part"]]:
    """The parts of each stack: what one plan has."""
    stacks: dict[TerraformStack, list[_Part]] = {}
    for construct in app.node.find_all():
        if refusal.reasons(construct) is None and (part := _part(construct)) is not None:
            stacks.setdefault(TerraformStack.of(construct), []).append(part)
    return stacks.values()


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What limits are about in one construct."""

    construct: IConstruct
    resource: TerraformResource
    asked: Sequence[Asked] = ()
    claims: Sequence[Asked] = ()
    """Of a release, which a ``hikube_volume_claims`` may have as well."""
    brokers: Sequence[Brokers] = ()


def _part(construct: IConstruct) -> _Part | None:
    if isinstance(construct, HelmRelease):
        return _release(construct)
    if not isinstance(construct, HikubeResource):
        return None
    kind, attributes = construct.terraform_resource_type, dict(_known(construct.given()))
    if kind == "hikube_kafka_topic":
        return _Part(construct=construct, resource=construct, asked=[limits.topic(attributes, _followed(construct))])
    if kind == "hikube_volume_claims":
        return _Part(construct=construct, resource=construct, asked=list(limits.claims(attributes)))
    if kind == "hikube_local_ensemble":
        return _Part(construct=construct, resource=construct, brokers=[limits.brokers_of_servers(attributes)])
    return None


def _followed(topic: HikubeResource) -> frozenset[str]:
    provider = topic.provider
    if not isinstance(provider, HikubeProvider):
        return frozenset()
    release = provider.kubernetes.release if provider.kubernetes else None
    return limits.followed(release, provider.bootstrap_servers)


def _release(release: HelmRelease) -> _Part:
    values = release.values()
    known = not any(map(_is_reference, (values.get("image") or {}).values()))
    return _Part(
        construct=release,
        resource=release.resource,
        asked=[limits.image(release.name, values if known else None)],
        claims=list(limits.claims_of_release(release.name, _known(values))),
        brokers=[limits.brokers_of_release(release.name, values)] if release.chart == "kafka" else (),
    )


def _known(value: Any) -> Any:
    """The value, with what only the apply tells marked."""
    if isinstance(value, Mapping) and not is_reference(value):
        return {key: _known(each) for key, each in value.items()}
    return limits.UNKNOWN if _is_reference(value) else value


def _is_reference(value: Any) -> bool:
    return is_reference(value) or (isinstance(value, str) and "${" in value.replace("$${", ""))

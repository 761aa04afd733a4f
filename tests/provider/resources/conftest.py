"""Every plan that a test here asks for is held to Terraform's rules, which Terraform calls a bug of the provider.

Each is a run of its own: what several addresses of one run come to is tested in test_addresses.py.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from hikube_kafka.plugin.diagnostics import Path
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource
from hikube_kafka.plugin.schema import Attribute
from hikube_kafka.plugin.values import UNKNOWN, Codec
from hikube_kafka.provider.addresses import Addresses
from hikube_kafka.provider.hikube import HikubePlugin
from hikube_kafka.provider.refusals import Refusals


def breaches(attributes: Mapping[str, Attribute], prior: Any, config: Any, planned: Any, path: Path) -> Iterator[str]:
    """What is set is planned so, or left as it was; what is left out is planned as null, or computed."""
    for name, attribute in attributes.items():
        set_, is_, was = config[name], planned[name], (prior or {}).get(name)
        if is_ == set_ or (set_ is None and attribute.computed) or (prior is not None and is_ == was):
            continue
        nested = attribute.nested
        if nested is None or UNKNOWN in (set_, is_) or None in (set_, is_) or len(set_) != len(is_):
            yield f"{(*path, name)}: {set_!r} is declared, {is_!r} is planned"
            continue
        for step in set_ if isinstance(set_, dict) else range(len(set_)):
            before = was[step] if was and (step in was if isinstance(was, dict) else step < len(was)) else None
            yield from breaches(nested.attributes, before, set_[step], is_[step], (*path, name, step))


@pytest.fixture(autouse=True)
def plans_keep_terraforms_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    def checked(plan: Callable[[Resource, PlanRequest], Plan]) -> Callable[[Resource, PlanRequest], Plan]:
        def planned(self: Any, request: PlanRequest) -> Plan:
            self._session.addresses = Addresses()
            self._session.refusals = Refusals(self._session.stopped, window=0)
            answer = plan(self, request)
            if any(each.severity == "error" for each in answer.diagnostics):
                return answer
            assert (answer.planned is None) == (request.proposed is None)
            if answer.planned is not None:
                Codec(self.schema.type).encode(answer.planned)
                prior, config = request.prior, request.config
                assert [*breaches(self.schema.attributes, prior, config, answer.planned, ())] == []
            assert all(path[0] in self.schema.attributes for path in answer.replace)
            return answer

        return planned

    for resource in HikubePlugin().resources:
        monkeypatch.setattr(type(resource), "plan", checked(type(resource).plan))

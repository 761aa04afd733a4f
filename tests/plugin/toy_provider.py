"""A provider of pages in a directory, run as Terraform runs one: the tests of the process start this file.

TOY_DIRECTORY names the directory. A page is a JSON file there; while the file "<name>.hold" exists, creating the page
waits after it was written, as a slow apply does, and says so with the file "<name>.held".
"""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.resource import DataSource, Plan, PlanRequest, Provider, Resource, State
from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, Attribute, List, Map, Nested, Schema
from hikube_kafka.plugin.serve import serve
from hikube_kafka.plugin.values import UNKNOWN

DIRECTORY = Path(os.environ.get("TOY_DIRECTORY", "."))


class Page(Resource):
    type_name = "toy_page"
    schema = Schema(
        {
            "name": Attribute(STRING, required=True),
            "lines": Attribute(NUMBER, optional=True, computed=True),
            "ratio": Attribute(NUMBER, optional=True),
            "labels": Attribute(Map(STRING), optional=True),
            "tags": Attribute(List(STRING), optional=True),
            "secret": Attribute(STRING, optional=True, sensitive=True),
            "protected": Attribute(BOOL, optional=True),
            "fails": Attribute(STRING, optional=True),
            "notes": Attribute(
                nested=Nested(
                    "list", {"text": Attribute(STRING, required=True), "number": Attribute(NUMBER, computed=True)}
                ),
                optional=True,
            ),
            "id": Attribute(STRING, computed=True),
        }
    )

    def plan(self, request: PlanRequest) -> Plan:
        prior, planned = request.prior, request.proposed
        if planned and not prior:
            notes = planned["notes"] and [note | {"number": UNKNOWN} for note in planned["notes"]]
            lines = UNKNOWN if planned["lines"] is None else planned["lines"]
            planned = planned | {"id": UNKNOWN, "lines": lines, "notes": notes}
        renamed = bool(prior and planned and prior["name"] != planned["name"])
        if prior and prior["protected"] and (planned is None or renamed):
            return Plan(None, diagnostics=[Diagnostic("The page is protected", path=("protected",))])
        if planned and renamed:
            planned = planned | {"id": UNKNOWN}
        return Plan(planned, replace=[("name",)] if renamed else [])

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - a resource's interface
        page = planned | {"id": f"page-{planned['name']}"}
        page["lines"] = 10 if page["lines"] is UNKNOWN else page["lines"]
        page["notes"] = page["notes"] and [note | {"number": at} for at, note in enumerate(page["notes"], 1)]
        self._file(page["name"]).write_text(json.dumps(page, default=str))
        hold = DIRECTORY / f"{page['name']}.hold"
        while hold.exists():
            (DIRECTORY / f"{page['name']}.held").touch()
            time.sleep(0.01)
        if planned["fails"] == "refusal":
            raise Refusal(Diagnostic("The ink ran out", path=("fails",)), state=page)
        if planned["fails"] == "exception":
            raise LookupError(planned["secret"])
        return page

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - a resource's interface
        return self.create(planned, private)

    def delete(self, prior: State, private: bytes) -> None:  # noqa: ARG002 - a resource's interface
        self._file(prior["name"]).unlink(missing_ok=True)

    def read(self, state: State, private: bytes) -> State | None:  # noqa: ARG002 - a resource's interface
        file = self._file(state["name"])
        if not file.exists():
            return None
        found: State = json.loads(file.read_text())
        return found | {"ratio": state["ratio"]}  # the file holds it as text

    def import_state(self, identifier: str) -> State:
        return {"name": identifier}

    @staticmethod
    def _file(name: str) -> Path:
        return DIRECTORY / f"{name}.json"


class Pages(DataSource):
    type_name = "toy_pages"
    schema = Schema({"names": Attribute(List(STRING), computed=True)})

    def read(self, config: State) -> State:
        return config | {"names": sorted(file.stem for file in DIRECTORY.glob("*.json"))}


class Toy(Provider):
    schema = Schema({"token": Attribute(STRING, optional=True, sensitive=True)})
    resources = (Page(),)
    data_sources = (Pages(),)

    def configure(self, config: State) -> Iterable[Diagnostic]:
        if config["token"] == "":
            return [Diagnostic("The token is empty", path=("token",))]
        return ()

    def stop(self) -> None:
        (DIRECTORY / "stopped").touch()


if __name__ == "__main__":
    serve(Toy)

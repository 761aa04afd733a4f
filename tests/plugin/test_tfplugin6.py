"""The generated protobuf module."""

import subprocess
import sys
from pathlib import Path

import pytest

from hikube_kafka.plugin import tfplugin6_pb2 as pb

ROOT = Path(__file__).parents[2]
PROTOCOL = ROOT / "constructs" / "hikube_kafka" / "plugin"


@pytest.mark.parametrize("name", ["tfplugin6_pb2.py", "tfplugin6_pb2.pyi"])
def test_the_generated_files_are_what_the_proto_file_generates(tmp_path: Path, name: str) -> None:
    script = ROOT / "scripts" / "protocol" / "regenerate.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    committed, generated = (PROTOCOL / name).read_text(), (tmp_path / name).read_text()
    assert committed == generated, f"run python {script.relative_to(ROOT)}"


def test_the_module_does_not_ask_for_the_runtime_it_was_generated_with() -> None:
    assert "runtime_version" not in (PROTOCOL / "tfplugin6_pb2.py").read_text()


def test_the_field_numbers_are_those_of_the_published_protocol() -> None:
    # A renumbered field still compiles, and loses the value on the way.
    assert numbers(pb.PlanResourceChange.Request) == {
        "type_name": 1,
        "prior_state": 2,
        "proposed_new_state": 3,
        "config": 4,
        "prior_private": 5,
    }
    assert numbers(pb.PlanResourceChange.Response) == {
        "planned_state": 1,
        "requires_replace": 2,
        "planned_private": 3,
        "diagnostics": 4,
    }
    assert numbers(pb.ApplyResourceChange.Response) == {"new_state": 1, "private": 2, "diagnostics": 3}
    assert numbers(pb.ReadResource.Response) == {"new_state": 1, "diagnostics": 2, "private": 3}
    assert numbers(pb.GetProviderSchema.Response) == {
        "provider": 1,
        "resource_schemas": 2,
        "data_source_schemas": 3,
        "diagnostics": 4,
        "server_capabilities": 6,
    }
    assert numbers(pb.ValidateProviderConfig.Response) == {"diagnostics": 2}
    assert numbers(pb.Schema.Attribute)["nested_type"] == 10


def numbers(message: type) -> dict[str, int]:
    descriptor = message.DESCRIPTOR  # type: ignore[attr-defined] # every protobuf message has one
    return {field.name: field.number for field in descriptor.fields}

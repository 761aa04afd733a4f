import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.platform.cdk import LocalBackend, TerraformStack, Testing

os.environ["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] = "20"

Declare = Callable[[TerraformStack], object]


@pytest.fixture
def stack() -> TerraformStack:
    """An empty stack, as a user's would be."""
    stack = TerraformStack(Testing.app(), "stack")
    LocalBackend(stack, path="../../../stack.tfstate")
    return stack


@pytest.fixture
def synthesized() -> Callable[[TerraformStack], dict[str, Any]]:
    """Gives the Terraform JSON of a stack, validations included."""

    def synthesize(stack: TerraformStack) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(Testing.synth(stack, True))  # noqa: FBT003 - runs the validations
        return content

    return synthesize


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[dict[str, Any]], None]:
    """Holds Terraform JSON against the committed file of the test's name; HIKUBE_KAFKA_GOLDEN=write renews it."""
    file = Path(__file__).parent / "golden" / f"{request.node.name.removeprefix('test_')}.json"

    def compare(content: dict[str, Any]) -> None:
        # A release changes the version alone; test_the_provider_has_the_version_of_the_package looks at it.
        content["terraform"]["required_providers"]["hikube"]["version"] = "VERSION"
        seen = json.dumps(content, indent=2, sort_keys=True) + "\n"
        if os.environ.get("HIKUBE_KAFKA_GOLDEN") == "write":
            file.write_text(seen, "utf-8")
        assert seen == file.read_text("utf-8"), (
            f"{file.name} differs: look at it, or renew it with HIKUBE_KAFKA_GOLDEN=write"
        )

    return compare

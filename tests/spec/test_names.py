import subprocess
import sys

import pytest

from hikube_kafka import spec


@pytest.mark.parametrize("name", spec.__all__)
def test_every_announced_name_is_there(name: str) -> None:
    assert getattr(spec, name).__name__ == name


def test_every_name_that_can_be_loaded_is_announced() -> None:
    assert sorted(spec._HOME) == spec.__all__


def test_an_unknown_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Brokers"):
        _ = spec.Brokers


def test_the_definitions_are_had_without_loading_the_models() -> None:
    program = "import sys, hikube_kafka.spec.definitions; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

"""A platform on this machine, delivered as users do it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hikube_kafka import ensemble
from tests.support.delivery import LocalDelivery
from tests.support.ensemble import free_layout


@pytest.fixture
def delivery(tmp_path: Path) -> Iterator[LocalDelivery]:
    delivered = LocalDelivery(tmp_path, free_layout())
    try:
        yield delivered
    finally:
        ensemble.destroy(delivered.directory, keep_data=False)

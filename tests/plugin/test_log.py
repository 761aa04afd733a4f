"""Which log lines are written: those that Terraform was asked to show."""

import pytest

from hikube_kafka.plugin.log import least_severity

EVERYTHING, DEBUG, INFO, ERROR = 0, 1, 2, 4


@pytest.mark.parametrize(
    ("environment", "severity"),
    [
        ({}, ERROR),
        ({"TF_LOG": ""}, ERROR),
        ({"TF_LOG": "off"}, ERROR),
        ({"TF_LOG": "INFO"}, INFO),
        ({"TF_LOG": "json"}, EVERYTHING),
        ({"TF_LOG": "chatty"}, EVERYTHING),
        ({"TF_LOG_CORE": "trace"}, ERROR),
        ({"TF_LOG": "error", "TF_LOG_PROVIDER": "debug"}, DEBUG),
        ({"TF_LOG": "trace", "TF_LOG_PROVIDER": "off"}, ERROR),
    ],
)
def test_the_level_is_the_one_that_terraform_goes_by(environment: dict[str, str], severity: int) -> None:
    assert least_severity(environment) == severity

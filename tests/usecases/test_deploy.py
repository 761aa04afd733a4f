"""Deploying a stack of main.py: the real cdktf, the real Terraform."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from usecases.deploy import Deployment
from usecases.process import PartFailedError


@pytest.mark.terraform
def test_a_stack_that_is_not_there_is_refused_with_what_cdktf_says(tmp_path: Path) -> None:
    with (
        ExitStack() as stack,
        pytest.raises(PartFailedError, match=r"(?s)deploy nothing ended with code 1.*stack"),
    ):
        Deployment("nothing", tmp_path).up(stack)

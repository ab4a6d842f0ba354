"""What a device is, asked over SSH."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edgeflow.deploy.facts import of_device, of_this_machine
from edgeflow.errors import MissingToolError

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab


def test_a_device_says_what_it_is(lab: "Lab") -> None:
    here, there = of_this_machine(), of_device(lab.endpoint(lab.device()))
    assert there.instruction_sets == here.instruction_sets
    assert (there.cpu, there.machine) == (here.cpu, here.machine)
    assert "numpy" in there.packages


def test_one_without_python_is_missing_it(lab: "Lab") -> None:
    endpoint = replace(lab.endpoint(lab.device()), python="no-such-python")
    with pytest.raises(MissingToolError, match="cannot run no-such-python"):
        of_device(endpoint)

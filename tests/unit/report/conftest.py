from pathlib import Path

import pytest

from tests.unit.report.samples import UNITS, write_training, write_validation


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with one trained model and three of four validations."""
    folder = tmp_path / "results"
    for index in (0, 1, 3):
        write_validation(folder, UNITS["units"][index], ["cat", "dog"])
    write_training(folder, "net")
    return folder

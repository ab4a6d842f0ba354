from pathlib import Path
from typing import Any

import pytest

from edgeflow.dataset.build import build_dataset
from edgeflow.train.keras import load_keras


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built dataset of 200 digits."""
    folder = tmp_path_factory.mktemp("digits")
    build_dataset("digits", {"source": "digits", "limit": 200, "calibration": 20}, "0", folder)
    return folder


@pytest.fixture(scope="session")
def keras() -> Any:
    return load_keras(seed=0)

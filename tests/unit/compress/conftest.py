from typing import Any

import pytest

from edgeflow.train.keras import load_keras


@pytest.fixture
def keras() -> Any:
    return load_keras(seed=0)

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.manifest import Manifest
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.view import DatasetView, open_dataset
from edgeflow.imported.build import import_model
from edgeflow.train.keras import load_keras

Import = Callable[..., Manifest]


@pytest.fixture(scope="session")
def keras() -> Any:
    return load_keras(seed=0)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built dataset of 200 digits."""
    folder = tmp_path_factory.mktemp("digits")
    build_dataset("digits", {"source": "digits", "limit": 200, "calibration": 20}, "0", folder)
    return folder


@pytest.fixture(scope="session")
def view(digits: Path) -> DatasetView:
    return open_dataset(digits, ("calibration", "validation", "test"))


@pytest.fixture(scope="session")
def network(keras: Any) -> Any:
    """A network with random weights, large enough that int8 weights are worth it."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)))


@pytest.fixture
def bring(digits: Path, tmp_path: Path) -> Import:
    """Import a file into tmp_path/float."""

    def run(source: Path, kind: str, out: Path = tmp_path / "float") -> Manifest:
        return import_model("mine", digits, source, {"kind": kind}, "0", out)

    return run

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.manifest import Manifest
from edgeflow.dataset.view import DatasetView, open_dataset
from edgeflow.imported.build import import_model

Import = Callable[..., Manifest]


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
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)))
    model.compile(keras.optimizers.Adam(0.01), "mse")  # a file of a trained one has both
    return model


@pytest.fixture
def bring(digits: Path, tmp_path: Path) -> Import:
    """Import a file into tmp_path/baseline."""

    def run(source: Path, kind: str, out: Path = tmp_path / "baseline", **choice: str) -> Manifest:
        return import_model("mine", digits, source, {"kind": kind, **choice}, "0", out)

    return run

"""One tiny trained network after every recipe: what the tests of targets compile and run.

A test suite gets it as a fixture with ``from edgeflow.testing.trained import trained`` in its
conftest.py.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from edgeflow.config.recipe import Quantize, Recipe
from edgeflow.dataset.view import DatasetView, Part, open_dataset
from edgeflow.targets.base import CompileInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUANTIZE: tuple[str, ...] = get_args(Quantize)
DATASET = {"source": "digits", "calibration": 100, "limit": 1000}
# Wide enough for weights of more than 1,024 elements: smaller ones are never quantized alone.
ARCHITECTURE = {"name": "ds_cnn", "width": 32, "blocks": 2}
TRAIN = {"epochs": 6, "learning_rate": 0.01, "threads": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A folder that holds the outputs of the steps dataset, train and compress."""

    folder: Path

    @property
    def dataset(self) -> Path:
        """Folder of the dataset."""
        return self.folder / "dataset"

    @property
    def model(self) -> Path:
        """Folder of the float model."""
        return self.folder / "float"

    def recipe(self, quantize: str) -> Path:
        """Return the folder of the model after a recipe."""
        return self.folder / quantize

    def view(self, *parts: Part) -> DatasetView:
        """Return the dataset, with its calibration and test part if none is named."""
        return open_dataset(self.dataset, parts or ("calibration", "test"))

    def logits(self, quantize: str) -> "NDArray[Any]":
        """Return the host's reference of a recipe on the test set, float32 (n, classes)."""
        import numpy as np

        logits: NDArray[Any] = np.load(self.recipe(quantize) / "logits.npy", allow_pickle=False)
        return logits

    def job(self, quantize: str) -> CompileInput:
        """Return what a target's compiler gets for a recipe."""
        return CompileInput(
            model=self.recipe(quantize) / "model.tflite",
            float_model=self.recipe(quantize) / "float.tflite",
            recipe=Recipe.model_validate({"quantize": quantize}),
            calibration=self.view().inputs("calibration"),
        )


def train_tiny(folder: Path) -> Trained:
    """Run the steps dataset, train, and compress for every recipe, into a folder."""
    from edgeflow.compress.build import compress_model
    from edgeflow.dataset.build import build_dataset
    from edgeflow.train.build import train_model

    result = Trained(folder=folder)
    build_dataset("tiny", DATASET, "0", result.dataset)
    options = {"architecture": ARCHITECTURE, "train": TRAIN}
    train_model("tiny", result.dataset, options, "0", result.model)
    for quantize in QUANTIZE:
        recipe = {"recipe": {"quantize": quantize}, "train": TRAIN}
        compress_model(
            f"tiny/{quantize}", result.dataset, result.model, recipe, "0", result.recipe(quantize)
        )
    return result


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One tiny network after every recipe, made once also where pytest-xdist runs workers."""
    from filelock import FileLock

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    result, done = Trained(folder=shared / "trained"), shared / "trained.done"
    with FileLock(shared / "trained.lock"):
        if not done.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("EDGEFLOW_STORE", "off")  # what is tested is the code as it is now
                train_tiny(result.folder)
            done.touch()
    return result

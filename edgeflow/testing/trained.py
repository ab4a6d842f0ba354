"""One tiny trained network after every recipe: what the tests of targets compile and run.

A test suite gets it as a fixture with ``from edgeflow.testing.trained import trained`` in its
conftest.py.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from edgeflow.compress.form import NETWORK
from edgeflow.config.recipe import Quantize, Recipe
from edgeflow.config.samples import Part
from edgeflow.dataset.view import DatasetView, open_dataset
from edgeflow.targets.base import CompileInput, ValidationSet
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUANTIZE: tuple[str, ...] = get_args(Quantize)
RECIPES: dict[str, dict[str, Any]] = {
    **{quantize: {"quantize": quantize} for quantize in QUANTIZE},
    "uint8": {"quantize": "ptq-int8", "io": "uint8"},
    "percentile": {"quantize": "ptq-int8", "calibration": {"method": "percentile"}},
    "mse": {"quantize": "ptq-int8", "calibration": {"method": "mse"}},
    # Few channels: a circuit has a multiplier for each weight and place.
    "hgq": {
        "prune_channels": {"share": 0.9, "epochs": 2, "learning_rate": 0.01},
        "quantize": "hgq",
        "hgq": {"epochs": 4, "bits": 6, "beta": 1.0e-5},
    },
    "keep-float": {"quantize": "ptq-int8", "keep_float": {"layers": ["logits", "depthwise*_1"]}},
}
"""Each value of `quantize` under its own name, and what else a target may or may not take."""
DATASET = {"source": "digits", "calibration": 100, "limit": 1000}
# Wide enough for weights of more than 1,024 elements: smaller ones are never quantized alone.
ARCHITECTURE = {"name": "ds_cnn", "width": 32, "blocks": 2}
TRAIN = {"epochs": 6, "learning_rate": 0.01, "threads": 1}
SHARED = "EDGEFLOW_TEST_SHARED"
"""Variable with a folder for what several test sessions use: start with an empty one for each
state of the code."""


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
        return self.folder / "baseline"

    def recipe(self, name: str) -> Path:
        """Return the folder of the model after one of `RECIPES`."""
        return self.folder / name

    def view(self, *parts: Part) -> DatasetView:
        """Return the dataset, with its calibration and test part if none is named."""
        return open_dataset(self.dataset, parts or ("calibration", "test"))

    def logits(self, recipe: str) -> "NDArray[Any]":
        """Return the host's reference of a recipe on the test set, float32 (n, classes)."""
        import numpy as np

        logits: NDArray[Any] = np.load(self.recipe(recipe) / "outputs.npy", allow_pickle=False)
        return logits

    def job(self, recipe: str, *, network: bool = False) -> CompileInput:
        """Return what a target's compiler gets for a recipe; the network if it asks for it."""
        return CompileInput(
            model=self.recipe(recipe) / "model.tflite",
            float_model=self.recipe(recipe) / "float.tflite",
            network=next((self.recipe(recipe) / NETWORK).iterdir()) if network else None,
            recipe=Recipe.model_validate(RECIPES[recipe]),
            calibration=self.view().tensors("calibration"),
            validation=self.validation(),
        )

    def validation(self) -> ValidationSet:
        """Return what a compiler judges its own work by."""
        view = self.view()
        inputs, truth = view.tensors("validation"), view.truth("validation")
        return ValidationSet(inputs=inputs, truth=truth, task=task_of(view.facts))


def train_tiny(folder: Path) -> Trained:
    """Run the steps dataset, train, and compress for every recipe, into a folder."""
    from edgeflow.compress.build import compress_model
    from edgeflow.dataset.build import build_dataset
    from edgeflow.train.build import train_model

    result = Trained(folder=folder)
    build_dataset("tiny", DATASET, "0", result.dataset)
    slice_ = {"architecture": ARCHITECTURE, "train": TRAIN}
    train_model("tiny", result.dataset, slice_, "0", result.model)
    for name, recipe in RECIPES.items():
        asked = {"recipe": recipe, "train": TRAIN}
        compress_model(
            f"tiny/{name}", result.dataset, result.model, asked, "0", result.recipe(name)
        )
    return result


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One tiny network after every recipe, made once also where pytest-xdist runs workers."""
    from filelock import FileLock

    shared = shared_folder(tmp_path_factory)
    result, done = Trained(folder=shared / "trained"), shared / "trained.done"
    with FileLock(shared / "trained.lock"):
        if not done.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("EDGEFLOW_STORE", "off")  # what is tested is the code as it is now
                train_tiny(result.folder)
            done.touch()
    return result


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the workers of pytest-xdist share, or all sessions of one `SHARED`."""
    if SHARED in os.environ:
        return Path(os.environ[SHARED])
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

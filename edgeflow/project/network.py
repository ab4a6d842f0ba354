"""A network and a training that suit a dataset: a start, chosen by plain rules."""

from collections.abc import Mapping, Sequence
from typing import Any

STEPS = 4000
"""Steps of a training that small networks need from nothing."""
FEWEST_EPOCHS, MOST_EPOCHS = 10, 60
BATCH = 32


def architecture(shape: Sequence[int], source: str) -> dict[str, Any]:
    """Return the `architecture` of a model.

    Args:
        shape: of a sample, without the batch.
        source: of the dataset.
    """
    if len(shape) != 3:
        return {"name": "mlp", "units": [64, 64]}
    if source == "wav_folder" and shape[0] >= 20 and shape[1] >= 8:
        # MLPerf Tiny's for keyword spotting
        return {
            "name": "ds_cnn",
            "width": 64,
            "blocks": 4,
            "pool_every": 5,
            "kernel": [10, 4],
            "stride": 2,
        }
    if source == "signal":
        return {"name": "ds_cnn", "width": 32, "blocks": 4, "kernel": [9, 1]}
    if min(shape[:2]) < 24:
        return {"name": "ds_cnn", "width": 32, "blocks": 3, "pool_every": 3}
    if min(shape[:2]) < 64:
        return {"name": "resnet8"}
    # of a few hundred photographs it learns what MobileNet needs many thousands for
    return {"name": "ds_cnn", "width": 24, "blocks": 6, "stride": 2}


def training(samples: int, shape: Sequence[int], source: str) -> dict[str, Any]:
    """Return the `train` of a model, for a number of training samples."""
    epochs = round(STEPS * BATCH / max(samples, 1))
    epochs = min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS)
    found: dict[str, Any] = {"epochs": epochs, "learning_rate": 0.002, "schedule": "cosine"}
    found["patience"] = max(5, epochs // 3)
    if source == "image_folder":
        found["augment"] = {"shift": max(1, min(shape[:2]) // 16), "flip": False}
    return found


def gates(task: str, test: int) -> Mapping[str, Sequence[str]]:
    """Return gates for a recipe of int8, and for one of float32, as lines of YAML.

    Args:
        task: of the dataset.
        test: number of samples in its test set: two or three of them differ between recipes.
    """
    limits = {"fp32": 0.01, "int8": 0.02}
    if task != "classification":
        return {"int8": ("gates: {parity_min: 1.0} # the very outputs of this machine",)}
    drops = {recipe: max(least, -(-300 // max(test, 1)) / 100) for recipe, least in limits.items()}
    return {
        "int8": (
            "gates: # on the device: how far accuracy may drop, and the outputs of this machine",
            f"  accuracy_drop_max: {drops['int8']:g}",
            "  parity_min: 1.0",
            "  # latency_p90_ms_max: 20",
        ),
        "fp32": (f"gates: {{accuracy_drop_max: {drops['fp32']:g}}}",),
    }

"""Quantizes in a process of its own what may end the process: a worker.

TensorFlow's quantizer ends with a segmentation fault on some loops. Straight networks, nearly all,
are quantized where they are: another process would import TensorFlow anew.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.compress.source import Source, open_source
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.view import DatasetView, open_dataset
from edgeflow.worker import run_worker

_FLOAT, _MADE = "float.tflite", "quantized.tflite"


def quantized_apart(
    name: str, source: Source, dataset: DatasetView, recipe: Recipe, float_model: bytes
) -> tuple[bytes, dict[str, object]]:
    """Do what `conversion.quantized` does, in a process of its own.

    Raises:
        CompileError: the process failed, or crashed; the message names the layers with loops.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / _FLOAT).write_bytes(float_model)
        facts = run_worker(
            __name__,
            {
                "name": name,
                "source": str(source.save(folder)),
                "dataset": str(dataset.folder.absolute()),
                "recipe": recipe.model_dump(mode="json"),
            },
            folder,
            title=f"{name}, quantize: {recipe.quantize}, with loops in the layers "
            + ", ".join(source.loops()),
            hint="give recurrent layers a fixed number of steps and no mask, so that they can "
            "be unrolled, or use `quantize: dynamic`, `fp16` or `none`",
        )
        return (folder / _MADE).read_bytes(), facts


def work(job: Mapping[str, Any], folder: Path) -> dict[str, object]:
    """Write the quantized model, and return its facts.

    Raises:
        CompileError: the converter rejects the network.
    """
    from edgeflow.compress.conversion import quantized_here

    recipe = Recipe.model_validate(job["recipe"])
    model, facts = quantized_here(
        job["name"],
        open_source(Path(job["source"])),
        open_dataset(Path(job["dataset"]), recipe.parts()),
        recipe,
        (folder / _FLOAT).read_bytes(),
    )
    (folder / _MADE).write_bytes(model)
    return facts

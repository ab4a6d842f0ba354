"""The train step: dataset to float model, curves, metrics."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.artifact.hashing import sha256_json
from edgeflow.artifact.manifest import Manifest
from edgeflow.artifact.step import StepSpec, identify, run_step
from edgeflow.config.base import Section
from edgeflow.config.model import Architecture, Train
from edgeflow.config.samples import Part
from edgeflow.dataset.tensors import OUTPUT, Tensors
from edgeflow.dataset.view import DatasetView, open_dataset, part_files
from edgeflow.errors import TrainingError
from edgeflow.tasks.base import Task
from edgeflow.tasks.registry import task_of
from edgeflow.train.checkpoint import Checkpoint
from edgeflow.train.network import build_network

if TYPE_CHECKING:
    from edgeflow.tasks.base import Floats

Predict = Callable[[Tensors], "Floats"]
"""From float32 inputs to the first output, float32 (n, *output_shape)."""
MODEL_FILE = "model.h5"
TOOLS = ("tensorflow", "tf-keras", "numpy")
PARTS: tuple[Part, ...] = ("train", "validation", "test")


class TrainSlice(Section):
    """The slice of the configuration that a training depends on."""

    architecture: Architecture
    train: Train


def train_model(
    name: str, dataset: Path, slice_: Mapping[str, Any], code: str, out: Path
) -> Manifest:
    """Train one model, on from where a killed training of the same got.

    Args:
        name: the model's name, for messages.
        dataset: folder of a built dataset.
        slice_: JSON form of `TrainSlice`.
        code: fingerprint of the step.
        out: folder for model.h5, history.csv, outputs.npy (outputs, float32, test set) and
            manifest.json.

    Raises:
        TrainingError: the architecture cannot be built, or training diverged.
        IntegrityError: the dataset is not what its manifest says.
    """
    parsed = TrainSlice.model_validate(dict(slice_))
    spec = StepSpec(
        step="train",
        name=name,
        inputs={"dataset": part_files(dataset, PARTS)},
        slice=parsed.model_dump(mode="json"),
        code=code,
        tools=TOOLS,
    )
    # Beside the outputs, which a failed job loses, and where all nodes of a cluster see it.
    checkpoint = Checkpoint(out.with_name(f".{out.name}.checkpoint"), sha256_json(identify(spec)))
    try:
        manifest = run_step(
            spec, out, lambda folder: _train(name, dataset, parsed, checkpoint, folder)
        )
    except TrainingError:
        checkpoint.remove()  # it would go on to the same end
        raise
    checkpoint.remove()
    return manifest


def _train(
    name: str, folder: Path, slice_: TrainSlice, checkpoint: Checkpoint, out: Path
) -> dict[str, object]:
    import numpy as np

    from edgeflow.train.keras import keras_for, save_model
    from edgeflow.train.loop import best_epoch, fit, predict, write_history

    dataset = open_dataset(folder, PARTS)
    keras = keras_for(slice_.train)
    model = build_network(keras, dataset.facts, slice_.architecture)
    rows = fit(keras, model, dataset, slice_.train, checkpoint, f"train {name}")
    save_model(model, out / MODEL_FILE)
    write_history(rows, out / "history.csv", task_of(dataset.facts).metric)
    outputs = predict(model, dataset.tensors("test"))
    np.save(out / "outputs.npy", outputs)
    return {
        **judged(dataset, outputs, lambda inputs: predict(model, inputs)),
        "outputs": [OUTPUT],
        "parameters": int(model.count_params()),
        "epochs": len(rows),
        "best_epoch": best_epoch(rows),
    }


def judged(dataset: DatasetView, outputs: "Floats", predict: Predict) -> dict[str, Any]:
    """Return the task's metric on test and validation set, and the confusion matrix on the former.

    What the task cannot tell is None.

    Args:
        dataset: with its parts test and validation.
        outputs: of the test set, float32 (n, *output_shape).
        predict: returns the outputs of further inputs.
    """
    task, inputs, truth = task_of(dataset.facts), dataset.inputs("test"), dataset.truth("test")
    decided = task.decisions({"baseline": outputs}, inputs, truth)["baseline"]
    return {
        "metric": task.metric.name,
        "metric_test": task.figure(outputs, inputs, truth),
        "metric_validation": _validation(task, dataset, predict) if task.validates else None,
        "confusion_test": task.confusion(decided, truth, dataset.facts.labels),
    }


def _validation(task: Task, dataset: DatasetView, predict: Predict) -> float:
    inputs = dataset.tensors("validation")
    return task.figure(predict(inputs), inputs.first, dataset.truth("validation"))

"""A network built from its architecture, for the shape and the labels of a dataset."""

import sysconfig
import traceback
from pathlib import Path
from typing import Any

from edgeflow import plugins
from edgeflow.config.model import Architecture, architecture_module
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import TrainingError
from edgeflow.tasks.registry import task_of


def build_network(keras: Any, facts: DatasetFacts, architecture: Architecture) -> Any:
    """Call the architecture's build function, with shape and number of labels of the dataset.

    Args:
        keras: the Keras module to build with.
        facts: of the dataset.
        architecture: the build function's name and its options.

    Raises:
        TrainingError: the function cannot be called, fails, or gives another network than the
            dataset's task needs.
    """
    build = import_builder(architecture)
    try:
        given = _given(facts)
        model = build(keras, given, len(facts.labels), **architecture.options)
        model = _ordered(keras, model, facts)
        shape = model.output_shape
    except (Exception, SystemExit) as error:  # a user's own function may raise anything
        raise TrainingError(
            f"architecture {architecture.name!r} cannot be built for inputs of shape "
            f"{_given(facts)}: {_reason(error)}",
            hint=_advice(facts),
        ) from error
    _require_shape(architecture, shape, facts)
    return model


def _given(facts: DatasetFacts) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    """Return what an architecture gets as `input_shape`: of several inputs the shape of each."""
    shapes = facts.shapes
    return shapes[0] if len(shapes) == 1 else dict(zip(facts.inputs, shapes, strict=True))


def _ordered(keras: Any, model: Any, facts: DatasetFacts) -> Any:
    """Return a model of several inputs as one that takes them in the order of the dataset's."""
    if len(facts.inputs) == 1:
        return model
    inputs = dict(zip(model.input_names, model.inputs, strict=True))
    if set(inputs) != set(facts.inputs):
        raise ValueError(
            f"its inputs are named {', '.join(inputs)}, the dataset's {', '.join(facts.inputs)}"
        )
    return keras.Model([inputs[name] for name in facts.inputs], model.outputs, name=model.name)


def _advice(facts: DatasetFacts) -> str:
    if len(facts.input_shape) == 1:
        return "samples are vectors: `mlp` and `autoencoder` take them, convolutions do not"
    return "check its options and the sizes of its layers against the dataset"


def import_builder(architecture: Architecture) -> Any:
    """Return an architecture's build function.

    Raises:
        TrainingError: its module cannot be imported, or has no such function.
    """
    function = architecture.name.partition(":")[2] or "build"
    try:
        return plugins.import_path(f"{architecture_module(architecture.name)}:{function}")
    except (Exception, SystemExit) as error:  # a user's own module may raise anything
        raise TrainingError(
            f"architecture {architecture.name!r} cannot be imported: {_reason(error)}",
            hint="fix the module, or install what it imports",
        ) from error


def _reason(error: BaseException) -> str:
    """Return what an error says, and the last line of code that is no library's."""
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or '').name}, line {error.lineno}: {error.msg}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename)]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    kind = "" if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: "
    return f"{kind}{str(error).strip()}{where}"


def _is_own(file: str) -> bool:
    """Return whether a file is neither edgeflow's nor Python's nor an installed package's."""
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platlib", "purelib")]
    ours = str(Path(__file__).parents[1])
    return Path(file).is_file() and not any(file.startswith(f) for f in (*installed, ours))


def _require_shape(architecture: Architecture, shape: Any, facts: DatasetFacts) -> None:
    """Refuse a network whose outputs are none of the dataset's task."""
    task = task_of(facts)
    if isinstance(shape, tuple) and shape == (None, *task.output_shape(facts)):
        return
    raise TrainingError(
        f"architecture {architecture.name!r} gives outputs of shape {shape}, the dataset has "
        f"{task.wanted(facts)}",
        hint=f"its output must have {task.outputs_form}",
    )

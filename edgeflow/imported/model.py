"""What an importer gets and hands back, and the checks that all importers share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.dataset.tensors import Tensors
from edgeflow.dataset.view import DatasetFacts, DatasetView
from edgeflow.errors import CompileError
from edgeflow.imported.ends import Inputs, Outputs
from edgeflow.imported.shapes import Sizes, bound, first, told
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Predict = Callable[[Tensors], "list[NDArray[np.float32]]"]
"""From float32 inputs, preprocessed, to the outputs by position, each float32 (n, *shape)."""

SAMPLES = 8
TOLERANCE = 1e-3
"""Largest difference of an output after conversion, as a share of the largest output or of 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to import, and for which dataset.

    Attributes:
        source: the model file, or folder of a SavedModel.
        dataset: that the model is for.
        input: name of the input that is the sample, or of each of the dataset's inputs; None
            where there is one, or where the names are the same.
        output: name of the output to keep, or of those to keep, of which the task judges the
            first; None for all.
    """

    source: Path
    dataset: DatasetView
    input: Inputs = None
    output: Outputs = None

    @property
    def facts(self) -> DatasetFacts:
        """The dataset's facts."""
        return self.dataset.facts

    def samples(self) -> Tensors:
        """Return the samples that outputs are compared for."""
        return self.dataset.tensors("validation")[:SAMPLES]


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """An imported model; its file lies in the step's folder.

    Attributes:
        predict: the model as later steps start from it.
        outputs: names of its outputs in the file, by position.
        parameters: number of weights; None where the file does not tell them from other numbers.
        quantized: how it is quantized already, as keys of a recipe; empty for a float model.
    """

    predict: Predict
    outputs: Sequence[str]
    parameters: int | None = None
    quantized: Mapping[str, str] = field(default_factory=dict)


def fit_input(declared: Sizes, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sizes of a model's input for samples of the dataset, without the batch.

    Args:
        declared: by the file.
        wanted: shape of the dataset's samples.

    Raises:
        CompileError: the model takes other samples.
    """
    sizes = bound(declared, wanted)
    if sizes is not None:
        return sizes
    raise CompileError(
        f"it takes samples of shape {told(declared)}, its dataset has {told(wanted)}",
        hint="the channels stand first: export the model with channels last, or bring it as "
        "ONNX, whose import moves them"
        if tuple(declared) == first(wanted)
        else "export the model for samples of that size, or give it another dataset",
    )


def fit_output(given: Sizes, facts: DatasetFacts) -> tuple[int, ...]:
    """Return the shape of the dataset's outputs, without the batch.

    Raises:
        CompileError: the model gives others, beyond sizes of 1.
    """
    task = task_of(facts)
    wanted = task.output_shape(facts)
    if bound(given, wanted) is not None:
        return wanted
    raise CompileError(
        f"it gives outputs of shape {told(given)}, its dataset has {task.wanted(facts)}",
        hint=f"its output must have {task.outputs_form}; another output is chosen with the model's "
        "key `output`",
    )


def require_same(wanted: Any, given: Any) -> None:
    """Refuse a model that gives other outputs than the file it was made from.

    Args:
        wanted: outputs of the file, (n, ...).
        given: outputs of the imported model for the same samples, (n, *output_shape).

    Raises:
        CompileError: they differ by more than `TOLERANCE`, or in shape.
    """
    import numpy as np

    if bound(wanted.shape[1:], given.shape[1:]) is None:
        raise CompileError(
            f"its outputs have shape {told(wanted.shape[1:])}, and {told(given.shape[1:])} after "
            "conversion",
            hint="choose another `output`, or export the model with one value for each label",
        )
    difference = float(np.abs(given - wanted.reshape(given.shape)).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise CompileError(
            f"its outputs differ by up to {difference:.3g} after conversion",
            hint="an operator means something else to the converter; export it in another form",
        )

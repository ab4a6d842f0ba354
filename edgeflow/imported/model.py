"""What an importer hands back, and the checks that all importers share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Predict = Callable[["NDArray[np.float32]"], "NDArray[np.float32]"]
"""From float32 (n, *input_shape), preprocessed, to float32 (n, classes)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """An imported model; its file lies in the step's folder.

    Attributes:
        predict: the model as later steps start from it.
        parameters: number of weights; None where the file does not tell them from other numbers.
        quantized: how it is quantized already, as keys of a recipe; empty for a float model.
    """

    predict: Predict
    parameters: int | None = None
    quantized: Mapping[str, str] = field(default_factory=dict)


def require_fit(
    name: str, inputs: Sequence[int | None], outputs: Sequence[int | None], facts: DatasetFacts
) -> None:
    """Refuse a model that does not fit its dataset.

    Args:
        name: the model's name, for messages.
        inputs: shape of its input, with the batch.
        outputs: shape of its output, with the batch.
        facts: of the dataset.

    Raises:
        CompileError: a shape is another than the dataset asks for.
    """
    given, wanted = tuple(inputs[1:]), tuple(facts.input_shape)
    if given != wanted:
        first = given == (wanted[-1], *wanted[:-1])
        raise CompileError(
            f"{name} takes samples of shape {given}, its dataset has {wanted}",
            hint="the channels stand first: export the model with channels last, or bring it as "
            "ONNX, whose import moves them"
            if first
            else "export the model for samples of that size, or give it another dataset",
        )
    classes, shape = len(facts.labels), tuple(outputs[1:])
    if shape != (classes,):
        raise CompileError(
            f"{name} gives outputs of shape {shape}, its dataset has {classes} classes",
            hint="its last layer must have one unit for each class, in the order of the labels",
        )


def require_single(name: str, inputs: int, outputs: int) -> None:
    """Refuse a model with several inputs or outputs.

    Raises:
        CompileError: it has not one of each.
    """
    if (inputs, outputs) != (1, 1):
        raise CompileError(
            f"{name} has {inputs} inputs and {outputs} outputs",
            hint="export a model with one input, the sample, and one output, the classes",
        )

"""Whether a model file fits its dataset, as far as the file itself tells: no converter runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeflow.config.modelbytes import flaw
from edgeflow.config.modelfile import kind_of
from edgeflow.config.onnxfile import read_onnx
from edgeflow.config.tflitefile import read_tflite
from edgeflow.dataset.tensors import INPUT
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported import onnx_graph, onnx_worker, tflite_worker
from edgeflow.imported.ends import Inputs, Outputs, chosen_inputs, chosen_outputs, judged_first
from edgeflow.imported.model import fit_input, fit_output
from edgeflow.imported.shapes import Sizes
from edgeflow.tasks.registry import task_of


def refusal(
    source: Path, facts: DatasetFacts | None, given: Inputs, wanted: Outputs
) -> CompileError | None:
    """Return why an import would refuse a file, or None if nothing is seen that would stop it.

    Args:
        source: the file, or folder of a SavedModel; it exists.
        facts: of the dataset, as far as they are known.
        given: names of inputs, see `Request`.
        wanted: names of outputs, see `Request`.
    """
    reason = flaw(source)
    if reason:
        return CompileError(reason, hint="replace the file")
    looks = {"onnx": _look_at_onnx, "tflite": _look_at_tflite}
    look = looks.get(kind_of(source) or "")
    try:
        if look is not None:
            look(source, facts, given, wanted)
    except CompileError as error:
        return error
    return None


def _look_at_onnx(source: Path, facts: DatasetFacts | None, given: Inputs, wanted: Outputs) -> None:
    model = read_onnx(source)
    names = list(facts.inputs) if facts else _names(given)
    outputs = onnx_graph.select(model, given, wanted, names)
    if facts is None:
        return
    for value, shape in zip(model.graph.input, facts.shapes, strict=True):
        onnx_worker.layouts(onnx_graph.sizes(value), shape)
    sizes = [onnx_graph.sizes(value) for value in model.graph.output]
    if task_of(facts).outputs != "input":  # a reconstruction may have its channels first
        _require_outputs(outputs, sizes, wanted, facts)


def _look_at_tflite(
    source: Path, facts: DatasetFacts | None, given: Inputs, wanted: Outputs
) -> None:
    file = read_tflite(source)
    if file is None:
        return
    inner = range(len(file.tensors))
    sinks = tflite_worker.placed(file, chosen_outputs, file.outputs, wanted, inner)
    names = list(facts.inputs) if facts else _names(given)
    if len(file.inputs) != len(names):
        return  # the outputs may need some of them alone: the import finds out
    inputs = chosen_inputs([file.tensors[place].name for place in file.inputs], given, names)
    if facts is None:
        return
    tensors = {file.tensors[place].name: file.tensors[place] for place in file.inputs}
    for name, shape in zip(inputs, facts.shapes, strict=True):
        fit_input(tflite_worker.free_sizes(tensors[name]), shape)
    outputs = [file.tensors[place] for place in sinks]
    sizes = [tflite_worker.free_sizes(tensor) for tensor in outputs]
    _require_outputs([tensor.name for tensor in outputs], sizes, wanted, facts)


def _names(given: Inputs) -> list[str]:
    """Return the names of a dataset's inputs as far as the model's key `input` tells them."""
    return list(given) if isinstance(given, Mapping) else [INPUT]


def _require_outputs(
    names: Sequence[str], sizes: Sequence[Sizes], wanted: Outputs, facts: DatasetFacts
) -> None:
    if all(None not in one and one for one in sizes):
        fit_output(sizes[judged_first(names, sizes, wanted, facts)[0]], facts)

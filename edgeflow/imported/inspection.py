"""Whether a model file fits its dataset, as far as the file itself tells: no converter runs."""

from pathlib import Path

from edgeflow.config.modelbytes import flaw
from edgeflow.config.modelfile import kind_of
from edgeflow.config.onnxfile import read_onnx
from edgeflow.config.tflitefile import read_tflite
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported import onnx_graph, onnx_worker, tflite_worker
from edgeflow.imported.model import fit_input, fit_output
from edgeflow.imported.shapes import Sizes
from edgeflow.tasks.registry import task_of


def refusal(
    source: Path, facts: DatasetFacts | None, given: str | None, wanted: str | None
) -> CompileError | None:
    """Return why an import would refuse a file, or None if nothing is seen that would stop it.

    Args:
        source: the file, or folder of a SavedModel; it exists.
        facts: of the dataset, as far as they are known.
        given: name of the input; None where there is one.
        wanted: name of the output; None where there is one.
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


def _look_at_onnx(
    source: Path, facts: DatasetFacts | None, given: str | None, wanted: str | None
) -> None:
    model = read_onnx(source)
    onnx_graph.select(model, given, wanted)
    if facts is None:
        return
    onnx_worker.layouts(onnx_graph.sizes(model.graph.input[0]), tuple(facts.input_shape))
    outputs = onnx_graph.sizes(model.graph.output[0])
    if task_of(facts).outputs != "input":  # a reconstruction may have its channels first
        _require_outputs(outputs, facts)


def _look_at_tflite(
    source: Path, facts: DatasetFacts | None, given: str | None, wanted: str | None
) -> None:
    file = read_tflite(source)
    if file is None:
        return
    inner = range(len(file.tensors))
    sink = tflite_worker.place(file, "output", file.outputs, wanted, inner)
    if len(file.inputs) != 1:
        return  # the output may need one of them alone: the import finds out
    source_place = tflite_worker.place(file, "input", file.inputs, given)
    if facts is not None:
        fit_input(tflite_worker.free_sizes(file.tensors[source_place]), facts)
        _require_outputs(tflite_worker.free_sizes(file.tensors[sink]), facts)


def _require_outputs(sizes: Sizes, facts: DatasetFacts) -> None:
    if None not in sizes and sizes:
        fit_output(sizes, facts)

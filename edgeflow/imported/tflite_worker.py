"""Makes a .tflite one of static sizes, with the inputs of its dataset: a worker."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeflow.compress.evaluate import dequantized, quantized
from edgeflow.compress.source import FLATBUFFER_FILE
from edgeflow.config.tflitefile import Tensor, Tflite, read_tflite
from edgeflow.dataset.tensors import Tensors
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported import tflite_graph
from edgeflow.imported.ends import (
    Inputs,
    Outputs,
    chosen_inputs,
    chosen_outputs,
    judged_first,
    reordered,
    require_one_sample,
)
from edgeflow.imported.exchange import read_samples
from edgeflow.imported.model import fit_input, fit_output, require_same


def work(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write model.tflite, and compare its outputs for some samples with those of the file.

    Args:
        job: ``source`` (the .tflite), ``input`` and ``output`` (names, see `Request`), ``facts`` of
            the dataset.
        folder: holds samples, see `exchange`; gets model.tflite.

    Returns:
        ``outputs``: their names, by position.

    Raises:
        CompileError: the file cannot be read or run, or does not fit.
    """
    facts = DatasetFacts.model_validate(job["facts"])
    source = Path(job["source"])
    given, file = source.read_bytes(), read_tflite(source)
    if file is None:
        raise CompileError("it is no .tflite, or is cut off", hint="export it again")
    outputs = placed(file, chosen_outputs, file.outputs, job["output"], range(len(file.tensors)))
    flatbuffer, inputs = _selected(given, file, outputs, job["input"], list(facts.inputs))
    declared = [free_sizes(file.tensors[index]) for index in inputs]
    sizes = [fit_input(one, shape) for one, shape in zip(declared, facts.shapes, strict=True)]
    names = [file.tensors[index].name for index in outputs]
    final, order = _fitted(flatbuffer, sizes, names, job["output"], facts)
    (folder / FLATBUFFER_FILE).write_bytes(final)
    samples = read_samples(list(facts.inputs), folder)
    shaped = {
        name: array.reshape(-1, *one)
        for (name, array), one in zip(samples.arrays.items(), sizes, strict=True)
    }
    wanted = _outputs(given, Tensors(shaped), inputs, reordered(outputs, order))
    if wanted is not None:
        for one, made in zip(wanted, _outputs(final, samples) or [], strict=True):
            require_same(one, made)
    return {"outputs": reordered(names, order)}


def free_sizes(tensor: Tensor) -> list[int | None]:
    """Return the sizes without the batch, None for a free one."""
    return [None if size < 0 else size for size in tensor.shape[1:]]


def placed(file: Tflite, choose: Any, ends: Any, wanted: Any, inner: Any = ()) -> list[int]:
    """Return the places of the inputs or outputs that `choose` takes by their names."""
    names: dict[str, int] = {file.tensors[index].name: index for index in (*inner, *ends)}
    found = choose([file.tensors[index].name for index in ends], wanted, names)
    return [names[name] for name in found]


def _selected(
    given: bytes, file: Tflite, outputs: list[int], wanted: Inputs, dataset: list[str]
) -> tuple[bytes, list[int]]:
    """Return the .tflite with the chosen inputs and outputs, and the inputs' places."""
    from ai_edge_litert.tools import flatbuffer_utils

    def choose(names: list[str], wanted: Inputs, _: Any) -> list[str]:
        return chosen_inputs(names, wanted, dataset)

    if list(file.outputs) == outputs and len(file.inputs) == 1:
        return given, placed(file, choose, file.inputs, wanted)
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(given))
    needed = tflite_graph.prune(model, outputs)
    inputs = placed(file, choose, needed, wanted)
    others = ", ".join(repr(file.tensors[other].name) for other in needed if other not in inputs)
    if others:
        sinks, sources = (
            " or ".join(repr(file.tensors[place].name) for place in part)
            for part in (outputs, inputs)
        )
        raise CompileError(
            f"output {sinks} needs the inputs {others} beside {sources}",
            hint="only inputs of the dataset are fed: choose an `output` that does without others",
        )
    model.subgraphs[0].inputs = inputs
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)), inputs


def _fitted(
    flatbuffer: bytes,
    sizes: Sequence[tuple[int, ...]],
    names: list[str],
    wanted: Outputs,
    facts: DatasetFacts,
) -> tuple[bytes, list[int]]:
    """Return the .tflite with static sizes and the shapes of the dataset, and its outputs' order.

    Args:
        flatbuffer: with the inputs of the dataset, in their order.
        sizes: of its inputs, without the batch.
        names: of its outputs.
        wanted: the option's value.
        facts: of the dataset.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    shapes, samples = ([(1, *one) for one in side] for side in (sizes, facts.shapes))
    interpreter = _open(flatbuffer, shapes)
    details = interpreter.get_tensor_details()
    static = {detail["index"]: detail["shape"].tolist() for detail in details}
    given = [tuple(static[sink["index"]]) for sink in interpreter.get_output_details()]
    require_one_sample(names, given)
    order = judged_first(names, [shape[1:] for shape in given], wanted, facts)
    first = given[order[0]]
    result = (1, *fit_output(first[1:], facts))
    in_place = order == sorted(order)
    if in_place and _is_static(flatbuffer) and (shapes, first) == (samples, result):
        return flatbuffer, order
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    graph = model.subgraphs[0]
    graph.inputs, graph.outputs = list(graph.inputs), reordered(graph.outputs, order)
    if not in_place:
        model.signatureDefs = None  # its outputs are no longer in the order of their names
    tflite_graph.fix_sizes(model, static)
    for position, (shape, sample) in enumerate(zip(shapes, samples, strict=True)):
        if shape != sample:
            tflite_graph.reshape_input(model, position, sample)
    if first != result:
        tflite_graph.reshape_output(model, result)
    final = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    _open(final, samples)
    return final, order


def _open(flatbuffer: bytes, shapes: Sequence[tuple[int, ...]], *, keep: bool = False) -> Any:
    """Return an interpreter that ran once, so that all sizes are known."""
    import numpy as np

    try:
        interpreter = _interpreter(flatbuffer, keep=keep)
        sources = interpreter.get_input_details()
        for source, shape in zip(sources, shapes, strict=True):
            interpreter.resize_tensor_input(source["index"], shape)
        interpreter.allocate_tensors()
        for source, shape in zip(sources, shapes, strict=True):
            interpreter.set_tensor(source["index"], np.zeros(shape, source["dtype"]))
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise CompileError(
            str(error).strip(), hint="export it with a batch of 1, of LiteRT's own operators alone"
        ) from error
    return interpreter


def _interpreter(flatbuffer: bytes, *, keep: bool = False) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    return Interpreter(
        model_content=flatbuffer,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=keep,
    )


def _is_static(flatbuffer: bytes) -> bool:
    """Return whether the batch is 1 and no tensor's size is left open."""
    interpreter = _interpreter(flatbuffer)
    return all(source["shape"][0] == 1 for source in interpreter.get_input_details()) and not any(
        (tensor["shape_signature"] < 0).any() for tensor in interpreter.get_tensor_details()
    )


def _outputs(
    flatbuffer: bytes, samples: Tensors, sources: Sequence[int] = (), sinks: Sequence[int] = ()
) -> list[Any] | None:
    """Return the outputs for samples, float32; None if the file does not run as a whole.

    Args:
        flatbuffer: the .tflite.
        samples: float32, in the shapes of the inputs.
        sources: places of the inputs; none for those of the file.
        sinks: places of any tensors; none for the file's outputs.
    """
    import numpy as np

    interpreter = _interpreter(flatbuffer, keep=True)
    sources = sources or [end["index"] for end in interpreter.get_input_details()]
    sinks = sinks or [end["index"] for end in interpreter.get_output_details()]
    try:
        for source, array in zip(sources, samples.arrays.values(), strict=True):
            interpreter.resize_tensor_input(source, (1, *array.shape[1:]))
        interpreter.allocate_tensors()
        interpreter.invoke()
    except (RuntimeError, ValueError):
        return None  # its other outputs need what LiteRT lacks
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    rows = []
    for sample in samples:
        interpreter.reset_all_variables()
        for source, array in zip(sources, sample, strict=True):
            interpreter.set_tensor(source, quantized(array, details[source]))
        interpreter.invoke()
        rows.append([interpreter.get_tensor(sink) for sink in sinks])
    columns = zip(sinks, zip(*rows, strict=True), strict=True)
    return [dequantized(np.concatenate(column), details[sink]) for sink, column in columns]

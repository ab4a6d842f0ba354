"""Makes a .tflite one of static sizes, with one input and output: a worker."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.compress.evaluate import dequantized, quantized
from edgeflow.compress.source import FLATBUFFER_FILE
from edgeflow.config.tflitefile import Tensor, Tflite, read_tflite
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported import tflite_graph
from edgeflow.imported.model import chosen, fit_input, fit_output, require_same


def work(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write model.tflite, and compare its outputs for some samples with those of the file.

    Args:
        job: ``source`` (the .tflite), ``input`` and ``output`` (names, or None), ``facts`` of the
            dataset.
        folder: holds samples.npy, float32 (n, *input_shape); gets model.tflite.

    Raises:
        CompileError: the file cannot be read or run, or does not fit.
    """
    import numpy as np

    facts = DatasetFacts.model_validate(job["facts"])
    source = Path(job["source"])
    given, file = source.read_bytes(), read_tflite(source)
    if file is None:
        raise CompileError("it is no .tflite, or is cut off", hint="export it again")
    output = place(file, "output", file.outputs, job["output"], range(len(file.tensors)))
    flatbuffer, index = _selected(given, file, output, job["input"])
    sizes = fit_input(free_sizes(file.tensors[index]), facts)
    final = _fitted(flatbuffer, (1, *sizes), facts)
    (folder / FLATBUFFER_FILE).write_bytes(final)
    samples = np.load(folder / "samples.npy")
    wanted = _outputs(given, samples.reshape(-1, 1, *sizes), index, output)
    if wanted is not None:
        require_same(wanted, _outputs(final, samples[:, None]))
    return {}


def free_sizes(tensor: Tensor) -> list[int | None]:
    """Return the sizes without the batch, None for a free one."""
    return [None if size < 0 else size for size in tensor.shape[1:]]


def place(file: Tflite, what: str, ends: Any, name: str | None, inner: Any = ()) -> int:
    """Return the place of the chosen input or output."""
    names: dict[str, int] = {file.tensors[index].name: index for index in (*inner, *ends)}
    return names[chosen(what, [file.tensors[index].name for index in ends], name, names)]


def _selected(given: bytes, file: Tflite, output: int, name: str | None) -> tuple[bytes, int]:
    """Return the .tflite with one input and output, and the input's place."""
    from ai_edge_litert.tools import flatbuffer_utils

    if file.outputs == (output,) and len(file.inputs) == 1:
        return given, place(file, "input", file.inputs, name)
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(given))
    needed = tflite_graph.prune(model, output)
    index = place(file, "input", needed, name)
    others = ", ".join(repr(file.tensors[other].name) for other in needed if other != index)
    if others:
        raise CompileError(
            f"output {file.tensors[output].name!r} needs the inputs {others} beside "
            f"{file.tensors[index].name!r}",
            hint="one input is fed, the sample: choose an `output` that does without the others",
        )
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)), index


def _fitted(flatbuffer: bytes, shape: tuple[int, ...], facts: DatasetFacts) -> bytes:
    """Return the .tflite with static sizes and the shapes of the dataset."""
    from ai_edge_litert.tools import flatbuffer_utils

    interpreter = _open(flatbuffer, shape)
    details = interpreter.get_tensor_details()
    sizes = {detail["index"]: detail["shape"].tolist() for detail in details}
    sample = (1, *facts.input_shape)
    given = tuple(sizes[interpreter.get_output_details()[0]["index"]])
    wanted = (1, *fit_output(given[1:], facts))
    if _is_static(flatbuffer) and (shape, given) == (sample, wanted):
        return flatbuffer
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    tflite_graph.fix_sizes(model, sizes)
    if shape != sample:
        tflite_graph.reshape_input(model, sample)
    if given != wanted:
        tflite_graph.reshape_output(model, wanted)
    final = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    _open(final, sample)
    return final


def _open(flatbuffer: bytes, shape: tuple[int, ...], *, keep: bool = False) -> Any:
    """Return an interpreter that ran once, so that all sizes are known."""
    import numpy as np

    try:
        interpreter = _interpreter(flatbuffer, keep=keep)
        source = interpreter.get_input_details()[0]
        interpreter.resize_tensor_input(source["index"], shape)
        interpreter.allocate_tensors()
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
    return interpreter.get_input_details()[0]["shape"][0] == 1 and not any(
        (tensor["shape_signature"] < 0).any() for tensor in interpreter.get_tensor_details()
    )


def _outputs(flatbuffer: bytes, samples: Any, source: int | None = None, sink: int = 0) -> Any:
    """Return the outputs for samples, float32; None if the file does not run as a whole.

    Args:
        flatbuffer: the .tflite.
        samples: float32 (n, 1, *sizes).
        source: place of the input; None for the one input and the one output.
        sink: place of any tensor.
    """
    import numpy as np

    interpreter = _interpreter(flatbuffer, keep=True)
    if source is None:
        source = interpreter.get_input_details()[0]["index"]
        sink = interpreter.get_output_details()[0]["index"]
    try:
        interpreter.resize_tensor_input(source, samples.shape[1:])
        interpreter.allocate_tensors()
        interpreter.invoke()
    except (RuntimeError, ValueError):
        return None  # its other outputs need what LiteRT lacks
    interpreter.reset_all_variables()
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    rows = []
    for sample in quantized(samples, details[source]):
        interpreter.set_tensor(source, sample)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(sink)[0])
    return dequantized(np.stack(rows), details[sink])

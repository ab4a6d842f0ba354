"""Runs a .tflite on the host: the reference that every target is compared with."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeflow.dataset.tensors import Tensors
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.config.samples import Part
    from edgeflow.dataset.view import DatasetView


def metric(flatbuffer: bytes, dataset: "DatasetView", part: "Part") -> float:
    """Return the metric of the dataset's task that a .tflite reaches on a part."""
    inputs = dataset.tensors(part)
    outputs = host_outputs(flatbuffer, inputs)
    return task_of(dataset.facts).figure(outputs, inputs.first, dataset.truth(part))


def host_outputs(flatbuffer: bytes, inputs: Tensors) -> "NDArray[np.float32]":
    """Return what `every_output` does of the first output, which the task judges."""
    return every_output(flatbuffer, inputs)[0]


def every_output(flatbuffer: bytes, inputs: Tensors) -> "list[NDArray[np.float32]]":
    """Return the dequantized outputs of a batch-1 model by position, each float32 (n, *shape).

    Args:
        flatbuffer: the .tflite.
        inputs: float32, preprocessed, in the order of the model's inputs.
    """
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    sinks = interpreter.get_output_details()
    rows: list[list[NDArray[Any]]] = [[] for _ in sinks]
    for sample in fed(interpreter, inputs):
        run(interpreter, sample)
        for column, sink in zip(rows, sinks, strict=True):
            column.append(interpreter.get_tensor(sink["index"]))
    return [
        dequantized(np.concatenate(column), sink) for column, sink in zip(rows, sinks, strict=True)
    ]


def fed(interpreter: Any, inputs: Tensors) -> Tensors:
    """Return float samples in the dtypes of an interpreter's inputs, by position."""
    pairs = zip(inputs.arrays.items(), interpreter.get_input_details(), strict=True)
    return Tensors({name: quantized(array, source) for (name, array), source in pairs})


def run(interpreter: Any, sample: "Sequence[NDArray[Any]]") -> None:
    """Run an interpreter on the arrays of one sample, by position."""
    interpreter.reset_all_variables()  # LSTM operators keep their state
    for source, array in zip(interpreter.get_input_details(), sample, strict=True):
        interpreter.set_tensor(source["index"], array)
    interpreter.invoke()


def quantized(values: "NDArray[np.float32]", details: Any) -> "NDArray[Any]":
    """Return float values in a tensor's dtype: ``round(x / scale) + zero_point``, saturated."""
    import numpy as np

    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    steps = np.rint(values / np.float32(scale)) + zero_point
    result: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(details["dtype"])
    return result


def dequantized(values: "NDArray[Any]", details: Any) -> "NDArray[np.float32]":
    """Return a tensor's values as float32: ``(q - zero_point) * scale``."""
    import numpy as np

    scale, zero_point = details["quantization"]
    floats = values.astype(np.float32)
    return (floats - np.float32(zero_point)) * np.float32(scale) if scale else floats


def details(tensor: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tensor of an engine's `io` in the form that the interpreter gives it."""
    return {"dtype": tensor["dtype"], "quantization": (tensor["scale"], tensor["zero_point"])}

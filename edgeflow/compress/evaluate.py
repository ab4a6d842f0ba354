"""Runs a .tflite on the host: the reference that every target is compared with."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.dataset.view import DatasetView, Part


def metric(flatbuffer: bytes, dataset: "DatasetView", part: "Part") -> float:
    """Return the metric of the dataset's task that a .tflite reaches on a part."""
    inputs = dataset.inputs(part)
    outputs = host_outputs(flatbuffer, inputs)
    return task_of(dataset.facts).figure(outputs, inputs, dataset.truth(part))


def host_outputs(flatbuffer: bytes, inputs: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Return the dequantized outputs of a batch-1 model, float32 (n, *output_shape).

    Args:
        flatbuffer: the .tflite.
        inputs: float32 (n, *input_shape), preprocessed.
    """
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for sample in quantized(inputs, source):
        interpreter.reset_all_variables()  # LSTM operators keep their state
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(sink["index"])[0])
    return dequantized(np.stack(rows), sink)


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

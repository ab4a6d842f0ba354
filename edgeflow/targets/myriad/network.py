"""Makes the ONNX that the VPU's compiler gets: named layers, weights in half precision."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.errors import CompileError
from edgeflow.exported.onnx import export_onnx

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 11
"""The last version of ONNX's operators that OpenVINO 2021.4 reads as a whole."""
HALF_MAX = 65504.0
"""Largest number of half precision."""


def write_network(float_model: Path, out: Path) -> dict[str, list[str]]:
    """Write a float .tflite as ONNX whose weights half precision can hold, in float32.

    The VPU rounds them so; the host's reference then computes with the weights that it has.

    Args:
        float_model: a .tflite in float32.
        out: the .onnx file to write.

    Returns:
        Names of ``inputs`` and ``outputs``.

    Raises:
        CompileError: ONNX has no such operator, or half precision no such weight.
    """
    import onnx

    export_onnx(float_model, out, OPSET)
    model = onnx.load(out)
    _name_tensors(model.graph)
    for tensor in model.graph.initializer:
        _round(tensor)
    onnx.save(model, out)
    return {
        "inputs": [one.name for one in model.graph.input],
        "outputs": [one.name for one in model.graph.output],
    }


def _name_tensors(graph: Any) -> None:
    """Give tensors the names of the nodes that make them: OpenVINO calls a layer by its tensor."""
    kept = {one.name for one in (*graph.input, *graph.output)}
    names = {
        old: node.name if place == 0 else f"{node.name}/{place}"
        for node in graph.node
        for place, old in enumerate(node.output)
        if old and old not in kept
    }
    for node in graph.node:
        for tensors in (node.input, node.output):
            for place, old in enumerate(tensors):
                tensors[place] = names.get(old, old)


def _round(tensor: Any) -> None:
    import numpy as np
    from onnx import numpy_helper

    array: NDArray[Any] = numpy_helper.to_array(tensor)
    if array.dtype != np.float32 or not array.size:
        return
    largest = float(np.abs(array).max())
    if not largest <= HALF_MAX:
        raise CompileError(
            f"the VPU computes in half precision, which ends at {HALF_MAX:,.0f}: a constant of the "
            f"network is {largest:g}",
            hint="train it with weight decay, or choose another target for this model",
        )
    halves = array.astype(np.float16).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(halves, tensor.name))

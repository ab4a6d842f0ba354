"""The range of each activation of an ONNX network over the calibration set."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.config.recipe import Calibration
from edgeflow.dataset.tensors import Tensors
from edgeflow.errors import CompileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ranges = Mapping[str, tuple[float, float]]
"""Smallest and largest value of each tensor, by its name; zero lies within."""
TOOLS = ("onnx", "onnxruntime")
"""Distributions whose versions shape them."""


def ranges_of(model: Path, samples: Tensors | None, calibration: Calibration) -> Ranges:
    """Run the calibration set, one sample at a time, and return what each float tensor takes.

    Args:
        model: .onnx in float32, with static shapes.
        samples: float32, in the order of the network's inputs; None without a calibration set.
        calibration: ``minmax``: over all samples. ``percentile``: of each sample, with as many
            values beyond either end, and the mean over the samples.

    Raises:
        CompileError: there is no calibration set.
        RuntimeError: onnxruntime cannot run the network.
    """
    if samples is None:
        raise CompileError("ptq-int8 reads the calibration set", hint="give the dataset one")
    import numpy as np
    import onnx

    tail = (100 - calibration.percentile) / 2 if calibration.method == "percentile" else 0.0
    network = onnx.shape_inference.infer_shapes(onnx.load(model))
    # Among saturated scores none is largest.
    whole = {value.name for value in network.graph.output}
    ends: dict[str, NDArray[np.float64]] = {}
    for count, tensors in enumerate(_activations(network, samples), start=1):
        for name, array in tensors.items():
            cut = 0.0 if name in whole else tail
            end = np.percentile(array, (cut, 100 - cut)).astype(np.float64)
            ends[name] = _merged(ends[name], end, count if cut else 0) if name in ends else end
    return {name: (min(0.0, low), max(0.0, high)) for name, (low, high) in _plain(ends)}


def _merged(old: "NDArray[Any]", new: "NDArray[Any]", count: int) -> "NDArray[Any]":
    """Return the mean of a number of ranges, the last of which is new; of 0, what holds both."""
    import numpy as np

    if count:
        mean: NDArray[Any] = old + (new - old) / count
        return mean
    return np.array((min(old[0], new[0]), max(old[1], new[1])))


def _plain(ends: "Mapping[str, NDArray[Any]]") -> list[tuple[str, list[float]]]:
    return [(name, end.tolist()) for name, end in ends.items()]


def _activations(network: Any, samples: Tensors) -> Iterator[dict[str, "NDArray[Any]"]]:
    """Yield all float tensors of each sample that are no weights, by name."""
    import onnx
    import onnxruntime

    graph = network.graph
    names = [value.name for value in graph.input]
    outer = {value.name for value in graph.output}
    floats = onnx.TensorProto.FLOAT
    graph.output.extend(
        value
        for value in graph.value_info
        if value.type.tensor_type.elem_type == floats and value.name not in outer
    )
    options = onnxruntime.SessionOptions()
    # As written: what is fused away has no range, and the order of additions is that of all CPUs.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = [value.name for value in session.get_outputs() if value.type == "tensor(float)"]
    for sample in samples:
        fed = dict(zip(names, sample, strict=True))
        yield {**fed, **dict(zip(found, session.run(found, fed), strict=True))}

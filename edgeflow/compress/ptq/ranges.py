"""Ranges of activations that leave rare large values out, so that all others round finer.

Sources: Wu et al., "Integer Quantization for Deep Learning Inference: Principles and Empirical
Evaluation", arXiv 2004.09602 (percentiles); Nagel et al., "A White Paper on Neural Network
Quantization", arXiv 2106.08295, section 3.1 (mean squared error).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgeflow.compress.debug.graph import layers, open_graph
from edgeflow.compress.evaluate import run
from edgeflow.dataset.tensors import Tensors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.config.recipe import Calibration

BINS = 4096
"""Bins of a histogram: 16 for each of the 256 values that int8 has."""

CANDIDATES = 100
"""Ranges that the search for the least error compares."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """The values that the ends of the integer type stand for; holds zero."""

    low: float
    high: float


@dataclass(kw_only=True, slots=True)
class _Histogram:
    """How often values of one tensor occur, between the smallest and the largest."""

    low: float
    high: float
    counts: "NDArray[np.int64]"


def activation_ranges(
    flatbuffer: bytes, samples: Tensors, calibration: "Calibration"
) -> dict[str, Range]:
    """Return the range of each activation by the name of its tensor.

    The network's outputs keep the range that they have: among saturated logits none is largest.

    Args:
        flatbuffer: float32 .tflite.
        samples: float32, preprocessed, run twice: for the ends, and for what lies between.
        calibration: method ``percentile`` or ``mse``.
    """
    histograms = _histograms(flatbuffer, samples)
    if calibration.method == "mse":
        return {name: least_error(found) for name, found in histograms.items()}
    return {name: percentile(found, calibration.percentile) for name, found in histograms.items()}


def percentile(histogram: _Histogram, share: float) -> Range:
    """Return the range that holds `share` percent of the values, with as many beyond each end."""
    import numpy as np

    edges = np.linspace(histogram.low, histogram.high, BINS + 1)
    total = histogram.counts.sum()
    tail = total * (1 - share / 100) / 2
    below = np.cumsum(histogram.counts)
    above = np.cumsum(histogram.counts[::-1])
    low = edges[np.searchsorted(below, tail, side="right")]
    high = edges[BINS - np.searchsorted(above, tail, side="right")]
    return Range(low=min(float(low), 0.0), high=max(float(high), 0.0))


def least_error(histogram: _Histogram) -> Range:
    """Return the range, of `CANDIDATES` shrunk ones, with the least mean squared error in int8."""
    import numpy as np

    edges = np.linspace(histogram.low, histogram.high, BINS + 1)
    centres, counts = (edges[:-1] + edges[1:]) / 2, histogram.counts
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    shrunk = np.arange(CANDIDATES, 0, -1) / CANDIDATES
    errors = [_squared_error(centres, counts, low * share, high * share) for share in shrunk]
    best = float(shrunk[int(np.argmin(errors))])
    return Range(low=low * best, high=high * best)


def _squared_error(
    values: "NDArray[np.float64]", counts: "NDArray[np.int64]", low: float, high: float
) -> float:
    """Return the summed squared error of values that are rounded to 256 steps, ends included."""
    import numpy as np

    step = (high - low) / 255
    zero = np.rint(-low / step)
    back = (np.clip(np.rint(values / step) + zero, 0, 255) - zero) * step
    return float((np.square(back - values) * counts).sum())


def _histograms(flatbuffer: bytes, samples: Tensors) -> dict[str, _Histogram]:
    import numpy as np

    interpreter = open_graph(flatbuffer)
    tensors = _activations(interpreter)
    ends = dict.fromkeys(tensors, (np.inf, -np.inf))
    for sample in samples:
        for index, values in _values(interpreter, tensors, sample):
            low, high = ends[index]
            ends[index] = min(low, float(values.min())), max(high, float(values.max()))
    found = {
        index: _Histogram(low=low, high=high, counts=np.zeros(BINS, np.int64))
        for index, (low, high) in ends.items()
        if low < high
    }
    for sample in samples:
        for index, values in _values(interpreter, found, sample):
            item = found[index]
            item.counts += np.histogram(values, BINS, (item.low, item.high))[0]
    return {tensors[index]: histogram for index, histogram in found.items()}


def _activations(interpreter: Any) -> dict[int, str]:
    """Return index and name of each float tensor that changes with the input, but the outputs."""
    import numpy as np

    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    sources = [int(tensor["index"]) for tensor in interpreter.get_input_details()]
    sinks = {tensor["index"] for tensor in interpreter.get_output_details()}
    computed = [*sources, *(layer.output for layer in layers(interpreter))]
    return {
        index: tensors[index]["name"]
        for index in computed
        if index not in sinks and tensors[index]["dtype"] is np.float32
    }


def _values(interpreter: Any, tensors: Mapping[int, Any], sample: Any) -> Any:
    run(interpreter, sample)
    return ((index, interpreter.get_tensor(index)) for index in tensors)

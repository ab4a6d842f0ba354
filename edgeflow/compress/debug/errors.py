"""How far each layer of a quantized network is from the same layer in float."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeflow.compress.debug.graph import Layer, layers, open_graph, pairs
from edgeflow.compress.debug.tally import Tally, decibels
from edgeflow.compress.evaluate import fed, run
from edgeflow.dataset.tensors import Tensors

SAMPLES = 200
"""Samples that the errors are measured on, at most: means over a layer settle long before."""

HURTS_BELOW_DB = 30.0
"""Own SQNR below which a layer is named: its rounding adds more than a thousandth of the power."""

NAMED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerError:
    """The error of one layer's output, over all of its values and samples.

    Attributes:
        name: of the layer in the float network.
        tensor: name of its output tensor there.
        dtype: of the output in the quantized network; float32 where the layer stays in float.
        sqnr_db: power of the float values over that of the error, which holds what earlier
            layers brought; None without any error, or where all values are zero.
        own_sqnr_db: the same for the error that this layer adds: the share of the error's power
            above that of its worst input.
        mean_error: quantized minus float, with its sign.
        saturated: share of values at an end of the integers whose float value lies beyond it.
        weight_spread: largest over smallest scale of the layer's weights; None without weights.
    """

    name: str
    tensor: str
    operator: str
    dtype: str
    sqnr_db: float | None
    own_sqnr_db: float | None
    max_error: float
    mean_error: float
    saturated: float
    weight_spread: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """All layers that the float and the quantized network share, and how many each has.

    Attributes:
        inputs: the errors of the network's inputs, before any layer.
        errors: of each shared layer, in the order in which the layers run.
    """

    inputs: list[LayerError]
    errors: list[LayerError]
    samples: int
    float_layers: int
    quantized_layers: int

    def worst(self) -> list[LayerError]:
        """Return all layers with an error of their own, the largest first."""
        noisy = [error for error in self.errors if error.own_sqnr_db is not None]
        return sorted(noisy, key=lambda error: error.own_sqnr_db or 0.0)

    def hurting(self) -> list[LayerError]:
        """Return the few layers that add the most error, the largest first."""
        return [e for e in self.worst()[:NAMED] if (e.own_sqnr_db or 0.0) < HURTS_BELOW_DB]


def compare(float_model: bytes, quantized_model: bytes, samples: Tensors) -> Comparison:
    """Run two forms of a network side by side and compare each layer that they share.

    Args:
        float_model: float32 .tflite.
        quantized_model: .tflite of the same network, some or all of it in integers.
        samples: float32, preprocessed; the first `SAMPLES` count.
    """
    before, after = open_graph(float_model), open_graph(quantized_model)
    shared = pairs(layers(before), layers(after))
    details = {tensor["index"]: tensor for tensor in after.get_tensor_details()}
    sources = after.get_input_details()
    inputs, tallies = [Tally() for _ in sources], [Tally() for _ in shared]
    used = samples[:SAMPLES]
    for sample, fitted in zip(used, fed(after, used), strict=True):
        run(before, sample)
        run(after, fitted)
        for tally, *given in zip(inputs, sample, fitted, sources, strict=True):
            tally.add(*given)
        for tally, (one, other) in zip(tallies, shared, strict=True):
            value = after.get_tensor(other.output)
            tally.add(before.get_tensor(one.output), value, details[other.output])
    noise: dict[int, float] = {}
    names = list(samples.arrays)
    ends = zip(inputs, _inputs(before, names), _inputs(after, names), strict=True)
    return Comparison(
        inputs=[_error(tally, one, other, details, noise) for tally, one, other in ends],
        errors=[
            _error(tally, one, other, details, noise)
            for tally, (one, other) in zip(tallies, shared, strict=True)
        ],
        samples=len(used),
        float_layers=len(layers(before)),
        quantized_layers=len(layers(after)),
    )


def _inputs(interpreter: Any, names: Sequence[str]) -> list[Layer]:
    """Return the network's inputs in the form of layers."""
    return [
        Layer(
            name=name,
            operator="INPUT",
            tensor=tensor["name"],
            output=int(tensor["index"]),
            inputs=(),
            shape=tuple(int(size) for size in tensor["shape"]),
        )
        for name, tensor in zip(names, interpreter.get_input_details(), strict=True)
    ]


def _error(
    tally: Tally, one: Layer, other: Layer, details: Any, noise: dict[int, float]
) -> LayerError:
    """Return the error of a layer; `noise` holds the error's share by float tensor, and gets it."""
    import numpy as np

    brought = max((noise.get(index, 0.0) for index in one.inputs), default=0.0)
    ratio = noise[one.output] = tally.ratio()
    return LayerError(
        name=one.name,
        tensor=one.tensor,
        operator=one.operator,
        dtype=np.dtype(details[other.output]["dtype"]).name,
        sqnr_db=decibels(ratio),
        own_sqnr_db=decibels(ratio - brought),
        max_error=tally.largest,
        mean_error=tally.difference / max(tally.count, 1),
        saturated=tally.saturated / max(tally.count, 1),
        weight_spread=_spread([details[index] for index in other.inputs]),
    )


def _spread(inputs: Sequence[Any]) -> float | None:
    """Return how far the scales of per-channel weights lie apart."""
    scales = [tensor["quantization_parameters"]["scales"] for tensor in inputs]
    # The weights: the first with a scale for each channel; the bias, which comes later, has too.
    weights = next((s for s in scales if len(s) > 1), None)
    return None if weights is None else float(weights.max() / weights[weights > 0].min())

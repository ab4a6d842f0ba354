"""LSTM over a sequence, with an 8-bit state and 16-bit cells."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.fixed_point import multiplier
from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers.base import Layer, Unsupported
from edgeflow.targets.mcu.settings import Settings

_GATES = range(4)
"""Input, forget, cell and output, as the operator's inputs have them."""
_WEIGHTS, _STATE_WEIGHTS, _BIASES, _STATE, _CELL = 1, 5, 12, 18, 19
"""Inputs of the operator; the first three are those of the first gate."""
_OF_GATE, _OF_ACTIVATION = 2.0**-12, 2.0**-15
"""Scales inside."""


def unidirectional_sequence_lstm(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a UNIDIRECTIONAL_SEQUENCE_LSTM.

    Source: tensorflow/lite/micro/kernels/lstm_eval_common.cc.
    """
    if settings.profile != "tflm":
        raise Unsupported("has other arithmetic in LiteRT", "use the profile tflm")
    source, state, cell = (graph.tensors[node.inputs[number]] for number in (0, _STATE, _CELL))
    units = state.shape[-1]
    batches, steps = _sizes(node, source.shape)
    scales = {
        "input": _OF_ACTIVATION**2 / cell.scale,
        "forget": _OF_ACTIVATION,
        "output": _OF_ACTIVATION**2 / state.scale,
    }
    values = {"batches": batches, "steps": steps, "inputs": source.shape[2], "units": units}
    for name, scale in scales.items():
        values[f"{name}_multiplier"], values[f"{name}_shift"] = multiplier(scale)
    rows = batches * steps
    return [
        Layer(
            node=node,
            kernel="nn_lstm",
            values=values | {"zero_point": state.zero_point} | _cell(node, cell.scale),
            arrays=_arrays(graph, node),
            reads=node.inputs[:1],
            writes=node.outputs,
            # A step reads its inputs for each unit, and writes the unit's state then.
            slack=(units - 1 + (rows - 1) * max(0, units - source.shape[2]),),
            scratch_bytes=2 * units,
            macs=4 * rows * units * (source.shape[2] + units),
        )
    ]


def _sizes(node: Node, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many sequences there are, and their length."""
    return (shape[1], shape[0]) if node.options["timeMajor"] else (shape[0], shape[1])


def _cell(node: Node, scale: float) -> dict[str, int]:
    """Return how a cell becomes 3 times the argument of tanh, and its limit, or 0."""
    left = 12 + round(math.log2(scale))
    clip = float(np.float32(node.options["cellClip"]))
    limit = min(clip / scale, 2**15 - 1)
    if clip and limit < 1:
        raise Unsupported("clips its cells to less than a step", "use a larger clip, or none")
    return {
        "cell_factor": 3 << max(left, 0),
        "cell_shift": max(-left, 0),
        "cell_limit": int(limit),
    }


def _arrays(graph: Graph, node: Node) -> dict[str, NDArray[Any]]:
    source, state = graph.tensors[node.inputs[0]], graph.tensors[node.inputs[_STATE]]
    gates = [graph.tensors[node.inputs[_WEIGHTS + gate]] for gate in _GATES]
    of_state = [graph.tensors[node.inputs[_STATE_WEIGHTS + gate]] for gate in _GATES]
    biases = [graph.tensors[node.inputs[_BIASES + gate]].data for gate in _GATES]
    matrix, state_matrix = (
        np.stack([np.asarray(tensor.data, np.int8) for tensor in tensors], axis=1)
        for tensors in (gates, of_state)
    )
    bias = np.stack([np.asarray(values, np.int64) for values in biases], axis=1)
    bias -= source.zero_point * matrix.sum(axis=2, dtype=np.int64)
    state_bias = -state.zero_point * state_matrix.sum(axis=2, dtype=np.int64)
    scales = [source.scale * tensor.scale / _OF_GATE for tensor in gates]
    scales += [state.scale * tensor.scale / _OF_GATE for tensor in of_state]
    q, shifts = zip(*map(multiplier, scales), strict=True)
    return {
        "weights": matrix,
        "state_weights": state_matrix,
        "bias": bias.astype(np.int32),
        "state_bias": state_bias.astype(np.int32),
        "multipliers": np.array(q, np.int32),
        "shifts": np.array(shifts, np.int8),
        "sigmoid": _sigmoid(),
    }


def _sigmoid() -> NDArray[np.uint16]:
    """Return the sigmoid of n / 24 in 16 fractional bits, for interpolation between its values.

    A chord lies below the curve; raised by half of what it lacks in its middle, it is nowhere far
    from it. The last value stands for 1.
    """
    n = np.arange(-1, 257)
    exact = 65536 / (1 + np.exp(-n / 24))
    bend = (exact[:-2] - 2 * exact[1:-1] + exact[2:]) / 8
    table = np.floor(exact[1:-1] - bend / 2 + 0.5)
    table[-1] = 65535
    return table.astype(np.uint16)

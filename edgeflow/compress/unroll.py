"""Recurrent layers written out step by step, the form in which they become integers.

TensorFlow's converter crashes when it quantizes the loops of GRU and SimpleRNN, and what its one
operator for LSTM gives in int8 is ten times as far from float as what the steps give. Keras' own
`unroll` leaves outputs of the first step unused, and what leads there stays float.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

State = tuple[Any, ...] | None
"""The output of a step, then what else the cell remembers; None before the first step."""
Step = Callable[[Any, State], tuple[Any, ...]]


def unrolled(keras: Any, model: Any) -> Any:
    """Return the model with its recurrent layers as steps; the model itself if it has none.

    The result is for conversion: its recurrent layers can neither be trained nor saved. A model
    with a recurrent layer that cannot be written out (a free number of steps, states that are
    kept or returned, masks, cells of another kind) is returned as it is.
    """
    recurrent = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)
    ]
    if not recurrent or not all(_is_free(keras, layer) for layer in recurrent):
        return model

    def copied(layer: Any) -> Any:
        if layer in recurrent:
            return _steps(keras, layer)
        return type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=copied)
    for layer in model.layers:
        if layer not in recurrent:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _is_free(keras: Any, layer: Any) -> bool:
    """Return whether the layer's steps depend on its input alone, and their number is fixed."""
    if len(layer.inbound_nodes) != 1 or isinstance(layer.input, list | tuple):
        return False
    return layer.input.shape[1] is not None and layer.input_mask is None and _is_plain(keras, layer)


def _is_plain(keras: Any, layer: Any) -> bool:
    if isinstance(layer, keras.layers.Bidirectional):
        return _is_plain(keras, layer.forward_layer) and _is_plain(keras, layer.backward_layer)
    known = type(layer).__name__ in _CELLS and type(layer).__module__.startswith(keras.__name__)
    return known and not (layer.stateful or layer.return_state or layer.time_major)


def _steps(keras: Any, layer: Any) -> Any:
    """Return a layer that gives what a recurrent one does, without a loop."""

    class Steps(keras.layers.Layer):  # type: ignore[misc]  # untyped
        def call(self, inputs: Any) -> Any:
            return run(inputs)

    run = _both_ways(layer) if isinstance(layer, keras.layers.Bidirectional) else _one_way(layer)
    return Steps(name=layer.name)


def _one_way(layer: Any) -> Callable[[Any], Any]:
    run = _sequence(layer)

    def call(inputs: Any) -> Any:
        return _result(layer, run(inputs))

    return call


def _both_ways(layer: Any) -> Callable[[Any], Any]:
    """Return what a Bidirectional layer computes."""
    import tensorflow as tf

    forward, backward = _sequence(layer.forward_layer), _sequence(layer.backward_layer)
    merge: Any = {
        "concat": lambda one, other: tf.concat([one, other], axis=-1),
        "sum": lambda one, other: one + other,
        "ave": lambda one, other: (one + other) / 2,
        "mul": lambda one, other: one * other,
        None: lambda one, other: [one, other],
    }[layer.merge_mode]

    def call(inputs: Any) -> Any:
        there, back = forward(inputs), backward(inputs)
        if layer.return_sequences:
            back = back[::-1]
        return merge(_result(layer.forward_layer, there), _result(layer.backward_layer, back))

    return call


def _result(layer: Any, outputs: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.stack(outputs, axis=1) if layer.return_sequences else outputs[-1]


def _sequence(layer: Any) -> Callable[[Any], list[Any]]:
    """Return a function from inputs (n, steps, size) to the layer's outputs, step by step."""
    import tensorflow as tf

    step = _CELLS[type(layer).__name__](layer.cell)

    def run(inputs: Any) -> list[Any]:
        state: State = None
        outputs = []
        slices = tf.unstack(inputs, axis=1)
        for one in reversed(slices) if layer.go_backwards else slices:
            state = step(one, state)
            outputs.append(state[0])
        return outputs

    return run


def _gates(cell: Any, count: int) -> list[tuple[Any, ...]]:
    """Return kernel, recurrent kernel and bias (as many rows as the cell has) of each gate."""
    weights = [cell.kernel.numpy(), cell.recurrent_kernel.numpy()]
    bias = cell.bias.numpy() if cell.use_bias else np.zeros(weights[0].shape[-1], np.float32)
    return list(zip(*(np.split(part, count, axis=-1) for part in (*weights, bias)), strict=True))


def _sum(gate: tuple[Any, ...], inputs: Any, output: Any) -> Any:
    """Return what goes into a gate's activation; `output` is the step's before, None at first."""
    kernel, recurrent, bias = gate
    total = inputs @ kernel + bias
    return total if output is None else total + output @ recurrent


def _simple(cell: Any) -> Step:
    (gate,) = _gates(cell, 1)

    def step(inputs: Any, state: State) -> tuple[Any, ...]:
        return (cell.activation(_sum(gate, inputs, state and state[0])),)

    return step


def _lstm(cell: Any) -> Step:
    """Return a step of Hochreiter and Schmidhuber's cell with a forget gate, as Keras has it."""
    enter, forget, new, leave = _gates(cell, 4)
    gate, bent = cell.recurrent_activation, cell.activation

    def step(inputs: Any, state: State) -> tuple[Any, ...]:
        output, memory = state or (None, None)
        added = gate(_sum(enter, inputs, output)) * bent(_sum(new, inputs, output))
        kept = added if memory is None else gate(_sum(forget, inputs, output)) * memory + added
        return gate(_sum(leave, inputs, output)) * bent(kept), kept

    return step


def _gru(cell: Any) -> Step:
    """Return a step of Cho et al., arXiv 1406.1078; with `reset_after` in the form of cuDNN."""
    after = cell.reset_after
    gates = _gates(cell, 3)
    # A second row of the bias belongs to the recurrent kernel.
    update, reset = ((k, r, b.reshape(-1, b.shape[-1]).sum(axis=0)) for k, r, b in gates[:2])
    kernel, recurrent, bias = gates[2]
    bias, inner = bias if bias.ndim > 1 else (bias, np.zeros_like(bias))

    def candidate(inputs: Any, output: Any) -> Any:
        total = inputs @ kernel + bias
        if output is None and not inner.any():
            return total
        opened = cell.recurrent_activation(_sum(reset, inputs, output))
        if not after:
            return total + (opened * output) @ recurrent
        return total + opened * (inner if output is None else output @ recurrent + inner)

    def step(inputs: Any, state: State) -> tuple[Any, ...]:
        output = state and state[0]
        fresh = cell.activation(candidate(inputs, output))
        keep = cell.recurrent_activation(_sum(update, inputs, output))
        if output is None:
            return ((1 - keep) * fresh,)
        return (keep * output + (1 - keep) * fresh,)

    return step


_CELLS: dict[str, Callable[[Any], Step]] = {"GRU": _gru, "LSTM": _lstm, "SimpleRNN": _simple}

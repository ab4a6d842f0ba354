"""Rules of operators that keep a state over a sequence."""

import math

import numpy as np

from edgeflow.targets.mcu.layers.base import Unsupported
from edgeflow.targets.mcu.layers.rules.form import Form

_TANH = 4
_WEIGHTS, _STATE_WEIGHTS, _BIASES, _STATE, _CELL, _ALL = 1, 5, 12, 18, 19, 24
_PARTS = {
    "peepholes": range(9, 12),
    "a projection": range(16, 18),
    "layer normalization": range(20, 24),
}


def lstm(form: Form) -> None:
    """Inputs are the sequence, weights and biases of four gates, the state and the cells."""
    form.has(1, optional=_ALL - 1, kind="UnidirectionalSequenceLSTM")
    if form.count() <= _CELL:
        raise form.damage(f"has {form.count()} inputs")
    _check_form(form)
    source = form.input(rank=3)
    batches = source.shape[1 if form.option("timeMajor", 0, 1) else 0]
    if form.option("timeMajor", 0, 1) and batches != 1:
        raise Unsupported("has time before the batch", "export it with a batch of 1")
    units = form.output().shape[-1] if form.output().shape else 0
    form.gives(*source.shape[:2], units)
    state = form.state(_STATE, "int8", batches * units)
    form.keeps_quantization(state)
    cell = form.state(_CELL, "int16", batches * units)
    power = math.log2(cell.scale)
    if cell.zero_point or abs(power - round(power)) >= 1e-3 or not -27 <= round(power) <= 0:
        raise Unsupported("has cells whose scale is no power of two", "export it again")
    for gate in range(4):
        _check_gate(form, gate, units, source.shape[2])


def _check_form(form: Form) -> None:
    for name, numbers in _PARTS.items():
        if any(form.present(number) for number in numbers):
            raise Unsupported(f"has {name}", "use a plain LSTM")
    if not form.present(_WEIGHTS):
        raise Unsupported("couples its input and forget gates", "use a plain LSTM")
    if form.option("fusedActivationFunction") != _TANH:
        raise Unsupported("has another activation than tanh", "use tanh")
    if form.real("cellClip") < 0 or form.real("projClip") != 0:
        raise Unsupported("clips its projection", "use a plain LSTM")


def _check_gate(form: Form, gate: int, units: int, width: int) -> None:
    """Check weights and bias, and that no sum can leave 32 bits."""
    for number, shape in ((_WEIGHTS, (units, width)), (_STATE_WEIGHTS, (units, units))):
        if not form.present(number + gate):
            raise form.damage(f"lacks weights of gate {gate}")
        weights = form.weights(number + gate, rank=2, axis=0)
        if weights.shape != shape or len(weights.scales) != 1:
            raise form.damage(f"has weights of {weights.shape} for {shape}")
    if not form.present(_BIASES + gate):
        raise form.damage(f"lacks the bias of gate {gate}")
    bias = form.constant(_BIASES + gate, units)
    if np.abs(bias).max() + 255 * 128 * max(units, width) >= 2**31:
        raise Unsupported("has sums above 32 bits", "train it with smaller weights")

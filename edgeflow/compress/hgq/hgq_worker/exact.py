"""The network as a float32 .tflite that computes what the fixed-point one does, bit for bit.

Every value is a whole number of steps, a step being a power of two. float32 holds whole numbers
up to 2**24, so sums are exact in any order, on any CPU, as long as none is larger.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .network import MERGING, Network
from .refusal import Refusal

HOLDS = 2.0**24
"""Steps that float32 can tell apart."""


@dataclass(frozen=True)
class Value:
    """A tensor (1, ...), the largest magnitude that it can have, and the step it is made of.

    The step of an input, which may be any number, is 0.
    """

    tensor: Any
    most: float
    step: float


def flatbuffer(network: Network) -> bytes:
    """Return the .tflite, of a batch of 1.

    Raises:
        Refusal: sums may get so large that float32 rounds them.
    """
    inputs = network.model.inputs
    names = ["input"] if len(inputs) == 1 else [f"input_{i:02}" for i in range(len(inputs))]
    signature = [
        tf.TensorSpec((1, *one.shape[1:]), tf.float32, name=name)
        for one, name in zip(inputs, names, strict=True)
    ]
    function = tf.function(lambda *x: _run(network, x), autograph=False)
    concrete = function.get_concrete_function(*signature)
    made: bytes = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    return made


def _run(network: Network, inputs: tuple[Any, ...]) -> Any:
    fresh, values = iter(inputs), dict[str, Value]()
    for node in network.graph:
        if node["layer"] == "Input":
            values[node["name"]] = Value(next(fresh), np.inf, 0.0)
            continue
        layer = network.model.get_layer(node["name"])
        given = [values[name] for name in node["inputs"]]
        if node["layer"].startswith("Q"):
            several = list(layer.iq) if node["layer"] in MERGING else [layer.iq]
            pairs = zip(given, several, strict=True)
            given = [_quantized(layer.name, one, quantizer) for one, quantizer in pairs]
        made = _FORMS[node["layer"]](layer, *given)
        values[node["name"]] = _require_exact(layer.name, made)
    outputs = [values[name].tensor for name in network.outputs]
    return outputs[0] if len(outputs) == 1 else {f"output_{i:02}": y for i, y in enumerate(outputs)}


def _require_exact(name: str, value: Value) -> Value:
    if value.step and value.most > HOLDS * value.step:
        raise Refusal(
            f"layer {name} sums up to {value.most / value.step:.3g} steps of its fixed-point "
            f"numbers, and float32, in which it is checked, holds {HOLDS:.3g}",
            "give the recipe's `hgq` fewer `bits`, or a larger `beta`",
        )
    return value


def _quantized(name: str, value: Value, quantizer: Any) -> Value:
    """Round to the nearest step, halves up. What is out of range wraps, as in hardware.

    Inputs are held to their range instead, as the program does that hands them to the hardware.
    """
    inner = quantizer.quantizer
    k, i, f = (one.astype(np.float64) for one in _numbers(lambda: inner.kif))
    used = k + i + f > 0
    if not used.any():
        return Value(tf.zeros_like(value.tensor), 0.0, 1.0)
    low, high = -k * 2.0 ** (i + f), 2.0 ** (i + f) - 1
    to, back = np.where(used, 2.0**f, 0), np.where(used, 2.0**-f, 0)
    x = value.tensor
    if not value.step:
        x = tf.minimum(tf.maximum(x, _constant(low * back)), _constant(high * back))
    else:
        half = float(back[used].min()) / 2
        _require_exact(name, Value(x, value.most, min(value.step, half)))
    steps = tf.floor(x * _constant(to) + np.float32(0.5))
    if value.step and (value.most * to + 0.5 > high + 1).any():
        # What cannot be reached needs no wrap; `most` has no sign, so both ends count.
        span = np.where(used, 2.0 ** (k + i + f), 1)
        turns = tf.floor((steps - _constant(low)) * _constant(1 / span))
        steps = steps - turns * _constant(span)
    most = float(np.where(used, np.maximum(-low, high) * back, 0).max())
    return Value(steps * _constant(back), most, float(back[used].min()))


def _numbers(read: Callable[[], Sequence[Any]]) -> list[Any]:
    """Return numbers of the model as they are now: a function is being traced around this."""
    with tf.init_scope():
        return [keras.ops.convert_to_numpy(one) for one in read()]


def _constant(values: Any) -> Any:
    """Return values as float32, as one number where all are equal."""
    flat = np.unique(values)
    return np.float32(flat[0]) if len(flat) == 1 else np.asarray(values, np.float32)


def _step_of(values: Any) -> float:
    """Return the largest power of two of which all values are multiples."""
    found, step = np.abs(values[values != 0].astype(np.float64)), 1.0
    if not found.size:
        return 1.0
    while (np.floor(found / step) != found / step).any():
        step /= 2
    return step


def _linear(layer: Any, x: Value, compute: Callable[[Any], Any]) -> Value:
    kernel, bias = _numbers(lambda: (layer.qkernel, layer.qbias))
    sums = np.abs(kernel.astype(np.float64)).reshape(-1, kernel.shape[-1]).sum(axis=0)
    most = float((sums * x.most + np.abs(bias)).max())
    step = min(x.step * _step_of(kernel), _step_of(bias))
    y = compute(kernel) + bias
    return Value(tf.nn.relu(y) if _is_rectified(layer) else y, most, step)


def _is_rectified(layer: Any) -> bool:
    return layer.activation is keras.activations.relu


def _dense(layer: Any, x: Value) -> Value:
    def compute(kernel: Any) -> Any:
        rows = tf.reshape(x.tensor, (-1, kernel.shape[0]))
        return tf.reshape(rows @ kernel, (*x.tensor.shape[:-1], kernel.shape[1]))

    return _linear(layer, x, compute)


def _convolution(layer: Any, x: Value) -> Value:
    padding, dilations = layer.padding.upper(), layer.dilation_rate

    def compute(kernel: Any) -> Any:
        if layer.groups == 1:
            return tf.nn.conv2d(x.tensor, kernel, layer.strides, padding, dilations=dilations)
        channels = x.tensor.shape[-1]
        own = kernel.reshape(*kernel.shape[:2], channels, -1)
        strides = (1, *layer.strides, 1)
        return tf.nn.depthwise_conv2d(x.tensor, own, strides, padding, dilations=dilations)

    return _linear(layer, x, compute)


def _relu(layer: Any, x: Value) -> Value:
    y, most = tf.nn.relu(x.tensor), x.most
    if layer.max_value is not None:
        y, most = tf.minimum(y, np.float32(layer.max_value)), min(most, float(layer.max_value))
    return Value(y, most, x.step)


def _pool(layer: Any, x: Value) -> Value:
    kind = "AVG" if "Average" in type(layer).__name__ else "MAX"
    padding = layer.padding.upper()
    y = tf.nn.pool(x.tensor, layer.pool_size, kind, layer.strides, padding)
    return Value(y, x.most, x.step / (np.prod(layer.pool_size) if kind == "AVG" else 1))


def _shaped(layer: Any, x: Value) -> Value:
    return Value(tf.reshape(x.tensor, (1, *layer.output.shape[1:])), x.most, x.step)


def _sum(_layer: Any, *given: Value) -> Value:
    y = tf.add_n([one.tensor for one in given])
    return Value(y, sum(one.most for one in given), min(one.step for one in given))


def _difference(_layer: Any, one: Value, other: Value) -> Value:
    y = one.tensor - other.tensor
    return Value(y, one.most + other.most, min(one.step, other.step))


def _product(_layer: Any, one: Value, other: Value) -> Value:
    y = one.tensor * other.tensor
    return Value(y, one.most * other.most, one.step * other.step)


def _extreme(function: Any) -> Callable[..., Value]:
    def form(_layer: Any, one: Value, other: Value) -> Value:
        y = function(one.tensor, other.tensor)
        return Value(y, max(one.most, other.most), min(one.step, other.step))

    return form


def _concatenated(_layer: Any, *given: Value) -> Value:
    y = tf.concat([one.tensor for one in given], axis=-1)
    return Value(y, max(one.most for one in given), min(one.step for one in given))


_FORMS: Mapping[str, Callable[..., Value]] = {
    "QDense": _dense,
    "QConv2D": _convolution,
    "ReLU": _relu,
    "QMaxPooling2D": _pool,
    "QAveragePooling2D": _pool,
    "Flatten": _shaped,
    "Reshape": _shaped,
    "QAdd": _sum,
    "QSubtract": _difference,
    "QMultiply": _product,
    "QMaximum": _extreme(tf.maximum),
    "QMinimum": _extreme(tf.minimum),
    "Concatenate": _concatenated,
}

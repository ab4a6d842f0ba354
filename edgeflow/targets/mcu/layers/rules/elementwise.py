"""Rules of operators that compute each value from those at its place."""

import numpy as np

from edgeflow.targets.mcu.layers.base import Unsupported
from edgeflow.targets.mcu.layers.rules.form import Form, Rule


def binary(kind: str) -> Rule:
    """Return the rule of an operator of two tensors that broadcast."""

    def rule(form: Form) -> None:
        form.has(2, kind=kind)
        shapes = form.input(0).shape, form.input(1).shape
        try:
            together = np.broadcast_shapes(*shapes)
        except ValueError:
            raise form.damage(f"has operands of {shapes[0]} and {shapes[1]}") from None
        form.gives(*together)

    return rule


def extreme(form: Form) -> None:
    """The larger or smaller of two tensors that broadcast, compared as they are quantized."""
    binary("")(form)
    for number in range(2):
        form.keeps_quantization(form.input(number))


def prelu(form: Form) -> None:
    """The second input is the slopes below zero."""
    binary("")(form)
    form.gives(*form.input().shape)


def unary(form: Form) -> None:
    """Give the output the input's shape."""
    form.has(1)
    form.gives(*form.input().shape)


def leaky_relu(form: Form) -> None:
    """`alpha` is the slope below zero."""
    form.has(1, kind="LeakyRelu")
    form.real("alpha")
    form.gives(*form.input().shape)


def softmax(form: Form) -> None:
    """Over the last dimension; the output's scale is 1/256 in all of TensorFlow Lite."""
    form.has(1, kind="Softmax")
    source, target = form.input(), form.output()
    if form.real("beta") <= 0 or not source.shape:
        raise form.damage(f"has beta = {form.real('beta')}")
    form.gives(*source.shape)
    if (target.scale, target.zero_point) != (1 / 256, -128):
        raise Unsupported("has an output of another scale than 1/256", "quantize it anew")

"""A multilayer perceptron.

The hard hyperbolic tangent, max(-1, min(1, x)), is that of binarized networks: Courbariaux et
al., "Binarized Neural Networks", arXiv 1602.02830. LiteRT has it as RELU_N1_TO_1, computed within
the dense layer. Keras 2 has no layer of it, so tensorflow-model-optimization cannot quantize it for
training; post-training quantization can, and both take `relu` and `relu6`.
"""

from typing import Any, Literal


def build(
    keras: Any,
    input_shape: tuple[int, ...],
    classes: int,
    *,
    units: tuple[int, ...] = (128, 128),
    activation: Literal["relu", "relu6", "hard_tanh"] = "relu",
    dropout: float = 0.0,
) -> Any:
    """Return dense layers, each with an activation and dropout, and a dense layer for the logits.

    Args:
        keras: the Keras module to build with.
        input_shape: any; it is flattened.
        classes: number of outputs; they are logits.
        units: units of the hidden layers, one entry for each.
        activation: after each hidden layer; hard_tanh cannot be trained quantized.
        dropout: share of activations dropped after each hidden layer.
    """
    layers = keras.layers
    inputs = keras.Input(input_shape, name="sample")
    x = layers.Flatten()(inputs)
    for width in units:
        x = _activated(keras, activation, layers.Dense(width)(x))
        x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="mlp")


def _activated(keras: Any, activation: str, x: Any) -> Any:
    if activation == "hard_tanh":
        clip = keras.ops.clip if hasattr(keras, "ops") else keras.backend.clip  # Keras 3 or 2
        return clip(x, -1.0, 1.0)
    return keras.layers.ReLU(max_value=6.0 if activation == "relu6" else None)(x)

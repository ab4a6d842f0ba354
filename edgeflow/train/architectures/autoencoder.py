"""The dense autoencoder of MLPerf Tiny's anomaly detection.

Source: Banbury et al., "MLPerf Tiny Benchmark", arXiv 2106.07597. Its inputs there are 640 numbers,
five frames of a log-mel spectrogram. The dense layers before a batch normalization have no bias
here, which it would cancel.
"""

from typing import Annotated, Any

from pydantic import Field

from edgeflow.train.blocks import normalized

OUTPUTS = "input"


def build(
    keras: Any,
    input_shape: tuple[int, ...],
    classes: int,  # noqa: ARG001  # one signature for all
    *,
    width: int = 128,
    depth: Annotated[int, Field(ge=0)] = 4,
    bottleneck: int = 8,
    batch_norm: bool = True,
) -> Any:
    """Return dense layers down to a bottleneck and up again; the output reconstructs the input.

    Args:
        keras: the Keras module to build with.
        input_shape: any; the output has the same.
        classes: of no effect, there is no classification.
        width: units of the hidden layers.
        depth: hidden layers on either side of the bottleneck.
        bottleneck: units of the narrowest layer.
        batch_norm: after each hidden layer.
    """
    layers = keras.layers
    inputs = keras.Input(input_shape, name="sample")
    x = layers.Flatten()(inputs)
    size = x.shape[-1]
    for units in [*[width] * depth, bottleneck, *[width] * depth]:
        x = layers.Dense(units, use_bias=not batch_norm)(x)
        x = layers.ReLU()(normalized(layers, x) if batch_norm else x)
    x = layers.Reshape(input_shape)(layers.Dense(size)(x))
    return keras.Model(inputs, x, name="autoencoder")

"""Small networks of the shapes that tools trip over, and the data to take them through stages."""

from typing import Any

import numpy as np

from edgeflow.compress.network import Network
from edgeflow.config.model import Train

TRAIN = Train(epochs=1, batch_size=64, threads=1)


def network(keras: Any, model: Any, view: Any) -> Network:
    """Return a model as stages take it, with statistics of normalization that are no identity."""
    random = np.random.default_rng(1)
    for layer in model.submodules:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape[0]
            spread, centre = random.uniform(0.5, 2, (2, size)), random.normal(size=(2, size))
            layer.set_weights([spread[0], centre[0], centre[1] / 4, spread[1]])
    return Network(
        keras=keras, model=model, dataset=view, train=TRAIN, teacher=None, title="net/recipe"
    )


def pyramid(keras: Any) -> Any:
    """Return a network that joins a skip connection with an upsampled deeper layer."""
    layers = keras.layers

    def block(x: Any, stride: int = 1) -> Any:
        x = layers.Conv2D(4, 3, strides=stride, padding="same")(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    inputs = keras.Input((8, 8, 1))
    skip = block(inputs)
    deep = layers.UpSampling2D()(block(skip, stride=2))
    joined = layers.Concatenate(name="join")([block(skip), deep])
    x = layers.Conv2D(4, 3, name="after")(joined)
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.Flatten()(x)))

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


def _arithmetic(keras: Any, x: Any) -> Any:
    import tensorflow as tf

    layers = keras.layers
    skip = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.Conv2D(4, 3, padding="same")(skip) * 2.0 + skip
    x = x * tf.nn.relu6(x + 3.0) / 6.0  # hard swish
    return tf.nn.silu(tf.concat([x - 1.0, -skip], axis=-1))


def _rectified(keras: Any, x: Any) -> Any:
    import tensorflow as tf

    layers = keras.layers
    x = layers.ReLU(max_value=1.0)(layers.Conv2D(4, 3, padding="same")(x))
    y = layers.ReLU(negative_slope=0.1)(layers.Conv2D(4, 3, padding="same")(x))
    x = layers.Add()([x, y, layers.Average()([x, y, layers.AveragePooling2D(1)(x)])])
    x = tf.nn.leaky_relu(tf.concat(values=[x, tf.nn.relu(features=x)], axis=-1), alpha=0.3)
    return tf.reduce_mean(x, axis=(-3, -2))


def _along_time(keras: Any, x: Any) -> Any:
    layers = keras.layers
    x = layers.Conv1D(6, 3, padding="causal", use_bias=False)(layers.Reshape((8, 8))(x))
    x = layers.MaxPooling1D()(layers.ReLU()(layers.BatchNormalization()(x)))
    x = layers.Conv1D(6, 3, padding="same", dilation_rate=2, activation="swish")(x)
    return layers.GlobalAveragePooling1D()(x)


def _normalized_late(keras: Any, x: Any) -> Any:
    layers = keras.layers
    x = layers.BatchNormalization()(layers.ReLU()(layers.Conv2D(4, 3, padding="same")(x)))
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    return layers.ReLU()(layers.BatchNormalization()(layers.Add()([x, y])))


def _normalized_dense(keras: Any, x: Any) -> Any:
    layers = keras.layers
    x = layers.Dense(16, use_bias=False)(layers.Flatten()(layers.GaussianNoise(0.1)(x)))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return layers.BatchNormalization()(layers.Dense(8, activation="tanh")(x))


def _attentive(keras: Any, x: Any) -> Any:
    """Squeeze and excitation within a model of its own."""
    layers = keras.layers
    inner = keras.Input((8, 8, 4))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(inner)
    gate = layers.Conv2D(4, 1, activation="hard_sigmoid")(gate)
    block = keras.Model(inner, layers.Multiply()([inner, gate]))
    return block(layers.Conv2D(4, 3, padding="same", activation="swish")(x))


def _both_ways(keras: Any, x: Any) -> Any:
    layers = keras.layers
    return layers.Bidirectional(layers.LSTM(6))(layers.Reshape((8, 8))(x))


STRUCTURES = {
    "arithmetic": _arithmetic,
    "rectified": _rectified,
    "along-time": _along_time,
    "normalized-late": _normalized_late,
    "normalized-dense": _normalized_dense,
    "attentive": _attentive,
    "both-ways": _both_ways,
}


def structure(keras: Any, name: str) -> Any:
    """Return a network for the samples of digits around one of `STRUCTURES`."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(STRUCTURES[name](keras, inputs))
    return keras.Model(inputs, keras.layers.Dense(10, name="logits")(x))

"""Small networks, and for each the layers whose outputs are the same channels."""

from typing import Any

from edgeflow.train.architectures import convnet as convnet_architecture
from edgeflow.train.architectures import ds_cnn as ds_cnn_architecture

Tied = list[list[str]]


def convnet(keras: Any) -> tuple[Any, Tied]:
    model = convnet_architecture.build(keras, (9, 8, 2), 3, channels=(8, 8), kernel=3, dense=8)
    return model, [["conv2d"], ["conv2d_1"], ["dense"]]


def ds_cnn(keras: Any) -> tuple[Any, Tied]:
    model = ds_cnn_architecture.build(keras, (8, 8, 1), 3, width=8, blocks=2)
    norm = "batch_normalization"
    return model, [
        ["conv2d", norm, "depthwise_conv2d", f"{norm}_1"],
        ["conv2d_1", f"{norm}_2", "depthwise_conv2d_1", f"{norm}_3"],
        ["conv2d_2", f"{norm}_4"],
    ]


def mlp(keras: Any) -> tuple[Any, Tied]:
    layers = keras.layers
    x = inputs = keras.Input((4, 3))
    x = layers.Flatten()(x)
    x = layers.Dense(8, activation="relu", name="one")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Dense(10, activation="tanh", name="two")(x)
    return keras.Model(inputs, layers.Dense(3)(x)), [["one", "norm"], ["two"]]


def resnet(keras: Any) -> tuple[Any, Tied]:
    """Three stages: a shortcut that is the identity, then two that are projections."""
    layers = keras.layers

    def unit(x: Any, name: str, width: int, size: int = 3, stride: int = 1) -> Any:
        conv = layers.Conv2D(width, size, stride, padding="same", use_bias=False, name=name)
        return layers.BatchNormalization(name=f"{name}n")(conv(x))

    def block(x: Any, name: str, width: int, stride: int) -> Any:
        y = layers.ReLU()(unit(x, f"{name}a", width, stride=stride))
        shortcut = x if stride == 1 else unit(x, f"{name}p", width, 1, stride)
        return layers.ReLU()(layers.Add()([unit(y, f"{name}b", width), shortcut]))

    inputs = keras.Input((8, 8, 2))
    x = layers.ReLU()(unit(inputs, "stem", 8))
    for name, width, stride in (("s", 8, 1), ("t", 12, 2), ("u", 8, 2)):
        x = block(x, name, width, stride)
    x = layers.GlobalAveragePooling2D()(x)
    tied = [["stem", "stemn", "sb", "sbn"], *(["sa", "san"], ["ta", "tan"], ["ua", "uan"])]
    tied += [["tp", "tpn", "tb", "tbn"], ["up", "upn", "ub", "ubn"]]
    return keras.Model(inputs, layers.Dense(3)(x)), tied


def fire(keras: Any) -> tuple[Any, Tied]:
    """A squeeze layer, two expanding ones side by side, and a normalization over both."""
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(6, 1, activation="relu", name="squeeze")(inputs)
    left = layers.Conv2D(8, 1, activation="relu", name="left")(x)
    right = layers.Conv2D(10, 3, padding="same", activation="relu", name="right")(x)
    x = layers.MaxPooling2D()(layers.Concatenate()([left, right, left]))
    x = layers.Conv2D(4, 1, activation="relu", name="head")(x)
    x = layers.Flatten()(layers.ZeroPadding2D()(x))
    return keras.Model(inputs, layers.Dense(3)(x)), [["squeeze"], ["left"], ["right"], ["head"]]


def inverted_residual(keras: Any) -> tuple[Any, Tied]:
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(8, 3, padding="same", name="stem")(inputs)
    y = layers.Conv2D(12, 1, use_bias=False, name="expand")(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization(name="expand_norm")(y))
    y = layers.DepthwiseConv2D(3, padding="same", name="each")(y)
    y = layers.ReLU(6.0)(layers.BatchNormalization(name="each_norm")(y))
    y = layers.Conv2D(8, 1, use_bias=False, name="project")(y)
    y = layers.BatchNormalization(name="project_norm")(y)
    x = layers.GlobalMaxPooling2D()(layers.Add()([x, y]))
    tied = [["stem", "project", "project_norm"], ["expand", "expand_norm", "each", "each_norm"]]
    return keras.Model(inputs, layers.Dense(3)(x)), tied


def squeeze_excite(keras: Any) -> tuple[Any, Tied]:
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    x = layers.SeparableConv2D(8, 3, depth_multiplier=2, activation="relu", name="one")(inputs)
    y = layers.GlobalAveragePooling2D()(x)
    y = layers.Dense(4, activation="relu", name="squeeze")(y)
    y = layers.Dense(8, activation="sigmoid", name="excite")(y)
    x = layers.Multiply()([x, layers.Reshape((1, 1, 8))(y)])
    x = layers.SeparableConv2D(6, 3, depth_multiplier=2, name="two")(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.DepthwiseConv2D(2, depth_multiplier=3, use_bias=False)(x)
    x = layers.Reshape((-1,))(x)
    return keras.Model(inputs, layers.Dense(3)(x)), [["one", "excite"], ["squeeze"], ["two"]]


def operators(keras: Any) -> tuple[Any, Tied]:
    """Arithmetic of tensors, over one dimension."""
    layers = keras.layers
    inputs = keras.Input((12, 2))
    x = layers.Conv1D(8, 3, name="one")(inputs)
    y = layers.Conv1D(8, 3, padding="same", activation="relu", name="two")(x)
    x = layers.Flatten()((x + y) * x)
    z = layers.Dense(80, name="over_all_positions")(x)
    x = layers.Dense(3)(x - z)
    return keras.Model(inputs, x), [["one", "two", "over_all_positions"]]


NETWORKS = (convnet, ds_cnn, mlp, resnet, fire, inverted_residual, squeeze_excite, operators)

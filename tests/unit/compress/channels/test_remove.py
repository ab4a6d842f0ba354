from typing import Any

import numpy as np
import pytest

from edgeflow.compress.channels import remove_channels
from edgeflow.compress.channels.score import count_kept
from edgeflow.errors import CompileError
from edgeflow.train.architectures import ds_cnn


@pytest.mark.parametrize(
    ("count", "share", "kept"),
    [
        *((10, 0.0, 10), (10, 0.25, 8), (5, 0.3, 4), (5, 0.9, 1), (7, 1.0, 1), (15, 0.4, 9)),
        *((16, 0.5, 8), (16, 0.4, 12), (18, 0.05, 18), (64, 0.5, 32), (64, 1.0, 4)),
    ],
)
def test_wide_groups_keep_multiples_of_four(count: int, share: float, kept: int) -> None:
    assert count_kept(count, share) == kept


def test_half_the_channels_take_a_quarter_of_the_pointwise_work(keras: Any) -> None:
    model = ds_cnn.build(keras, (8, 8, 1), 10, width=16, blocks=2)
    small = remove_channels(keras, model, 0.5).model

    def pointwise_macs(net: Any) -> int:
        layers = [net.get_layer(name) for name in ("conv2d_1", "conv2d_2")]
        return sum(
            layer.kernel.shape.num_elements() * layer.output_shape[1] ** 2 for layer in layers
        )

    assert pointwise_macs(small) * 4 == pointwise_macs(model)
    assert 0.25 < small.count_params() / model.count_params() < 0.5
    assert small.get_layer("logits").units == 10


def test_the_same_network_loses_the_same_channels(keras: Any) -> None:
    model = ds_cnn.build(keras, (8, 8, 1), 3, width=8, blocks=2)
    before = model.get_weights()
    one, other = remove_channels(keras, model, 0.3).model, remove_channels(keras, model, 0.3).model
    assert one.get_config() == other.get_config()
    for net, weights in ((one, other.get_weights()), (model, before)):
        for array, expected in zip(net.get_weights(), weights, strict=True):
            assert np.array_equal(array, expected)


def test_the_normalization_behind_a_filter_decides(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(4, 1, use_bias=False),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.layers[0].set_weights([np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4)])
    gamma, variance = np.array([8.0, 1.0, -2.0, 2.0]), np.array([1.0, 0.01, 1.0, 100.0])
    model.layers[1].set_weights([gamma, np.zeros(4), np.zeros(4), variance])
    small = remove_channels(keras, model, 0.5).model
    assert small.get_layer("conv2d").kernel.numpy().ravel().tolist() == [1.0, 2.0]


def test_of_equal_channels_the_first_stay(keras: Any) -> None:
    inputs = keras.Input((2,))
    hidden = keras.layers.Dense(6, name="hidden", kernel_initializer="ones")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    model.get_layer("hidden").bias.assign(np.arange(6))
    small = remove_channels(keras, model, 0.5).model
    assert small.get_layer("hidden").bias.numpy().tolist() == [0.0, 1.0, 2.0]


def _dense(keras: Any, name: str, norms: list[float], inputs: Any) -> Any:
    kernel = keras.initializers.Constant([norms])
    return keras.layers.Dense(len(norms), name=name, kernel_initializer=kernel)(inputs)


def test_layers_that_are_added_lose_the_same_channels(keras: Any) -> None:
    inputs = keras.Input((1,))
    one = _dense(keras, "one", [4, 3, 0, 1], inputs)
    other = _dense(keras, "other", [0, 1, 1, 4], inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Add()([one, other])))
    small = remove_channels(keras, model, 0.5).model
    kernels = [small.get_layer(name).kernel.numpy().tolist() for name in ("one", "other")]
    assert kernels == [[[3, 1]], [[1, 4]]]


def test_every_layer_keeps_a_channel(keras: Any) -> None:
    inputs = keras.Input((1,))
    strong, weak = _dense(keras, "strong", [8, 9], inputs), _dense(keras, "weak", [1, 2], inputs)
    wide = _dense(keras, "wide", [8, 9, 0, 0], inputs)
    x = keras.layers.Add()([keras.layers.Concatenate()([strong, weak]), wide])
    small = remove_channels(keras, keras.Model(inputs, keras.layers.Dense(2)(x)), 0.75).model
    assert small.get_layer("weak").kernel.numpy().tolist() == [[2]]
    assert small.get_layer("wide").kernel.numpy().tolist() == [[9, 0]]


def test_what_is_added_to_channels_that_stay_stays(keras: Any) -> None:
    inputs = keras.Input((1,))
    one, other = (_dense(keras, name, [1, 2, 3, 4], inputs) for name in ("one", "other"))
    mixed = keras.layers.LayerNormalization()(other)
    free = _dense(keras, "free", [1, 2, 3, 4], inputs)
    x = keras.layers.Concatenate()([keras.layers.Add()([one, other]), mixed, free])
    small = remove_channels(keras, keras.Model(inputs, keras.layers.Dense(2)(x)), 0.5).model
    assert [small.get_layer(name).units for name in ("one", "other", "free")] == [4, 4, 2]


@pytest.mark.parametrize(
    "mixing",
    [
        lambda layers: layers.LayerNormalization(),
        lambda layers: layers.Conv2D(8, 3, groups=2),
        lambda layers: layers.Conv2DTranspose(8, 3),
        lambda layers: layers.Activation("softmax"),
        lambda layers: layers.Lambda(lambda x: x[..., ::-1]),
        lambda layers: layers.Permute((3, 1, 2)),
        lambda layers: layers.BatchNormalization(axis=1),
        lambda layers: layers.Reshape((3, 16, 4)),
    ],
)
def test_what_a_layer_might_mix_stays(keras: Any, mixing: Any) -> None:
    layers = keras.layers
    inputs = keras.Input((6, 4, 1))
    x = layers.Conv2D(8, 1, name="before")(layers.Conv2D(8, 1, name="first")(inputs))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 1, name="behind")(mixing(layers)(x)))
    model = keras.Model(inputs, layers.Dense(2)(x))
    small = remove_channels(keras, model, 0.5).model
    assert [small.get_layer(name).filters for name in ("first", "before", "behind")] == [4, 8, 4]
    assert small.predict(np.ones((1, 6, 4, 1)), verbose=0).shape == (1, 2)


def test_one_number_for_each_sample_has_no_channels(keras: Any) -> None:
    layers = keras.layers
    inputs = keras.Input((3,))
    x = layers.Dense(4, name="hidden")(inputs)
    x = layers.ReLU()(layers.Lambda(lambda values: values[:, 0])(layers.Dense(2)(x)))
    small = remove_channels(keras, keras.Model(inputs, layers.Reshape((1,))(x)), 0.5).model
    assert small.get_layer("hidden").units == 2
    assert small.predict(np.ones((5, 3)), verbose=0).shape == (5, 1)


def _subclassed(keras: Any) -> Any:
    class Custom(keras.Model):  # type: ignore[misc]
        pass

    return Custom()


def _nested(keras: Any) -> Any:
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    return keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(2)])


def _shared(keras: Any) -> Any:
    inputs, dense = keras.Input((4,)), keras.layers.Dense(4)
    return keras.Model(inputs, keras.layers.Dense(2)(dense(dense(inputs))))


def _linear(keras: Any) -> Any:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


def _recurrent(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential([keras.Input((4, 2)), layers.LSTM(4), layers.Dense(2)])


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (_subclassed, "is not functional"),
        (_nested, "is a model itself"),
        (_shared, "used more than once"),
        (_linear, "no channels can go but those of its input and output"),
        (_recurrent, "layers of type LSTM keep all they touch"),
    ],
)
def test_models_that_cannot_be_pruned_are_refused(keras: Any, build: Any, why: str) -> None:
    with pytest.raises(CompileError, match=why) as failure:
        remove_channels(keras, build(keras), 0.5)
    assert failure.value.hint


def test_a_share_is_between_0_and_1(keras: Any) -> None:
    with pytest.raises(CompileError, match="share of 50"):
        remove_channels(keras, _linear(keras), 50)

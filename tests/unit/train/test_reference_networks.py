"""The architectures are those of their papers: shapes, strides and numbers of parameters."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.config.model import architectures
from edgeflow.train.architectures import (
    autoencoder,
    ds_cnn,
    mlp,
    mobilenet_v1,
    mobilenet_v2,
    resnet8,
    squeezenet,
)
from edgeflow.train.blocks import divisible, strides

MLPERF_KEYWORDS: dict[str, Any] = {
    **{"width": 64, "blocks": 4, "pool_every": 5, "kernel": [10, 4], "stride": 2},
    **{"first_dropout": 0.2, "dropout": 0.4},
}
PAGE = Path(__file__).parents[3] / "docs" / "networks.md"


def test_the_page_lists_all_networks() -> None:
    _head, *names = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert names == architectures()


def pooled_size(model: Any) -> tuple[int, int]:
    """Return height and width before the global pooling."""
    (pool,) = [layer for layer in model.layers if type(layer).__name__ == "GlobalAveragePooling2D"]
    size: tuple[int, int] = tuple(pool.input_shape[1:3])
    return size


def test_mobilenet_v1_has_the_parameters_of_keras_applications(keras: Any) -> None:
    model = mobilenet_v1.build(keras, (224, 224, 3), 1000)
    reference = keras.applications.MobileNet(weights=None, alpha=0.25)
    assert model.count_params() == reference.count_params()
    assert pooled_size(model) == (7, 7)


def test_mobilenet_v1_is_the_visual_wake_words_network_of_mlperf_tiny(keras: Any) -> None:
    model = mobilenet_v1.build(keras, (96, 96, 3), 2)
    pointwise = [16, 32, 32, 64, 64, *[128] * 6, 256, 256]
    depthwise = [8, *pointwise[:-1]]
    biases_before_batch_norm = 8 + sum(pointwise) + sum(depthwise)
    assert model.count_params() == 221_794 - biases_before_batch_norm
    assert pooled_size(model) == (3, 3)


@pytest.mark.parametrize("alpha", [0.35, 1.4])
def test_mobilenet_v2_has_the_parameters_of_keras_applications(keras: Any, alpha: float) -> None:
    model = mobilenet_v2.build(keras, (224, 224, 3), 1000, alpha=alpha)
    reference = keras.applications.MobileNetV2(weights=None, alpha=alpha)
    assert model.count_params() == reference.count_params()
    assert pooled_size(model) == (7, 7)


def test_squeezenet_has_the_parameters_of_version_1_1(keras: Any) -> None:
    model = squeezenet.build(keras, (224, 224, 3), 1000)
    assert model.count_params() == 1_235_496
    assert pooled_size(model) == (14, 14)


def test_resnet8_has_the_parameters_of_mlperf_tiny(keras: Any) -> None:
    model = resnet8.build(keras, (32, 32, 3), 10)
    biases_before_batch_norm = 16 + 2 * (16 + 32 + 64)
    assert model.count_params() == 78_666 - biases_before_batch_norm
    assert pooled_size(model) == (8, 8)


def test_ds_cnn_can_be_the_keyword_spotter_of_mlperf_tiny(keras: Any) -> None:
    model = ds_cnn.build(keras, (49, 10, 1), 12, **MLPERF_KEYWORDS)
    biases_before_batch_norm = 64 + 4 * (64 + 64)
    assert model.count_params() == 24_908 - biases_before_batch_norm
    assert pooled_size(model) == (25, 5)
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"]
    assert rates == [0.2, 0.4]


def test_the_autoencoder_has_the_parameters_of_mlperf_tiny(keras: Any) -> None:
    model = autoencoder.build(keras, (640,), 2)
    biases_before_batch_norm = 8 * 128 + 8
    assert model.count_params() == 269_992 - biases_before_batch_norm
    plain = autoencoder.build(keras, (640,), 2, batch_norm=False)
    batch_norm = 4 * (8 * 128 + 8)
    assert plain.count_params() == 269_992 - batch_norm


@pytest.mark.parametrize("shape", [(640,), (5, 7), (8, 8, 3)])
def test_an_autoencoder_gives_the_shape_of_its_input(keras: Any, shape: tuple[int, ...]) -> None:
    model = autoencoder.build(keras, shape, 10, width=4, depth=1, bottleneck=2)
    assert model.input_shape == model.output_shape == (None, *shape)


@pytest.mark.parametrize("shape", [(20,), (5, 4), (2, 5, 2)])
def test_an_mlp_takes_any_shape(keras: Any, shape: tuple[int, ...]) -> None:
    model = mlp.build(keras, shape, 3, units=(7, 5))
    assert model.output_shape == (None, 3)
    assert model.count_params() == 21 * 7 + 8 * 5 + 6 * 3


@pytest.mark.parametrize(
    ("activation", "low", "high"), [("relu", 0, None), ("relu6", 0, 6), ("hard_tanh", -1, 1)]
)
def test_the_activations_of_an_mlp(
    keras: Any, activation: Any, low: float, high: float | None
) -> None:
    model = mlp.build(keras, (3,), 2, units=(16,), activation=activation)
    x = np.random.default_rng(0).uniform(-20, 20, (50, 3)).astype(np.float32)
    first, first_bias, second, second_bias = model.get_weights()
    linear = x @ first + first_bias
    assert linear.min() < -1
    assert linear.max() > 6
    wanted = np.clip(linear, low, high) @ second + second_bias
    np.testing.assert_allclose(model(x), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("architecture", "options", "size", "halvings", "before_pooling"),
    [
        (mobilenet_v1, {"alpha": 0.125, "repeats": 0}, 28, 5, 1),
        (mobilenet_v1, {"alpha": 0.125, "repeats": 0}, 32, 3, 4),
        (mobilenet_v2, {"alpha": 0.1, "blocks": (1,) * 7}, 32, 3, 4),
        (mobilenet_v2, {"alpha": 0.1, "blocks": (1,) * 7}, 96, 5, 3),
        (squeezenet, {"alpha": 0.25}, 28, 4, 2),
        (squeezenet, {"alpha": 0.25}, 32, 2, 8),
    ],
)
def test_small_images_can_keep_their_size_longer(
    keras: Any,
    architecture: Any,
    options: dict[str, Any],
    size: int,
    halvings: int,
    before_pooling: int,
) -> None:
    model = architecture.build(keras, (size, size, 1), 10, halvings=halvings, **options)
    assert model.output_shape == (None, 10)
    assert pooled_size(model) == (before_pooling, before_pooling)


@pytest.mark.parametrize(
    ("kept", "wanted"),
    [(0, [1, 1, 1, 1]), (1, [1, 1, 1, 2]), (2, [1, 1, 2, 2]), (3, [2, 1, 2, 2])],
)
def test_the_last_strides_are_kept(kept: int, wanted: list[int]) -> None:
    assert strides([True, False, True, True], kept) == wanted


@pytest.mark.parametrize(
    ("channels", "wanted"), [(1, 8), (11.2, 16), (12, 16), (33.6, 32), (44.8, 48), (1792, 1792)]
)
def test_channels_are_multiples_of_eight(channels: float, wanted: int) -> None:
    assert divisible(channels) == wanted

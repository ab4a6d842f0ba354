import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from edgeflow.train.architectures import convnet, ds_cnn

SHAPES = [((8, 8, 1), 10), ((28, 28, 1), 10), ((32, 32, 3), 100), ((9, 7, 2), 3)]


def layers(model: Any, kind: str) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ == kind]


def ds_cnn_parameters(channels: int, classes: int, widths: list[int]) -> int:
    """Convolutions without bias, each with a batch normalization of four numbers a channel."""
    total = 9 * channels * widths[0] + 4 * widths[0]
    for before, after in pairwise(widths):
        total += 9 * before + 4 * before + before * after + 4 * after
    return total + widths[-1] * classes + classes


@pytest.mark.parametrize(("shape", "classes"), SHAPES)
def test_ds_cnn_fits_any_image(keras: Any, shape: tuple[int, int, int], classes: int) -> None:
    model = ds_cnn.build(keras, shape, classes, width=4, blocks=4, pool_every=2)
    assert model.name == "ds_cnn"
    assert model.output_shape == (None, classes)
    assert model.count_params() == ds_cnn_parameters(shape[2], classes, [4, 4, 8, 8, 16])
    strides = [layer.strides for layer in layers(model, "DepthwiseConv2D")]
    assert strides == [(1, 1), (2, 2), (1, 1), (2, 2)]


@pytest.mark.parametrize(("shape", "classes"), SHAPES)
def test_convnet_fits_any_image(keras: Any, shape: tuple[int, int, int], classes: int) -> None:
    model = convnet.build(keras, shape, classes, channels=(4, 8), kernel=3, dense=5)
    height, width = (math.ceil(size / 4) for size in shape[:2])
    convolutions = (9 * shape[2] + 1) * 4 + (9 * 4 + 1) * 8
    assert model.name == "convnet"
    assert model.output_shape == (None, classes)
    assert model.count_params() == convolutions + (height * width * 8 + 1) * 5 + 6 * classes


def test_the_convnet_is_that_of_the_notebooks(keras: Any) -> None:
    model = convnet.build(keras, (32, 32, 3), 10)
    assert [layer.filters for layer in layers(model, "Conv2D")] == [64, 128, 256]
    assert {layer.kernel_size for layer in layers(model, "Conv2D")} == {(5, 5)}
    assert [layer.max_value for layer in layers(model, "ReLU")] == [6.0] * 4
    assert [layer.pool_size for layer in layers(model, "MaxPooling2D")] == [(2, 2)] * 3
    assert [layer.rate for layer in layers(model, "Dropout")] == [0.25] * 3 + [0.5]
    assert model.count_params() == 2_080_650


@pytest.mark.parametrize("architecture", [convnet, ds_cnn])
def test_outputs_are_logits(keras: Any, architecture: Any) -> None:
    model = architecture.build(keras, (8, 8, 1), 10)
    logits = model.predict(np.ones((3, 8, 8, 1), np.float32), verbose=0)
    assert logits.shape == (3, 10)
    assert logits.min() < 0
    assert model.layers[-1].activation is keras.activations.linear


@pytest.mark.parametrize("architecture", [convnet, ds_cnn])
def test_unknown_options_are_refused(keras: Any, architecture: Any) -> None:
    with pytest.raises(TypeError, match="depth"):
        architecture.build(keras, (8, 8, 1), 10, depth=3)

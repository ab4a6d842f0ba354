from typing import Any

import numpy as np
import pytest

from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.source import FloatModel
from edgeflow.dataset.tensors import stored


@pytest.mark.parametrize(("layer", "long_way"), [("Flatten", False), ("LSTM", True)])
def test_only_networks_that_need_it_go_over_a_saved_model(
    keras: Any, layer: str, long_way: bool
) -> None:
    options = {"units": 3} if layer == "LSTM" else {}
    model = keras.Sequential(
        [keras.Input((4, 2)), getattr(keras.layers, layer)(**options), keras.layers.Dense(2)]
    )
    converter = FloatModel(model).converter()
    assert converter.experimental_lower_to_saved_model == long_way


def test_the_short_way_gives_the_outputs_of_the_long_one(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten()]
    )
    converter = FloatModel(model).converter()
    samples = stored(np.random.default_rng(0).random((5, 6, 6, 1), np.float32))
    short = host_outputs(converter.convert(), samples)
    converter.experimental_lower_to_saved_model = True
    assert np.array_equal(short, host_outputs(converter.convert(), samples))

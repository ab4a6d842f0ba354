from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress.conversion import converted, running
from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.network import load_model
from edgeflow.compress.source import FloatModel
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.tensors import stored
from edgeflow.errors import CompileError
from edgeflow.train.build import MODEL_FILE


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


def test_a_layer_class_of_the_user_is_refused_by_name(keras: Any, tmp_path: Path) -> None:
    class Odd(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x + 1.0

    keras.Sequential([keras.Input((4,)), Odd()]).save(tmp_path / MODEL_FILE)
    with pytest.raises(CompileError, match="a layer or function of its own, Odd") as caught:
        load_model(tmp_path, None)
    assert "Keras' own layers" in str(caught.value.hint)


class Refused:
    """A network that the converter does not take."""

    def __getattr__(self, name: str) -> Any:
        raise ValueError("no such operator")


def test_what_fails_in_float_is_not_told_to_try_float() -> None:
    source: Any = Refused()
    with pytest.raises(CompileError, match="the float form of net cannot be conv") as caught:
        converted("net", source, Recipe(), None)
    assert "quantize: none" not in str(caught.value)
    with pytest.raises(CompileError, match="with quantize: fp16") as caught:
        converted("net", source, Recipe(quantize="fp16"), None)
    assert "try `quantize: none`" in caught.value.hint
    with (
        pytest.raises(CompileError, match="made of the float form of net") as caught,
        running("net", "none"),
    ):
        raise RuntimeError("it ends")
    assert "quantize: none" not in str(caught.value)

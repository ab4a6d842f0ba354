"""Channels that carry nothing can go without any change of the outputs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.compress.channels import remove_channels
from edgeflow.compress.channels.score import count_kept
from tests.unit.compress.channels.networks import NETWORKS, Tied, ds_cnn


def randomize(model: Any) -> None:
    random = np.random.default_rng(1)
    for layer in model.layers:
        shapes = [weights.shape for weights in layer.get_weights()]
        low = 0.5 if type(layer).__name__ == "BatchNormalization" else -0.5
        layer.set_weights([random.uniform(low, low + 1, shape) for shape in shapes])


def kill(model: Any, tied: Tied) -> None:
    """Let half the channels of each group carry 0."""
    random = np.random.default_rng(2)
    for names in tied:
        count = min(model.get_layer(name).output_shape[-1] for name in names)
        dead = random.permutation(count)[: count - count_kept(count, 0.5)]
        for name in names:
            for variable in model.get_layer(name).weights:
                variable.assign(_without(variable.name, variable.numpy(), dead, count))


def _without(name: str, weights: NDArray[Any], dead: Any, count: int) -> NDArray[Any]:
    if "moving" in name:
        return weights  # a scale of 0 behind them suffices
    if "depthwise_kernel" in name:
        if "separable" not in name and weights.shape[-1] == 1:
            weights[:, :, dead] = 0
    else:
        weights.reshape(-1, weights.shape[-1] // count, count)[..., dead] = 0
    return weights


def outputs(model: Any) -> NDArray[Any]:
    samples = np.random.default_rng(3).uniform(-9, 9, (5, *model.input_shape[1:]))
    result: NDArray[Any] = model.predict(samples.astype(np.float32), verbose=0)
    assert np.ptp(result, axis=0).min() > 1e-3  # the samples must make a difference
    return result


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_outputs_stay_without_the_channels_that_are_zero(
    keras: Any, build: Callable[[Any], tuple[Any, Tied]]
) -> None:
    model, tied = build(keras)
    randomize(model)
    kill(model, tied)
    small = remove_channels(keras, model, 0.5).model
    for names in tied:
        for name in names:
            width, before = (net.get_layer(name).output_shape[-1] for net in (small, model))
            assert width == before // 2
    np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-5, atol=1e-5)
    assert [layer.name for layer in small.layers] == [layer.name for layer in model.layers]
    assert (small.input_shape, small.output_shape) == (model.input_shape, model.output_shape)


def test_a_smaller_network_survives_its_file(keras: Any, tmp_path: Path) -> None:
    model, _ = ds_cnn(keras)
    randomize(model)
    small = remove_channels(keras, model, 0.4).model
    with pytest.warns(UserWarning, match="HDF5"):
        small.save(tmp_path / "model.h5", include_optimizer=False)
    loaded = keras.models.load_model(tmp_path / "model.h5", compile=False)
    assert loaded.count_params() == small.count_params() < model.count_params()
    assert np.array_equal(outputs(loaded), outputs(small))
    again = remove_channels(keras, loaded, 0.4).model
    assert again.count_params() < loaded.count_params()

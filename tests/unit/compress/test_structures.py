"""Every kind of network goes through every stage, or is refused before it trains."""

from typing import Any

import numpy as np
import pytest

from edgeflow.compress import cluster, prune, qat
from edgeflow.compress.conversion import quantized
from edgeflow.compress.plain import plain
from edgeflow.compress.qat import require_known
from edgeflow.compress.source import FloatModel
from edgeflow.compress.suits import require_suited
from edgeflow.config.recipe import Cluster, Prune, Recipe
from edgeflow.config.samples import Part
from edgeflow.errors import CompileError
from edgeflow.testing.trained import Trained
from edgeflow.train.batches import Batches, random_layers
from tests.unit.compress.networks import STRUCTURES, TRAIN, network, structure

QAT = Recipe.model_validate({"quantize": "qat-int8", "qat": {"epochs": 0}})
PARTS: tuple[Part, ...] = ("train", "validation", "calibration", "test")
STAYS = {"both-ways"}
"""Structures that training with rounding does not know."""


@pytest.mark.parametrize("name", sorted(set(STRUCTURES) - STAYS))
def test_training_with_rounding_takes_a_network(keras: Any, trained: Trained, name: str) -> None:
    view = trained.view(*PARTS)
    before = network(keras, structure(keras, name), view)
    source = FloatModel(qat.apply(before, QAT).model)
    # No float tensor is left, and the converter computes what the training saw.
    flatbuffer, _ = quantized("net/qat", source, view, QAT, b"")
    samples = view.tensors("validation")[:50]
    wanted = before.model(samples.first, training=False).numpy()
    (found,) = source.form().outputs(samples)
    assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.1 * wanted.std()
    assert len(flatbuffer) > 0


@pytest.mark.parametrize("name", sorted(STAYS))
def test_training_with_rounding_names_what_it_does_not_know(
    keras: Any, trained: Trained, name: str
) -> None:
    before = network(keras, structure(keras, name), trained.view(*PARTS))
    with pytest.raises(CompileError, match=r"bidirectional\w* \(Bidirectional\)") as error:
        require_suited("net/qat", keras, before.model, QAT)
    assert "`quantize: ptq-int8`" in error.value.hint


def test_shared_layers_stay_shared_and_leave_the_rest_to_others(keras: Any) -> None:
    layers = keras.layers
    inputs, inner = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    again = layers.Conv2D(1, 3, padding="same", activation="swish", name="again")
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", name="conv")(inner))
    block = keras.Model(inner, layers.ReLU()(y))
    model = keras.Model(inputs, layers.Add()([block(again(again(inputs))), block(inputs)]))
    after = plain(keras, model)
    require_known("net/qat", keras, after)
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(after(x), model(x), atol=1e-5)
    assert after.get_layer("again").get_config()["activation"] == "linear"
    convolutions = [layer for layer in after.layers if type(layer).__name__ == "Conv2D"]
    assert [len(layer.inbound_nodes) for layer in convolutions] == [2, 2]
    assert not [layer for layer in after.layers if isinstance(layer, layers.BatchNormalization)]


def test_layers_without_a_form_in_integers_are_named_before_training(keras: Any) -> None:
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.BatchNormalization(axis=1, name="rows")(layers.Conv2D(4, 3)(inputs))
    x = layers.ReLU(threshold=0.5, name="late")(x)
    model = keras.Model(inputs, layers.Dense(10, activation="elu", name="odd")(layers.Flatten()(x)))
    named = r"rows \(BatchNormalization\), late \(ReLU\), odd_elu \(Activation\)"
    with pytest.raises(CompileError, match=named):
        require_suited("net/qat", keras, model, QAT)


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_pruning_takes_a_network(keras: Any, trained: Trained, name: str) -> None:
    before = network(keras, structure(keras, name), trained.view(*PARTS))
    stage = Prune(epochs=1, sparsity=0.75)
    after = prune.apply(before, stage, Recipe(prune=stage)).model
    kernel = after.get_layer("logits").kernel.numpy()
    assert (kernel == 0).mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_clustering_takes_a_network(keras: Any, trained: Trained, name: str) -> None:
    before = network(keras, structure(keras, name), trained.view(*PARTS))
    stage = Cluster(epochs=0, clusters=40)  # more than some kernels have weights
    after = cluster.apply(before, stage, Recipe(cluster=stage)).model
    assert len(np.unique(after.get_layer("logits").kernel.numpy())) <= 40


def test_a_bidirectional_network_trains(keras: Any, trained: Trained) -> None:
    """The layer that it copies is never built, and so has no random numbers to restart."""
    batches = Batches(trained.view(*PARTS), TRAIN)
    batches.draw(random_layers(keras, structure(keras, "both-ways")), 0)
    assert len(list(batches.training)) == len(batches)

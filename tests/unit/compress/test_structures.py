"""Every kind of network goes through every stage, or is refused before it trains."""

from typing import Any

import numpy as np
import pytest

from edgeflow.compress import cluster, prune, qat
from edgeflow.compress.conversion import quantized
from edgeflow.compress.source import FloatModel
from edgeflow.compress.suits import require_suited
from edgeflow.config.recipe import Cluster, Prune, Recipe
from edgeflow.dataset.view import Part
from edgeflow.errors import CompileError
from edgeflow.testing.trained import Trained
from edgeflow.train.batches import Batches
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
    x = view.inputs("validation")[:50]
    wanted, found = before.model(x, training=False).numpy(), source.form().outputs(x)
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
    batches = Batches(keras, trained.view(*PARTS), TRAIN)
    assert len(list(batches.epoch(structure(keras, "both-ways"), 0))) == len(batches)

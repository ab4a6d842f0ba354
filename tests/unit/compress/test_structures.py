"""Every kind of network goes through every stage."""

from typing import Any

import numpy as np
import pytest

from edgeflow.compress import cluster, prune
from edgeflow.config.recipe import Cluster, Prune, Recipe
from edgeflow.dataset.view import Part
from edgeflow.testing.trained import Trained
from edgeflow.train.batches import Batches
from tests.unit.compress.networks import STRUCTURES, TRAIN, network, structure

PARTS: tuple[Part, ...] = ("train", "validation", "calibration", "test")


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

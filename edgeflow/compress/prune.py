"""Magnitude pruning: the smallest weights of each layer become zero while the others adapt.

Schedule: Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model
compression", arXiv 1710.01878.
"""

from dataclasses import replace
from typing import Any

from edgeflow.compress.form import keras_form
from edgeflow.compress.network import Network, require_same, seen
from edgeflow.compress.tfmot import load_tfmot
from edgeflow.compress.tuner import fine_tune, steps
from edgeflow.compress.wrap import wrapped
from edgeflow.config.recipe import Prune, Recipe

RAMP = 0.6
"""Share of the stage's steps in which sparsity rises; the rest adapts to it."""


def apply(network: Network, stage: Prune, recipe: Recipe) -> Network:
    """Return the network with the recipe's share of zeros in each kernel."""
    sparsity = load_tfmot().sparsity.keras
    total = steps(network, stage)
    schedule = sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=stage.sparsity,
        begin_step=0,
        end_step=max(1, int(total * RAMP)),
        frequency=max(1, total // 100),
    )
    before = seen(network, keras_form(network.model))
    model = wrapped(
        network,
        "prune",
        lambda layer: sparsity.prune_low_magnitude(layer, pruning_schedule=schedule),
        _takes,
    )
    require_same(network, "wrapping for pruning", before, keras_form(model))
    fine_tune(network, stage, model, recipe.distill, [sparsity.UpdatePruningStep()])
    trained = seen(network, keras_form(model))
    stripped = sparsity.strip_pruning(model)
    require_same(network, "stripping after pruning", trained, keras_form(stripped))
    return replace(network, model=stripped)


def _takes(layer: Any) -> bool:
    from tensorflow_model_optimization.python.core.sparsity.keras import prune_registry

    return bool(prune_registry.PruneRegistry.supports(layer))

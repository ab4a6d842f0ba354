"""Structured pruning: the network is rebuilt with fewer channels, then trained on."""

from dataclasses import replace

from edgeflow.compress.channels import remove_channels
from edgeflow.compress.form import keras_form
from edgeflow.compress.network import Network, require_same
from edgeflow.compress.tuner import fine_tune
from edgeflow.config.recipe import PruneChannels, Recipe


def apply(network: Network, stage: PruneChannels, recipe: Recipe) -> Network:  # noqa: ARG001
    """Return a smaller network, trained to make up for the channels that went."""
    removal = remove_channels(network.keras, network.model, stage.share)
    require_same(network, "removing channels", removal.muted, keras_form(removal.model))
    fine_tune(network, stage, removal.model)
    return replace(network, model=removal.model)

"""Structured pruning: the network is rebuilt with fewer channels, then trained on."""

from dataclasses import replace

from edgeflow.compress.channels import remove_channels
from edgeflow.compress.network import Network
from edgeflow.compress.tuner import fine_tune
from edgeflow.config.recipe import PruneChannels, Recipe


def apply(network: Network, stage: PruneChannels, recipe: Recipe) -> Network:  # noqa: ARG001
    """Return a smaller network, trained to make up for the channels that went."""
    model = remove_channels(network.keras, network.model, stage.share)
    fine_tune(network, stage, model, None)
    return replace(network, model=model)

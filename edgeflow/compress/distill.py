"""Knowledge distillation: a small network learns the answers of a large one.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv 1503.02531.
"""

from edgeflow.compress.network import Network
from edgeflow.compress.tuner import fine_tune
from edgeflow.config.recipe import Distill, Recipe


def apply(network: Network, stage: Distill, recipe: Recipe) -> Network:
    """Return the network, trained on with its teacher, who teaches all later stages too."""
    fine_tune(network, stage, network.model, recipe.distill)
    return network

"""Knowledge distillation: a small network learns the answers of a large one.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv 1503.02531.
"""

from dataclasses import replace

from edgeflow.compress.network import Network, load_model
from edgeflow.compress.tuner import fine_tune
from edgeflow.config.recipe import Distill, Recipe


def apply(network: Network, stage: Distill, recipe: Recipe) -> Network:  # noqa: ARG001
    """Return the network, trained on with its teacher, who teaches all later stages too."""
    _, teacher = load_model(network.teachers[stage.teacher], network.train)
    teacher.trainable = False
    taught = replace(network, teacher=teacher)
    fine_tune(taught, stage, taught.model, stage)
    return taught

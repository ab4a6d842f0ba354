"""How important each channel is, and which ones stay."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.compress.channels.groups import Network

SIMD = 4
"""Kernels compute several channels at once; a rest takes the time of a full set, or longer."""
WIDE = 16
"""In groups below this, a multiple of `SIMD` would be too far from the share asked for."""

Scores = NDArray[np.float64]


def score_channels(model: Any, network: Network) -> Scores:
    """Return the importance of each channel.

    It is the L2 norm of the filter that makes the channel, scaled as the batch normalization
    behind it does, in parts of the layer's root mean square. It is summed over all layers that
    make the channel or filter it alone. Li et al., "Pruning Filters for Efficient ConvNets",
    arXiv 1608.08710, take the L1 norm; Liu et al., "Learning Efficient Convolutional Networks
    through Network Slimming", arXiv 1708.06519, the scale of the normalization.
    """
    scores = np.zeros(network.count)
    for layer in model.layers:
        norms = _filter_norms(layer) if layer.name in network.outputs else None
        if norms is not None:
            norms *= _scale_behind(layer, network)
            mean = math.sqrt(np.mean(norms**2))
            np.add.at(scores, network.outputs[layer.name], norms / mean if mean else norms)
    return scores


def _filter_norms(layer: Any) -> Scores | None:
    for name, inner_axes in (("kernel", 1), ("pointwise_kernel", 1), ("depthwise_kernel", 2)):
        kernel = getattr(layer, name, None)
        if kernel is not None:
            values = kernel.numpy().astype(np.float64)
            axes = tuple(range(values.ndim - inner_axes))
            norms: Scores = np.sqrt((values**2).sum(axes)).ravel()
            return norms
    return None


def _scale_behind(layer: Any, network: Network) -> Any:
    """Return by what a batch normalization multiplies each output of a layer."""
    behind = [node.layer for node in layer.outbound_nodes if node.layer.name in network.outputs]
    if [type(other).__name__ for other in behind] != ["BatchNormalization"]:
        return 1.0
    normalization = behind[0]
    gamma = np.abs(normalization.gamma.numpy()) if normalization.scale else 1.0
    return gamma / np.sqrt(normalization.moving_variance.numpy() + normalization.epsilon)


def choose_kept(network: Network, scores: Scores, share: float) -> NDArray[np.bool_]:
    """Return for each channel whether it stays; of equals, those that come first do."""
    kept = np.ones(network.count, np.bool_)
    for group in network.groups:
        order = np.argsort(-scores[group], kind="stable")
        kept[group[order[count_kept(len(group), share) :]]] = False
    for channels in network.outputs.values():
        # Several layers may have made a group; none of them can be left without a channel.
        kept[channels[np.argmax(scores[channels])]] |= not kept[channels].any()
    return kept


def count_kept(count: int, share: float) -> int:
    """Return how many channels of a group stay if a share of them is to go."""
    # The small term: 0.7 of 5 channels is not exactly a half above 3 in binary.
    kept = max(1, math.floor((1 - share) * count + 0.5 + 1e-9))
    return min(count, math.ceil(kept / SIMD) * SIMD) if count >= WIDE else kept

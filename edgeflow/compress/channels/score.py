"""How important each channel is, and which ones stay."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.compress.channels.groups import Layout

SIMD = 4
"""Kernels compute several channels at once; a rest takes the time of a full set, or longer."""
WIDE = 16
"""In groups below this, a multiple of `SIMD` would be too far from the share asked for."""

Scores = NDArray[np.float64]


def score_channels(model: Any, layout: Layout) -> Scores:
    """Return the importance of each channel.

    It is the L2 norm of the filter that makes the channel, scaled as the batch normalization
    behind it does, in parts of the layer's root mean square; summed where several layers make one
    channel, as those that are added. Depthwise filters do not count: with them, networks of
    `ds_cnn` lost more before they were trained on. Li et al., "Pruning Filters for Efficient
    ConvNets", arXiv 1608.08710, take the L1 norm; Liu et al., "Learning Efficient Convolutional
    Networks through Network Slimming", arXiv 1708.06519, the scale of the normalization.
    """
    scores = np.zeros(layout.count)
    for layer in model.layers:
        norms = _filter_norms(layer) if layer.name in layout.outputs else None
        if norms is not None:
            norms *= _scale_behind(layer, layout)
            level = math.sqrt(np.mean(norms**2))
            np.add.at(scores, layout.outputs[layer.name], norms / level if level else norms)
    return scores


def _filter_norms(layer: Any) -> Scores | None:
    for name in ("kernel", "pointwise_kernel"):
        kernel = getattr(layer, name, None)
        if kernel is not None:
            norms: Scores = np.linalg.norm(kernel.numpy().reshape(-1, kernel.shape[-1]), axis=0)
            return norms.astype(np.float64)
    return None


def _scale_behind(layer: Any, layout: Layout) -> Any:
    """Return by what a batch normalization multiplies each output of a layer."""
    behind = [node.layer for node in layer.outbound_nodes if node.layer.name in layout.outputs]
    if [type(other).__name__ for other in behind] != ["BatchNormalization"]:
        return 1.0
    normalization = behind[0]
    gamma = np.abs(normalization.gamma.numpy()) if normalization.scale else 1.0
    return gamma / np.sqrt(normalization.moving_variance.numpy() + normalization.epsilon)


def choose_kept(layout: Layout, scores: Scores, share: float) -> NDArray[np.bool_]:
    """Return for each channel whether it stays; of equals, those that come first do."""
    kept = np.ones(layout.count, np.bool_)
    for group in layout.groups:
        order = np.argsort(-scores[group], kind="stable")
        kept[group[order[count_kept(len(group), share) :]]] = False
    for channels in layout.outputs.values():
        # Several layers may have made a group; none of them can be left without a channel.
        if not kept[channels].any():
            kept[channels[np.argmax(scores[channels])]] = True
    return kept


def count_kept(count: int, share: float) -> int:
    """Return how many channels of a group stay if a share of them is to go."""
    # The small term: 0.7 of 5 channels is not exactly a half above 3 in binary.
    kept = max(1, math.floor((1 - share) * count + 0.5 + 1e-9))
    return min(count, math.ceil(kept / SIMD) * SIMD) if count >= WIDE else kept

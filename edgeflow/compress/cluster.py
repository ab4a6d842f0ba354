"""Weight clustering (weight sharing): each layer's weights take a few values only.

Source: Han et al., "Deep Compression: Compressing Deep Neural Networks with Pruning, Trained
Quantization and Huffman Coding", arXiv 1510.00149.
"""

from dataclasses import replace
from typing import Any

from edgeflow.compress.form import keras_form
from edgeflow.compress.network import Network, require_same, seen
from edgeflow.compress.tfmot import load_tfmot
from edgeflow.compress.tuner import fine_tune
from edgeflow.compress.wrap import kernels, wrapped
from edgeflow.config.recipe import Cluster, Recipe


def apply(network: Network, stage: Cluster, recipe: Recipe) -> Network:
    """Return the network with shared weights; zeros that `prune` made stay zero."""
    clustering = load_tfmot().clustering.keras
    settings = {
        "number_of_clusters": stage.clusters,
        "cluster_centroids_init": clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
        "preserve_sparsity": recipe.prune is not None,
    }
    model = wrapped(
        network,
        "cluster",
        lambda layer: _cluster(layer, **settings),
        lambda layer: _takes(layer, stage.clusters),
    )
    fine_tune(network, stage, model, recipe.distill)
    trained = seen(network, keras_form(model))
    stripped = clustering.strip_clustering(model)
    require_same(network, "stripping after clustering", trained, keras_form(stripped))
    return replace(network, model=stripped)


def _cluster(layer: Any, **settings: Any) -> Any:
    # The public function has no `preserve_sparsity`.
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    return cluster.cluster_weights(layer, **settings)


def _takes(layer: Any, clusters: int) -> bool:
    """Return whether tfmot can cluster a layer: it fails on kernels with fewer weights."""
    from tensorflow_model_optimization.python.core.clustering.keras import clustering_registry

    known = clustering_registry.ClusteringRegistry.supports(layer)
    attention = type(layer).__name__ == "MultiHeadAttention"  # its biases cannot be set back
    return (
        known and not attention and all(k.shape.num_elements() > clusters for k in kernels(layer))
    )

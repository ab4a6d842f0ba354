"""Quantization-aware training: each forward pass rounds as the int8 model will.

Scheme: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", arXiv 1712.05877.
"""

import importlib
from dataclasses import replace
from typing import Any

from edgeflow.compress.form import keras_form
from edgeflow.compress.network import Network, require_same
from edgeflow.compress.qat_ranges import measure_ranges
from edgeflow.compress.tfmot import inputs_in_order, load_tfmot, without_rounding
from edgeflow.compress.tuner import fine_tune
from edgeflow.config.recipe import Recipe
from edgeflow.errors import CompileError

_SCHEMES = "tensorflow_model_optimization.python.core.quantization.keras.collab_opts"


def apply(network: Network, recipe: Recipe) -> Network:
    """Return the network in the wrapped form that the converter makes integers of.

    Raises:
        CompileError: a layer is none that quantization-aware training knows.
    """
    quantization = load_tfmot().quantization.keras
    try:
        annotated = quantization.quantize_annotate_model(network.model)
        scheme = _scheme(recipe)
        with inputs_in_order():
            model = quantization.quantize_apply(annotated, **({"scheme": scheme} if scheme else {}))
    except (RuntimeError, ValueError) as error:
        raise CompileError(
            f"{network.title}: quantization-aware training cannot take the network: {error}",
            hint="use `quantize: ptq-int8`, or build the network of layers that tfmot supports",
        ) from error
    with without_rounding():
        require_same(
            network,
            "wrapping for quantization-aware training",
            keras_form(network.model),
            keras_form(model),
        )
    measure_ranges(network.dataset, model)
    fine_tune(network, recipe.qat, model, recipe.distill)
    return replace(network, model=model)


def _scheme(recipe: Recipe) -> Any:
    """Return the scheme that keeps what the stages before gained; None for the usual one."""
    if recipe.cluster:
        module = importlib.import_module(
            f"{_SCHEMES}.cluster_preserve.default_8bit_cluster_preserve_quantize_scheme"
        )
        return module.Default8BitClusterPreserveQuantizeScheme(
            preserve_sparsity=recipe.prune is not None
        )
    if recipe.prune:
        module = importlib.import_module(
            f"{_SCHEMES}.prune_preserve.default_8bit_prune_preserve_quantize_scheme"
        )
        return module.Default8BitPrunePreserveQuantizeScheme()
    return None

"""Quantization-aware training: each forward pass rounds as the int8 model will.

Scheme: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", arXiv 1712.05877.
"""

import importlib
from dataclasses import replace
from typing import Any

from edgeflow.compress.form import keras_form
from edgeflow.compress.network import Network, require_same
from edgeflow.compress.plain import plain
from edgeflow.compress.plain_rules import is_behind_convolution, is_rectified
from edgeflow.compress.qat_ranges import measure_ranges
from edgeflow.compress.tfmot import inputs_in_order, load_tfmot, without_rounding
from edgeflow.compress.tuner import fine_tune
from edgeflow.config.recipe import Recipe
from edgeflow.errors import CompileError

OUTPUTS = ("Maximum", "Minimum", "Multiply", "Subtract")
"""Layers without weights that tfmot does not know, and that need no more than a rounded output."""

_8BIT = "tensorflow_model_optimization.python.core.quantization.keras.default_8bit"
_SCHEMES = "tensorflow_model_optimization.python.core.quantization.keras.collab_opts"


def apply(network: Network, recipe: Recipe) -> Network:
    """Return the network in the wrapped form that the converter makes integers of.

    Raises:
        CompileError: a layer is none that quantization-aware training knows.
    """
    quantization = load_tfmot().quantization.keras
    before = keras_form(network.model)
    rewritten = plain(network.keras, network.model)
    require_same(network, "rewriting in plain layers", before, keras_form(rewritten))
    require_known(network.title, network.keras, rewritten)
    try:
        annotated = quantization.quantize_annotate_model(_annotated(network.keras, rewritten))
        scheme = _scheme(recipe)
        with inputs_in_order(), quantization.quantize_scope(_configs()):
            model = quantization.quantize_apply(annotated, **({"scheme": scheme} if scheme else {}))
    except (RuntimeError, ValueError) as error:
        raise CompileError(
            f"{network.title}: quantization-aware training cannot take the network: {error}",
            hint="use `quantize: ptq-int8`, which takes layers of every kind",
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


def unknown(keras: Any, rewritten: Any) -> list[str]:
    """Return the layers, with their types, that quantization-aware training does not know.

    Args:
        keras: the Keras module.
        rewritten: the network in plain layers.
    """
    registry = _registry()
    # `plain` left only those normalizations that tfmot takes; it splits separable convolutions.
    known = (*OUTPUTS, "BatchNormalization", "InputLayer", "SeparableConv2D")
    return [
        f"{layer.name} ({type(layer).__name__})"
        for layer in rewritten.layers
        if not (type(layer).__name__ in known or registry.supports(layer))
        or (isinstance(layer, keras.layers.Activation) and not _is_known(layer))
        or (isinstance(layer, keras.layers.BatchNormalization) and not is_behind_convolution(layer))
        or (isinstance(layer, keras.layers.ReLU) and not is_rectified(layer))
    ]


def require_known(title: str, keras: Any, rewritten: Any) -> None:
    """Refuse a network with layers that quantization-aware training does not know.

    Raises:
        CompileError: it has some; they are named.
    """
    layers = unknown(keras, rewritten)
    if layers:
        raise CompileError(
            f"{title}: quantization-aware training does not know {', '.join(layers)}",
            hint="use `quantize: ptq-int8`, which takes layers of every kind",
        )


def _registry() -> Any:
    load_tfmot()
    registry = importlib.import_module(f"{_8BIT}.default_8bit_quantize_registry")
    return registry.Default8BitQuantizeRegistry()


def _is_known(layer: Any) -> bool:
    load_tfmot()
    from tensorflow_model_optimization.python.core.quantization.keras import (
        quantize_aware_activation,
    )

    known = quantize_aware_activation.QuantizeAwareActivation
    names = known._PRE_QUANT_ACTIVATIONS | known._POST_QUANT_ACTIVATIONS
    return layer.get_config()["activation"] in {*names, "softmax"}


def _annotated(keras: Any, rewritten: Any) -> Any:
    """Return the network with the rounding of outputs asked for where tfmot has none."""
    annotate = load_tfmot().quantization.keras.quantize_annotate_layer

    def form(layer: Any) -> Any:
        if type(layer).__name__ not in OUTPUTS:
            return layer
        copy = layer.__class__.from_config(layer.get_config())
        (config,) = _configs().values()
        return annotate(copy, config())

    return keras.models.clone_model(rewritten, clone_function=form)


def _configs() -> dict[str, Any]:
    """Return the kind of rounding that an output gets, by the name that stands in a model."""
    configs = importlib.import_module(f"{_8BIT}.default_8bit_quantize_configs")
    return {"Default8BitOutputQuantizeConfig": configs.Default8BitOutputQuantizeConfig}


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

"""tensorflow-model-optimization, with fixes for the releases that edgeflow uses."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_SWAPPING = ("0.8.0", "0.8.1")
"""Releases whose transformer looks layers up in the order of its own list (its issue 1061), so
that a pattern's inputs may be joined to a Concatenate in another order."""


def load_tfmot() -> Any:
    """Import tensorflow-model-optimization on the Keras that it needs."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow_model_optimization

    return tensorflow_model_optimization


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give an attribute of a module or class another value for a while."""
    usual = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, usual)


@contextmanager
def inputs_in_order() -> Iterator[None]:
    """Let tfmot's transformer keep the order of a layer's inputs."""
    if load_tfmot().__version__ not in _SWAPPING:
        yield
        return
    from tensorflow_model_optimization.python.core.quantization.keras.graph_transformations import (
        model_transformer,
    )

    with replaced(model_transformer.ModelTransformer, "_get_layers", _in_order):
        yield


def _in_order(transformer: Any, names: Sequence[str]) -> list[Any]:
    by_name = {layer["config"]["name"]: layer for layer in transformer._config["layers"]}
    return [by_name[name] for name in dict.fromkeys(names) if name in by_name]


@contextmanager
def without_rounding() -> Iterator[None]:
    """Let a network in tfmot's wrapped form compute in float, as before it was wrapped."""
    import tensorflow as tf

    def as_it_is(inputs: Any, *_args: Any, **_settings: Any) -> Any:
        return inputs

    with (
        replaced(tf.quantization, "fake_quant_with_min_max_vars", as_it_is),
        replaced(tf.quantization, "fake_quant_with_min_max_vars_per_channel", as_it_is),
    ):
        yield

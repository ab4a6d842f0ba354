"""Opens the network of a project: Keras 3 on TensorFlow, the same on each machine."""

import os
from pathlib import Path
from typing import Any

from .refusal import Refusal

_FIXED = {
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its sums depend on the CPU
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "CUDA_VISIBLE_DEVICES": "-1",
}
"""The same answers on each machine."""


def load_network(path: Path) -> Any:
    """Return what a file of Keras 3 or a model.h5 of Keras 2 holds; Keras raises what it likes."""
    os.environ.update(_FIXED)
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    import hgq  # noqa: F401  # registers its layers
    import keras

    older = {name: _older(getattr(keras.layers, name)) for name in _OF_KERAS_2}
    with keras.utils.custom_object_scope(older if path.suffix == ".h5" else {}):
        return keras.models.load_model(path, compile=False)


_GROUPS = {"groups": 1}
_RANDOM = dict.fromkeys(("rng_type", "noise_shape"))
_SPATIAL = {**_RANDOM, "trainable": None}
_SEPARABLE = {
    **_GROUPS,
    **{f"kernel_{one}": None for one in ("initializer", "regularizer", "constraint")},
}
_TIME = {"time_major": False}
_OF_KERAS_2: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D", "Conv2DTranspose"), _GROUPS),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _SEPARABLE),
    **dict.fromkeys(("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"), _RANDOM),
    **dict.fromkeys(("SpatialDropout1D", "SpatialDropout2D"), _SPATIAL),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), _TIME),
}
"""Options of layers that Keras 2 writes and Keras 3 does not read, and the value of each that says
nothing; None where all do, outside of a training."""


def _older(layer: Any) -> Any:
    """Return what reads a layer of Keras 3 that Keras 2 wrote."""
    known = _OF_KERAS_2[layer.__name__]

    class Older(layer):  # type: ignore[misc]  # of a Keras that is not installed beside edgeflow
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            kept = {
                key: value
                for key, value in config.items()
                if key not in known or known[key] not in (None, value)
            }
            return layer.from_config(kept)

    return Older


def open_network(path: Path) -> Any:
    """Return a Keras 3 network: of model.keras, or of a model.h5 that Keras 2 wrote.

    Args:
        path: of the file; its layers may be HGQ2's.

    Raises:
        Refusal: Keras 3 does not read it.
    """
    try:
        return load_network(path)
    except Exception as error:  # as many types as there are layers
        reason = str(error).strip().splitlines()
        raise Refusal(
            f"Keras 3 cannot read {path.name}: {reason[0] if reason else type(error).__name__}",
            "use layers of Keras itself that Keras 3 still has",
        ) from error

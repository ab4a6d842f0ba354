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

    return keras.models.load_model(path, compile=False)


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

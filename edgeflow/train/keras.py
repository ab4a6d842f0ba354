"""The Keras that edgeflow trains with: tf-keras (Keras 2), as quantization-aware training needs."""

import os
import warnings
from pathlib import Path
from typing import Any

from edgeflow.artifact.cpu import hold_kernels
from edgeflow.config.model import Train
from edgeflow.console import native_quiet
from edgeflow.imports import without

UNUSED = ("pandas", "scipy")
"""Packages that tf-keras imports where it can, a sixth of its import.

It would use them for samples that are data frames, and for images that are turned.
"""


def load_keras(seed: int, threads: int = 1, *, deterministic: bool = True) -> Any:
    """Import TensorFlow and tf-keras with fixed seeds and threads, kernels and operators.

    Args:
        seed: seeds Python, numpy and TensorFlow.
        threads: cores for one operator; the order of a sum, and so its rounding, depends on it.
        deterministic: False lets TensorFlow take the fastest kernels of this CPU, and sum in any
            order. In a process that had it True before, it stays so.

    Returns:
        The `tf_keras` module.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    if deterministic:
        hold_kernels()
    with native_quiet(), without(*UNUSED):
        import tensorflow as tf
        import tf_keras

    # Layers are named by a counter of the process; the names stand in the saved model.
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
    # Dropout draws from a generator that can be restarted, as each epoch does.
    tf_keras.backend.experimental.enable_tf_random_generator()
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    # Fused with a convolution, normalization takes a square root whose last bits are the vendor's.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf_keras


def keras_for(train: Train) -> Any:
    """Return `load_keras` with the seed, the threads and the determinism of training settings."""
    return load_keras(train.seed, train.threads, deterministic=train.deterministic)


def save_model(model: Any, path: Path) -> None:
    """Write a model without its optimizer, the same bytes for the same weights."""
    with warnings.catch_warnings(action="ignore"):  # h5 is "legacy", but has no time stamps
        model.save(path, include_optimizer=False, save_format="h5")

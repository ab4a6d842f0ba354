"""The Keras that edgeflow trains with: tf-keras (Keras 2), which quantization-aware training needs."""

import os
from typing import Any


def load_keras(seed: int) -> Any:
    """Import TensorFlow and tf-keras with fixed seeds and deterministic operators.

    Args:
        seed: seeds Python, numpy and TensorFlow.

    Returns:
        The `tf_keras` module.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf
    import tf_keras

    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return tf_keras

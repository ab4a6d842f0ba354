"""The Keras that edgeflow trains with: tf-keras (Keras 2), as quantization-aware training needs."""

import os
from typing import Any


def load_keras(seed: int, threads: int = 1) -> Any:
    """Import TensorFlow and tf-keras with fixed seeds, threads and deterministic operators.

    Args:
        seed: seeds Python, numpy and TensorFlow.
        threads: cores for one operator; the order of a sum, and so its rounding, depends on it.

    Returns:
        The `tf_keras` module.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf
    import tf_keras

    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf_keras

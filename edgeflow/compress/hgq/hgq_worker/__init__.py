"""Trains a network on in fixed point with HGQ2, in the environment of envs/fpga.txt."""

import os
from pathlib import Path
from typing import Any


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write model.keras and model.tflite, which compute the same.

    Args:
        job: ``graph`` (layers in the order in which they run, see `network.build`), ``outputs``
            (names of the layers that give them), ``loss`` (a class of `keras.losses` and its
            ``config``), ``target`` (``input`` where the network is to give its input again),
            ``inputs`` (their number), ``seed``, ``threads``, ``deterministic``, ``batch_size``,
            ``shift`` and ``flip`` of the training, and the options of the recipe.
        folder: with weights.npz, train_x{i}.npy and validation_x{i}.npy of each input, and
            train_y.npy.

    Returns:
        ``ebops``, and the mean bits of weights and activations.

    Raises:
        Refusal: the training diverged, or float32 cannot hold the network's sums.
    """
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="2")
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(job["seed"])
    if job["deterministic"]:
        tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)

    from .archive import save
    from .exact import flatbuffer
    from .network import build
    from .ranges import finish, start
    from .training import Samples, train

    samples = Samples.read(folder, job)
    network = build(job, folder / "weights.npz")
    start(network, samples, job["bits"])
    train(network.model, samples, job)
    facts = finish(network, samples)
    (folder / "model.tflite").write_bytes(flatbuffer(network))
    save(network.model, folder / "model.keras")
    return facts

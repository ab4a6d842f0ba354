"""Datasets that Keras downloads into its own cache (~/.keras/datasets)."""

import importlib
from typing import TYPE_CHECKING, Any

from edgeflow.dataset.base import UINT8_SCALE, RawDataset, Samples
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def keras_download(name: str, labels: tuple[str, ...], ways: str) -> RawDataset:
    """Load `tf_keras.datasets.<name>`, downloaded once.

    Args:
        ways: hint with the other ways to get the dataset.

    Raises:
        DataError: the download failed.
    """
    try:
        module = importlib.import_module(f"tf_keras.datasets.{name}")
        (x_train, y_train), (x_test, y_test) = module.load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        message = f"{name} is not on this machine, and Keras' download failed: {error}"
        raise DataError(message, hint=ways) from error
    return RawDataset(
        train=_samples(x_train, y_train),
        test=_samples(x_test, y_test),
        labels=labels,
        scale=UINT8_SCALE,
    )


def _samples(x: "NDArray[np.uint8]", y: "NDArray[np.integer[Any]]") -> Samples:
    """Give grey images a channel axis and class numbers one axis: Keras' CIFAR-10 has two."""
    return Samples(x=x if x.ndim == 4 else x[..., None], y=y.astype("int64").ravel())

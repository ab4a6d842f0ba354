"""The loss of learning from a teacher, against its formula written out."""

from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax

from edgeflow.compress.tuner import _loss, _taught
from edgeflow.config.recipe import Distill
from edgeflow.tasks.anomaly import Anomaly
from edgeflow.tasks.classification import Classification

DISTILL = Distill(teacher="large", temperature=3.0, alpha=0.7)
RNG = np.random.default_rng(1)


def taught(x: Any, y: Any, teacher: Any) -> Any:
    """Return the target of one batch."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(len(x))
    ((_, target),) = _taught(data, lambda values, training: teacher(values))
    return target


def test_classes(keras: Any) -> None:
    x, y = RNG.normal(size=(5, 4)).astype(np.float32), np.array([0, 3, 1, 2, 2])
    logits = RNG.normal(size=(5, 4)).astype(np.float32)
    target = taught(x, y, lambda values: 2 * values)
    found = float(_loss(keras, Classification(), DISTILL)(target, logits))
    soft = rel_entr(softmax(2 * x / 3, axis=1), softmax(logits / 3, axis=1)).sum(axis=1).mean()
    hard = -log_softmax(logits, axis=1)[np.arange(5), y].mean()
    assert found == pytest.approx(0.7 * 9 * soft + 0.3 * hard, rel=1e-4)


def test_reconstructions(keras: Any) -> None:
    x, output = RNG.normal(size=(2, 5, 4, 3, 2)).astype(np.float32)
    target = taught(x, x, lambda values: 0.5 * values)
    found = float(_loss(keras, Anomaly(), DISTILL)(target, output))
    wanted = 0.7 * np.square(0.5 * x - output).mean() + 0.3 * np.square(x - output).mean()
    assert found == pytest.approx(wanted, rel=1e-5)

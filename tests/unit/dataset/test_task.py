"""The figure of each task, its decisions, and its losses."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, roc_auc_score

from edgeflow.dataset.task import Anomaly, Classification, auc, task_of
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import DataError
from edgeflow.train.keras import load_keras


def facts(task: str) -> DatasetFacts:
    return DatasetFacts.model_validate(
        {
            "labels": ["good", "bad"],
            "input_shape": [8, 1, 2],
            "preprocess": {"scale": 1.0},
            "task": task,
            "counts": {},
        }
    )


def test_a_dataset_says_its_task() -> None:
    assert task_of(facts("classification")).output_shape(facts("classification")) == (2,)
    assert task_of(facts("anomaly")).output_shape(facts("anomaly")) == (8, 1, 2)


@given(
    outputs=hnp.arrays(np.float32, (12, 4), elements=st.integers(-8, 8).map(float)),
    truth=hnp.arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_accuracy_agrees_with_scikit_learn(outputs: Any, truth: Any) -> None:
    decided = Classification().decisions({"baseline": outputs}, outputs, truth)["baseline"]
    wanted = pytest.approx(accuracy_score(truth, decided))
    assert Classification().figure(outputs, outputs, truth) == wanted


@given(
    scores=hnp.arrays(np.float64, 20, elements=st.integers(0, 6).map(float)),
    truth=hnp.arrays(np.int64, 20, elements=st.integers(0, 1)).filter(lambda y: 0 < y.sum() < 20),
)
def test_auc_agrees_with_scikit_learn_on_ties_too(scores: Any, truth: Any) -> None:
    assert auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))


@pytest.mark.parametrize("label", [0, 1])
def test_auc_needs_both_classes(label: int) -> None:
    with pytest.raises(DataError, match="AUC compares two classes"):
        auc(np.arange(3.0), np.full(3, label))


def reconstructed(errors: Any) -> tuple[Any, Any]:
    """Return inputs and outputs whose mean squared errors are the squares of `errors`."""
    inputs = np.random.default_rng(0).normal(size=(len(errors), 8, 1, 2)).astype(np.float32)
    return inputs, inputs + np.asarray(errors, np.float32)[:, None, None, None]


def test_the_threshold_is_the_float_models_at_five_false_alarms_in_a_hundred() -> None:
    truth = np.repeat([0, 1], [100, 3])
    inputs, outputs = reconstructed([*np.arange(100) / 100, 0.2, 0.96, 2.0])
    decided = Anomaly().decisions({"baseline": outputs, "device": inputs}, inputs, truth)
    assert decided["baseline"].nonzero()[0].tolist() == [95, 96, 97, 98, 99, 101, 102]
    assert decided["device"].sum() == 0
    assert Anomaly().figure(outputs, inputs, truth) == pytest.approx((20.5 + 96.5 + 100) / 300)


def test_losses() -> None:
    keras = load_keras(seed=0)
    x, outputs = reconstructed([0.5, 1.5])
    assert float(Anomaly().loss(keras)(Anomaly().target(x, None), outputs)) == pytest.approx(1.25)
    assert float(Anomaly().imitation(keras, 4.0)(x, outputs)) == pytest.approx(1.25)
    logits = np.array([[3.0, 0.0], [0.0, 1.0]], np.float32)
    labels = Classification().target(x, np.array([0, 1]))
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = -np.log(odds[[0, 1], [0, 1]]).mean()
    assert float(Classification().loss(keras)(labels, logits)) == pytest.approx(wanted, rel=1e-5)
    assert float(Classification().imitation(keras, 2.0)(logits, logits)) == pytest.approx(0)
    assert float(Classification().imitation(keras, 2.0)(logits, -logits)) > 0.1

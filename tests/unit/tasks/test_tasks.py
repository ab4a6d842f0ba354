"""The figure of each task, its decisions, and its losses."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    roc_auc_score,
    root_mean_squared_error,
)

from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import DataError
from edgeflow.tasks.anomaly import Anomaly, auc
from edgeflow.tasks.classification import Classification
from edgeflow.tasks.registry import METRICS, TASKS, task_of
from edgeflow.tasks.regression import ALIKE, Regression


def facts(task: str) -> DatasetFacts:
    return DatasetFacts.model_validate(
        {
            "labels": ["good", "bad"],
            "inputs": {
                "input": {"shape": [8, 1, 2], "dtype": "uint8", "preprocess": {"scale": 1.0}}
            },
            "decoding": {},
            "task": task,
            "counts": {},
        }
    )


def test_a_dataset_says_its_task() -> None:
    assert task_of(facts("classification")).output_shape(facts("classification")) == (2,)
    assert task_of(facts("anomaly")).output_shape(facts("anomaly")) == (8, 1, 2)
    assert task_of(facts("regression")).output_shape(facts("regression")) == (2,)


def test_each_task_has_a_name_and_a_metric_of_its_own() -> None:
    assert {name: task.metric.name for name, task in TASKS.items()} == {
        "classification": "accuracy", "anomaly": "auc", "regression": "rmse",
    }  # fmt: skip
    assert len(METRICS) == len(TASKS)
    assert DatasetFacts.model_validate(facts("anomaly").model_dump(exclude={"task"})).task == next(
        iter(TASKS)
    )


@pytest.mark.parametrize(
    ("metric", "gates", "worse"),
    [
        ("accuracy", ("accuracy_min", "accuracy_drop_max"), 0.01),
        ("rmse", ("rmse_max", "rmse_rise_max"), -0.01),
    ],
)
def test_a_metric_says_what_is_worse(metric: str, gates: tuple[str, str], worse: float) -> None:
    found = METRICS[metric]
    assert (found.level.gate, found.change.gate) == gates
    assert found.worse_by(0.99, 0.98) == worse
    record = {"metric": {"name": metric, "baseline": 0.99, "device": 0.98}}
    assert (found.level.read(record), found.change.read(record)) == (0.98, worse)
    other = {"metric": {**record["metric"], "name": "other"}}
    assert (found.level.read(other), found.change.read(other)) == (None, None)


@given(
    outputs=hnp.arrays(np.float32, (12, 4), elements=st.integers(-8, 8).map(float)),
    truth=hnp.arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_accuracy_agrees_with_scikit_learn(outputs: Any, truth: Any) -> None:
    decided = Classification().decisions({"baseline": outputs}, outputs, truth)["baseline"]
    wanted = pytest.approx(accuracy_score(truth, decided))
    assert Classification().figure(outputs, outputs, truth) == wanted
    matrix = confusion_matrix(truth, decided, labels=range(4)).tolist()
    assert Classification().confusion(decided, truth, list("abcd")) == matrix


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
    from edgeflow.train.keras import load_keras

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
    task = Regression()
    assert float(task.loss(keras)(task.target(x, logits), logits + 2)) == pytest.approx(4)
    assert float(task.imitation(keras, 4.0)(logits, logits - 1)) == pytest.approx(1)


VALUES = hnp.arrays(np.float32, (12, 3), elements=st.integers(-99, 99).map(float))


@given(outputs=VALUES, truth=VALUES)
def test_rmse_agrees_with_scikit_learn(outputs: Any, truth: Any) -> None:
    # That of scikit-learn takes the mean of the targets' roots; this is the root over all.
    wanted = root_mean_squared_error(truth.ravel(), outputs.ravel())
    assert Regression().figure(outputs, outputs, truth) == pytest.approx(wanted, rel=1e-6)


def test_values_agree_within_a_share_of_their_targets_range() -> None:
    truth = np.array([[0, 0], [100, 1]], np.float32)
    outputs = np.array([[50, 0.5]] * 4, np.float32)
    near, far = 0.9 * ALIKE, 1.1 * ALIKE
    other = outputs + np.array([[100 * near, near], [100 * far, 0], [0, -far], [0, -near]])
    decided = Regression().decisions({"baseline": outputs, "device": other}, outputs, truth)
    found = Regression().agree(decided["baseline"], decided["device"], truth)
    assert found.tolist() == [True, False, False, True]
    assert Regression().confusion(outputs, truth, ["a", "b"]) is None


@pytest.mark.parametrize(
    ("given_truth", "shape"),
    [(np.arange(4), (4, 1)), (np.ones((4, 2)), (4, 2)), (np.ones((4, 2, 2)), None),
     (np.array(["a", "b"]), None), (np.array([True]), None)],
)  # fmt: skip
def test_targets_are_numbers_one_row_for_each_sample(given_truth: Any, shape: Any) -> None:
    found = Regression().truth(given_truth)
    assert (None if found is None else found.shape) == shape
    assert found is None or found.dtype == np.float32


@pytest.mark.parametrize(
    ("truth", "says"),
    [
        (np.ones((3, 1), np.float32), r"1 target\(s\) and 2 label\(s\)"),
        (np.array([[1, 2], [3, np.nan]], np.float32), "the first is of sample 1"),
        (np.array([0, 1]), "the source has classes"),
    ],
)
def test_targets_that_cannot_be_used(truth: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        Regression().check(["a", "b"], {"train": truth})

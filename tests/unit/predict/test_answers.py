"""What outputs mean, and what a device may answer."""

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.bundle.manifest import BundleManifest
from edgeflow.dataset.tensors import Tensors
from edgeflow.deploy.runner import predicted
from edgeflow.errors import DeployError
from edgeflow.ondevice import image, release, runner
from edgeflow.predict.answer import Raw, answers
from edgeflow.predict.samples import Samples
from edgeflow.tasks.anomaly import Anomaly
from edgeflow.tasks.classification import Classification
from edgeflow.tasks.registry import TASKS
from edgeflow.tasks.regression import Regression


def meaning(said: dict[str, Any], output: Any, sample: Any = None, labels: str = "ab") -> Any:
    manifest = {"meaning": said, "labels": list(labels)}
    sample = np.zeros(2) if sample is None else sample
    return release.meaning(np.asarray(sample, np.float32), np.asarray(output, np.float32), manifest)


def test_logits_become_probabilities() -> None:
    said = meaning({"task": "classification", "probabilities": False}, [0.0, np.log(3.0)])
    assert said["label"] == "b"
    assert said["probabilities"] == pytest.approx({"a": 0.25, "b": 0.75})
    huge = meaning({"task": "classification", "probabilities": False}, [9000.0, 0.0])
    assert huge["probabilities"] == {"a": 1.0, "b": 0.0}


def test_probabilities_stay_what_they_are() -> None:
    said = meaning({"task": "classification", "probabilities": True}, [0.75, 0.25])
    assert said == {"label": "a", "probabilities": {"a": 0.75, "b": 0.25}}


@pytest.mark.parametrize(("score", "label"), [(0.25, "a"), (0.51, "b")])
def test_anomalies_are_above_the_threshold(score: float, label: str) -> None:
    difference = np.sqrt(score)
    said = meaning({"task": "anomaly", "threshold": 0.5}, [difference, -difference])
    assert said["score"] == pytest.approx(score)
    assert said["threshold"] == 0.5
    assert said["label"] == label


def test_values_have_the_names_of_targets() -> None:
    assert meaning({"task": "regression"}, [1.5, -2.0]) == {"values": {"a": 1.5, "b": -2.0}}


@pytest.mark.parametrize("task", TASKS)
def test_answers_of_every_task_can_be_read(task: str) -> None:
    assert meaning({"task": task, "probabilities": False, "threshold": 1.0}, [1.0, 2.0])


def test_an_unknown_task() -> None:
    with pytest.raises(ValueError, match="unknown task 'ranking'"):
        meaning({"task": "ranking"}, [1.0, 2.0])


def softmax(logits: Any) -> Any:
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def test_probabilities_are_told_from_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (200, 10)).astype(np.float32)
    shares = softmax(logits)
    step = 1 / 256
    rounded = (np.rint(shares / step) * step).astype(np.float32)
    task, none = Classification(), np.zeros(200)
    assert task.meaning(shares, logits, none, 0.0) == {"probabilities": True}
    assert task.meaning(rounded, logits, none, step) == {"probabilities": True}
    assert task.meaning(shares.astype(np.float16), logits, none, 0.0) == {"probabilities": True}
    assert task.meaning(logits, logits, none, 0.0) == {"probabilities": False}
    assert task.meaning(logits, logits, none, 0.1) == {"probabilities": False}
    assert task.meaning(shares / 2, logits, none, 0.0) == {"probabilities": False}


def test_the_threshold_is_that_of_normal_samples() -> None:
    scores = np.arange(101, dtype=np.float32)
    outputs = np.sqrt(np.r_[scores, [1000, 2000]])[:, None].astype(np.float32)
    truth = np.r_[np.zeros(101, int), [1, 1]]
    found = Anomaly().meaning(outputs, np.zeros_like(outputs), truth, 0.0)
    assert found["threshold"] == pytest.approx(95, rel=1e-6)
    assert Regression().meaning(outputs, outputs, outputs, 0.0) == {}


def test_further_outputs_have_their_names_and_no_clock_no_latency() -> None:
    tensor = {"dtype": "float32", "scale": 0.0, "zero_point": 0}
    source = {**tensor, "name": "input", "shape": [1, 1], "stored": "float32"}
    rounded = {"dtype": "int8", "scale": 0.5, "zero_point": 1}
    manifest = BundleManifest.model_validate(
        {
            **{"target": {}, "model": "net", "recipe": "r", "quantize": "none", "labels": ["t"]},
            "engine_options": {},
            "io": {
                "inputs": [{**source, "preprocess": {"scale": 1.0}}],
                "outputs": [
                    {**tensor, "name": "value", "shape": [1, 1], "tolerance": 0.0},
                    {**rounded, "name": "heat", "shape": [1, 1, 2], "tolerance": 0.0},
                ],
            },
            "decoding": {"source": "npz"},
            "meaning": {"task": "regression"},
            **{"bit_exact": False, "clock": "none", "files": {}},
        }
    )
    samples = Samples(names=("a", "b"), inputs=Tensors({"input": np.zeros((2, 1), np.float32)}))
    outputs: dict[str, Any] = {
        "value": np.array([[3.0], [4.0]], np.float32),
        "heat": np.array([[[1, 3]], [[5, -1]]], np.int8),
    }
    raw = Raw(outputs=Tensors(outputs), latencies_ms=[], engine="e 1")
    found = [one.record() for one in answers(samples, raw, manifest)]
    assert found == [
        {"sample": "a", "values": {"t": 3.0}, "outputs": {"heat": [[0, 1]]}, "latency_ms": None},
        {"sample": "b", "values": {"t": 4.0}, "outputs": {"heat": [[2, -1]]}, "latency_ms": None},
    ]


GOOD = {"latencies_ms": [1.0, 2.0], "outputs_sha256": {"output": "0" * 64}, "engine": "e 1"}


def answer(runs: int = 2, **changes: Any) -> Any:
    text = json.dumps({**GOOD, **changes})
    return predicted(text, runs, 1.0, outputs=["output"], device="pi", model="net")


def test_a_good_answer() -> None:
    assert answer().latencies_ms == [1.0, 2.0]
    assert answer(0, latencies_ms=[]).engine == "e 1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"latencies_ms": [1.0]}, "1 latencies instead of 2"),
        ({"latencies_ms": [0.0, 0.0]}, "2 inferences in no time at all"),
        ({"latencies_ms": [1.0, 9e9]}, "s of work in a run of 1 s"),
        ({"latencies_ms": [1.0, -1.0]}, "latencies_ms.1"),
        ({"latencies_ms": [1.0, "2"]}, "latencies_ms.1"),
        ({"outputs_sha256": {}}, "answers for the outputs none"),
        ({"outputs_sha256": {"output": "../x"}}, "outputs_sha256.output"),
        ({"engine": None}, "engine"),
    ],
)
def test_answers_that_cannot_be_true(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DeployError, match=said):
        answer(**changes)


@pytest.mark.parametrize("module", [release, runner, image])
def test_what_is_shipped_is_python_3_7(module: Any) -> None:
    ast.parse(Path(module.__file__).read_text(), feature_version=(3, 7))

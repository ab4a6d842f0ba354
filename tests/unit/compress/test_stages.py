"""What each stage does to the weights, on a network trained on real digits."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgeflow.artifact.manifest import Manifest
from edgeflow.compress.build import compress_model
from edgeflow.compress.evaluate import host_outputs
from edgeflow.errors import CompileError, TrainingError
from edgeflow.testing.trained import TRAIN, Trained
from edgeflow.train.keras import load_keras

PRUNE = {"sparsity": 0.75, "epochs": 3, "learning_rate": 0.002}
CLUSTER = {"clusters": 8, "epochs": 1}


def compress(trained: Trained, recipe: Mapping[str, Any], out: Path, **more: Any) -> Manifest:
    slice_ = {"recipe": recipe, "train": TRAIN, **more}
    return compress_model("tiny", trained.dataset, trained.model, slice_, "0", out, [trained.model])


def kernels(path: Path) -> list[Any]:
    """Return the constant tensors with more than 100 elements."""
    interpreter = Interpreter(str(path))
    constants = []
    for details in interpreter.get_tensor_details():
        if np.prod(details["shape"]) > 100 and details["dtype"] in (np.float32, np.int8):
            try:
                constants.append(interpreter.get_tensor(details["index"]))
            except ValueError:  # an activation has no value yet
                continue
    assert constants
    return constants


def distinct(kernel: Any) -> int:
    """Return the largest number of distinct weights in an output channel."""
    flat = kernel.reshape(len(kernel), -1)
    return max(len(np.unique(row)) for row in flat)


def test_pruning_leaves_its_share_of_weights(trained: Trained, tmp_path: Path) -> None:
    compress(trained, {"prune": PRUNE}, tmp_path)
    pointwise = [kernel for kernel in kernels(tmp_path / "model.tflite") if kernel.shape[1] == 1]
    shares = [float((kernel == 0).mean()) for kernel in pointwise]
    assert shares == pytest.approx([0.75] * len(shares), abs=0.03)
    network = load_keras(seed=0).models.load_model(tmp_path / "network/model.h5", compile=False)
    samples = trained.view().tensors("test")[:20]
    np.testing.assert_allclose(
        network.predict(samples.first, verbose=0),
        host_outputs((tmp_path / "float.tflite").read_bytes(), samples),
        atol=1e-4,
    )


def test_clusters_share_weights_and_keep_zeros(trained: Trained, tmp_path: Path) -> None:
    recipe = {"prune": PRUNE, "cluster": CLUSTER, "quantize": "ptq-int8"}
    compress(trained, recipe, tmp_path)
    pointwise = [kernel for kernel in kernels(tmp_path / "model.tflite") if kernel.shape[1] == 1]
    assert max(map(distinct, pointwise)) <= CLUSTER["clusters"]
    assert min(float((kernel == 0).mean()) for kernel in pointwise) > 0.7


def test_rounding_in_training_keeps_zeros_and_clusters(trained: Trained, tmp_path: Path) -> None:
    recipe = {
        "prune": PRUNE,
        "cluster": CLUSTER,
        "quantize": "qat-int8",
        "qat": {"epochs": 1},
    }
    facts = compress(trained, recipe, tmp_path).facts
    pointwise = [kernel for kernel in kernels(tmp_path / "model.tflite") if kernel.shape[1] == 1]
    assert max(map(distinct, pointwise)) <= CLUSTER["clusters"]
    assert min(float((kernel == 0).mean()) for kernel in pointwise) > 0.7
    assert facts["metric_test"] > 0.5


def test_quantization_aware_training_begins_where_training_ended(
    trained: Trained, tmp_path: Path
) -> None:
    """Without a step of its own; within tfmot's first ranges the network would guess."""
    recipe = {"quantize": "qat-int8", "qat": {"epochs": 0}}
    compress(trained, recipe, tmp_path)
    truth = np.load(trained.dataset / "test_y.npy")
    now, then = (
        float((np.load(folder / "outputs.npy").argmax(axis=1) == truth).mean())
        for folder in (tmp_path, trained.model)
    )
    assert now > then - 0.02


def test_a_student_comes_near_to_its_teacher(trained: Trained, tmp_path: Path) -> None:
    """Here the teacher is the model itself, at the start: only its answers hold the student."""
    teacher = np.load(trained.model / "outputs.npy")
    distances = {}
    for alpha in (0.0, 1.0):
        out = tmp_path / str(alpha)
        stage = {"teacher": "tiny", "epochs": 2, "learning_rate": 0.01, "alpha": alpha}
        slice_ = {"recipe": {"distill": stage}, "train": TRAIN}
        folder = tmp_path / "tiny" / "baseline"
        folder.parent.mkdir(exist_ok=True)
        if not folder.exists():
            folder.symlink_to(trained.model)
        compress_model("tiny", trained.dataset, trained.model, slice_, "0", out, [folder])
        distances[alpha] = float(np.abs(np.load(out / "outputs.npy") - teacher).mean())
    assert distances[1.0] < 0.7 * distances[0.0]


def test_uint8_input_and_output(trained: Trained, tmp_path: Path) -> None:
    compress(trained, {"quantize": "ptq-int8", "io": "uint8"}, tmp_path)
    interpreter = Interpreter(str(tmp_path / "model.tflite"))
    ends = (interpreter.get_input_details()[0], interpreter.get_output_details()[0])
    assert {end["dtype"] for end in ends} == {np.uint8}
    assert np.allclose(np.load(tmp_path / "outputs.npy"), trained.logits("ptq-int8"))


def test_a_stage_that_diverges_says_how_to_go_on(trained: Trained, tmp_path: Path) -> None:
    recipe = {"prune": {"epochs": 2, "learning_rate": 1e38}}
    with pytest.raises(TrainingError, match="Prune diverged") as caught:
        compress(trained, recipe, tmp_path / "out")
    assert "lower its learning_rate" in caught.value.hint
    assert not (tmp_path / "out").exists()


def candidate(recipe: Mapping[str, Any]) -> dict[str, Any]:
    modules = ["edgeflow.compress.build", "edgeflow.compress.pipeline"]
    return {"slice": {"recipe": recipe, "train": None}, "modules": modules}


def test_auto_takes_the_first_that_keeps_the_accuracy(trained: Trained, tmp_path: Path) -> None:
    candidates = {"fp32": candidate({}), "int8": candidate({"quantize": "ptq-int8"})}
    auto = {"auto": {"recipes": ["int8", "fp32"], "accuracy_drop_max": 0.05}}
    facts = compress(trained, auto, tmp_path, candidates=candidates, train=None).facts
    assert (facts["chosen"], facts["recipe"]["quantize"]) == ("int8", "ptq-int8")
    flatbuffer = (tmp_path / "model.tflite").read_bytes()
    assert flatbuffer == (trained.recipe("ptq-int8") / "model.tflite").read_bytes()
    assert (tmp_path / "network/model.h5").read_bytes() == (trained.model / "model.h5").read_bytes()
    view = trained.view("validation")
    truth = view.truth("validation")
    guess = host_outputs(flatbuffer, view.tensors("validation")).argmax(axis=1)
    manifest = json.loads((trained.model / "manifest.json").read_text())
    drop = manifest["facts"]["metric_validation"] - (guess == truth).mean()
    assert [entry["worse_by"] for entry in facts["tried"]] == pytest.approx([drop], abs=1e-6)


def test_auto_goes_on_after_a_recipe_that_the_network_cannot_take(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = {"quantize": "ptq-int8", "keep_float": {"layers": ["nowhere"]}}
    recipes: dict[str, dict[str, Any]] = {
        "mixed": absent,
        "crashes": {"quantize": "dynamic"},
        "fp32": {},
    }
    candidates = {name: candidate(recipe) for name, recipe in recipes.items()}
    usual = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        if "tiny:crashes" in command:
            return subprocess.CompletedProcess(command, -11, "", "")
        return usual(command, **options)

    monkeypatch.setattr("edgeflow.compress.choose.subprocess.run", run)
    auto = {"auto": {"recipes": list(recipes)}}
    facts = compress(trained, auto, tmp_path, candidates=candidates, train=None).facts
    assert facts["chosen"] == "fp32"
    mixed, crashes, _ = facts["tried"]
    assert mixed["failure"].startswith("keep_float.layers: no layer 'nowhere'")
    assert crashes["failure"] == "the process ended with signal 11"


def test_auto_says_what_each_recipe_lost(trained: Trained, tmp_path: Path) -> None:
    broken = {"prune": {"sparsity": 0.99, "epochs": 1, "learning_rate": 1e-9}}
    pruned = candidate(broken)
    pruned["slice"]["train"] = TRAIN
    auto = {"auto": {"recipes": ["sparse"], "accuracy_drop_max": 0.0}}
    with pytest.raises(CompileError, match=r"no recipe keeps .* sparse costs 0\.\d+") as caught:
        compress(trained, auto, tmp_path / "out", candidates={"sparse": pruned}, train=None)
    assert "qat-int8" in caught.value.hint

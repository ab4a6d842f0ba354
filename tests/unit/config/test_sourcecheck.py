"""Models from files: what `edgeflow check` can tell before anything runs."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeflow import plugins

Check = Callable[[object], dict[str, str]]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one model file of each kind; none of them is read further than its kind."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine.h5", "mine.onnx", "mine.tflite", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/saved_model.pb").write_bytes(b"")
    for version in ("2.21.0", "3.15.1"):
        with zipfile.ZipFile(tmp_path / f"keras{version[0]}.keras", "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": version}))
    return tmp_path


def bring(raw: dict[str, Any], source: str, **more: object) -> dict[str, Any]:
    raw["models"]["cnn"] = {"dataset": "digits", "source": source, **more}
    return raw


@pytest.mark.parametrize(
    "source", ["mine.h5", "keras2.keras", "keras3.keras", "mine.onnx", "mine.tflite", "saved"]
)
def test_files_of_each_kind_go_through_post_training_quantization(
    good: dict[str, Any], problems: Check, files: Path, source: str
) -> None:
    assert problems(bring(good, source)) == {}


def test_an_architecture_or_a_source(good: dict[str, Any], problems: Check, files: Path) -> None:
    both = bring(good, "mine.h5", architecture={"name": "ds_cnn"})
    found = problems(both)
    assert list(found) == ["models.cnn.source"]
    assert "not both (see models.cnn.architecture)" in found["models.cnn.source"]
    for nothing in ({"dataset": "digits"}, {"dataset": "digits", "architecture": None}):
        good["models"]["cnn"] = nothing
        assert "neither `architecture` nor `source`" in problems(good)["models.cnn"]


def test_inputs_and_outputs_are_chosen_of_files_alone(
    good: dict[str, Any], problems: Check, files: Path
) -> None:
    assert problems(bring(good, "mine.onnx", input="x", output="y")) == {}
    good["models"]["cnn"] = {"dataset": "digits", "architecture": {"name": "ds_cnn"}, "output": "y"}
    assert list(problems(good)) == ["models.cnn.output"]


def test_a_slip_in_a_key_is_one_problem(good: dict[str, Any], problems: Check) -> None:
    good["models"]["cnn"]["architectur"] = good["models"]["cnn"].pop("architecture")
    assert problems(good) == {
        "models.cnn.architectur": "unknown key (did you mean 'architecture'?)"
    }


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("mine.onx", "no file 'mine.onx' (did you mean 'mine.onnx'?)"),
        ("nowhere/mine.h5", "no file 'nowhere/mine.h5' (no folder nowhere with files)"),
        ("notes.txt", "'notes.txt' is no model file"),
        (".", "'.' is no model file"),
    ],
)
def test_a_file_that_is_none(
    good: dict[str, Any], problems: Check, files: Path, source: str, says: str
) -> None:
    found = problems(bring(good, source))
    assert list(found) == ["models.cnn.source"]
    assert found["models.cnn.source"].startswith(says)


@pytest.mark.parametrize("source", ["keras3.keras", "mine.onnx", "mine.tflite", "saved"])
def test_stages_that_train_need_a_model_that_can(
    good: dict[str, Any], problems: Check, files: Path, source: str
) -> None:
    good["recipes"]["int8"] = {"quantize": "qat-int8", "prune": {}}
    found = problems(bring(good, source))
    says = f"{source} cannot be trained on, and the recipe trains: prune, qat"
    assert found["deployments.0.recipe"].startswith(says)
    assert problems(bring(good, "keras2.keras", train={"batch_size": 16})) == {}


@pytest.mark.parametrize("source", ["keras3.keras", "mine.onnx", "mine.tflite", "saved"])
def test_a_target_of_layers_needs_a_file_that_has_them(
    good: dict[str, Any], problems: Check, files: Path, source: str
) -> None:
    good["targets"]["board"] = {"kind": "fpga", "flow": "hls"}
    good["deployments"] = [{"model": "cnn", "recipe": "fp32", "targets": ["board"]}]
    found = problems(bring(good, source))
    assert list(found) == ["deployments.0.model"]
    assert f"layers of Keras 2, which {source} is not (bring the .h5" in str(found)
    assert problems(bring(good, "keras2.keras")) == {}


def test_settings_of_a_training_that_cannot_be(
    good: dict[str, Any], problems: Check, files: Path
) -> None:
    found = problems(bring(good, "mine.onnx", train={"epochs": 1}))
    assert list(found) == ["models.cnn.train"]


def test_what_auto_tries_counts_too(good: dict[str, Any], problems: Check, files: Path) -> None:
    good["recipes"] |= {"pruned": {"prune": {}}, "int8": {"auto": {}}}
    found = problems(bring(good, "mine.onnx"))
    assert found["deployments.0.recipe"].startswith("it tries 'pruned': mine.onnx cannot be")
    good["recipes"]["int8"] = {"auto": {"recipes": ["fp32"]}}
    assert problems(good) == {}


def test_a_float_tflite_has_no_fp16_and_no_dynamic(
    good: dict[str, Any], problems: Check, files: Path
) -> None:
    good["deployments"][0]["recipe"] = "dyn"
    found = problems(bring(good, "mine.tflite"))
    assert found["deployments.0.recipe"].startswith("quantize: dynamic needs more than a .tflite")
    assert problems(bring(good, "mine.onnx")) == {}


def test_a_quantized_tflite_takes_an_empty_recipe_alone(
    good: dict[str, Any], problems: Check, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("modelfile", "sourcecheck"):
        given = f"edgeflow.config.{module}.quantization"
        monkeypatch.setattr(given, lambda _: {"quantize": "ptq-int8"})
    found = problems(bring(good, "mine.tflite"))
    assert "quantized already (ptq-int8)" in found["deployments.0.recipe"]
    good["deployments"][0]["recipe"] = "fp32"
    assert problems(good) == {}
    good["deployments"][0]["devices"] = ["bench-intel"]
    accepted = plugins.available(plugins.TARGETS)["openvino"].capabilities
    refused = "ptq-int8" not in accepted.quantized_source
    assert ("deployments.0.model" in problems(good)) == refused


def test_a_teacher_must_be_a_model_of_keras_2(
    good: dict[str, Any], problems: Check, files: Path
) -> None:
    good["models"]["large"] = {"dataset": "digits", "source": "mine.onnx"}
    good["recipes"]["int8"] = {"distill": {"teacher": "large"}}
    found = problems(good)
    assert list(found) == ["recipes.int8.distill.teacher"]
    good["models"]["large"]["source"] = "keras2.keras"
    assert problems(good) == {}


def test_problems_stand_at_their_lines(
    good_text: str, lines: Callable[[str], dict[str, int | None]], files: Path
) -> None:
    text = good_text.replace(
        "  cnn: {dataset: digits, architecture: {name: ds_cnn, width: 16}, train: {epochs: 2}}\n",
        "  cnn:\n    dataset: digits\n    source: mine.onx\n",
    )
    assert lines(text) == {"models.cnn.source": 6}


def test_a_family_of_files(good: dict[str, Any], problems: Check, files: Path) -> None:
    good["models"]["cnn"] = {"dataset": "digits", "vary": {"source": ["mine.h5", "min.h5"]}}
    assert list(problems(good)) == ["models.cnn.vary.source.1"]

"""Model files are opened by `edgeflow check` and held against their datasets."""

from pathlib import Path
from typing import Any

import pytest
from onnx import helper

from edgeflow.check.models import check_keras, check_models
from tests.unit.imported.onnx_models import draw, linear, save


def found(**model: Any) -> list[str]:
    raw = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"mine": {"dataset": "digits", **model}},
    }
    return [f"{'.'.join(map(str, f.keys))}: {f.message}" for f in check_models(raw)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def images(outputs: dict[str, Any], channels: int = 1) -> None:
    """Write mine.onnx for images of 8 by 8."""
    nodes = [helper.make_node("Conv", ["x", "w"], [name]) for name in outputs]
    ends = ({"x": ["n", channels, 8, 8]}, outputs)
    save(Path("mine.onnx"), nodes, ends, {"w": draw(10, channels, 8, 8)})


def test_a_file_that_fits() -> None:
    images({"y": ["n", 10, 1, 1]})
    assert found(source="mine.onnx") == []
    images({"y": ["n", 10, 1, 1], "z": ["n", 10]})
    assert found(source="mine.onnx", output="z") == []


def test_files_that_do_not() -> None:
    linear(Path("mine.onnx"))
    assert found(source="mine.onnx") == [
        "models.mine.source: it takes samples of shape (64,), its dataset has (8, 8, 1)"
    ]
    images({"y": ["n", 9, 1, 1]})
    (told,) = found(source="mine.onnx")
    assert "outputs of shape (9, 1, 1), its dataset has 10 classes" in told
    images({"y": ["n", 10], "z": ["n", 10]})
    assert found(source="mine.onnx") == [
        "models.mine.source: it has 2 outputs: 'y', 'z', of shape (10,), (10,); "
        "2 of them can be the task's"
    ]
    Path("mine.onnx").write_text("hello")
    assert found(source="mine.onnx") == [
        "models.mine.source: mine.onnx is no ONNX model, or is cut off"
    ]
    Path("mine.tflite").write_text("hello")
    assert found(source="mine.tflite") == [
        "models.mine.source: mine.tflite is no .tflite, or is cut off"
    ]


def test_what_others_tell_is_not_told_twice() -> None:
    Path("mine.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert found(source="mine.onnx") == found(source="gone.onnx") == []


def test_files_of_keras_2_are_loaded(keras: Any) -> None:
    raw: dict[str, Any] = {"datasets": {"digits": {"source": "digits"}}, "models": {}}
    for name, sample, classes in (("good", (8, 8, 1), 10), ("size", (4,), 10), ("few", (64,), 3)):
        layers = [keras.layers.Flatten(), keras.layers.Dense(classes)]
        network = keras.Sequential([keras.Input(sample), *layers])
        network.save(f"{name}.keras", save_format="keras")
        raw["models"][name] = {"dataset": "digits", "source": f"{name}.keras"}
    assert list(check_models(raw)) == []
    found = {finding.keys[1]: finding.message for finding in check_keras(raw)}
    assert set(found) == {"size", "few"}
    assert "takes samples of shape (4,)" in found["size"]


def test_a_recipe_that_trains_needs_the_truth_of_all_outputs(keras: Any) -> None:
    image = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(image)
    outputs = [
        keras.layers.Dense(10, name="scores")(flat),
        keras.layers.Dense(2, name="place")(flat),
    ]
    keras.Model(image, outputs).save("two.keras", save_format="keras")
    raw: dict[str, Any] = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"two": {"dataset": "digits", "source": "two.keras"}},
        "recipes": {"int8": {"quantize": "ptq-int8"}, "qat": {"quantize": "qat-int8"}},
        "deployments": [
            {"model": "two", "recipe": name, "devices": ["pi"]} for name in ("int8", "qat")
        ],
    }
    (told,) = check_keras(raw)
    assert told.keys == ("deployments", 1, "recipe")
    assert "truth of one of the 2 outputs: scores, place" in told.message
    raw["models"]["two"]["output"] = "scores"
    assert list(check_keras(raw)) == []

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgeflow.artifact.manifest import verify_files
from edgeflow.compress import build, form
from edgeflow.compress.build import compress_model
from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.quantize import fp16, ptq_int8
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.tensors import stored
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError, IntegrityError
from edgeflow.testing.trained import QUANTIZE, TRAIN, Trained

OF_THE_TRAINED_NETWORK = [quantize for quantize in QUANTIZE if quantize != "hgq"]
"""All but the one before which the fixture removes channels; see test_hgq.py."""


def interpreter(path: Path) -> Any:
    """Return the model without a delegate, so that its own tensors can be looked at."""
    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    model = Interpreter(str(path), experimental_op_resolver_type=kind)
    model.allocate_tensors()
    return model


def dtypes(path: Path) -> set[str]:
    return {tensor["dtype"].__name__ for tensor in interpreter(path).get_tensor_details()}


def compress(trained: Trained, quantize: str, out: Path) -> Any:
    slice_ = {"recipe": {"quantize": quantize}, "train": TRAIN}
    return compress_model("tiny", trained.dataset, trained.model, slice_, "0", out)


@pytest.mark.parametrize("quantize", QUANTIZE)
def test_every_recipe_has_a_batch_of_one(trained: Trained, quantize: str) -> None:
    model = interpreter(trained.recipe(quantize) / "model.tflite")
    assert model.get_input_details()[0]["shape"].tolist() == [1, 8, 8, 1]
    assert model.get_input_details()[0]["shape_signature"].tolist() == [1, 8, 8, 1]
    assert model.get_output_details()[0]["shape"].tolist() == [1, 10]


@pytest.mark.parametrize("quantize", ["ptq-int8", "qat-int8"])
def test_int8_is_integer_from_end_to_end(trained: Trained, quantize: str) -> None:
    path = trained.recipe(quantize) / "model.tflite"
    model = interpreter(path)
    assert model.get_input_details()[0]["dtype"] is np.int8
    assert model.get_output_details()[0]["dtype"] is np.int8
    assert dtypes(path) == {"int8", "int32"}


def test_what_the_other_recipes_store(trained: Trained) -> None:
    folders = {quantize: trained.recipe(quantize) / "model.tflite" for quantize in QUANTIZE}
    assert {"float16", "int8"}.isdisjoint(dtypes(folders["none"]))
    assert "float16" in dtypes(folders["fp16"])
    assert {"int8", "float32"} <= dtypes(folders["dynamic"])
    sizes = {quantize: path.stat().st_size for quantize, path in folders.items()}
    assert sizes["ptq-int8"] < sizes["none"]
    assert sizes["dynamic"] < sizes["none"]
    assert sizes["fp16"] < sizes["none"]


@pytest.mark.parametrize("quantize", OF_THE_TRAINED_NETWORK)
def test_its_manifest_tells_what_the_model_does(trained: Trained, quantize: str) -> None:
    folder = trained.recipe(quantize)
    manifest = verify_files(folder / "manifest.json")
    files = {"model.tflite", "float.tflite", "network/model.h5", "outputs.npy"}
    assert set(manifest.files) == files
    view, logits = trained.view(), trained.logits(quantize)
    flatbuffer = (folder / "model.tflite").read_bytes()
    np.testing.assert_array_equal(host_outputs(flatbuffer, view.tensors("test")[:5]), logits[:5])
    hits = logits.argmax(axis=1) == view.truth("test")
    facts = dict(manifest.facts)
    assert Recipe.model_validate(facts.pop("recipe")) == Recipe.model_validate(
        {"quantize": quantize}
    )
    assert facts == {
        "metric": "accuracy",
        "metric_test": pytest.approx(hits.mean()),
        "size_bytes": len(flatbuffer),
        "outputs": ["output"],
        "parameters": verify_files(trained.model / "manifest.json").facts["parameters"],
    }


def test_values_beyond_all_numbers_are_refused(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "test_x.npy", np.zeros((3, 8), np.float32))
    np.save(tmp_path / "test_y.npy", np.zeros((3, 1), np.float32))
    (tmp_path / "model.tflite").touch()
    facts = trained.view().facts.model_copy(update={"task": "regression"})
    overflow = np.full((3, 1), np.inf, np.float32)
    monkeypatch.setattr(build, "host_outputs", lambda *_: overflow)
    with pytest.raises(CompileError, match="net: the model's outputs are no finite numbers"):
        build._judge("net", DatasetView(folder=tmp_path, facts=facts), tmp_path, Recipe())


def test_the_float_network_is_the_trained_one(trained: Trained) -> None:
    keras = np.load(trained.model / "outputs.npy")
    np.testing.assert_allclose(trained.logits("none"), keras, atol=1e-4)
    floats = {
        (trained.recipe(quantize) / "float.tflite").read_bytes()
        for quantize in OF_THE_TRAINED_NETWORK
    }
    assert floats == {(trained.recipe("none") / "model.tflite").read_bytes()}
    networks = {
        (trained.recipe(quantize) / "network/model.h5").read_bytes()
        for quantize in OF_THE_TRAINED_NETWORK
    }
    assert networks == {(trained.model / "model.h5").read_bytes()}


def test_quantization_keeps_most_of_the_accuracy(trained: Trained) -> None:
    truth = trained.view().truth("test")
    hits = {q: (trained.logits(q).argmax(axis=1) == truth).mean() for q in OF_THE_TRAINED_NETWORK}
    assert hits["none"] > 0.7
    assert all(hits["none"] - share <= 0.05 for share in hits.values())


def test_equal_compressions_give_equal_bytes(trained: Trained, tmp_path: Path) -> None:
    again = compress(trained, "ptq-int8", tmp_path)
    assert again == verify_files(trained.recipe("ptq-int8") / "manifest.json")


def test_a_converter_that_fails(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: Any, recipe: Any, calibration: Any) -> bytes:
        raise ValueError("\n  no kernel for FOO\nand a long dump")

    monkeypatch.setattr(fp16, "convert", fail)
    with pytest.raises(CompileError, match="quantize: fp16: no kernel for FOO\n") as caught:
        compress(trained, "fp16", tmp_path / "out")
    assert caught.value.exit_code == 7
    assert "quantize: none" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("where", "name"),
    [(build, "host_outputs"), (form, "every_output")],
    ids=["reference", "comparison"],
)
def test_a_model_that_the_interpreter_cannot_run(
    where: Any, name: str, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(flatbuffer: bytes, inputs: Any) -> None:
        raise RuntimeError("tensor 3 cannot be prepared")

    monkeypatch.setattr(where, name, fail)
    with pytest.raises(CompileError, match=r"LiteRT cannot run .* tiny: tensor 3 cannot"):
        compress(trained, "none", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_operator_without_an_int8_kernel_is_an_error(keras: Any) -> None:
    import tensorflow as tf

    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Lambda(tf.math.erf)(inputs))

    def converter() -> Any:
        function = tf.function(lambda x: model(x))
        concrete = function.get_concrete_function(tf.TensorSpec((1, 4), tf.float32))
        return tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)

    source: Any = SimpleNamespace(converter=converter)
    with pytest.raises(Exception, match=r"(?i)erf|int8|custom|flex"):
        ptq_int8.convert(source, Recipe(quantize="ptq-int8"), stored(np.ones((2, 4), np.float32)))


def test_a_model_that_changed_since_its_training(trained: Trained, tmp_path: Path) -> None:
    model = tmp_path / "baseline"
    model.mkdir()
    (model / "manifest.json").write_bytes((trained.model / "manifest.json").read_bytes())
    (model / "model.h5").write_bytes(b"something else")
    with pytest.raises(IntegrityError, match=r"model\.h5"):
        compress_model("tiny", trained.dataset, model, {"recipe": {}}, "0", tmp_path / "out")

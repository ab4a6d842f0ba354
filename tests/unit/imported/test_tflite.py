"""A float .tflite is quantized as its network would be; a quantized one passes as it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress.build import compress_model
from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.source import FloatModel
from edgeflow.config.modelfile import quantization
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from tests.unit.imported.conftest import Import

pytestmark = [
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning"),
    pytest.mark.filterwarnings("ignore:(?s).*tf.lite.Interpreter is deprecated:UserWarning"),
]

Convert = Callable[..., Path]


@pytest.fixture
def convert(network: Any, view: DatasetView, tmp_path: Path) -> Convert:
    """Write a .tflite of the network, with settings of TensorFlow's converter."""
    import tensorflow as tf

    def run(
        *, calibrated: bool = False, ops: str = "", io: str = "float32", **settings: Any
    ) -> Path:
        batch = settings.pop("batch", 1)
        spec = tf.TensorSpec((batch, 8, 8, 1), tf.float32)
        concrete = tf.function(lambda x: network(x)).get_concrete_function(spec)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network)
        if calibrated:
            samples = view.inputs("calibration")
            settings["optimizations"] = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
        if ops:
            converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, ops)]
        converter.target_spec.supported_types = settings.pop("types", [])
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
        for name, value in settings.items():
            setattr(converter, name, value)
        path = tmp_path / "model.tflite"
        path.write_bytes(converter.convert())
        return path

    return run


@pytest.mark.parametrize("quantize", ["none", "ptq-int8", "ptq-int16x8"])
def test_a_float_file_is_quantized_as_its_network(
    bring: Import, convert: Convert, network: Any, view: DatasetView, tmp_path: Path, quantize: str
) -> None:
    import importlib

    from edgeflow.config.recipe import Recipe

    manifest = bring(convert(), "tflite")
    assert manifest.facts["quantized"] == {}
    recipe = Recipe.model_validate({"quantize": quantize})
    slice_ = {"recipe": recipe.model_dump(mode="json")}
    compress_model("m", view.folder, tmp_path / "baseline", slice_, "0", tmp_path / "out")
    technique = importlib.import_module(f"edgeflow.compress.quantize.{quantize.replace('-', '_')}")
    wanted = technique.convert(FloatModel(network), recipe, view.tensors("calibration"))
    outputs = host_outputs(wanted, view.tensors("test"))
    np.testing.assert_array_equal(np.load(tmp_path / "out/outputs.npy"), outputs)


@pytest.mark.parametrize("batch", [None, 8])
def test_another_batch_becomes_1(
    bring: Import, convert: Convert, view: DatasetView, network: Any, tmp_path: Path, batch: Any
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    bring(convert(batch=batch), "tflite")
    logits = np.load(tmp_path / "baseline/outputs.npy")
    np.testing.assert_allclose(logits, network(view.inputs("test")), atol=1e-4)
    interpreter = Interpreter(model_path=str(tmp_path / "baseline/model.tflite"))
    shapes = [tensor["shape_signature"] for tensor in interpreter.get_tensor_details()]
    assert not any((shape < 0).any() for shape in shapes)
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 8, 8, 1]
    assert interpreter.get_output_details()[0]["shape"].tolist() == [1, 10]


WIDE = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
QUANTIZED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "int8": (
        {"calibrated": True, "ops": "TFLITE_BUILTINS_INT8", "io": "int8"},
        {"quantize": "ptq-int8"},
    ),
    "uint8": (
        {"calibrated": True, "ops": "TFLITE_BUILTINS_INT8", "io": "uint8"},
        {"quantize": "ptq-int8", "io": "uint8"},
    ),
    "integers between float ends": ({"calibrated": True}, {"quantize": "ptq-int8"}),
    "int16x8": (
        {"calibrated": True, "ops": WIDE, "io": "int16"},
        {"quantize": "ptq-int16x8"},
    ),
    "dynamic": ({"optimizations": ["DEFAULT"]}, {"quantize": "dynamic"}),
    "fp16": ({"optimizations": ["DEFAULT"], "types": ["float16"]}, {"quantize": "fp16"}),
}


@pytest.mark.parametrize(("settings", "wanted"), QUANTIZED.values(), ids=QUANTIZED)
def test_a_quantized_file_passes_as_it_is(
    bring: Import,
    convert: Convert,
    view: DatasetView,
    tmp_path: Path,
    settings: dict[str, Any],
    wanted: dict[str, str],
) -> None:
    import tensorflow as tf

    given = dict(settings)
    if "optimizations" in given:
        given["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if "types" in given:
        given["types"] = [tf.float16]
    source = convert(**given)
    assert quantization(source) == wanted
    assert bring(source, "tflite").facts["quantized"] == wanted
    folder, out = tmp_path / "baseline", tmp_path / "out"
    facts = compress_model("m", view.folder, folder, {"recipe": {}}, "0", out).facts
    assert {key: facts["recipe"][key] for key in wanted} == wanted
    assert (out / "model.tflite").read_bytes() == source.read_bytes()
    np.testing.assert_array_equal(np.load(out / "outputs.npy"), np.load(folder / "outputs.npy"))
    again = {"recipe": {"quantize": "ptq-int8"}}
    with pytest.raises(CompileError, match="quantized already"):
        compress_model("m", view.folder, folder, again, "0", tmp_path / "twice")


def test_a_float_file_is_not_taken_for_a_quantized_one(convert: Convert) -> None:
    assert quantization(convert()) == {}


def test_channels_first(bring: Import, keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    flat = [keras.Input((1, 8, 8)), keras.layers.Flatten(), keras.layers.Dense(10)]
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Sequential(flat))
    (tmp_path / "first.tflite").write_bytes(converter.convert())
    with pytest.raises(CompileError, match=r"\(1, 8, 8\)") as caught:
        bring(tmp_path / "first.tflite", "tflite")
    assert "channels last" in caught.value.hint


def test_what_is_no_tflite(bring: Import, tmp_path: Path) -> None:
    (tmp_path / "text.tflite").write_text("hello")
    with pytest.raises(CompileError, match=r"text\.tflite is no \.tflite"):
        bring(tmp_path / "text.tflite", "tflite")
    assert not (tmp_path / "baseline").exists()


def many(keras: Any, path: Path, quantized: DatasetView | None = None) -> Path:
    """Write a .tflite of two inputs and outputs; the first output is (1, 1, 1, 10)."""
    import tensorflow as tf

    layers = keras.layers
    image, state = keras.Input((8, 8), name="image"), keras.Input((10,), name="state")
    x = layers.Conv2D(10, 8)(layers.Reshape((8, 8, 1))(image))
    mixed = layers.Add()([layers.Flatten()(x), layers.Dense(10)(state)])
    model = keras.Model([image, state], [x, layers.Softmax()(mixed)])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantized is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        samples = quantized.inputs("calibration")[..., 0]
        zeros = np.zeros((1, 10), np.float32)
        converter.representative_dataset = lambda: (
            {"image": each[None], "state": zeros} for each in samples
        )
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
    return path


def ends(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return {d["name"]: d for d in inputs}, {d["name"]: d for d in outputs}


@pytest.mark.parametrize("quantize", [False, True])
def test_one_output_of_several_without_sizes_of_1(
    bring: Import, keras: Any, view: DatasetView, tmp_path: Path, quantize: bool
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    source = many(keras, tmp_path / "two.tflite", view if quantize else None)
    inputs, outputs = ends(source)
    (image,) = (name for name, detail in inputs.items() if len(detail["shape"]) == 3)
    (output,) = (name for name, detail in outputs.items() if len(detail["shape"]) == 4)
    with pytest.raises(CompileError, match="it has 2 inputs: ") as caught:
        bring(source, "tflite")
    assert repr(image) in caught.value.message
    manifest = bring(source, "tflite", output=output)
    made = tmp_path / "baseline/model.tflite"
    given, kept = ends(made)
    assert {n: detail["shape"].tolist() for n, detail in given.items()} == {image: [1, 8, 8, 1]}
    assert {n: detail["shape"].tolist() for n, detail in kept.items()} == {output: [1, 10]}
    assert made.stat().st_size < source.stat().st_size
    assert manifest.facts["quantized"] == ({"quantize": "ptq-int8"} if quantize else {})

    whole = Interpreter(model_path=str(source))
    whole.allocate_tensors()
    from edgeflow.compress.evaluate import dequantized, quantized

    wanted = []
    for sample in quantized(view.inputs("test")[..., 0], inputs[image]):
        whole.set_tensor(inputs[image]["index"], sample[None])
        whole.invoke()
        wanted.append(whole.get_tensor(outputs[output]["index"])[0, 0, 0])
    rows = dequantized(np.stack(wanted), outputs[output])
    scale = outputs[output]["quantization"][0]
    np.testing.assert_allclose(
        np.load(tmp_path / "baseline/outputs.npy"), rows, atol=max(scale, 1e-5)
    )
    again = bring(source, "tflite", tmp_path / "again", output=output)
    assert again.files == manifest.files


def test_an_output_that_needs_another_input(bring: Import, keras: Any, tmp_path: Path) -> None:
    source = many(keras, tmp_path / "two.tflite")
    inputs, outputs = ends(source)
    (image,) = (name for name, detail in inputs.items() if len(detail["shape"]) == 3)
    (mixed,) = (name for name, detail in outputs.items() if len(detail["shape"]) == 2)
    with pytest.raises(CompileError, match="it has 2 inputs: "):
        bring(source, "tflite", output=mixed)
    with pytest.raises(CompileError, match=f"output '{mixed}' needs the inputs '.*state.*' beside"):
        bring(source, "tflite", output=mixed, input=image)
    with pytest.raises(CompileError, match="it has no output 'frob', only "):
        bring(source, "tflite", output="frob")


def test_free_height_and_width(
    bring: Import, keras: Any, view: DatasetView, tmp_path: Path
) -> None:
    import tensorflow as tf

    layers = [keras.Input((None, None, 1)), keras.layers.Conv2D(10, 3)]
    model = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D()])
    source = tmp_path / "free.tflite"
    source.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    bring(source, "tflite")
    logits = np.load(tmp_path / "baseline/outputs.npy")
    np.testing.assert_allclose(logits, model(view.inputs("test")), atol=1e-5)
    assert ends(tmp_path / "baseline/model.tflite")[0].popitem()[1]["shape"].tolist() == [
        1,
        8,
        8,
        1,
    ]


def with_a_custom_softmax(path: Path) -> None:
    """Make Softmax an operator that LiteRT does not have."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model, softmax = flatbuffer_utils.read_model(str(path)), schema.BuiltinOperator.SOFTMAX
    code = next(code for code in model.operatorCodes if code.builtinCode == softmax)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"Frob"
    for operator in model.subgraphs[0].operators:
        if model.operatorCodes[operator.opcodeIndex] is code:
            operator.builtinOptions, operator.builtinOptionsType = None, 0
    flatbuffer_utils.write_model(model, str(path))


def test_a_custom_operator_matters_only_where_it_is_needed(
    bring: Import, keras: Any, tmp_path: Path
) -> None:
    import tensorflow as tf

    source = many(keras, tmp_path / "two.tflite")
    with_a_custom_softmax(source)
    output = next(n for n, detail in ends(source)[1].items() if len(detail["shape"]) == 4)
    bring(source, "tflite", output=output)
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    model = keras.Sequential([*layers, keras.layers.Softmax()])
    source.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    with_a_custom_softmax(source)
    with pytest.raises(CompileError, match="unresolved custom op: Frob") as caught:
        bring(source, "tflite")
    assert "LiteRT's own operators" in caught.value.hint

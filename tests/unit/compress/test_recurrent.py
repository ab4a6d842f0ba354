"""Recurrent networks become integers, and what ends the converter ends no step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress import pipeline
from edgeflow.compress.conversion import convert_float, quantized
from edgeflow.compress.integer import float_tensors
from edgeflow.compress.quantize import none, ptq_int8
from edgeflow.compress.source import FlatbufferModel, FloatModel
from edgeflow.compress.unroll import unrolled
from edgeflow.config.recipe import Recipe
from edgeflow.errors import CompileError
from edgeflow.ondevice.engine_litert import Engine
from edgeflow.testing.trained import Trained
from tests.unit.compress.networks import network

INT8 = Recipe.model_validate({"quantize": "ptq-int8"})


def recurrent(keras: Any, *recurrences: Any, steps: int | None = 8) -> Any:
    """Return a network that reads an image row by row, with weights of every bias."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Reshape((steps or 8, 8))(inputs)
    for layer in recurrences:
        x = layer(x)
    model = keras.Model(inputs, keras.layers.Dense(10)(x))
    random = np.random.default_rng(0)
    model.set_weights([w + random.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


def cases(layers: Any) -> Mapping[str, list[Any]]:
    both = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
    merged = layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode="ave")
    return {
        "gru": [layers.GRU(6)],
        "gru-v1": [layers.GRU(6, reset_after=False, use_bias=False)],
        "lstm-both-ways": [both, layers.LSTM(4, go_backwards=True)],
        "simple-after-merged": [merged, layers.SimpleRNN(6)],
    }


@pytest.mark.parametrize("case", ["gru", "gru-v1", "lstm-both-ways", "simple-after-merged"])
def test_a_recurrent_network_is_integer_on_the_device(
    keras: Any, trained: Trained, tmp_path: Path, case: str
) -> None:
    model, view = recurrent(keras, *cases(keras.layers)[case]), trained.view()
    source = pipeline._source("net/int8", network(keras, model, view), INT8)
    float_model = convert_float("net/int8", source, view, INT8)
    flatbuffer, _ = quantized("net/int8", source, view, INT8, float_model)
    assert float_tensors(flatbuffer) == []
    (tmp_path / "model.tflite").write_bytes(flatbuffer)
    engine = Engine(str(tmp_path), {"model": "model.tflite", "threads": 1, "xnnpack": True})
    source_io, sink_io = (engine.io()[side][0] for side in ("inputs", "outputs"))
    x = view.inputs("calibration")[:50]
    given = np.rint(x / source_io["scale"]) + source_io["zero_point"]
    found = np.concatenate(
        [engine.infer(s[None].astype(np.int8))[0] for s in given.clip(-128, 127)]
    )
    wanted = model(x, training=False).numpy()
    error = (found.astype(np.float32) - sink_io["zero_point"]) * sink_io["scale"] - wanted
    assert np.sqrt(np.mean(error**2)) < 0.02 * np.ptp(wanted)


def test_what_cannot_be_unrolled_stays_as_it_is(keras: Any) -> None:
    layers = keras.layers
    for layer in (layers.RNN(layers.LSTMCell(4)), layers.GRU(4, stateful=False, return_state=True)):
        inputs = keras.Input((8, 8))
        outputs = layer(inputs)
        model = keras.Model(inputs, outputs[0] if isinstance(outputs, list) else outputs)
        assert unrolled(keras, model) is model
    masked = recurrent(keras, layers.Masking(), layers.GRU(4))
    assert unrolled(keras, masked) is masked


def test_a_crash_of_the_converter_is_an_error_that_names_the_layer(
    keras: Any, trained: Trained
) -> None:
    """Cells in a loop: TensorFlow's quantizer ends with a segmentation fault."""
    cell = keras.layers.RNN(keras.layers.GRUCell(4), name="listener")
    model, view = recurrent(keras, cell), trained.view()
    source = pipeline._source("net/int8", network(keras, model, view), INT8)
    float_model = convert_float("net/int8", source, view, INT8)
    with pytest.raises(CompileError, match="(?s)net/int8, .*ptq-int8.* listener: .*SEGV") as error:
        quantized("net/int8", source, view, INT8, float_model)
    assert "`quantize: dynamic`" in error.value.hint


def test_ranges_inside_of_an_operator_are_no_float_tensors(keras: Any, trained: Trained) -> None:
    model = recurrent(keras, keras.layers.LSTM(4))
    fused = FlatbufferModel(none.convert(FloatModel(model), Recipe(), None))
    samples = trained.view().tensors("calibration")
    assert float_tensors(ptq_int8.convert(fused, INT8, samples)) == []


def test_a_sample_does_not_depend_on_the_one_before(
    keras: Any, trained: Trained, tmp_path: Path
) -> None:
    """LiteRT's LSTM operator goes on from the state that it is left in."""
    model = recurrent(keras, keras.layers.LSTM(4))
    (tmp_path / "model.tflite").write_bytes(none.convert(FloatModel(model), Recipe(), None))
    engine = Engine(str(tmp_path), {"model": "model.tflite", "threads": 1, "xnnpack": True})
    one, other = trained.view().inputs("calibration")[:2, None]
    first, _, again = (engine.infer(x)[0] for x in (one, other, one))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, model(one, training=False), atol=1e-5)


def test_the_process_apart_hands_on_results_and_refusals(keras: Any, trained: Trained) -> None:
    model, view = recurrent(keras, keras.layers.LSTM(4)), trained.view()
    source = FloatModel(model)
    assert source.loops() == ["lstm"]
    float_model = convert_float("net/int8", source, view, INT8)
    flatbuffer, facts = quantized("net/int8", source, view, INT8, float_model)
    assert (float_tensors(flatbuffer), facts) == ([], {})
    absent = Recipe.model_validate({"quantize": "ptq-int8", "keep_float": {"layers": ["nowhere"]}})
    with pytest.raises(CompileError, match="no layer 'nowhere'"):
        quantized("net/int8", source, view, absent, float_model)

"""Every architecture trains, is saved and read again, and becomes int8 both ways."""

import importlib
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.quantize import ptq_int8
from edgeflow.compress.source import FloatModel
from edgeflow.config.model import architecture_module, architectures
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.tensors import stored
from edgeflow.train.keras import load_keras

Case = tuple[str, tuple[int, ...], dict[str, Any]]
CASES: list[Case] = [
    ("autoencoder", (40,), {"width": 16, "depth": 1}),
    ("autoencoder", (4, 4, 1), {"width": 16, "depth": 1, "batch_norm": False}),
    ("convnet", (8, 8, 1), {"channels": (4,), "kernel": 3, "dense": 8}),
    ("ds_cnn", (8, 8, 1), {"width": 8, "blocks": 1, "kernel": [4, 2], "first_dropout": 0.1}),
    ("mlp", (4, 4, 1), {"units": (16, 16), "dropout": 0.1}),
    ("mlp", (16,), {"units": (16,), "activation": "relu6"}),
    ("mlp", (16,), {"units": (16, 16), "activation": "hard_tanh"}),
    ("mobilenet_v1", (8, 8, 3), {"alpha": 0.125, "repeats": 0, "halvings": 1}),
    ("mobilenet_v2", (8, 8, 3), {"alpha": 0.1, "blocks": (1, 2, 0, 0, 0, 0, 0), "halvings": 1}),
    ("resnet8", (8, 8, 3), {"width": 4, "stacks": 2}),
    ("squeezenet", (8, 8, 1), {"alpha": 0.25, "modules": 3, "halvings": 1}),
]
CLASSES = 3


def named(case: Case) -> str:
    name, shape, options = case
    return "-".join([name, str(options.get("activation", "x".join(map(str, shape))))])


def samples(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(0).uniform(size=(32, *shape)).astype(np.float32)


def build(keras: Any, case: Case) -> Any:
    name, shape, options = case
    module = importlib.import_module(architecture_module(name))
    return module.build(keras, shape, CLASSES, **options)


def train_step(keras: Any, model: Any, x: Any, y: Any, loss: Any) -> None:
    """Take one step, in which every variable must have a gradient."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        error = tf.reduce_mean(loss(y, model(x, training=True)))
    variables = model.trainable_variables
    gradients = tape.gradient(error, variables)
    assert all(np.isfinite(gradient).all() and np.any(gradient) for gradient in gradients)
    keras.optimizers.SGD(0.01).apply_gradients(zip(gradients, variables, strict=True))


def test_no_architecture_is_left_out() -> None:
    assert {name for name, _, _ in CASES} == set(architectures())


@pytest.mark.parametrize("case", CASES, ids=named)
def test_an_architecture_goes_all_the_way_to_int8(case: Case, tmp_path: Path) -> None:
    keras = load_keras(seed=0)
    model, x = build(keras, case), samples(case[1])
    if case[0] == "autoencoder":
        y, loss = x, keras.losses.MeanSquaredError()
    else:
        y = np.arange(len(x)) % CLASSES
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train_step(keras, model, x, y, loss)
    model.save(tmp_path / "model.h5", include_optimizer=False, save_format="h5")

    loaded = keras.models.load_model(tmp_path / "model.h5", compile=False)
    flatbuffer = ptq_int8.convert(FloatModel(loaded), Recipe(quantize="ptq-int8"), stored(x))

    wanted = model(x, training=False).numpy()
    found = host_outputs(flatbuffer, stored(x))
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 0.1 * np.ptp(wanted)


def fused_activations(flatbuffer: bytes) -> Counter[str]:
    """Return how often each activation is computed within a dense layer."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.ActivationFunctionType).items()}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
    (graph,) = model.subgraphs
    assert {type(op.builtinOptions).__name__ for op in graph.operators} == {
        "FullyConnectedOptionsT"
    }
    return Counter(names[op.builtinOptions.fusedActivationFunction] for op in graph.operators)


def test_hard_tanh_is_fused_into_its_dense_layer() -> None:
    (case,) = [case for case in CASES if case[2].get("activation") == "hard_tanh"]
    model = FloatModel(build(load_keras(seed=0), case))
    flatbuffer = ptq_int8.convert(model, Recipe(quantize="ptq-int8"), stored(samples(case[1])))
    assert fused_activations(flatbuffer) == {"RELU_N1_TO_1": 2, "NONE": 1}


def quantization() -> Any:
    """Return tensorflow-model-optimization's `quantization.keras`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it looks at versions with distutils
        import tensorflow_model_optimization as tfmot
    return tfmot.quantization.keras


@pytest.mark.parametrize("case", CASES, ids=named)
def test_quantization_aware_training_takes_an_architecture(case: Case) -> None:
    model = build(load_keras(seed=0), case)
    if case[2].get("activation") == "hard_tanh":
        with pytest.raises(RuntimeError, match="clip_by_value"):
            quantization().quantize_model(model)
        return
    quantized = quantization().quantize_model(model)
    assert quantized.output_shape == model.output_shape
    assert len(quantized.weights) > len(model.weights)  # the ranges

"""Steps that rewrite a network are caught when they make another one of it."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress import conversion, prune, prune_channels, qat
from edgeflow.compress.channels import remove
from edgeflow.compress.channels.rebuild import rebuild
from edgeflow.compress.form import Form
from edgeflow.compress.quantize import none, ptq_int8
from edgeflow.compress.same import require_close, require_exact
from edgeflow.compress.source import FloatModel
from edgeflow.compress.tfmot import load_tfmot
from edgeflow.config.recipe import Prune, PruneChannels, Recipe
from edgeflow.dataset.tensors import stored
from edgeflow.errors import CompileError
from edgeflow.targets import host
from edgeflow.testing.trained import Trained
from tests.unit.compress.networks import network as staged
from tests.unit.compress.networks import pyramid
from tests.unit.packed import compile_tiny

QAT = Recipe.model_validate({"quantize": "qat-int8", "qat": {"epochs": 0}})
SAMPLES = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
TENSORS = stored(SAMPLES)


def only(*changes: Any) -> Form:
    """Return a network with an output for each change of its input."""
    return Form(lambda samples: [change(samples.first) for change in changes])


def form(change: Any) -> Form:
    layers = {"first": SAMPLES, "second": change(SAMPLES), "third": change(SAMPLES)}
    return Form(only(change).outputs, lambda _: layers)


def joined(model: Any, prefix: str = "") -> list[str]:
    inputs = model.get_layer(f"{prefix}join").input
    return [tensor._keras_history.layer.name.removeprefix("quant_") for tensor in inputs]


def test_training_with_rounding_keeps_the_order_of_joined_inputs(
    keras: Any, trained: Trained
) -> None:
    """tfmot 0.8.1 swaps them in this network, and nothing fails as both have equal widths."""
    before = staged(keras, pyramid(keras), trained.view("train", "validation"))
    after = qat.apply(before, QAT)
    assert joined(after.model, "quant_") == joined(before.model)


def test_a_swapped_join_is_refused(
    keras: Any, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qat, "inputs_in_order", nullcontext)
    before = staged(keras, pyramid(keras), trained.view("train", "validation"))
    with pytest.raises(CompileError, match="wrapping .* changed the network.*first.*'join'"):
        qat.apply(before, QAT)


@pytest.mark.parametrize("require", [require_exact, require_close])
def test_the_first_layer_that_differs_is_named(require: Any) -> None:
    with pytest.raises(CompileError, match="net: the step changed .* differs is 'second'") as error:
        require("net", "the step", form(np.copy), form(lambda x: x[:, ::-1]), TENSORS)
    assert error.value.exit_code == 7


def test_another_shape_and_a_number_that_is_none_are_differences() -> None:
    for change in (lambda x: x[:, :2], lambda x: np.full_like(x, np.nan)):
        for require in (require_exact, require_close):
            with pytest.raises(CompileError, match="changed the network"):
                require("net", "the step", only(np.copy), only(change), TENSORS)


def test_each_output_is_compared() -> None:
    before = only(np.copy, np.abs)
    require_exact("net", "a", before, only(np.copy, np.abs), TENSORS)
    with pytest.raises(CompileError, match="a changed the network: output 1: outputs of up to"):
        require_exact("net", "a", before, only(np.copy, np.copy), TENSORS)
    with pytest.raises(CompileError, match="output 1: it is there only before"):
        require_exact("net", "a", before, only(np.copy), TENSORS)


def test_exact_allows_for_sums_in_another_order_alone() -> None:
    require_exact("net", "a", only(np.copy), only(lambda x: x * np.float32(1 + 1e-5)), TENSORS)
    with pytest.raises(CompileError):
        require_exact("net", "a", only(np.copy), only(lambda x: x * np.float32(1.01)), TENSORS)


@pytest.mark.parametrize(
    "rounded",
    [
        lambda x: np.rint(x * 2) / 2,  # three bits
        lambda x: np.repeat(x.mean(axis=0)[None], len(x), axis=0),  # nothing is left
    ],
)
def test_lost_accuracy_is_no_other_network(rounded: Any) -> None:
    require_close("net", "rounding", only(np.copy), only(rounded), TENSORS)


def shuffled(model: Any, layer: str) -> Iterator[None]:
    """Give a layer its filters in another order, for a while."""
    kept = model.get_layer(layer).get_weights()
    model.get_layer(layer).set_weights([weight[..., ::-1] for weight in kept])
    yield
    model.get_layer(layer).set_weights(kept)


@pytest.mark.parametrize(
    ("technique", "quantize", "step"),
    [(none, "none", "float .tflite"), (ptq_int8, "ptq-int8", "quantize: ptq-int8")],
)
def test_a_converter_that_makes_another_network_is_refused(
    keras: Any,
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    technique: Any,
    quantize: str,
    step: str,
) -> None:
    model = staged(keras, pyramid(keras), trained.view()).model
    usual = technique.convert

    def convert(*args: Any) -> bytes:
        (made,) = (usual(*args) for _ in shuffled(model, "after"))
        return bytes(made)

    recipe, view = Recipe.model_validate({"quantize": quantize}), trained.view()
    source = FloatModel(model)
    monkeypatch.setattr(technique, "convert", convert)

    def converted() -> None:
        float_model = conversion.convert_float("net", source, view, recipe)
        conversion.quantized("net", source, view, recipe, float_model)

    with pytest.raises(CompileError, match=f"{step} changed the network.*'after'"):
        converted()


def test_a_network_without_its_channels_is_compared_with_one_that_ignores_them(
    keras: Any, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = staged(keras, pyramid(keras), trained.view("train", "validation"))
    stage = PruneChannels(epochs=0)
    after = prune_channels.apply(before, stage, Recipe(prune_channels=stage))
    assert after.model.count_params() < before.model.count_params()
    usual = rebuild

    def other_channels(keras: Any, model: Any, layout: Any, kept: Any) -> Any:
        small = usual(keras, model, layout, kept)
        layer = small.get_layer("after")
        layer.set_weights([weight[..., ::-1] for weight in layer.get_weights()])
        return small

    monkeypatch.setattr(remove, "rebuild", other_channels)
    with pytest.raises(CompileError, match="removing channels changed the network.*'after'"):
        prune_channels.apply(before, stage, Recipe(prune_channels=stage))


def test_stripping_that_loses_the_zeros_is_refused(
    keras: Any, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = staged(keras, pyramid(keras), trained.view("train", "validation"))
    stage = Prune(epochs=1)
    sparsity = load_tfmot().sparsity.keras
    usual = sparsity.strip_pruning

    def stripped(model: Any) -> Any:
        made = usual(model)
        layer = made.get_layer("after")
        layer.set_weights([weight + 1 for weight in layer.get_weights()])
        return made

    monkeypatch.setattr(sparsity, "strip_pruning", stripped)
    with pytest.raises(CompileError, match="stripping after pruning changed the network"):
        prune.apply(before, stage, Recipe(prune=stage))


def test_a_compiler_that_makes_another_network_is_refused(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "dequantized", lambda values, sink: values[:, ::-1] * 1.0)
    with pytest.raises(CompileError, match="the compiler changed the network"):
        compile_tiny(trained, "litert", "none", tmp_path)

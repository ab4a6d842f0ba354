"""ONNX files are cut to one output, fixed to the dataset's sizes and renamed."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgeflow.dataset.tensors import stored
from edgeflow.errors import CompileError
from edgeflow.imported import onnx_graph, onnx_worker
from tests.unit.imported.onnx_models import draw, save

RNG = np.random.default_rng(1)


def net(path: Path, shape: Any) -> Path:
    """Write a convolution and a mean: 10 values for images of any size."""
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["c"], ["logits"]),
    ]
    return save(
        path, nodes, ({"input": shape}, {"logits": ["n", 10, 1, 1]}), {"w": draw(10, 3, 3, 3)}
    )


def bound(path: Path, samples: Any) -> tuple[Any, Any, Any]:
    model = onnx.load(path)
    onnx_graph.select(model, None, None)
    model, ((first, _),), (outputs,) = onnx_worker._bound(model, stored(samples))
    return model, first, outputs


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        (["n", 3, 8, 9], True),
        (["n", 3, "h", "w"], True),
        ([None, None, None, None], True),
        ([64, 3, 8, 9], True),
    ],
)
def test_free_sizes_are_those_of_the_dataset(tmp_path: Path, shape: Any, first: bool) -> None:
    x = RNG.normal(size=(4, 8, 9, 3)).astype(np.float32)
    model, found, outputs = bound(net(tmp_path / "m.onnx", shape), x)
    assert found is first
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 8, 9]
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    wanted = np.einsum("nhwcij,ocij->no", windows, draw(10, 3, 3, 3)) / 42
    np.testing.assert_allclose(outputs.reshape(4, 10), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("declared", "sample", "layouts"),
    [
        ([3, 8, 9], (8, 9, 3), [(True, (3, 8, 9))]),
        ([8, 9, 3], (8, 9, 3), [(False, (8, 9, 3))]),
        ([None, None, None], (8, 9, 3), [(True, (3, 8, 9)), (False, (8, 9, 3))]),
        ([None, None, 3], (8, 9, 3), [(False, (8, 9, 3))]),
        ([28, 28], (28, 28, 1), [(False, (28, 28)), (True, (28, 28))]),
        ([640], (640,), [(True, (640,)), (False, (640,))]),
        ([1, 640], (640,), [(False, (1, 640)), (True, (1, 640))]),
        ([None, 640], (640,), []),
        ([6, 64], (64, 1, 6), [(True, (6, 64))]),
        ([64, 6], (64, 1, 6), [(False, (64, 6))]),
        ([3, 9, 8], (8, 9, 3), []),
        ([64], (8, 8, 1), []),
    ],
)
def test_the_ways_to_feed_a_sample(declared: Any, sample: Any, layouts: Any) -> None:
    assert list(onnx_worker._layouts(declared, sample)) == layouts


def test_a_fully_free_input_is_fed_the_way_that_runs(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["input"], ["x"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["x", "w"], ["logits"], kernel_shape=[8, 8]),
    ]
    ends = ({"input": [None] * 4}, {"logits": [None] * 4})
    path = save(tmp_path / "m.onnx", nodes, ends, {"w": draw(10, 3, 8, 8)})
    x = RNG.normal(size=(2, 8, 8, 3)).astype(np.float32)
    _, first, outputs = bound(path, x)
    assert not first
    wanted = np.einsum("nhwc,ochw->no", x, draw(10, 3, 8, 8))
    np.testing.assert_allclose(outputs.reshape(2, 10), wanted, atol=1e-4)


def test_samples_that_do_not_fit(tmp_path: Path) -> None:
    x = np.zeros((2, 8, 8, 1), np.float32)
    with pytest.raises(CompileError, match=r"\(3, 8, 8\), its dataset has \(8, 8, 1\)"):
        bound(net(tmp_path / "m.onnx", ["n", 3, 8, 8]), x)
    with pytest.raises(CompileError, match="ONNX Runtime cannot run it for samples of shape"):
        bound(net(tmp_path / "m.onnx", ["n", None, None, None]), x)


def two(path: Path) -> Path:
    """Write a model of two inputs and two outputs; `plain` needs one of them."""
    nodes = [
        helper.make_node("MatMul", ["input", "w"], ["inner"]),
        helper.make_node("Softmax", ["inner"], ["plain"]),
        helper.make_node("Add", ["inner", "state"], ["mixed"]),
    ]
    inputs = {"input": ["n", 64], "state": ["n", 10]}
    outputs = {"plain": ["n", 10], "mixed": ["n", 10]}
    return save(path, nodes, (inputs, outputs), {"w": draw(64, 10)})


@pytest.mark.parametrize("output", ["plain", "inner"])
def test_one_output_and_what_it_needs(tmp_path: Path, output: str) -> None:
    model = onnx.load(two(tmp_path / "m.onnx"))
    onnx_graph.select(model, None, output)
    assert [value.name for value in model.graph.input] == ["input"]
    assert [value.name for value in model.graph.output] == [output]
    assert len(model.graph.node) == {"plain": 2, "inner": 1}[output]
    x = RNG.normal(size=(3, 64)).astype(np.float32)
    (outputs,) = onnx_worker._bound(model, stored(x))[2]
    wanted = x @ draw(64, 10)
    if output == "plain":
        wanted = np.exp(wanted) / np.exp(wanted).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "output", "message", "hint"),
    [
        (None, None, "'plain' or 'mixed' needs the inputs 'state' beside 'input'", "`output`"),
        ({"a": "state"}, "plain", "the dataset has the inputs 'input', and .* names 'a'", "NAME"),
        (None, "frob", "it has no output 'frob', only 'plain', 'mixed'", "key `output`"),
        (None, "mixed", "output 'mixed' needs the inputs 'state' beside 'input'", "`output`"),
        ("frob", "plain", "it has no input 'frob', only 'input'", "key `input`"),
        ("input", "mixed", "output 'mixed' needs the inputs 'state' beside 'input'", "`output`"),
    ],
)
def test_a_choice_that_is_none(
    tmp_path: Path, given: str | None, output: str | None, message: str, hint: str
) -> None:
    model = onnx.load(two(tmp_path / "m.onnx"))
    with pytest.raises(CompileError, match=message) as caught:
        onnx_graph.select(model, given, output)
    assert hint in caught.value.hint


def test_what_branches_read_is_kept(tmp_path: Path) -> None:
    def branch(name: str, weights: str) -> Any:
        node = helper.make_node("MatMul", ["input", weights], [name])
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, 1, None)])

    nodes = [
        helper.make_node(
            "If", ["yes"], ["y"], then_branch=branch("a@0", "w@1"), else_branch=branch("b", "w@2")
        )
    ]
    weights = {"w@1": draw(64, 10), "w@2": -draw(64, 10), "yes": np.array(True)}
    path = save(tmp_path / "m.onnx", nodes, ({"input": [1, 64]}, {"y": [1, 10]}), weights)
    model = onnx.load(path)
    onnx_graph.select(model, None, None)
    onnx_graph.rename(model)
    x = RNG.normal(size=(2, 64)).astype(np.float32)
    (outputs,) = onnx_worker._bound(model, stored(x))[2]
    np.testing.assert_allclose(outputs, x @ draw(64, 10), atol=1e-5)


def test_names_become_such_as_tensorflow_takes(tmp_path: Path) -> None:
    names = ["Softmax@0", "Softmax_0", "nSoftmax_0", "/conv/out", "_x", "a b", "über", "a:0"]
    ends = ["input", *names]
    nodes = [
        helper.make_node("Relu", [a], [b], name=f"{b}!") for a, b in zip(ends, names, strict=False)
    ]
    model = onnx.load(save(tmp_path / "m.onnx", nodes, ({"input": [1, 4]}, {"a:0": [1, 4]}), {}))
    onnx_graph.rename(model)
    onnx.checker.check_model(model)
    given = [node.output[0] for node in model.graph.node]
    assert len(set(given)) == len(names)
    assert all(onnx_graph.SAFE.fullmatch(name) for name in given)
    assert all(onnx_graph.SAFE.fullmatch(node.name) for node in model.graph.node)


@pytest.mark.parametrize("dtype", ["INT32", "INT64", "UINT8", "FLOAT16", "DOUBLE"])
def test_other_numbers_are_cast(tmp_path: Path, dtype: str) -> None:
    nodes = [
        helper.make_node("Cast", ["input"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "w"], ["logits"]),
    ]
    ends, number = ({"input": ["n", 64]}, {"logits": ["n", 10]}), getattr(TensorProto, dtype)
    path = save(tmp_path / "m.onnx", nodes, ends, {"w": draw(64, 10)}, dtype=number)
    x = RNG.integers(0, 200, (3, 64)).astype(np.float32)
    model, _, outputs = bound(path, x)
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    np.testing.assert_allclose(outputs, x @ draw(64, 10), rtol=1e-4, atol=1e-3)


def test_what_changes_nothing_is_dropped(tmp_path: Path) -> None:
    """onnx2tf slices another axis than the file where a size of 1 follows the channels."""
    nodes = [
        helper.make_node("Reshape", ["input", "same"], ["a"]),
        helper.make_node("Slice", ["a", "from", "to", "axes", "steps"], ["b"], "all"),
        helper.make_node("Slice", ["b", "from", "to", "axes", "back"], ["c"], "backwards"),
        helper.make_node("Slice", ["c", "from", "five", "axes", "steps"], ["d"], "half"),
        helper.make_node("Expand", ["d", "small"], ["e"]),
        helper.make_node("Relu", ["e"], ["f"]),
        helper.make_node("Reshape", ["f", "small"], ["y"], "last"),
    ]
    weights = {
        **{"same": np.array([1, 10]), "small": np.array([1, 5]), "from": np.array([0])},
        **{"to": np.array([10]), "five": np.array([5]), "axes": np.array([1])},
        **{"steps": np.array([1]), "back": np.array([-1])},
    }
    ends = ({"input": [1, 10]}, {"y": [1, 5]})
    model = onnx.shape_inference.infer_shapes(
        onnx.load(save(tmp_path / "m.onnx", nodes, ends, weights)), data_prop=True
    )
    for value in ("c", "d", "e", "f"):
        size = 10 if value == "c" else 5
        model.graph.value_info.append(helper.make_tensor_value_info(value, 1, [1, size]))
    onnx_graph.drop_identities(model)
    kept = [(node.op_type, node.input[0], node.output[0]) for node in model.graph.node]
    assert kept == [
        ("Slice", "input", "c"),
        ("Slice", "c", "d"),
        ("Relu", "d", "f"),
        ("Reshape", "f", "y"),
    ]


def test_text_is_no_sample(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["input"], ["y"])]
    ends = ({"input": ["n", 64]}, {"y": ["n", 10]})
    path = save(tmp_path / "m.onnx", nodes, ends, {}, dtype=TensorProto.STRING)
    with pytest.raises(CompileError, match="input 'input' takes string"):
        bound(path, np.zeros((2, 64), np.float32))

"""Which operators the compiler puts into the part for the Edge TPU, and which files it refuses."""

from pathlib import Path

import pytest

from edgeflow.targets.edgetpu import EdgeTPU
from edgeflow.targets.edgetpu.options import EdgeTPUOptions
from tests.unit.targets.edgetpu.net import Net
from tests.unit.targets.edgetpu.test_rules import reasons

VECTOR = (1, 8)


def relu(net: Net, data: int) -> int:
    return net.add("RELU", [data], *VECTOR)


def alien(net: Net, data: int) -> int:
    return net.add("LEAKY_RELU", [data], *VECTOR)


def test_what_stands_behind_the_first_refused_operator_stays_too(tmp_path: Path) -> None:
    """As in DeepLab: one branch is resized on the CPU, the other is mapped to where they join."""
    net = Net(1, 33, 33, 8)
    pooled = net.add("AVERAGE_POOL_2D", [net.input], 1, 1, 1, 8)
    side = net.conv(net.input, 1, 33, 33, 8)
    value = net.conv(pooled, 1, 1, 1, 8)
    image = net.add("RESIZE_BILINEAR", [value, net.constant([33, 33])], 1, 33, 33, 8)
    both = net.add("CONCATENATION", [image, side], 1, 33, 33, 16, axis=3)
    logits = net.conv(both, 1, 33, 33, 4)
    net.add("ARG_MAX", [logits, net.constant(3)], 1, 33, 33, dtype="int64")
    found = reasons(net, tmp_path)
    assert sorted(found) == [3, 4, 5, 6]
    assert "single value" in found[3]
    assert "behind operator 3, RESIZE_BILINEAR" in found[4]
    assert "behind operator 3, RESIZE_BILINEAR" in found[5]
    assert "no such operator" in found[6]


def test_only_the_first_part_is_mapped_even_if_it_is_the_smaller_one(tmp_path: Path) -> None:
    """As with an image that is quantized, then transposed: one operator of 191 was mapped."""
    net = Net(*VECTOR, dtype="uint8")
    data = alien(net, net.add("QUANTIZE", [net.input], *VECTOR))
    for _ in range(5):
        data = relu(net, data)
    assert sorted(reasons(net, tmp_path)) == [1, 2, 3, 4, 5, 6]


def test_what_comes_before_the_first_part_does_not_end_it(tmp_path: Path) -> None:
    """As with float inputs: QUANTIZE and DEQUANTIZE stay on the CPU, all between them is mapped."""
    net = Net(*VECTOR, dtype="float32")
    data = net.add("QUANTIZE", [net.input], *VECTOR)
    data = relu(net, relu(net, data))
    net.add("DEQUANTIZE", [data], *VECTOR, dtype="float32")
    found = reasons(net, tmp_path)
    assert sorted(found) == [0, 3]
    assert "float32" in found[0]


def test_branches_that_wait_for_no_refused_operator_are_mapped(tmp_path: Path) -> None:
    net = Net(*VECTOR)
    refused = alien(net, relu(net, net.input))
    other = relu(net, relu(net, net.input))
    net.add("ADD", [refused, other], *VECTOR)
    assert sorted(reasons(net, tmp_path)) == [1, 4]


def test_multiple_subgraphs_map_what_stands_behind(tmp_path: Path) -> None:
    net = Net(*VECTOR)
    relu(net, alien(net, relu(net, net.input)))
    model = net.write(tmp_path / "model.tflite")
    options = EdgeTPUOptions(kind="edgetpu", multiple_subgraphs=True)
    warned = [one.operators for one in EdgeTPU.lint(model, options) if one.operators]
    assert warned == [(1,)]


def test_operators_that_wait_for_each_other_end(tmp_path: Path) -> None:
    net = Net(*VECTOR)
    ahead = net.tensor(*VECTOR)
    net.node("ADD", [net.input, ahead], [back := net.tensor(*VECTOR)])
    net.node("RELU", [back], [ahead])
    assert set(reasons(net, tmp_path)) == {0, 1}


@pytest.mark.parametrize(
    ("name", "version"),
    [("CONV_2D", 6), ("TRANSPOSE_CONV", 4), ("EXP", 2), ("LEAKY_RELU", 3), ("GELU", 1)],
)
def test_a_version_that_is_newer_than_the_compiler_ends_it(
    name: str, version: int, tmp_path: Path
) -> None:
    net = Net(*VECTOR)
    relu(net, net.input)
    net.add(name, [net.input], *VECTOR, version=version)
    found = reasons(net, tmp_path)
    assert set(found) == {0, 1}
    assert f"{name} of version {version}" in found[0]


def test_sizes_that_are_computed_end_the_compiler(tmp_path: Path) -> None:
    net = Net(*VECTOR)
    shape = net.add("SHAPE", [net.input], 2, dtype="int32")
    net.add("RESHAPE", [net.input, shape], 8, 1)
    relu(net, net.input)
    assert "operator 1, RESHAPE, is computed" in reasons(net, tmp_path)[2]


def test_a_shape_without_values_is_known(tmp_path: Path) -> None:
    net = Net(1, 1)
    net.add("RESHAPE", [net.input, net.constant([])])
    assert reasons(net, tmp_path) == {}


def test_a_float_model_is_not_taken(tmp_path: Path) -> None:
    net = Net(*VECTOR, dtype="float32")
    net.add("RELU", [net.input], *VECTOR, dtype="float32")
    assert set(reasons(net, tmp_path)) == {0}


def test_nothing_of_a_damaged_file_is_mapped(tmp_path: Path) -> None:
    net = Net(*VECTOR)
    relu(net, net.input)
    net.graph.operators[0].inputs = [-7]
    model = net.write(tmp_path / "model.tflite")
    (finding,) = EdgeTPU.lint(model, EdgeTPUOptions(kind="edgetpu"))
    assert (finding.severity, finding.operators) == ("warning", (0,))
    assert "damaged" in finding.message


def test_a_compiled_file_is_told(tmp_path: Path) -> None:
    net = Net(*VECTOR)
    net.add("edgetpu-custom-op", [net.input], *VECTOR)
    model = net.write(tmp_path / "model.tflite")
    (finding,) = EdgeTPU.lint(model, EdgeTPUOptions(kind="edgetpu"))
    assert "made of a network" in finding.message


def test_the_cache_is_estimated_and_an_open_batch_is_told(tmp_path: Path) -> None:
    for channels, word in ((64, "stay on the chip"), (3000, "sent anew")):
        net = Net(1, 1, 1, channels)
        net.graph.tensors[0].shapeSignature = [-1, 1, 1, channels]
        net.conv(net.input, 1, 1, 1, channels)
        found = EdgeTPU.lint(net.write(tmp_path / "m.tflite"), EdgeTPUOptions(kind="edgetpu"))
        assert [one.severity for one in found] == ["note", "note"]
        assert word in found[0].message
        assert "estimate" in found[0].message
        assert "open" in found[1].message


def test_sizes_that_are_open_beyond_the_batch_end_the_compiler(tmp_path: Path) -> None:
    net = Net(1, 4, 4, 8)
    net.graph.tensors[0].shapeSignature = [-1, -1, -1, 8]
    relu(net, net.conv(net.input, 1, 4, 4, 8))
    found = EdgeTPU.lint(net.write(tmp_path / "m.tflite"), EdgeTPUOptions(kind="edgetpu"))
    assert [(one.severity, one.operators) for one in found] == [
        ("warning", (0,)),
        ("warning", (1,)),
    ]
    assert "open beyond the batch" in found[0].message

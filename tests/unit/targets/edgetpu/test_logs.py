"""What published logs of the compiler say of operators whose sizes are known."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.targets.edgetpu.net import Net
from tests.unit.targets.edgetpu.test_rules import reasons


def lost(net: Net, folder: Path) -> list[str]:
    """Return the names of the operators that stay on the CPU, in the order of the file."""
    return [
        net.model.operatorCodes[index].customCode or names(net)[index]
        for index in sorted(reasons(net, folder))
    ]


def names(net: Net) -> list[str]:
    known = {number: name for name, number in vars(net.schema.BuiltinOperator).items()}
    return [known[code.builtinCode] for code in net.model.operatorCodes]


def heads(net: Net, sizes: Sequence[int], anchors: int, depth: int) -> int:
    """Add a detector's head on square maps: what each says in a row, all rows in one."""
    rows, count = [], 0
    for size in sizes:
        image = net.conv(net.input, 1, size, size, anchors * depth)
        count += size * size * anchors
        shape = [1, size * size * anchors, depth]
        rows.append(net.add("RESHAPE", [image, net.constant(shape)], *shape))
    return net.add("CONCATENATION", rows, 1, count, depth, axis=1)


def test_ssd_mobiledet_keeps_all_but_its_own_operator(tmp_path: Path) -> None:
    """2,034 boxes of 91 scores: `ssdlite_mobiledet_coco_qat_postprocess`."""
    net = Net(1, 20, 20, 8)
    scores = heads(net, (20, 10, 5, 3, 2), 3, 91)
    scores = net.add("LOGISTIC", [scores], 1, 1614, 91)
    net.add("TFLite_Detection_PostProcess", [scores], 1, 20, 4, dtype="float32")
    assert lost(net, tmp_path) == ["TFLite_Detection_PostProcess"]


@pytest.mark.parametrize(("classes", "kept"), [(5, True), (90, False)])
def test_efficientdet_lite0_keeps_the_scores_of_few_classes(
    classes: int, kept: bool, tmp_path: Path
) -> None:
    """19,206 boxes: 264 of 267 operators were mapped for a few classes."""
    net = Net(1, 40, 40, 8)
    heads(net, (40, 20, 10, 5, 3), 9, 4)
    scores = heads(net, (40, 20, 10, 5, 3), 9, classes)
    scores = net.add("LOGISTIC", [scores], 1, 19_206, classes)
    net.add("DEQUANTIZE", [scores], 1, 19_206, classes, dtype="float32")
    found = lost(net, tmp_path)
    assert found == ["DEQUANTIZE"] if kept else {"LOGISTIC", "CONCATENATION"} < {*found}


def test_yolov5s_loses_the_largest_of_three_heads(tmp_path: Path) -> None:
    """At 224 pixels: one TRANSPOSE of three, one RESHAPE of six, and what joins them."""
    net = Net(1, 28, 28, 8)
    rows = []
    for size in (28, 14, 7):
        image = net.conv(net.input, 1, size, size, 255)
        cells = size * size
        cut = net.add("RESHAPE", [image, net.constant([1, cells, 3, 85])], 1, cells, 3, 85)
        moved = net.add("TRANSPOSE", [cut, net.constant([0, 2, 1, 3])], 1, 3, cells, 85)
        row = [1, 3 * cells, 85]
        rows.append(net.add("RESHAPE", [moved, net.constant(row)], *row))
    net.add("CONCATENATION", rows, 1, 3087, 85, axis=1)
    assert lost(net, tmp_path) == ["TRANSPOSE", "RESHAPE", "CONCATENATION"]


def test_upsampling_by_packing_has_too_many_dimensions(tmp_path: Path) -> None:
    """As the feature pyramids of TensorFlow's detectors do it: two PACK and a RESHAPE each."""
    net = Net(1, 10, 10, 64)
    image = net.conv(net.input, 1, 10, 10, 64)
    wide = net.add("PACK", [image] * 2, 1, 10, 10, 2, 64, axis=3, valuesCount=2)
    high = net.add("PACK", [wide] * 2, 1, 10, 2, 10, 2, 64, axis=2, valuesCount=2)
    large = net.add("RESHAPE", [high, net.constant([1, 20, 20, 64])], 1, 20, 20, 64)
    net.add("ADD", [large, large], 1, 20, 20, 64)
    found = reasons(net, tmp_path)
    assert all("3 innermost" in found[index] for index in (1, 2, 3))
    assert "behind operator 1, PACK" in found[4]


def test_a_float_network_of_tensorflow_2_keeps_what_lies_between(tmp_path: Path) -> None:
    """MNIST: the float QUANTIZE and DEQUANTIZE are lost, nothing else."""
    net = Net(1, 28, 28, dtype="float32")
    shape = [1, 28, 28, 1]
    image = net.add("RESHAPE", [net.input, net.constant(shape)], *shape, dtype="float32")
    data = net.conv(net.add("QUANTIZE", [image], *shape), 1, 28, 28, 8)
    data = net.add("MAX_POOL_2D", [data], 1, 4, 4, 8)
    data = net.add("RESHAPE", [data, net.constant([1, 128])], 1, 128)
    logits = net.add("FULLY_CONNECTED", [data, net.weights(10, 128)], 1, 10, version=4)
    net.add("DEQUANTIZE", [logits], 1, 10, dtype="float32")
    assert lost(net, tmp_path) == ["RESHAPE", "QUANTIZE", "DEQUANTIZE"]


def test_normalizing_a_large_input_ends_the_first_part_at_its_second_mean(tmp_path: Path) -> None:
    """An instance normalization of 256 x 128 pixels: both MEAN are lost."""
    shape, channels = (1, 256, 128, 3), (1, 1, 1, 3)
    net = Net(*shape)
    mean = net.add("MEAN", [net.input, net.constant([1, 2])], *channels)
    centred = net.add("SUB", [net.input, mean], *shape)
    squares = net.add("SQUARED_DIFFERENCE", [net.input, mean], *shape)
    variance = net.add("MEAN", [squares, net.constant([1, 2])], *channels)
    scale = net.add("RSQRT", [variance], *channels)
    net.add("MUL", [centred, scale], *shape)
    found = reasons(net, tmp_path)
    assert all("32,768 values" in found[index] for index in (0, 3))
    assert all("behind operator 3, MEAN" in found[index] for index in (4, 5))
    assert found.keys() == {0, 3, 4, 5}


@pytest.mark.parametrize("batch", ["open", "fixed"])
def test_upsampling_by_a_transposed_convolution_takes_a_fixed_batch(
    batch: str, tmp_path: Path
) -> None:
    """Keras computes the size where the batch is open: kernels of 2 x 2 were lost by that alone."""
    net = Net(1, 8, 8, 16)
    size = net.constant([1, 16, 16, 8])
    if batch == "open":
        given = net.add("SHAPE", [net.input], 4, dtype="int32")
        size = net.add("PACK", [given] * 4, 4, dtype="int32", axis=0, valuesCount=4)
    net.add("TRANSPOSE_CONV", [size, net.weights(8, 2, 2, 16), net.input], 1, 16, 16, 8, version=2)
    found = reasons(net, tmp_path)
    assert set(found) == ({0, 1, 2} if batch == "open" else set())
    assert batch == "fixed" or "export with a fixed batch of 1" in found[2]

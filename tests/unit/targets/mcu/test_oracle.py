"""Both oracles run what the builders build, and agree where they round alike."""

from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.oracle import Engine
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.nets import Net, Quant

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

IMAGE = (1, 7, 6, 4)


def samples(engine: Engine, count: int, seed: int = 0) -> list[list[Any]]:
    random = np.random.default_rng(seed)
    shapes = [tensor["shape"] for tensor in engine.io()["inputs"]]
    return [[random.integers(-128, 128, s).astype(np.int8) for s in shapes] for _ in range(count)]


def outputs(model: bytes, profile: str) -> list[bytes]:
    engine = Engine.from_bytes(model, profile)
    runs = [engine.infer(*sample) for sample in samples(engine, 5)]
    for run in runs:
        assert [list(array.shape) for array in run] == [
            tensor["shape"] for tensor in engine.io()["outputs"]
        ]
    return [array.tobytes() for run in runs for array in run]


BUILDERS = {
    "conv2d": lambda n, x: nets.conv2d(n, x, 5, stride=2, activation="RELU6"),
    "conv2d dilated": lambda n, x: nets.conv2d(n, x, 5, dilation=(2, 1), padding="VALID"),
    "depthwise": lambda n, x: nets.depthwise_conv2d(n, x, 3, stride=2),
    "depthwise dilated": lambda n, x: nets.depthwise_conv2d(n, x, 2, dilation=2, per_channel=False),
    "average_pool2d": lambda n, x: nets.average_pool2d(n, x, 3, padding="SAME", activation="RELU"),
    "max_pool2d": lambda n, x: nets.max_pool2d(n, x, (2, 3), activation="RELU6"),
    "add": lambda n, x: nets.add(n, x, nets.conv2d(n, x, 4), activation="RELU"),
    "sub": lambda n, x: nets.sub(n, nets.int8_constant(n, (4,)), x),
    "mul": lambda n, x: nets.mul(n, x, nets.mean(n, x, keep_dims=True)),
    "concatenation": lambda n, x: nets.concatenation(n, [x, nets.relu6(n, x)], 1),
    "pad": lambda n, x: nets.pad(n, x, [(0, 0), (1, 2), (0, 3), (0, 0)]),
    "pad value": lambda n, x: nets.pad(n, x, [(0, 0), (1, 2), (0, 3), (1, 0)], -50),
    "reshape": lambda n, x: nets.reshape(n, x, (1, 168)),
    "squeeze": lambda n, x: nets.squeeze(n, x, [0]),
    "expand_dims": lambda n, x: nets.expand_dims(n, x, -1),
    "mean": lambda n, x: nets.mean(n, x, quant=Quant(0.02, 4)),
    "softmax": nets.softmax,
    "quantize": nets.quantize,
    "relu": nets.relu,
    "hard_swish": nets.hard_swish,
    "logistic": nets.logistic,
    "tanh": nets.tanh,
    "leaky_relu": nets.leaky_relu,
    "resize": lambda n, x: nets.resize_nearest_neighbor(n, x, (5, 13), align_corners=True),
    "strided_slice": lambda n, x: nets.strided_slice(
        n, x, [0, 5, 3, 1], [1, 6, 0, 3], begin_mask=1, end_mask=5, shrink_mask=2
    ),
    "split": lambda n, x: nets.split(n, x, 3, 2),
}


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_both_oracles_agree(build: Any) -> None:
    net = Net(1)
    built = build(net, net.input(IMAGE))
    model = net.model(*(built if isinstance(built, list) else [built]))
    made = outputs(model, "tflm")
    assert made == outputs(model, "litert-ref")
    assert len(set(b"".join(made))) > 10


def dense(per_channel: bool = False) -> bytes:
    net = Net()
    x = net.input((1, 24), dtype="float32")
    y = nets.fully_connected(net, nets.quantize(net, x), 40, per_channel=per_channel)
    return net.model(nets.dequantize(net, y))


def test_profiles_differ_in_dense_layers() -> None:
    engines = [Engine.from_bytes(dense(), profile) for profile in ("tflm", "litert-ref")]
    taken = samples(engines[0], 100)
    tflm, litert = (np.array([engine.infer(*one) for one in taken]) for engine in engines)
    differing = np.abs(tflm.astype(int) - litert.astype(int))
    assert 0 < differing.sum() < 0.05 * differing.size
    assert differing.max() == 1


def test_float_edges_are_int8() -> None:
    engine = Engine.from_bytes(dense(), "tflm")
    io = engine.io()
    (input_,), (output,) = io["inputs"], io["outputs"]
    assert (input_["dtype"], input_["zero_point"]) == ("int8", -9)
    assert input_["scale"] == pytest.approx(0.03)
    assert output["dtype"] == "int8"
    net = Net()
    y = nets.fully_connected(net, net.input((1, 24), Quant(0.03, -9)), 40)
    without_edges = Engine.from_bytes(net.model(y), "tflm")
    for sample in samples(engine, 20):
        np.testing.assert_array_equal(engine.infer(*sample)[0], without_edges.infer(*sample)[0])


def test_own_activation_of_minus_one_to_one_is_litert_s() -> None:
    net = Net()
    model = net.model(nets.relu_n1_to_1(net, net.input(IMAGE)))
    assert len(set(b"".join(outputs(model, "litert-ref")))) > 10
    with pytest.raises(CompileError, match="profile tflm cannot run") as caught:
        Engine.from_bytes(model, "tflm")
    assert "`profile: litert-ref`" in caught.value.hint


def test_loads_from_a_folder(tmp_path: Any) -> None:
    (tmp_path / "m.tflite").write_bytes(dense())
    engine = Engine(str(tmp_path), {"model": "m.tflite", "profile": "tflm"})
    assert engine.operators() == 3
    assert "tflite-micro 0.dev" in engine.version()


def test_a_file_that_the_kernels_cannot_read_whole() -> None:
    net = Net()
    content = net.model(nets.relu(net, net.input(IMAGE)))
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    entry = schema.MetadataT()
    entry.name, entry.buffer = "metadata", 0
    model.metadata = [entry]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    content = bytes(builder.Output())
    damaged = bytearray(content)
    table = schema.Model.GetRootAs(content, 0)._tab
    place = table.Vector(table.Offset(16)) - 4
    damaged[place : place + 4] = b"\xff\xff\xff\x00"  # how much metadata there is
    for profile in ("tflm", "litert-ref"):
        Engine.from_bytes(content, profile)
        with pytest.raises(CompileError, match="cannot read this file"):
            Engine.from_bytes(bytes(damaged), profile)

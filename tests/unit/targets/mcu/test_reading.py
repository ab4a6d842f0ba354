"""Files that no converter writes are refused when they are read."""

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.graph import Graph
from edgeflow.targets.mcu.reading import MAX_TENSORS, read_graph
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.nets import Net


def object_() -> Any:
    net = Net()
    x = net.input((1, 4, 4, 2), dtype="float32")
    y = nets.conv2d(net, nets.quantize(net, x), 3)
    return net.object(nets.dequantize(net, nets.fully_connected(net, y, 5)))


def read(model: Any) -> Graph:
    return read_graph(nets.packed(model))


def test_float_edges_are_left_out() -> None:
    graph = read(object_())
    assert [node.operator for node in graph.nodes] == ["CONV_2D", "FULLY_CONNECTED"]
    (source,), (target,) = graph.inputs, graph.outputs
    assert graph.tensors[source].dtype == graph.tensors[target].dtype == "int8"
    assert graph.tensors[source].shape == (1, 4, 4, 2)
    assert graph.nodes[0].kind == "Conv2D"
    assert graph.nodes[0].options["strideH"] == 1


def test_a_float_output_that_is_read_again_stays() -> None:
    net = Net()
    y = nets.dequantize(net, nets.relu(net, net.input((1, 4))))
    model = net.model(nets.quantize(net, y), y)
    assert [node.operator for node in read_graph(model).nodes] == ["RELU", "DEQUANTIZE", "QUANTIZE"]


Damage = Callable[[Any, Any], Any]
DAMAGES: dict[str, tuple[Damage, str]] = {
    "no tensor": (lambda m, g: setattr(g.operators[1], "inputs", [1, 99, 2]), "tensor 99 of"),
    "negative": (lambda m, g: setattr(g.operators[1], "inputs", [-2, 1]), "tensor -2 of"),
    "no operator": (
        lambda m, g: setattr(g.operators[1], "opcodeIndex", 9),
        "what is not there",
    ),
    "no buffer": (lambda m, g: setattr(g.tensors[2], "buffer", 77), "what is not there"),
    "read first": (lambda m, g: g.operators.reverse(), "reads what nothing has written"),
    "cycle": (lambda m, g: setattr(g.operators[1], "inputs", [7, 2, 3]), "nothing has written"),
    "twice": (lambda m, g: setattr(g.operators[2], "outputs", [4]), "or again"),
    "input twice": (lambda m, g: setattr(g, "inputs", [0, 0]), "comes twice"),
    "no input": (lambda m, g: setattr(g, "inputs", []), "nothing has written|no inputs"),
    "output is input": (lambda m, g: setattr(g, "outputs", [0]), "is an input"),
    "size": (lambda m, g: setattr(g.tensors[2], "shape", [3, 3, 3, 3]), "bytes are not"),
    "huge": (lambda m, g: setattr(g.tensors[1], "shape", [1 << 30, 1 << 30]), "has the shape"),
    "below zero": (lambda m, g: setattr(g.tensors[1], "shape", [1, -4, 4, 2]), "has the shape"),
    "rank": (lambda m, g: setattr(g.tensors[1], "shape", [1] * 100), "has the shape"),
    "type": (lambda m, g: setattr(g.tensors[2], "type", 90), "what is not there"),
    "infinite": (lambda m, g: setattr(g.tensors[1].quantization, "scale", [np.inf]), "scales"),
    "no number": (lambda m, g: setattr(g.tensors[1].quantization, "scale", [np.nan]), "scales"),
    "scale below zero": (lambda m, g: setattr(g.tensors[1].quantization, "scale", [-1]), "scales"),
    "scales": (lambda m, g: setattr(g.tensors[2].quantization, "scale", [1.0] * 2), "2 scales"),
    "axis": (lambda m, g: setattr(g.tensors[2].quantization, "quantizedDimension", 9), "3 scales"),
    "zero": (lambda m, g: setattr(g.tensors[1].quantization, "zeroPoint", [128]), "cannot hold"),
    "graphs": (lambda m, g: setattr(m, "subgraphs", [g, g]), "2 subgraphs"),
    "no graph": (lambda m, g: setattr(m, "subgraphs", []), "0 subgraphs"),
    "varies": (lambda m, g: setattr(g.tensors[2], "isVariable", True), "constant that varies"),
    "outside": (lambda m, g: setattr(m.buffers[1], "offset", 5), "outside"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_named(damage: Damage, message: str) -> None:
    model = object_()
    damage(model, model.subgraphs[0])
    with pytest.raises(CompileError, match=message):
        read(model)


def test_each_cut_is_refused() -> None:
    model = nets.packed(object_())
    for length in range(0, len(model) - 8, 3):
        with pytest.raises(CompileError):
            read_graph(model[:length])


Build = Callable[[flatbuffers.Builder], int]
COUNT = 10_000


def tensor_with_scales(builder: flatbuffers.Builder) -> int:
    scales = builder.CreateNumpyVector(np.ones(COUNT, np.float32))
    zero_points = builder.CreateNumpyVector(np.zeros(COUNT, np.int64))
    shape = builder.CreateNumpyVector(np.array([COUNT], np.int32))
    schema.QuantizationParametersStart(builder)
    schema.QuantizationParametersAddScale(builder, scales)
    schema.QuantizationParametersAddZeroPoint(builder, zero_points)
    quantization = schema.QuantizationParametersEnd(builder)
    schema.TensorStart(builder)
    schema.TensorAddQuantization(builder, quantization)
    schema.TensorAddShape(builder, shape)
    return int(schema.TensorEnd(builder))


def operator_with_text(builder: flatbuffers.Builder) -> int:
    text = builder.CreateString("a" * 200_000)
    schema.VarHandleOptionsStart(builder)
    schema.VarHandleOptionsAddContainer(builder, text)
    options = schema.VarHandleOptionsEnd(builder)
    schema.OperatorStart(builder)
    schema.OperatorAddBuiltinOptionsType(builder, schema.BuiltinOptions.VarHandleOptions)
    schema.OperatorAddBuiltinOptions(builder, options)
    return int(schema.OperatorEnd(builder))


@pytest.mark.parametrize(
    ("element", "add"),
    [
        (tensor_with_scales, schema.SubGraphAddTensors),
        (operator_with_text, schema.SubGraphAddOperators),
    ],
)
def test_shared_vectors_cannot_multiply(element: Build, add: Any) -> None:
    """Many tables that share one vector: a file of 200 kB that describes a gigabyte."""
    builder = flatbuffers.Builder(0)

    def vector(one: int, length: int) -> int:
        builder.StartVector(4, length, 4)
        for _ in range(length):
            builder.PrependUOffsetTRelative(one)
        return int(builder.EndVector())

    elements = vector(element(builder), COUNT)
    schema.SubGraphStart(builder)
    add(builder, elements)
    graphs = vector(schema.SubGraphEnd(builder), 1)
    schema.BufferStart(builder)
    buffers = vector(schema.BufferEnd(builder), 1)
    schema.OperatorCodeStart(builder)
    codes = vector(schema.OperatorCodeEnd(builder), 1)
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    schema.ModelAddOperatorCodes(builder, codes)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    with pytest.raises(CompileError, match="longer than the file"):
        read_graph(bytes(builder.Output()))


def test_more_than_a_microcontroller_computes_is_refused() -> None:
    net = Net()
    large = nets.resize_nearest_neighbor(net, net.input((1, 1, 1, 4)), (2048, 2048))
    with pytest.raises(CompileError, match="computes 2 tensors of 16777220 values"):
        read_graph(net.model(large))
    net = Net()
    x = net.input((1, 4))
    many = [nets.relu(net, x) for _ in range(MAX_TENSORS)]
    with pytest.raises(CompileError, match="computes 1501 tensors"):
        read_graph(net.model(*many))

"""What the tensors and options of each operator must be among each other.

A kernel trusts the sizes that it is generated with: an output that is smaller than what the
operator gives would be written past its end. So each node is checked before it is lowered.
"""

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.flatbuffer import damaged
from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers.rules import elementwise, moves, recurrent, windows
from edgeflow.targets.mcu.layers.rules.form import Form, Rule

RULES: dict[str, Rule] = {
    "ADD": elementwise.binary("Add"),
    "AVERAGE_POOL_2D": windows.pool2d,
    "CONCATENATION": moves.concatenation,
    "CONV_2D": windows.conv2d,
    "DEPTHWISE_CONV_2D": windows.depthwise_conv2d,
    "ELU": elementwise.unary,
    "EXPAND_DIMS": moves.expand_dims,
    "FULLY_CONNECTED": windows.fully_connected,
    "HARD_SWISH": elementwise.unary,
    "LEAKY_RELU": elementwise.leaky_relu,
    "LOGISTIC": elementwise.unary,
    "MAXIMUM": elementwise.extreme,
    "MAX_POOL_2D": windows.pool2d,
    "MEAN": windows.mean,
    "MINIMUM": elementwise.extreme,
    "MUL": elementwise.binary("Mul"),
    "PACK": moves.pack,
    "PAD": moves.pad,
    "PADV2": moves.pad,
    "PRELU": elementwise.prelu,
    "QUANTIZE": elementwise.unary,
    "REDUCE_MAX": windows.reduce_max,
    "RELU": elementwise.unary,
    "RELU6": elementwise.unary,
    "RELU_N1_TO_1": elementwise.unary,
    "RESHAPE": moves.reshape,
    "RESIZE_NEAREST_NEIGHBOR": moves.resize_nearest_neighbor,
    "SLICE": moves.slice_,
    "SOFTMAX": elementwise.softmax,
    "SPLIT": moves.split,
    "SPLIT_V": moves.split_v,
    "SQUEEZE": moves.squeeze,
    "STRIDED_SLICE": moves.strided_slice,
    "SUB": elementwise.binary("Sub"),
    "TANH": elementwise.unary,
    "TRANSPOSE": moves.transpose,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": recurrent.lstm,
    "UNPACK": moves.unpack,
}


def check_edges(graph: Graph) -> None:
    """Check that the network takes and gives int8.

    Raises:
        CompileError: an input or output has another type, or no scale.
    """
    for side, places in (("input", graph.inputs), ("output", graph.outputs)):
        for tensor in (graph.tensors[place] for place in places):
            if tensor.dtype == "int8" and (len(tensor.scales) != 1 or tensor.scale == 0):
                raise damaged(f"the {side} {tensor.name!r} has no scale")
            if tensor.dtype != "int8":
                raise CompileError(
                    f"the {side} {tensor.name!r} is {tensor.dtype}, and the C has int8 there",
                    hint="quantize the network to int8, as a recipe with `quantize: ptq-int8` does"
                    + (", without `io: uint8`" if tensor.dtype == "uint8" else ""),
                )


def check(graph: Graph, node: Node) -> None:
    """Check the form of a node.

    Raises:
        Unsupported: no kernel takes this form.
        CompileError: no converter writes it.
    """
    RULES[node.operator](Form(graph, node))

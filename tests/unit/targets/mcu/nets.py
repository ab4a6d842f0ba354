"""Small int8 networks, written as .tflite directly: no TensorFlow, so thousands take seconds.

A `Net` collects tensors and operators; one function here for each operator appends it and returns
its output, so that calls compose into a graph:

    net = Net()
    x = net.input((1, 8, 8, 3))
    y = softmax(net, fully_connected(net, conv2d(net, x, 4, stride=2, activation="RELU"), 10))
    model = net.model(y)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

Shape = tuple[int, ...]
Array = NDArray[Any]
Pair = int | tuple[int, int]

_DTYPES = {"int8": "INT8", "int32": "INT32", "float32": "FLOAT32", "int16": "INT16"}


@dataclass(frozen=True)
class Quant:
    """real = scale * (value - zero_point)."""

    scale: float
    zero_point: int = 0


@dataclass(frozen=True)
class Info:
    """What is known of a tensor of a net."""

    shape: Shape
    dtype: str
    quant: Quant | None


@dataclass
class Net:
    """A graph that grows. Weights that are not given come from `seed`."""

    seed: int = 0
    tensors: list[Any] = field(default_factory=list)
    info: list[Info] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])  # the first is empty
    codes: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    operators: list[Any] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def tensor(
        self,
        shape: Sequence[int],
        quant: Quant | None = None,
        dtype: str = "int8",
        *,
        variable: bool = False,
    ) -> int:
        """Append a tensor and return its index."""
        made = schema.TensorT()
        made.shape = [int(size) for size in shape]
        made.type = getattr(schema.TensorType, _DTYPES[dtype])
        made.name = f"t{len(self.tensors)}"
        made.isVariable = variable
        if quant is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = [quant.scale]
            made.quantization.zeroPoint = [quant.zero_point]
        self.tensors.append(made)
        self.info.append(Info(tuple(made.shape), dtype, quant))
        return len(self.tensors) - 1

    def input(self, shape: Sequence[int], quant: Quant | None = None, dtype: str = "int8") -> int:
        """Append an input of the graph."""
        quant = quant or (Quant(0.04, 3) if dtype == "int8" else None)
        self.inputs.append(self.tensor(shape, quant, dtype))
        return self.inputs[-1]

    def constant(
        self,
        values: Array,
        quant: Quant | None = None,
        *,
        scales: Sequence[float] | None = None,
        axis: int = 0,
    ) -> int:
        """Append a constant; `scales` are those of the channels along `axis`."""
        index = self.tensor(values.shape, quant, str(values.dtype))
        if scales is not None:
            made = schema.QuantizationParametersT()
            made.scale, made.zeroPoint = [float(one) for one in scales], [0] * len(scales)
            made.quantizedDimension = axis
            self.tensors[index].quantization = made
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.tensors[index].buffer = len(self.buffers)
        self.buffers.append(buffer)
        return index

    def integers(self, *values: int) -> int:
        """Append a constant vector of int32."""
        return self.constant(np.array(values, np.int32))

    def operator(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: str = "",
        *,
        version: int = 1,
        **values: Any,
    ) -> None:
        """Append an operator: `options` is the table `<options>Options`, `values` its fields."""
        self.codes.setdefault(name, len(self.codes))
        self.versions[name] = max(version, self.versions.get(name, 1))
        made = schema.OperatorT()
        made.opcodeIndex = self.codes[name]
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
            made.builtinOptions = getattr(schema, f"{options}OptionsT")(**values)
        self.operators.append(made)

    def requantize(self, x: int, quant: Quant) -> None:
        """Give a tensor another quantization before anything reads it."""
        self.tensors[x].quantization.scale = [quant.scale]
        self.tensors[x].quantization.zeroPoint = [quant.zero_point]
        self.info[x] = replace(self.info[x], quant=quant)

    def object(self, *outputs: int) -> Any:
        """Return the model as `ModelT`."""
        model, graph = schema.ModelT(), schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs, graph.name = self.inputs, list(outputs), "main"
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.description = "a test's"
        model.operatorCodes = [self._code(name) for name in self.codes]
        return model

    def model(self, *outputs: int) -> bytes:
        """Return the .tflite whose outputs are these tensors."""
        return packed(self.object(*outputs))

    def _code(self, name: str) -> Any:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = self.versions[name]
        return code


def packed(model: Any) -> bytes:
    """Return the bytes of a `ModelT`."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def unpacked(model: bytes) -> Any:
    """Return the `ModelT` of a .tflite."""
    return schema.ModelT.InitFromPackedBuf(model, 0)


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _activation(name: str | None) -> int:
    return int(getattr(schema.ActivationFunctionType, name or "NONE"))


def _padding(name: str) -> int:
    return int(getattr(schema.Padding, name))


def _window(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Return how many outputs a window has along one side."""
    reach = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == "SAME" else (size - reach) // stride + 1


def _quant(net: Net, x: int) -> Quant:
    quant = net.info[x].quant
    assert quant is not None
    return quant


def _weights(net: Net, shape: Sequence[int]) -> Array:
    return net.random.integers(-127, 128, shape).astype(np.int8)


def _bias(net: Net, channels: int, size: int) -> Array:
    return net.random.integers(-size, size + 1, channels).astype(np.int32)


@dataclass(frozen=True)
class Filter:
    """Weights, bias and scales of an operator that multiplies and adds.

    Attributes:
        scales: of the weights: one, or one for each output channel.
        bias: whether there is one, or its values.
        quant: of the output; by default one that most outputs fit into without clamping.
    """

    scales: float | Sequence[float] | None = None
    bias: bool | Array = True
    weights: Array | None = None
    quant: Quant | None = None


def _filtered(
    net: Net, x: int, shape: Sequence[int], axis: int, taps: int, filter_: Filter, per_channel: bool
) -> tuple[list[int], Quant]:
    """Append weights and bias; return the inputs of the operator and the output's quantization."""
    weights = _weights(net, shape) if filter_.weights is None else filter_.weights
    scales = filter_.scales
    if scales is None:
        spread = net.random.uniform(0.002, 0.02, shape[axis])
        scales = [float(one) for one in spread] if per_channel else float(spread[0])
    of_input = _quant(net, x)
    inputs = [x]
    each = [scales] if isinstance(scales, float) else list(scales)
    each = [float(np.float32(one)) for one in each]
    if isinstance(scales, float):
        inputs.append(net.constant(weights, Quant(scales)))
    else:
        inputs.append(net.constant(weights, scales=scales, axis=axis))
    spread_steps = math.sqrt(taps) * 74 * 74  # of products of even int8 values
    if filter_.bias is not False:
        bias = filter_.bias
        values = _bias(net, shape[axis], int(spread_steps)) if bias is True else bias
        of_bias = [float(np.float32(of_input.scale) * np.float32(one)) for one in each]
        inputs.append(net.constant(np.asarray(values, np.int32), scales=of_bias))
    scale = of_input.scale * float(np.mean(each)) * spread_steps / 50
    return inputs, filter_.quant or Quant(scale, int(net.random.integers(-40, 40)))


def conv2d(
    net: Net,
    x: int,
    channels: int,
    kernel: Pair = 3,
    *,
    stride: Pair = 1,
    dilation: Pair = 1,
    padding: str = "SAME",
    activation: str | None = None,
    per_channel: bool = True,
    filter: Filter = Filter(),  # frozen
) -> int:
    (kh, kw), (sh, sw), (dh, dw) = _pair(kernel), _pair(stride), _pair(dilation)
    batch, height, width, depth = net.info[x].shape
    inputs, quant = _filtered(
        net, x, (channels, kh, kw, depth), 0, kh * kw * depth, filter, per_channel
    )
    shape = (
        batch,
        _window(height, kh, sh, dh, padding),
        _window(width, kw, sw, dw, padding),
        channels,
    )
    y = net.tensor(shape, quant)
    net.operator(
        "CONV_2D", inputs, [y], "Conv2D", version=3, padding=_padding(padding),
        strideH=sh, strideW=sw, dilationHFactor=dh, dilationWFactor=dw,
        fusedActivationFunction=_activation(activation),
    )  # fmt: skip
    return y


def depthwise_conv2d(
    net: Net,
    x: int,
    multiplier: int = 1,
    kernel: Pair = 3,
    *,
    stride: Pair = 1,
    dilation: Pair = 1,
    padding: str = "SAME",
    activation: str | None = None,
    per_channel: bool = True,
    filter: Filter = Filter(),  # frozen
) -> int:
    (kh, kw), (sh, sw), (dh, dw) = _pair(kernel), _pair(stride), _pair(dilation)
    batch, height, width, depth = net.info[x].shape
    channels = depth * multiplier
    inputs, quant = _filtered(net, x, (1, kh, kw, channels), 3, kh * kw, filter, per_channel)
    shape = (
        batch,
        _window(height, kh, sh, dh, padding),
        _window(width, kw, sw, dw, padding),
        channels,
    )
    y = net.tensor(shape, quant)
    net.operator(
        "DEPTHWISE_CONV_2D", inputs, [y], "DepthwiseConv2D", version=3, padding=_padding(padding),
        strideH=sh, strideW=sw, dilationHFactor=dh, dilationWFactor=dw, depthMultiplier=multiplier,
        fusedActivationFunction=_activation(activation),
    )  # fmt: skip
    return y


def fully_connected(
    net: Net,
    x: int,
    units: int,
    *,
    activation: str | None = None,
    per_channel: bool = False,
    keep_dims: bool = False,
    filter: Filter = Filter(),  # frozen
) -> int:
    """`x` of any rank: as many samples as its size is a multiple of the last dimension's.

    With `keep_dims`, the leading dimensions stay; otherwise all but the first are flattened.
    """
    shape = net.info[x].shape
    depth = shape[-1] if keep_dims else math.prod(shape[1:])
    leading = shape[:-1] if keep_dims else shape[:1]
    inputs, quant = _filtered(net, x, (units, depth), 0, depth, filter, per_channel)
    y = net.tensor((*leading, units), quant)
    net.operator(
        "FULLY_CONNECTED", inputs, [y], "FullyConnected", version=12 if per_channel else 5,
        fusedActivationFunction=_activation(activation), keepNumDims=keep_dims,
    )  # fmt: skip
    return y


def _pool(
    net: Net, name: str, x: int, kernel: Pair, stride: Pair, padding: str, activation: str | None
) -> int:
    (kh, kw), (sh, sw) = _pair(kernel), _pair(stride)
    batch, height, width, depth = net.info[x].shape
    rows, columns = _window(height, kh, sh, 1, padding), _window(width, kw, sw, 1, padding)
    y = net.tensor((batch, rows, columns, depth), net.info[x].quant)
    net.operator(
        name, [x], [y], "Pool2D", version=2, padding=_padding(padding), strideH=sh, strideW=sw,
        filterHeight=kh, filterWidth=kw, fusedActivationFunction=_activation(activation),
    )  # fmt: skip
    return y


def average_pool2d(
    net: Net,
    x: int,
    kernel: Pair = 2,
    *,
    stride: Pair = 2,
    padding: str = "VALID",
    activation: str | None = None,
) -> int:
    return _pool(net, "AVERAGE_POOL_2D", x, kernel, stride, padding, activation)


def max_pool2d(
    net: Net,
    x: int,
    kernel: Pair = 2,
    *,
    stride: Pair = 2,
    padding: str = "VALID",
    activation: str | None = None,
) -> int:
    return _pool(net, "MAX_POOL_2D", x, kernel, stride, padding, activation)


def _binary(
    net: Net, name: str, a: int, b: int, quant: Quant, activation: str | None, version: int
) -> int:
    shape = np.broadcast_shapes(net.info[a].shape, net.info[b].shape)
    y = net.tensor(shape, quant)
    net.operator(
        name, [a, b], [y], name.capitalize(), version=version,
        fusedActivationFunction=_activation(activation),
    )  # fmt: skip
    return y


def add(
    net: Net, a: int, b: int, *, quant: Quant | None = None, activation: str | None = None
) -> int:
    """Sum of tensors that broadcast; constants are tensors too."""
    scale = 1.5 * max(_quant(net, a).scale, _quant(net, b).scale)
    return _binary(net, "ADD", a, b, quant or Quant(scale, 5), activation, 2)


def sub(
    net: Net, a: int, b: int, *, quant: Quant | None = None, activation: str | None = None
) -> int:
    scale = 1.5 * max(_quant(net, a).scale, _quant(net, b).scale)
    return _binary(net, "SUB", a, b, quant or Quant(scale, -7), activation, 3)


def mul(
    net: Net, a: int, b: int, *, quant: Quant | None = None, activation: str | None = None
) -> int:
    scale = 100 * _quant(net, a).scale * _quant(net, b).scale
    return _binary(net, "MUL", a, b, quant or Quant(scale, 2), activation, 2)


def int8_constant(net: Net, shape: Sequence[int], quant: Quant | None = None) -> int:
    """Random values, for an operator that takes a constant beside what it computes on."""
    return net.constant(_weights(net, shape), quant or Quant(0.02, -4))


def concatenation(net: Net, tensors: Sequence[int], axis: int = -1) -> int:
    """Tensors of one quantization, one after another along `axis`."""
    shape = list(net.info[tensors[0]].shape)
    shape[axis] = sum(net.info[one].shape[axis] for one in tensors)
    y = net.tensor(shape, net.info[tensors[0]].quant)
    net.operator("CONCATENATION", tensors, [y], "Concatenation", version=2, axis=axis)
    return y


def pad(net: Net, x: int, paddings: Sequence[tuple[int, int]], value: int | None = None) -> int:
    """PAD with the zero point, or PADV2 with a value of the input's quantization."""
    shape = [size + sum(pair) for size, pair in zip(net.info[x].shape, paddings, strict=True)]
    y = net.tensor(shape, net.info[x].quant)
    sides = net.constant(np.array(paddings, np.int32))
    if value is None:
        net.operator("PAD", [x, sides], [y], "Pad", version=2)
    else:
        filler = net.constant(np.array([value], np.int8), net.info[x].quant)
        net.operator("PADV2", [x, sides, filler], [y], "PadV2", version=2)
    return y


def reshape(net: Net, x: int, shape: Sequence[int]) -> int:
    y = net.tensor(shape, net.info[x].quant)
    net.operator("RESHAPE", [x, net.integers(*shape)], [y], "Reshape", newShape=list(shape))
    return y


def squeeze(net: Net, x: int, axes: Sequence[int] = ()) -> int:
    """Without `axes`, all dimensions of 1 go."""
    shape = net.info[x].shape
    gone = {axis % len(shape) for axis in axes} or {i for i, size in enumerate(shape) if size == 1}
    kept = [size for i, size in enumerate(shape) if i not in gone]
    y = net.tensor(kept, net.info[x].quant)
    net.operator("SQUEEZE", [x], [y], "Squeeze", squeezeDims=list(axes))
    return y


def expand_dims(net: Net, x: int, axis: int = 0) -> int:
    shape = list(net.info[x].shape)
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 1)
    y = net.tensor(shape, net.info[x].quant)
    net.operator("EXPAND_DIMS", [x, net.integers(axis)], [y], "ExpandDims")
    return y


def mean(
    net: Net,
    x: int,
    axes: Sequence[int] = (1, 2),
    *,
    keep_dims: bool = False,
    quant: Quant | None = None,
) -> int:
    shape = net.info[x].shape
    over = {axis % len(shape) for axis in axes}
    kept = [1 if i in over else size for i, size in enumerate(shape) if keep_dims or i not in over]
    y = net.tensor(kept, quant or net.info[x].quant)
    net.operator("MEAN", [x, net.integers(*axes)], [y], "Reducer", version=2, keepDims=keep_dims)
    return y


def softmax(net: Net, x: int, beta: float = 1.0) -> int:
    y = net.tensor(net.info[x].shape, Quant(1 / 256, -128))
    net.operator("SOFTMAX", [x], [y], "Softmax", version=2, beta=beta)
    return y


def quantize(net: Net, x: int, quant: Quant = Quant(0.03, -9)) -> int:  # frozen
    """From float32 to int8, or from int8 to int8 of other scale and zero point."""
    y = net.tensor(net.info[x].shape, quant)
    version = 1 if net.info[x].dtype == "float32" else 2
    net.operator("QUANTIZE", [x], [y], "Quantize", version=version)
    return y


def dequantize(net: Net, x: int) -> int:
    y = net.tensor(net.info[x].shape, None, "float32")
    net.operator("DEQUANTIZE", [x], [y], "Dequantize", version=2)
    return y


def _unary(
    net: Net, name: str, x: int, quant: Quant, options: str = "", version: int = 2, **values: Any
) -> int:
    y = net.tensor(net.info[x].shape, quant)
    net.operator(name, [x], [y], options, version=version, **values)
    return y


def relu(net: Net, x: int, *, quant: Quant | None = None) -> int:
    return _unary(net, "RELU", x, quant or Quant(_quant(net, x).scale / 2, -128))


def relu6(net: Net, x: int) -> int:
    """Of the input's quantization: TFLite Micro clamps, and does not convert to another."""
    return _unary(net, "RELU6", x, _quant(net, x))


def relu_n1_to_1(net: Net, x: int, *, quant: Quant | None = None) -> int:
    """LiteRT alone has it as an operator of its own; TFLite Micro has it fused alone."""
    return _unary(net, "RELU_N1_TO_1", x, quant or Quant(1 / 127, 0), version=1)


def hard_swish(net: Net, x: int, *, quant: Quant | None = None) -> int:
    return _unary(net, "HARD_SWISH", x, quant or _quant(net, x), "HardSwish", 1)


def logistic(net: Net, x: int) -> int:
    return _unary(net, "LOGISTIC", x, Quant(1 / 256, -128))


def tanh(net: Net, x: int) -> int:
    return _unary(net, "TANH", x, Quant(1 / 128, 0))


def leaky_relu(net: Net, x: int, alpha: float = 0.1, *, quant: Quant | None = None) -> int:
    return _unary(net, "LEAKY_RELU", x, quant or _quant(net, x), "LeakyRelu", alpha=alpha)


def resize_nearest_neighbor(
    net: Net, x: int, size: Pair, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> int:
    batch, _, _, depth = net.info[x].shape
    y = net.tensor((batch, *_pair(size), depth), net.info[x].quant)
    net.operator(
        "RESIZE_NEAREST_NEIGHBOR", [x, net.integers(*_pair(size))], [y], "ResizeNearestNeighbor",
        version=3, alignCorners=align_corners, halfPixelCenters=half_pixel_centers,
    )  # fmt: skip
    return y


def strided_slice(
    net: Net,
    x: int,
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int] | None = None,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    shrink_mask: int = 0,
) -> int:
    """As numpy slices; a bit of a mask leaves out that dimension's begin or end, or drops it."""
    strides = strides or [1] * len(begin)
    shape = []
    for i, size in enumerate(net.info[x].shape):
        if shrink_mask >> i & 1:
            continue
        first = None if begin_mask >> i & 1 else begin[i]
        last = None if end_mask >> i & 1 else end[i]
        shape.append(len(range(size)[slice(first, last, strides[i])]))
    y = net.tensor(shape, net.info[x].quant)
    inputs = [x, net.integers(*begin), net.integers(*end), net.integers(*strides)]
    net.operator(
        "STRIDED_SLICE", inputs, [y], "StridedSlice", version=2, beginMask=begin_mask,
        endMask=end_mask, shrinkAxisMask=shrink_mask, ellipsisMask=0, newAxisMask=0,
    )  # fmt: skip
    return y


def split(net: Net, x: int, parts: int, axis: int = -1) -> list[int]:
    shape = list(net.info[x].shape)
    shape[axis] //= parts
    outputs = [net.tensor(shape, net.info[x].quant) for _ in range(parts)]
    axis_ = net.constant(np.array(axis, np.int32))
    net.operator("SPLIT", [axis_, x], outputs, "Split", version=2, numSplits=parts)
    return outputs


def split_v(net: Net, x: int, sizes: Sequence[int], axis: int = -1) -> list[int]:
    """A size of -1 takes what the others leave."""
    shape = list(net.info[x].shape)
    left = shape[axis] - sum(size for size in sizes if size != -1)
    outputs = []
    for size in sizes:
        shape[axis] = left if size == -1 else size
        outputs.append(net.tensor(shape, net.info[x].quant))
    axis_ = net.constant(np.array(axis, np.int32))
    inputs = [x, net.integers(*sizes), axis_]
    net.operator("SPLIT_V", inputs, outputs, "SplitV", version=2, numSplits=len(sizes))
    return outputs


def slice_(net: Net, x: int, begin: Sequence[int], size: Sequence[int]) -> int:
    """A size of -1 takes all from `begin` on."""
    spans = zip(net.info[x].shape, begin, size, strict=True)
    y = net.tensor([w - b if s == -1 else s for w, b, s in spans], net.info[x].quant)
    net.operator("SLICE", [x, net.integers(*begin), net.integers(*size)], [y], "Slice", version=2)
    return y


def transpose(net: Net, x: int, axes: Sequence[int]) -> int:
    y = net.tensor([net.info[x].shape[axis] for axis in axes], net.info[x].quant)
    net.operator("TRANSPOSE", [x, net.integers(*axes)], [y], "Transpose", version=2)
    return y


def lstm(
    net: Net,
    x: int,
    units: int,
    *,
    quant: Quant = Quant(1 / 128, 0),  # frozen
    cell_scale: float = 2.0**-11,
    cell_clip: float = 0.0,
    time_major: bool = False,
    spread: float = 0.02,
) -> int:
    """The plain LSTM of a sequence; `spread` is the largest scale of weights."""
    first, second, depth = net.info[x].shape
    batches = second if time_major else first
    y = net.tensor((first, second, units), quant)

    def weights(width: int) -> list[int]:
        scales = net.random.uniform(spread / 4, spread, 4)
        return [net.constant(_weights(net, (units, width)), Quant(float(one))) for one in scales]

    of_input, of_state = weights(depth), weights(units)
    biases = [net.constant(_bias(net, units, 4000), Quant(1e-3)) for _ in range(4)]
    state = net.tensor((batches, units), quant, variable=True)
    cell = net.tensor((batches, units), Quant(cell_scale), "int16", variable=True)
    inputs = [x, *of_input, *of_state, -1, -1, -1, *biases, -1, -1, state, cell, -1, -1, -1, -1]
    net.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], "UnidirectionalSequenceLSTM", version=3,
        fusedActivationFunction=_activation("TANH"), cellClip=cell_clip, projClip=0.0,
        timeMajor=time_major,
    )  # fmt: skip
    return y


def pack(net: Net, tensors: Sequence[int], axis: int = 0) -> int:
    shape = list(net.info[tensors[0]].shape)
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, len(tensors))
    y = net.tensor(shape, net.info[tensors[0]].quant)
    net.operator("PACK", tensors, [y], "Pack", version=2, valuesCount=len(tensors), axis=axis)
    return y


def unpack(net: Net, x: int, axis: int = 0) -> list[int]:
    shape = list(net.info[x].shape)
    count = shape.pop(axis)
    outputs = [net.tensor(shape, net.info[x].quant) for _ in range(count)]
    net.operator("UNPACK", [x], outputs, "Unpack", version=2, num=count, axis=axis)
    return outputs


def elu(net: Net, x: int, quant: Quant = Quant(0.03, -80)) -> int:  # frozen
    """As converters write it: in float, between conversions."""
    real = dequantize(net, x)
    y = net.tensor(net.info[x].shape, None, "float32")
    net.operator("ELU", [real], [y])
    return quantize(net, y, quant)


def maximum(net: Net, a: int, b: int) -> int:
    """Of one quantization."""
    return _extreme(net, "MAXIMUM", a, b)


def minimum(net: Net, a: int, b: int) -> int:
    return _extreme(net, "MINIMUM", a, b)


def _extreme(net: Net, name: str, a: int, b: int) -> int:
    y = net.tensor(np.broadcast_shapes(net.info[a].shape, net.info[b].shape), net.info[a].quant)
    net.operator(name, [a, b], [y], "MaximumMinimum", version=2)
    return y


def prelu(net: Net, x: int, slopes: int, *, quant: Quant | None = None) -> int:
    """`slopes`, below zero, broadcast to the shape of `x`."""
    y = net.tensor(net.info[x].shape, quant or _quant(net, x))
    net.operator("PRELU", [x, slopes], [y])
    return y


def reduce_max(net: Net, x: int, axes: Sequence[int] = (1, 2), *, keep_dims: bool = False) -> int:
    shape = net.info[x].shape
    over = {axis % len(shape) for axis in axes}
    kept = [1 if i in over else size for i, size in enumerate(shape) if keep_dims or i not in over]
    y = net.tensor(kept, net.info[x].quant)
    inputs = [x, net.integers(*axes)]
    net.operator("REDUCE_MAX", inputs, [y], "Reducer", version=2, keepDims=keep_dims)
    return y

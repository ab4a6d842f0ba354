"""Random small networks over all operators; they shrink to the fewest and smallest layers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from hypothesis import strategies as st

from edgeflow.targets.mcu.settings import Kernels, Mode, Profile, Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.nets import Filter, Net, Quant, Shape

Draw = st.DrawFn
Step = Callable[["Build"], Sequence[int]]

LARGEST = 1_500
"""Values of a tensor."""
ACTIVATIONS = st.sampled_from([None, "RELU", "RELU6", "RELU_N1_TO_1"])
PADDINGS = st.sampled_from(["VALID", "SAME"])

LACKS = {"tflm": {"RELU_N1_TO_1"}, "litert-ref": {"ELU", "UNIDIRECTIONAL_SEQUENCE_LSTM"}}
"""The operators whose form an oracle does not have."""

OFTEN = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
"""Operators with the most forms."""


@dataclass(frozen=True)
class Case:
    """A network, and how it is to be generated."""

    model: bytes
    settings: Settings
    operators: tuple[str, ...]

    def __repr__(self) -> str:
        """Return what tells a shrunk case: the model itself is in no example's print."""
        return f"Case({' '.join(self.operators)}, {self.settings})"


def quants() -> st.SearchStrategy[Quant]:
    """Return quantizations of activations, from tiny to huge steps."""
    exponents = st.sampled_from([-1.5, -1, -2, 0, -3, 1, -5, 3])
    zero_points = st.one_of(st.sampled_from([0, -128, 127]), st.integers(-128, 127))
    factors = st.floats(1, 9, width=32)
    return st.builds(
        lambda exponent, factor, zero: Quant(float(np.float32(factor * 10**exponent)), zero),
        exponents, factors, zero_points,
    )  # fmt: skip


class Build:
    """A network that is being drawn."""

    def __init__(self, draw: Draw, profile: Profile) -> None:
        self.draw, self.profile = draw, profile
        self.net = Net(seed=draw(st.integers(0, 2**16)))
        self.pool: list[int] = []

    def shape(self, x: int) -> Shape:
        return self.net.info[x].shape

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def any(self, rank: int = 5) -> int:
        """Draw a tensor, of at most `rank` dimensions and at least one."""
        fitting = [one for one in self.pool if 1 <= len(self.shape(one)) <= rank]
        if fitting:
            return self.draw(st.sampled_from(fitting[::-1]))
        return self.reshaped(self.pool[-1], (1, math.prod(self.shape(self.pool[-1]))))

    def image(self) -> int:
        """Draw a tensor of a batch of 1, height, width and channels."""
        fitting = [
            one for one in self.pool if len(self.shape(one)) == 4 and self.shape(one)[0] == 1
        ]
        if fitting:
            return self.draw(st.sampled_from(fitting[::-1]))
        x = self.any()
        size = math.prod(self.shape(x))
        height = self.draw(st.sampled_from([n for n in range(1, 10) if size % n == 0]))
        return self.reshaped(x, (1, height, 1, size // height))

    def reshaped(self, x: int, shape: Shape) -> int:
        return nets.reshape(self.net, x, shape)

    def axis(self, x: int) -> int:
        rank = len(self.shape(x))
        return self.integer(0, rank - 1) - self.draw(st.sampled_from([0, rank]))

    def rescaled(self, quant: Quant) -> Quant:
        """Return the quantization of an output: the usual one, or far from it."""
        factor = self.draw(st.sampled_from([1.0, 0.3, 3.0, 0.01, 100.0]))
        zero_point = self.draw(st.sampled_from([quant.zero_point, 0, -128, 127]))
        return Quant(float(np.float32(quant.scale * factor)), zero_point)


@st.composite
def networks(draw: Draw, kernels: Sequence[Kernels] = ("portable",)) -> Case:
    """Draw a network of all operators that have kernels, and how it is to be generated."""
    settings = draw(settings_of_code(kernels))
    build = Build(draw, settings.profile)
    for _ in range(draw(st.integers(1, 2))):
        shape = draw(st.one_of(_images(), _vectors()))
        build.pool.append(build.net.input(shape, draw(quants())))
    inputs = list(build.pool)
    taken = [name for name in STEPS if name not in LACKS[settings.profile]]
    taken += [name for name in taken if name in OFTEN for _ in range(3)]
    last: list[int] = []
    for name in draw(st.lists(st.sampled_from(taken), min_size=1, max_size=6)):
        made = STEPS[name](build)
        build.pool += [one for one in made if math.prod(build.shape(one)) <= LARGEST]
        last = list(made)
    made = [one for one in build.pool if one not in inputs]
    others = draw(st.lists(st.sampled_from(made), max_size=2, unique=True)) if made else []
    outputs = list(dict.fromkeys([*last[:1], *others]))
    if settings.mode == "unrolled" and "FULLY_CONNECTED" not in build.net.codes:
        settings = replace(settings, mode="specialized")  # nothing could be unrolled
    return Case(build.net.model(*outputs), settings, tuple(build.net.codes))


def settings_of_code(kernels: Sequence[Kernels]) -> st.SearchStrategy[Settings]:
    return st.builds(
        Settings,
        profile=st.sampled_from(get_args(Profile)),
        mode=st.sampled_from(get_args(Mode)),
        simd=st.booleans(),
        kernels=st.sampled_from(kernels),
    )


def _images() -> st.SearchStrategy[Shape]:
    side = st.integers(1, 9)
    return st.tuples(st.just(1), side, side, st.integers(1, 6))


def _vectors() -> st.SearchStrategy[Shape]:
    return st.tuples(st.just(1), st.integers(1, 40))


def _pair(build: Build, low: int, high: int) -> tuple[int, int]:
    return build.integer(low, high), build.integer(low, high)


def _filter(build: Build, per_channel: bool) -> Filter:
    """Draw scales and a bias; the output's scale is usual if it is not drawn."""
    bias = build.flag() or build.profile == "litert-ref"
    return Filter(
        bias=bias, scales=None if per_channel or build.flag() else 10.0 ** build.integer(-4, 0)
    )


def _requantized(build: Build, append: Callable[[Filter], int], per_channel: bool) -> list[int]:
    """Append an operator, and give its output another quantization than the usual one."""
    y = append(_filter(build, per_channel))
    quant = build.net.info[y].quant
    assert quant is not None
    build.net.requantize(y, build.rescaled(quant))
    return [y]


def _convolution(operator: Callable[..., int], most: int) -> Step:
    """Return the step of a convolution: of up to `most` channels, or that multiplier."""

    def step(build: Build) -> Sequence[int]:
        x = build.image()
        sides = build.shape(x)[1:3]
        kernel, stride, dilation = _pair(build, 1, 4), _pair(build, 1, 3), _pair(build, 1, 2)
        padding = build.draw(PADDINGS)
        if padding == "VALID":
            kernel = min(kernel[0], sides[0]), min(kernel[1], sides[1])
            fits = [(k - 1) * d < n for k, d, n in zip(kernel, dilation, sides, strict=True)]
            dilation = (dilation[0] if fits[0] else 1, dilation[1] if fits[1] else 1)
        channels, per_channel = build.integer(1, most), build.flag()
        activation = build.draw(ACTIVATIONS)
        return _requantized(
            build,
            lambda filter_: operator(
                build.net, x, channels, kernel, stride=stride, dilation=dilation, padding=padding,
                activation=activation, per_channel=per_channel, filter=filter_,
            ),
            per_channel,
        )  # fmt: skip

    return step


def fully_connected(build: Build) -> Sequence[int]:
    x = build.any()
    per_channel, keep_dims = build.flag(), build.flag()
    units, activation = build.integer(1, 12), build.draw(ACTIVATIONS)
    return _requantized(
        build,
        lambda filter_: nets.fully_connected(
            build.net, x, units, activation=activation, per_channel=per_channel,
            keep_dims=keep_dims, filter=filter_,
        ),
        per_channel,
    )  # fmt: skip


def _pool(pool: Callable[..., int]) -> Step:
    def step(build: Build) -> Sequence[int]:
        x = build.image()
        _, height, width, _ = build.shape(x)
        kernel, padding = _pair(build, 1, 4), build.draw(PADDINGS)
        kernel = min(kernel[0], height), min(kernel[1], width)
        stride, activation = _pair(build, 1, 3), build.draw(ACTIVATIONS)
        y = pool(build.net, x, kernel, stride=stride, padding=padding, activation=activation)
        return [y]

    return step


def _other(build: Build, x: int) -> int:
    """Return a tensor or constant that broadcasts with `x`."""
    shape = build.shape(x)
    fitting = [one for one in build.pool if _broadcasts(build.shape(one), shape)]
    if build.flag():
        return build.draw(st.sampled_from(fitting[::-1]))
    kept = shape[build.integer(0, len(shape) - 1) :]
    sizes = [size if build.flag() else 1 for size in kept]
    return nets.int8_constant(build.net, sizes, build.draw(quants()))


def _broadcasts(one: Shape, other: Shape) -> bool:
    try:
        return math.prod(np.broadcast_shapes(one, other)) <= LARGEST
    except ValueError:
        return False


def _binary(operator: Callable[..., int]) -> Step:
    def step(build: Build) -> Sequence[int]:
        x = build.any(4)
        pair = [x, _other(build, x)]
        if build.flag():
            pair.reverse()
        y = operator(build.net, *pair, activation=build.draw(ACTIVATIONS))
        quant = build.net.info[y].quant
        assert quant is not None
        build.net.requantize(y, build.rescaled(quant))
        return [y]

    return step


def concatenation(build: Build) -> Sequence[int]:
    x = build.any()
    axis = build.axis(x)
    shape, quant = build.shape(x), build.net.info[x].quant
    alike = [
        one
        for one in build.pool
        if build.net.info[one].quant == quant
        and len(build.shape(one)) == len(shape)
        and all(
            size == other
            for n, (size, other) in enumerate(zip(build.shape(one), shape, strict=True))
            if n != axis % len(shape)
        )
    ]
    others = build.draw(st.lists(st.sampled_from(alike), min_size=1, max_size=3))
    if build.flag():
        others.append(nets.int8_constant(build.net, shape, quant))
    return [nets.concatenation(build.net, [x, *others], axis)]


def pad(build: Build) -> Sequence[int]:
    x = build.any(4)
    sides = [_pair(build, 0, 2) for _ in build.shape(x)]
    return [nets.pad(build.net, x, sides)]


def padv2(build: Build) -> Sequence[int]:
    x = build.any(4)
    sides = [_pair(build, 0, 2) for _ in build.shape(x)]
    return [nets.pad(build.net, x, sides, build.integer(-128, 127))]


def reshape(build: Build) -> Sequence[int]:
    x = build.any()
    rest, shape = math.prod(build.shape(x)), []
    for _ in range(build.integer(0, 3)):
        size = build.draw(st.sampled_from([n for n in range(1, rest + 1) if rest % n == 0]))
        shape.append(size)
        rest //= size
    return [nets.reshape(build.net, x, [*shape, rest])]


def squeeze(build: Build) -> Sequence[int]:
    x = build.any()
    ones = [axis for axis, size in enumerate(build.shape(x)) if size == 1]
    axes = build.draw(st.lists(st.sampled_from(ones), unique=True)) if ones else []
    return [nets.squeeze(build.net, x, axes)]


def expand_dims(build: Build) -> Sequence[int]:
    x = build.any(4)
    return [nets.expand_dims(build.net, x, build.integer(-1, len(build.shape(x))))]


def mean(build: Build) -> Sequence[int]:
    x = build.any(4)
    rank = len(build.shape(x))
    axes = build.draw(st.lists(st.integers(-rank, rank - 1), min_size=1, max_size=rank))
    quant = build.net.info[x].quant
    assert quant is not None
    kept = quant if build.flag() else build.rescaled(quant)
    return [nets.mean(build.net, x, axes, keep_dims=build.flag(), quant=kept)]


def softmax(build: Build) -> Sequence[int]:
    beta = build.draw(st.sampled_from([1.0, 0.5, 3.0]))
    return [nets.softmax(build.net, build.any(), beta)]


def quantize(build: Build) -> Sequence[int]:
    x = build.any()
    quant = build.net.info[x].quant
    assert quant is not None
    return [nets.quantize(build.net, x, build.rescaled(quant))]


def _unary(operator: Callable[..., int], *, rescales: bool) -> Step:
    def step(build: Build) -> Sequence[int]:
        y = operator(build.net, build.any())
        quant = build.net.info[y].quant
        assert quant is not None
        if rescales:
            build.net.requantize(y, build.rescaled(quant))
        return [y]

    return step


def leaky_relu(build: Build) -> Sequence[int]:
    alpha = build.draw(st.sampled_from([0.1, 0.01, 0.9, 1.5, -0.5, 0.0]))
    return _unary(lambda net, x: nets.leaky_relu(net, x, alpha), rescales=True)(build)


def resize_nearest_neighbor(build: Build) -> Sequence[int]:
    x, size = build.image(), _pair(build, 1, 12)
    align, half = build.draw(st.sampled_from([(False, False), (True, False), (False, True)]))
    return [
        nets.resize_nearest_neighbor(
            build.net, x, size, align_corners=align, half_pixel_centers=half
        )
    ]


def strided_slice(build: Build) -> Sequence[int]:
    x = build.any(4)
    begin, end, strides, shrunk = [], [], [], 0
    for axis, size in enumerate(build.shape(x)):
        first, other = build.integer(0, size - 1), build.integer(0, size - 1)
        stride = build.integer(1, 3) * (1 if first <= other else -1)
        begin.append(first - build.draw(st.sampled_from([0, size])))
        end.append(other + 1 if stride > 0 else (other - 1 if other else -size - 1))
        strides.append(stride)
        if build.integer(0, 7) == 7:
            shrunk |= 1 << axis
            end[axis], strides[axis] = begin[axis] + 1, 1
    masks = [build.integer(0, 2 ** len(begin) - 1) & ~shrunk for _ in range(2)]
    return [
        nets.strided_slice(
            build.net, x, begin, end, strides,
            begin_mask=masks[0], end_mask=masks[1], shrink_mask=shrunk,
        )
    ]  # fmt: skip


def split(build: Build) -> Sequence[int]:
    x = build.any()
    axis = build.axis(x)
    size = build.shape(x)[axis]
    parts = build.draw(st.sampled_from([n for n in range(1, 5) if size % n == 0]))
    return nets.split(build.net, x, parts, axis)


def slice_(build: Build) -> Sequence[int]:
    x = build.any(4)
    begin = [build.integer(0, size - 1) for size in build.shape(x)]
    sizes = [
        build.draw(st.sampled_from([-1, *range(1, size - first + 1)]))
        for first, size in zip(begin, build.shape(x), strict=True)
    ]
    return [nets.slice_(build.net, x, begin, sizes)]


def split_v(build: Build) -> Sequence[int]:
    x = build.any(4)
    axis = build.axis(x)
    cut = build.integer(1, build.shape(x)[axis])
    rest = build.shape(x)[axis] - cut
    return nets.split_v(build.net, x, [cut, rest] if rest else [cut], axis)


def transpose(build: Build) -> Sequence[int]:
    x = build.any(4)
    axes = build.draw(st.permutations(range(len(build.shape(x)))))
    return [nets.transpose(build.net, x, axes)]


def _alike(build: Build, x: int) -> list[int]:
    """Return `x`, and tensors of its shape and quantization."""
    known = build.shape(x), build.net.info[x].quant
    others = (one for one in build.pool if (build.shape(one), build.net.info[one].quant) == known)
    return list(dict.fromkeys([x, *others]))


def pack(build: Build) -> Sequence[int]:
    x = build.any(3)
    others = build.draw(st.lists(st.sampled_from(_alike(build, x)), max_size=2))
    rank = len(build.shape(x)) + 1
    return [nets.pack(build.net, [x, *others], build.integer(-rank, rank - 1))]


def unpack(build: Build) -> Sequence[int]:
    x = build.any(4)
    return nets.unpack(build.net, x, build.axis(x))


def _extreme(extreme: Callable[..., int]) -> Step:
    def step(build: Build) -> Sequence[int]:
        x = build.any(4)
        if build.flag():
            other = build.draw(st.sampled_from(_alike(build, x)))
        else:
            shape = build.shape(x)[build.integer(0, len(build.shape(x))) :]
            other = nets.int8_constant(build.net, shape, build.net.info[x].quant)
        pair = (x, other) if build.flag() else (other, x)
        return [extreme(build.net, *pair)]

    return step


def prelu(build: Build) -> Sequence[int]:
    x = build.any(4)
    quant = build.net.info[x].quant
    assert quant is not None
    shape = build.shape(x)[build.integer(0, len(build.shape(x))) :]
    slopes = nets.int8_constant(build.net, shape, build.draw(quants()))
    return [nets.prelu(build.net, x, slopes, quant=build.rescaled(quant))]


def reduce_max(build: Build) -> Sequence[int]:
    x = build.any(4)
    first = build.integer(0, len(build.shape(x)) - 1)
    last = build.integer(first, len(build.shape(x)) - 1)
    axes = range(first, last + 1)
    return [nets.reduce_max(build.net, x, axes, keep_dims=build.flag())]


def elu(build: Build) -> Sequence[int]:
    x = build.any()
    quant = build.net.info[x].quant
    assert quant is not None
    return [nets.elu(build.net, x, build.rescaled(quant))]


def lstm(build: Build) -> Sequence[int]:
    x = build.any(3)
    if len(build.shape(x)) < 3:
        size = math.prod(build.shape(x))
        steps = build.draw(st.sampled_from([n for n in range(1, 7) if size % n == 0]))
        x = build.reshaped(x, (1, steps, size // steps))
    major, spread = build.flag(), build.draw(st.sampled_from([0.02, 0.1, 0.4]))
    y = nets.lstm(
        build.net, x, build.integer(1, 6), quant=Quant(1 / 128, build.integer(-20, 20)),
        cell_scale=2.0 ** build.integer(-15, -9), cell_clip=build.draw(st.sampled_from([0.0, 0.7])),
        time_major=build.shape(x)[1] == 1 and major, spread=spread,
    )  # fmt: skip
    return [y]


STEPS: dict[str, Step] = {
    "RELU": _unary(nets.relu, rescales=True),
    "RESHAPE": reshape,
    "FULLY_CONNECTED": fully_connected,
    "CONV_2D": _convolution(nets.conv2d, 8),
    "DEPTHWISE_CONV_2D": _convolution(nets.depthwise_conv2d, 3),
    "AVERAGE_POOL_2D": _pool(nets.average_pool2d),
    "MAX_POOL_2D": _pool(nets.max_pool2d),
    "ADD": _binary(nets.add),
    "MUL": _binary(nets.mul),
    "SUB": _binary(nets.sub),
    "CONCATENATION": concatenation,
    "PAD": pad,
    "PADV2": padv2,
    "SQUEEZE": squeeze,
    "EXPAND_DIMS": expand_dims,
    "MEAN": mean,
    "SOFTMAX": softmax,
    "QUANTIZE": quantize,
    "RELU6": _unary(nets.relu6, rescales=False),
    "RELU_N1_TO_1": _unary(nets.relu_n1_to_1, rescales=True),
    "HARD_SWISH": _unary(nets.hard_swish, rescales=True),
    "LOGISTIC": _unary(nets.logistic, rescales=False),
    "TANH": _unary(nets.tanh, rescales=False),
    "LEAKY_RELU": leaky_relu,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest_neighbor,
    "STRIDED_SLICE": strided_slice,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SLICE": slice_,
    "TRANSPOSE": transpose,
    "PACK": pack,
    "UNPACK": unpack,
    "ELU": elu,
    "MAXIMUM": _extreme(nets.maximum),
    "MINIMUM": _extreme(nets.minimum),
    "PRELU": prelu,
    "REDUCE_MAX": reduce_max,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
}
"""By operator; the first are what a failure shrinks to."""

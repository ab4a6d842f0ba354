"""Rules of operators that multiply and add, or move a window over an image."""

import math

from edgeflow.targets.mcu.layers.base import Unsupported
from edgeflow.targets.mcu.layers.rules.form import Form

_SAME, _VALID = 0, 1


def _side(form: Form, size: int, kernel: int, stride: int, dilation: int) -> int:
    """Return how many outputs there are along a side."""
    reach = (kernel - 1) * dilation + 1
    if form.option("padding", _SAME, _VALID) == _SAME:
        return -(-size // stride)
    if reach > size:
        raise form.damage("has a window that is larger than the image")
    return (size - reach) // stride + 1


def _sides(form: Form, image: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of the output of a filter."""
    strides = form.option("strideH", 1), form.option("strideW", 1)
    dilations = form.option("dilationHFactor", 1), form.option("dilationWFactor", 1)
    height, width = (
        _side(form, *one) for one in zip(image, kernel, strides, dilations, strict=True)
    )
    return height, width


def conv2d(form: Form) -> None:
    """Weights: output channels, height, width, input channels of a group."""
    form.has(2, optional=1, kind="Conv2D")
    source, weights = form.input(0, rank=4), form.weights(1, rank=4, axis=0)
    form.one_sample(source)
    channels, *kernel, depth = weights.shape
    if 0 in weights.shape or source.shape[3] % depth or channels % (source.shape[3] // depth):
        raise form.damage(f"has weights of {weights.shape} for {source.shape[3]} channels")
    form.sums(source, weights, 0)
    form.gives(1, *_sides(form, source.shape[1:3], (kernel[0], kernel[1])), channels)


def depthwise_conv2d(form: Form) -> None:
    """Weights: 1, height, width, output channels."""
    form.has(2, optional=1, kind="DepthwiseConv2D")
    source, weights = form.input(0, rank=4), form.weights(1, rank=4, axis=3)
    form.one_sample(source)
    one, *kernel, channels = weights.shape
    multiplier = form.option("depthMultiplier", 1)
    if 0 in weights.shape or one != 1 or channels != source.shape[3] * multiplier:
        raise form.damage(f"has weights of {channels} channels for {source.shape[3]}")
    form.sums(source, weights, 3)
    form.gives(1, *_sides(form, source.shape[1:3], (kernel[0], kernel[1])), channels)


def fully_connected(form: Form) -> None:
    """Weights: units, inputs."""
    form.has(2, optional=1, kind="FullyConnected")
    source, weights = form.input(0), form.weights(1, rank=2, axis=0)
    units, width = weights.shape
    if form.option("weightsFormat"):
        raise Unsupported("has shuffled weights", "export it with weights in their own order")
    if not units or not width or source.size % width:
        raise form.damage(f"has weights of {width} inputs for {source.size}")
    form.sums(source, weights, 0)
    target = form.output()
    if not target.shape or target.shape[-1] != units or target.size * width != source.size * units:
        raise form.damage(f"gives {target.shape} of {source.shape} with {weights.shape}")


def pool2d(form: Form) -> None:
    """AVERAGE_POOL_2D, MAX_POOL_2D."""
    form.has(1, kind="Pool2D")
    source = form.input(rank=4)
    form.one_sample(source)
    kernel = form.option("filterHeight", 1), form.option("filterWidth", 1)
    strides = form.option("strideH", 1), form.option("strideW", 1)
    height, width = (
        _side(form, *one, 1) for one in zip(source.shape[1:3], kernel, strides, strict=True)
    )
    form.gives(1, height, width, source.shape[3])
    form.keeps_quantization(source)


def _reduced(form: Form) -> int:
    """Check the shape, and return how many values become one; axes may be negative, or repeat."""
    form.has(2, kind="Reducer")
    source = form.input()
    rank = len(source.shape)
    over = {form.axis(axis, rank) for axis in form.constants(1)}
    keep = form.option("keepDims", 0, 1)
    sizes = [1 if axis in over else size for axis, size in enumerate(source.shape)]
    form.gives(*(size for axis, size in enumerate(sizes) if keep or axis not in over))
    return math.prod(source.shape[axis] for axis in over)


def mean(form: Form) -> None:
    """Over any axes."""
    if _reduced(form) > 2**23:
        raise form.damage("adds up more values than 32 bits hold")


def reduce_max(form: Form) -> None:
    """Over any axes; values pass unchanged."""
    _reduced(form)
    form.keeps_quantization(form.input())

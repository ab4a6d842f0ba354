"""Rules of operators that move values and compute none."""

import math

from edgeflow.targets.mcu.layers.base import Unsupported
from edgeflow.targets.mcu.layers.rules.form import LARGEST, Form


def concatenation(form: Form) -> None:
    """All along one axis, and of one quantization."""
    count = form.count()
    form.has(count, kind="Concatenation")
    if not count:
        raise form.damage("has no inputs")
    tensors = [form.input(number) for number in range(count)]
    rank = len(tensors[0].shape)
    axis = form.axis(form.option("axis", -LARGEST), rank)
    around = {_without(tensor.shape, axis) for tensor in tensors}
    if len(around) > 1 or any(len(tensor.shape) != rank for tensor in tensors):
        raise form.damage(f"has inputs of {[tensor.shape for tensor in tensors]}")
    if form.option("fusedActivationFunction"):
        raise Unsupported("has a fused activation", "put it into a layer of its own")
    shape = list(tensors[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    form.gives(*shape)
    for tensor in tensors:
        form.keeps_quantization(tensor)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def pack(form: Form) -> None:
    """Tensors of one shape, along a new axis."""
    count = form.count()
    form.has(count, kind="Pack")
    shapes = {form.input(number).shape for number in range(count)}
    if len(shapes) != 1:
        raise form.damage(f"has inputs of {sorted(shapes)}")
    (shape,) = shapes
    axis = form.axis(form.option("axis", -LARGEST), len(shape) + 1)
    form.gives(*shape[:axis], count, *shape[axis:])
    for number in range(count):
        form.keeps_quantization(form.input(number))


def unpack(form: Form) -> None:
    """All along an axis, which goes."""
    count = form.option("num", 1)
    form.has(1, outputs=count, kind="Unpack")
    source = form.input()
    axis = form.axis(form.option("axis", -LARGEST), len(source.shape))
    if source.shape[axis] != count:
        raise form.damage(f"makes {count} of {source.shape[axis]}")
    for number in range(count):
        form.gives(*_without(source.shape, axis), number=number)
    form.keeps_quantization(source)


def split(form: Form) -> None:
    """Into equal parts along one axis; the axis is the first input."""
    parts = form.option("numSplits", 1)
    form.has(2, outputs=parts, kind="Split")
    source = form.input(1)
    axis = form.axis(int(form.constant(0)), len(source.shape))
    if source.shape[axis] % parts:
        raise form.damage(f"has {parts} parts of {source.shape[axis]}")
    shape = list(source.shape)
    shape[axis] //= parts
    for number in range(parts):
        form.gives(*shape, number=number)
    form.keeps_quantization(source)


def split_v(form: Form) -> None:
    """Into parts along one axis, whose sizes are the second input and whose axis is the third."""
    parts = form.option("numSplits", 1)
    form.has(3, outputs=parts, kind="SplitV")
    source = form.input()
    axis = form.axis(int(form.constant(2)), len(source.shape))
    sizes = form.constant(1, parts).tolist()
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = source.shape[axis] - sum(sizes) - 1
    if sum(sizes) != source.shape[axis] or min(sizes) < 1:
        raise form.damage(f"has parts of {sizes} of {source.shape[axis]}")
    for number, size in enumerate(sizes):
        form.gives(*source.shape[:axis], size, *source.shape[axis + 1 :], number=number)
    form.keeps_quantization(source)


def transpose(form: Form) -> None:
    """The second input is the order of the dimensions."""
    form.has(2)
    source = form.input()
    axes = form.constant(1, len(source.shape)).tolist()
    if sorted(axes) != list(range(len(axes))):
        raise form.damage(f"puts {len(axes)} dimensions into the order {axes}")
    form.gives(*(source.shape[axis] for axis in axes))
    form.keeps_quantization(source)


def slice_(form: Form) -> None:
    """Begin and size for each dimension; a size of -1 is up to the end."""
    form.has(3)
    source = form.input()
    begins, sizes = (form.constant(number, len(source.shape)).tolist() for number in (1, 2))
    shape = []
    for whole, begin, size in zip(source.shape, begins, sizes, strict=True):
        count = whole - begin if size == -1 else size
        if not 0 <= begin < begin + count <= whole:
            raise form.damage(f"takes {size} values from {begin} on, of {whole}")
        shape.append(count)
    form.gives(*shape)
    form.keeps_quantization(source)


def pad(form: Form) -> None:
    """PAD, or PADV2 with its value as the third input."""
    form.has(2, optional=1)
    source = form.input()
    sides = form.constant(1, len(source.shape), 2)
    if sides.min(initial=0) < 0 or sides.max(initial=0) > LARGEST:
        raise form.damage("cuts off instead of padding")
    form.gives(*(int(n) + int(a) + int(b) for n, (a, b) in zip(source.shape, sides, strict=True)))
    form.keeps_quantization(source)
    if form.present(2):
        value = form.input(2)
        if value.size != 1:
            raise form.damage(f"has {value.size} values to pad with")
        form.keeps_quantization(value)


def reshape(form: Form) -> None:
    """The new shape is an input or an option, or only the output's."""
    form.has(1, optional=1)
    source, target = form.input(), form.output()
    wanted = form.constants(1) if form.present(1) else list(target.shape)
    free = [axis for axis, size in enumerate(wanted) if size == -1]
    fixed = math.prod(size for size in wanted if size != -1)
    if len(free) > 1 or min(wanted, default=0) < -1 or not fixed or source.size % fixed:
        raise form.damage(f"makes {wanted} of {source.shape}")
    for axis in free:
        wanted[axis] = source.size // fixed
    form.gives(*wanted)
    if target.size != source.size:
        raise form.damage(f"makes {target.shape} of {source.shape}")
    form.keeps_quantization(source)


def squeeze(form: Form) -> None:
    """Without a list of dimensions, all of 1 go."""
    form.has(1, kind="Squeeze")
    source = form.input()
    rank = len(source.shape)
    named = {form.axis(axis, rank) for axis in form.numbers("squeezeDims")}
    gone = named or {axis for axis, size in enumerate(source.shape) if size == 1}
    if any(source.shape[axis] != 1 for axis in gone):
        raise form.damage(f"drops {sorted(gone)} of {source.shape}")
    form.gives(*(size for axis, size in enumerate(source.shape) if axis not in gone))
    form.keeps_quantization(source)


def expand_dims(form: Form) -> None:
    """The axis is the second input."""
    form.has(2)
    source = form.input()
    axis = form.axis(int(form.constant(1)), len(source.shape) + 1)
    form.gives(*source.shape[:axis], 1, *source.shape[axis:])
    form.keeps_quantization(source)


def resize_nearest_neighbor(form: Form) -> None:
    """Height and width are the second input."""
    form.has(2, kind="ResizeNearestNeighbor")
    source = form.input(rank=4)
    form.one_sample(source)
    height, width = form.constants(1) if form.input_size(1) == 2 else (0, 0)
    if not (0 < height <= LARGEST and 0 < width <= LARGEST):
        raise form.damage(f"resizes to {height} x {width}")
    form.gives(1, height, width, source.shape[3])
    form.keeps_quantization(source)


def strided_slice(form: Form) -> None:
    """As slices of numpy, with begin, end and strides for each dimension."""
    form.has(4, kind="StridedSlice")
    source = form.input()
    rank = len(source.shape)
    begin, end, strides = (form.constant(number, rank).tolist() for number in (1, 2, 3))
    if form.option("ellipsisMask", -LARGEST) or form.option("newAxisMask", -LARGEST):
        raise Unsupported("adds dimensions, or leaves some out", "slice all dimensions by number")
    if form.option("offset", 0, 1):
        raise Unsupported("has ends counted from its begins", "count them from the first value")
    if 0 in strides or form.input_size(1) != rank:
        raise form.damage("has a stride of 0, or not one for each dimension")
    masks = [form.option(name, 0, 2**rank - 1) for name in ("beginMask", "endMask")]
    shrink = form.option("shrinkAxisMask", 0, 2**rank - 1)
    shape = []
    for axis, size in enumerate(source.shape):
        if shrink >> axis & 1:
            if not -size <= begin[axis] < size or strides[axis] < 0:
                raise form.damage(f"takes value {begin[axis]} of {size}")
            continue
        first = None if masks[0] >> axis & 1 else begin[axis]
        last = None if masks[1] >> axis & 1 else end[axis]
        shape.append(len(range(size)[slice(first, last, strides[axis])]))
    form.gives(*shape)
    form.keeps_quantization(source)

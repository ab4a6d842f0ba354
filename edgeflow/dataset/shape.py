"""The shape of samples that the user asks for."""

import math
from dataclasses import replace

from edgeflow.dataset.base import RawDataset, Samples
from edgeflow.errors import DataError


def network_shape(given: tuple[int, ...], shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the shape in which the network takes samples.

    Args:
        given: by the source, without the batch.
        shape: that the user asks for, if any.

    Raises:
        DataError: it has another number of values.
    """
    if shape is not None and math.prod(given) != math.prod(shape):
        raise DataError(
            f"samples of shape {given} have {math.prod(given)} values, `input_shape` "
            f"{list(shape)} asks for {math.prod(shape)}",
            hint="give a shape of as many values, or leave `input_shape` out",
        )
    return shape or given


def shaped(raw: RawDataset, asked: tuple[int, ...] | None) -> RawDataset:
    """Return a dataset with samples in the shape that is asked for, their values in order.

    Raises:
        DataError: they have another number of values.
    """
    if asked is not None and len(raw.inputs) > 1:
        raise DataError(
            f"`input_shape` is of one input, samples have {len(raw.inputs)}",
            hint="leave it out, and store the arrays in the shapes that the network takes",
        )
    if raw.train.x.dtype.names:
        return raw
    shape = network_shape(raw.train.x.shape[1:], asked)
    if shape == raw.train.x.shape[1:]:
        return raw
    sound = raw.front_end and {**raw.front_end, "shape": list(shape)}
    return replace(
        raw,
        train=_shaped(raw.train, shape),
        validation=raw.validation and _shaped(raw.validation, shape),
        test=raw.test and _shaped(raw.test, shape),
        front_end=sound,
    )


def _shaped(samples: Samples, shape: tuple[int, ...]) -> Samples:
    return replace(samples, x=samples.x.reshape(len(samples.x), *shape))

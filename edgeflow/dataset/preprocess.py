"""How stored samples become the network's input: scale and offset of each channel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeflow.config.samples import Affine, Preprocess
from edgeflow.dataset.base import RawDataset, Selection
from edgeflow.dataset.save import pieces
from edgeflow.dataset.tensors import INPUT
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Deviation over mean that rounded sums may leave of a constant channel; float32 values that
differ at all do so by 6e-8."""


def resolved(
    asked: Preprocess | None, raw: RawDataset, train: Selection, field: str = INPUT
) -> Affine:
    """Return scale and offset, computed from the training set if the user asks for that.

    Args:
        asked: by the user; None for what the source says.
        raw: gives the source's own scale and offset.
        train: the train part.
        field: name of the input.

    Raises:
        DataError: there are more or fewer values than channels, or what they make of samples is
            beyond float32.
    """
    import numpy as np

    default_scale, train = raw.scale_of(field), train.of(field)
    if asked is None:
        return Affine(scale=default_scale, offset=raw.offset)
    channels = train.samples.x.shape[-1]
    require_channels(asked, channels)
    if asked.standardize:
        mean, std = moments(train)
        std[std <= ROUNDING * np.abs(mean)] = 1.0  # a constant channel becomes 0
        return _affine(1 / std, -mean / std)
    if asked.mean is None and asked.std is None:
        return Affine(
            scale=default_scale if asked.scale is None else asked.scale,
            offset=raw.offset if asked.offset is None else asked.offset,
        )
    scale = default_scale if asked.scale is None else asked.scale
    offset = raw.offset if asked.offset is None else asked.offset
    mean, std = (
        np.broadcast_to(np.asarray(default if value is None else value, np.float64), channels)
        for value, default in ((asked.mean, 0.0), (asked.std, 1.0))
    )
    return _affine(scale / std, (offset - mean) / std)


def require_one_way(asked: Preprocess | None, inputs: Sequence[str]) -> None:
    """Refuse numbers that could only be those of one of several inputs.

    Raises:
        DataError: there are some.
    """
    if asked is not None and len(inputs) > 1 and not asked.standardize:
        raise DataError(
            f"`preprocess` has numbers for one input, samples have {len(inputs)}: "
            f"{', '.join(inputs)}",
            hint="use `preprocess: {standardize: true}`, which treats each input by itself, or "
            "scale the arrays in the file",
        )


def require_channels(asked: Preprocess | None, channels: int) -> None:
    """Refuse lists that do not have one value for each channel.

    Raises:
        DataError: they have more or fewer.
    """
    for name in ("mean", "std") if asked else ():
        values = getattr(asked, name)
        if isinstance(values, list) and len(values) != channels:
            raise DataError(
                f"`preprocess.{name}` has {len(values)} values, samples have {channels} channels",
                hint="give one number for all channels, or one for each: the last axis of a sample",
            )


def moments(selection: Selection) -> "tuple[Floats, Floats]":
    """Return mean and standard deviation of each channel, float64 (channels,).

    In two passes: the difference of sums of squares would cancel where the mean is large.
    """
    import numpy as np

    channels = selection.samples.x.shape[-1]
    count = len(selection.index) * (selection.samples.x[0].size // channels)
    mean = sum(
        piece.sum(axis=0, dtype=np.float64).reshape(-1, channels).sum(axis=0)
        for piece in pieces(selection)
    )
    mean = np.asarray(mean) / count
    squares = sum(
        np.square(piece - mean).sum(axis=0).reshape(-1, channels).sum(axis=0)
        for piece in pieces(selection)
    )
    return mean, np.sqrt(np.asarray(squares) / count)


def _affine(scale: "Floats", offset: "Floats") -> Affine:
    """Return float32 values: what runs on the device, and the same after sums in another order."""
    import numpy as np

    with np.errstate(over="ignore"):  # what float32 cannot hold is inf
        lists = [values.astype(np.float32).tolist() for values in (scale, offset)]
    if not np.isfinite(lists).all():
        raise _beyond_float32()
    if len(lists[0]) == 1:
        return Affine(scale=lists[0][0], offset=lists[1][0])
    return Affine(scale=lists[0], offset=lists[1])


def require_float32(low: "Floats", high: "Floats") -> None:
    """Refuse a network input that float32 cannot hold.

    Args:
        low: smallest input of each channel, (channels,).
        high: largest input of each channel, (channels,).

    Raises:
        DataError: it is beyond float32.
    """
    import numpy as np

    largest = float(np.finfo(np.float32).max)
    if not (np.abs(low).max() <= largest and np.abs(high).max() <= largest):
        raise _beyond_float32()


def _beyond_float32() -> DataError:
    return DataError(
        "`preprocess` makes numbers of the samples that float32 cannot hold",
        hint="look at its scale, mean and std, and at channels of the samples that hardly vary or "
        "have huge values",
    )

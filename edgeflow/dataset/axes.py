"""Which axes an array of samples has, and the order in which networks take them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

DataFormat = Literal["channels_last", "channels_first"]
Arrange = Callable[["Array", DataFormat | None], "Array | None"]
"""From an array as it is stored to one with channels last; None where its axes do not fit."""

MOST_COLOURS = 4
"""More channels than that do not stand last in an image by accident: grey to RGB and alpha."""


def arranged_images(x: "Array", data_format: DataFormat | None) -> "Array | None":
    """Return vectors (n, features) as they are, images as (n, height, width, channels).

    Raises:
        DataError: the channels seem to stand first, and `data_format` is not given.
    """
    if x.ndim == 2:
        return x
    if x.ndim == 3:
        return x[..., None]
    if x.ndim != 4:
        return None
    first, height, last = x.shape[1:]
    if data_format is None and first < min(height, last) and last > MOST_COLOURS:
        raise _ambiguous(x, "height, width")
    return _channels_last(x, data_format)


def arranged_signals(x: "Array", data_format: DataFormat | None) -> "Array | None":
    """Return signals as (n, length, 1, channels).

    Raises:
        DataError: the channels seem to stand first, and `data_format` is not given.
    """
    if x.ndim == 2:
        return x[:, :, None, None]
    if x.ndim != 3:
        return None
    if data_format is None and x.shape[1] < x.shape[2]:
        raise _ambiguous(x, "length")
    return _channels_last(x, data_format)[:, :, None, :]


def _channels_last(x: "Array", data_format: DataFormat | None) -> "Array":
    import numpy as np

    return np.moveaxis(x, 1, -1) if data_format == "channels_first" else x


def _ambiguous(x: "Array", inner: str) -> DataError:
    first, last = x.shape[1], x.shape[-1]
    return DataError(
        f"samples of shape {x.shape[1:]} seem to have their {first} channels first; read as they "
        f"lie, they would have {last} channels",
        hint=f"say which: `data_format: channels_first` if they are (channels, {inner}), which "
        f"moves them, or `data_format: channels_last` if they are ({inner}, channels)",
    )

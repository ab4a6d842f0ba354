"""Small pictures of samples, for a page that holds them itself."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST = 96
"""Pixels of a picture's longer side: about 3 KB as a JPEG."""
EACH, CLASSES = 6, 40
"""Pictures of a class, and classes that have some, so that a page stays below a few MB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture of a sample.

    Attributes:
        title: the sample's name.
        url: a ``data:`` URL with the whole picture.
    """

    title: str
    url: str


def picture(title: str, sample: "NDArray[Any]") -> Picture | None:
    """Return a picture of an image, of a sound's features, or None where a sample shows nothing.

    Args:
        title: the sample's name.
        sample: (height, width, 1 or 3), uint8, or floats of any range.
    """
    from PIL import Image

    if sample.ndim != 3 or sample.shape[-1] not in (1, 3) or min(sample.shape[:2]) < 2:
        return None
    levels = _levels(sample)
    image = Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)
    factor = LARGEST / max(image.size)
    size = tuple(max(1, round(factor * side)) for side in image.size)
    smooth = Image.Resampling.BILINEAR if factor < 1 else Image.Resampling.NEAREST
    file = io.BytesIO()
    image.resize((size[0], size[1]), smooth).save(file, "JPEG", quality=75)
    encoded = base64.b64encode(file.getvalue()).decode()
    return Picture(title=title, url=f"data:image/jpeg;base64,{encoded}")


def _levels(sample: "NDArray[Any]") -> "NDArray[np.uint8]":
    """Return a sample in 0 to 255; floats from their least value to their largest."""
    import numpy as np

    if sample.dtype == np.uint8:
        return sample
    values = np.nan_to_num(sample.astype(np.float64))
    span = float(np.ptp(values)) or 1.0
    levels: NDArray[np.uint8] = (255 * (values - values.min()) / span).astype(np.uint8)
    return levels


def spread(count: int, wanted: int = EACH) -> frozenset[int]:
    """Return positions of `wanted` of `count` samples, evenly over all."""
    return frozenset(number * count // wanted for number in range(wanted)) if count else frozenset()

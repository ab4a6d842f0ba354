"""One image file, decoded and resized to uint8 0..255."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WHITE = (255, 255, 255)
_MODES = {1: "L", 3: "RGB"}
_DEEP = re.compile(r";16[BLN]$")
"""How Pillow calls 16 bits per channel in a file; plain ``;16`` are 16 bits per pixel."""

_STILL_OF_SEVERAL = frozenset({"MPO"})
"""Formats whose first frame is the photograph: what follows are previews or depth."""


def image_suffixes() -> frozenset[str]:
    """Return the suffixes of image files, in small letters."""
    from PIL import Image

    return frozenset(Image.registered_extensions())


def decode(
    path: Path, size: tuple[int, int], channels: int, background: tuple[int, int, int] = WHITE
) -> "NDArray[np.uint8]":
    """Return one image, uint8 (*size, channels), the way up that its EXIF orientation says.

    Args:
        path: the file.
        size: height and width that it is resized to, bilinear.
        channels: 1 for grey, 3 for RGB.
        background: red, green and blue of what transparent pixels are laid on.

    Raises:
        DataError: it is no image, or one of several frames or of more than 8 bits per channel.
    """
    import numpy as np
    from PIL import Image, ImageOps

    height, width = size
    try:
        with Image.open(path) as image:
            require_usable(path, image)
            image.load()
            if _has_exif(image):
                ImageOps.exif_transpose(image, in_place=True)
            flat = _flat(image, channels, background)
            pixels = np.asarray(flat.resize((width, height), Image.Resampling.BILINEAR))
    except DataError:
        raise
    except Exception as error:  # on corrupt bytes Pillow's decoders raise many kinds
        raise DataError(
            f"{path} cannot be read as an image: {error}",
            hint="replace it or move it out of the class folder",
        ) from error
    return pixels.reshape(height, width, channels)


def require_usable(path: Path, image: Any) -> None:
    """Refuse an opened image that is no sample, as far as its header tells.

    Raises:
        DataError: it has several frames, or more than 8 bits per channel.
    """
    _require_still(path, image)
    _require_8_bits(path, image)


def _require_still(path: Path, image: Any) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in _STILL_OF_SEVERAL:
        raise DataError(
            f"{path} has {frames} frames, and a sample is one image",
            hint="save the frames that you want as images of their own",
        )


def _require_8_bits(path: Path, image: Any) -> None:
    """Refuse what convert() would clip to a white image, or rob of its low bits."""
    raw = [tile[3] if isinstance(tile[3], str) else (tile[3] or ("",))[0] for tile in image.tile]
    if image.mode.startswith(("I", "F")) or any(_DEEP.search(str(mode)) for mode in raw):
        raise DataError(
            f"{path} has pixels of mode {image.mode}, not 8 bits per channel",
            hint="convert the images to 8 bits, or give them as a float array with source: npz",
        )


def _has_exif(image: Any) -> bool:
    """Return whether a decoded image has EXIF data that can be read.

    A damaged block does not make the pixels bad: viewers show such an image as it is stored.
    """
    try:
        return bool(image.getexif())
    except Exception:  # on corrupt bytes Pillow's parser raises many kinds
        return False


def _flat(image: Any, channels: int, background: tuple[int, int, int]) -> Any:
    """Return an image in grey or RGB, its transparent pixels laid on the background."""
    from PIL import Image

    if image.has_transparency_data:
        over = image.convert("RGBA")
        image = Image.new("RGBA", over.size, (*background, 255))
        image.alpha_composite(over)
    return image.convert(_MODES[channels])

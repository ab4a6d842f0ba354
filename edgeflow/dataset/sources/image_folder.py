"""Images of the user: a folder per class, decoded and resized to uint8 0..255."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import ImageFolderDataset
from edgeflow.dataset.base import UINT8_SCALE, RawDataset
from edgeflow.dataset.folders import class_files, read_classes
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ("pillow",)
_MODES = {1: "L", 3: "RGB"}


def files(options: ImageFolderDataset) -> dict[str, Path]:
    """Return all images, named ``class/file``."""
    return class_files(options.path)


def load(options: ImageFolderDataset) -> RawDataset:
    """Return all images, (n, *size, channels); the class folders, sorted, give the numbers."""
    import numpy as np

    shape = (*options.size, options.channels)
    samples, labels = read_classes(
        options.path, shape, np.uint8, lambda path: _decode(path, options), "images"
    )
    return RawDataset(train=samples, labels=labels, scale=UINT8_SCALE)


def _decode(path: Path, options: ImageFolderDataset) -> "NDArray[np.uint8]":
    """Return one image, uint8 (*size, channels)."""
    import numpy as np
    from PIL import Image

    height, width = options.size
    try:
        with Image.open(path) as image:
            mode = image.mode
            converted = image.convert(_MODES[options.channels])
            pixels = np.asarray(converted.resize((width, height), Image.Resampling.BILINEAR))
    except Exception as error:  # on corrupt bytes Pillow's decoders raise many kinds
        raise DataError(
            f"{path} cannot be read as an image: {error}",
            hint="replace it or move it out of the class folder",
        ) from error
    if mode.startswith(("I", "F")):  # convert() has clipped such pixels to 255: a white image
        raise DataError(
            f"{path} has pixels of mode {mode}, not 8 bits per channel",
            hint="convert the images to 8 bits, or give them as a float array with source: npz",
        )
    return pixels.reshape(height, width, options.channels)

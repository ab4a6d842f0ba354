"""Images of the user: a folder per class, decoded and resized to uint8 0..255."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import ImageFolderDataset
from edgeflow.dataset.base import UINT8_SCALE, RawDataset, Samples
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ("pillow",)
_MODES = {1: "L", 3: "RGB"}
_HINT = "set `path:` to a folder that holds one folder of images per class"


def _visible(folder: Path) -> list[Path]:
    """Return a folder's entries by name, without those that file managers leave behind."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _classes(options: ImageFolderDataset) -> dict[str, list[Path]]:
    root = Path(options.path).expanduser()
    folders = [path for path in _visible(root) if path.is_dir()] if root.is_dir() else []
    return {
        folder.name: [path for path in _visible(folder) if path.is_file()] for folder in folders
    }


def files(options: ImageFolderDataset) -> dict[str, Path]:
    """Return all images, named ``class/file``."""
    return {
        f"{label}/{path.name}": path for label, paths in _classes(options).items() for path in paths
    }


def load(options: ImageFolderDataset) -> RawDataset:
    """Return all images, (n, *size, channels); the class folders, sorted, give the numbers."""
    import numpy as np

    classes = _classes(options)
    if not classes:
        raise DataError(f"{options.path} is no folder with folders in it", hint=_HINT)
    paths = [path for group in classes.values() for path in group]
    x = np.empty((len(paths), *options.size, options.channels), np.uint8)
    for position, path in enumerate(paths):
        x[position] = _decode(path, options)
    counts = [len(group) for group in classes.values()]
    y = np.repeat(np.arange(len(classes), dtype=np.int64), counts)
    return RawDataset(train=Samples(x=x, y=y), labels=tuple(classes), scale=UINT8_SCALE)


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

"""Says what the model that is in use on this device makes of files; run it on the device.

It needs what the release needs: Python 3.7 or newer, numpy and the engine. A release that becomes
current while it runs answers from the next sample on.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

# A release holds exactly the files of its manifest; compiled ones beside them would damage it.
sys.dont_write_bytecode = True


def open_release(folder: str) -> Any:
    """Return the release in a folder, opened by its own `release.py`."""
    spec: Any = importlib.util.spec_from_file_location("release", folder + "/release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Release(folder)


class Current:
    """The release of a model that is in use."""

    def __init__(self, folder: str) -> None:
        """Take the model's folder on the device, such as ``edgeflow/digits-cnn``."""
        self._link = f"{folder}/current"
        self._opened: Any = None

    def release(self) -> Any:
        """Return the release that `current` points at now; it is opened when it is another one."""
        folder = os.path.realpath(self._link)
        if self._opened is None or self._opened.folder != folder:
            self._opened = open_release(folder)
            print(f"release {folder[-64:][:12]}", file=sys.stderr)
        return self._opened


def load(path: str) -> Any:
    """Return an array, or the pixels of an image, uint8 (height, width[, 3])."""
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    if path.endswith((".ppm", ".pgm")):
        return load_pnm(path)
    from PIL import Image, ImageOps  # photos need Pillow; a camera gives arrays

    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def load_pnm(path: str) -> Any:
    """Return the pixels of a binary .pgm or .ppm image of 8 bits, without comments."""
    kind, width, height, most, data = Path(path).read_bytes().split(maxsplit=4)
    channels = {b"P5": 1, b"P6": 3}.get(kind)
    if channels is None or most != b"255":
        raise ValueError(f"{path} is no binary image of 8 bits")
    return np.frombuffer(data, np.uint8).reshape(int(height), int(width), channels)


def said(answer: dict[str, Any]) -> str:
    """Return an answer in one line."""
    if "values" in answer:
        return ", ".join(f"{label} {value:.4g}" for label, value in answer["values"].items())
    if "score" in answer:
        return f"{answer['label']} (score {answer['score']:.4g})"
    label = answer["label"]
    return f"{label} {answer['probabilities'][label]:.3f}"


def main() -> None:
    """Answer for each file, once or again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="the model's folder, such as edgeflow/digits-cnn")
    parser.add_argument("files", nargs="+", help=".npy arrays, .ppm or .pgm images, photos")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="go on, at this interval")
    arguments = parser.parse_args()
    current = Current(arguments.model)
    while True:
        for path in arguments.files:
            release = current.release()
            answer = release.answer(release.sample(load(path)))
            print(f"{path}: {said(answer)}", flush=True)
        if arguments.every is None:
            return
        time.sleep(arguments.every)


if __name__ == "__main__":
    main()

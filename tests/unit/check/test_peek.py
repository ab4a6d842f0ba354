"""What is known of a dataset before it is built is what the build gives."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from edgeflow.check.peek import Peek, peek
from edgeflow.config.dataset import Dataset
from tests.signals import write_tones
from tests.unit.dataset.conftest import idx_bytes


def images(folder: Path) -> dict[str, Any]:
    for label in ("a", "b", "c"):
        (folder / label).mkdir(parents=True)
        Image.new("L", (9, 7)).save(folder / label / "1.png")
    return {"source": "image_folder", "path": str(folder), "size": [6, 5], "channels": 1}


def tones(folder: Path) -> dict[str, Any]:
    write_tones(folder, each=1)
    features = {"rate": 4000, "mels": 16, "upper_hz": 2000}
    path = str(folder)
    return {"source": "wav_folder", "path": path, "seconds": 0.5, "features": features}


def idx(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    for part in ("train", "t10k"):
        x, y = np.zeros((10, 6, 5), np.uint8), np.arange(10, dtype=np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(x))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(y))
    return {"source": "mnist", "path": str(folder)}


def arrays(source: str, *shape: int, split: bool = False) -> Callable[[Path], dict[str, Any]]:
    def write(path: Path) -> dict[str, Any]:
        x, y = np.zeros((12, *shape), np.float32), np.arange(12) % 3
        named = {"x_train": x, "y_train": y % 2, "x_test": x, "y_test": y}
        path = path.with_suffix(".npz")
        np.savez(path, **(named if split else {"x": x, "y": y}))  # type: ignore[arg-type]
        return {"source": source, "path": str(path)}

    return write


SOURCES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "digits": lambda _: {"source": "digits"},
    "image_folder": images,
    "wav_folder": tones,
    "mnist": idx,
    "npz": arrays("npz", 4, 6, 2),
    "npz without channels": arrays("npz", 4, 6),
    "npz with parts": arrays("npz", 4, 6, 1, split=True),
    "signal": arrays("signal", 20),
    "signal with channels": arrays("signal", 20, 3),
}


def parsed(options: dict[str, Any]) -> Dataset:
    section: Dataset = TypeAdapter(Dataset).validate_python(options)
    return section


@pytest.mark.parametrize("write", SOURCES.values(), ids=SOURCES)
def test_shape_and_classes_are_those_of_the_loaded_samples(
    write: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    section = parsed(write(tmp_path / "source"))
    raw = importlib.import_module(f"edgeflow.dataset.sources.{section.source}").load(section)
    assert peek(section) == Peek(inputs={"input": raw.train.x.shape[1:]}, labels=len(raw.labels))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 and no more"])
@pytest.mark.parametrize("source", ["npz", "signal", "mnist"])
def test_nothing_is_known_of_what_cannot_be_read(
    source: str, content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    assert peek(parsed({"source": source, "path": str(path)})) is None

"""What the dataset step would refuse is found before it, where that needs no samples."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from edgeflow.check.files import check_files
from edgeflow.config.dataset import NpzDataset
from edgeflow.config.store import Store
from edgeflow.errors import DataError

X, Y = np.zeros((30, 4), np.float32), np.arange(30) % 3
SMALL: dict[str, Any] = {"calibration": 3}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found(**section: Any) -> list[str]:
    return [finding.message for finding in check_files({"datasets": {"d": SMALL | section}})]


def images(*places: str) -> dict[str, Any]:
    for place in places:
        (Path("images") / place).mkdir(parents=True)
        for number in range(4):
            Image.new("L", (2, 2), number).save(Path("images") / place / f"{number}.png")
    return {"source": "image_folder", "path": "images", "size": [2, 2]}


def arrays(source: str = "npz", **members: Any) -> dict[str, Any]:
    np.savez("a.npz", **members)
    return {"source": source, "path": "a.npz"}


def test_what_is_right() -> None:
    assert found(**arrays(x=X.astype(float), y=Y)) == []
    assert found(**arrays("signal", x_train=X, y_train=Y, x_test=X, y_test=Y)) == []
    assert found(**images("a", "b/deep"), labels=["b", "a"]) == []
    assert found(source="digits", input_shape=[64]) == []


ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "names": ({"X": X, "Y": Y}, "holds X, Y, and no x, y"),
    "kind of classes": ({"x": X, "y": Y.astype(float)}, "y is float64"),
    "kind of samples": ({"x": X.astype(np.int16), "y": Y}, "x is int16"),
    "objects": ({"x": np.array([None] * 30), "y": Y}, "pickled objects"),
    "one class": ({"x": X, "y": Y * 0}, "1 class(es)"),
    "gap": ({"x": X, "y": Y * 2}, "class numbers 0..4 for 3 labels"),
    "numbers": ({"x": X, "y": Y[:-1]}, "30 samples and 29 class numbers"),
    "no samples": ({"x": X[:0], "y": Y[:0]}, "0 class(es)"),
    "parts": ({"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}, "test samples"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_cannot_be_used(name: str) -> None:
    members, message = ARRAYS[name]
    (only,) = found(**arrays(**members))
    assert message in only


@pytest.mark.parametrize("content", [b"<!doctype html>", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_archive(content: bytes) -> None:
    Path("a.npz").write_bytes(content)
    (only,) = found(source="npz", path="a.npz")
    assert "is no .npz file" in only


def test_options_that_do_not_fit() -> None:
    data = arrays(x=X, y=Y)
    assert "no class 'a'" in found(**images("c", "d"), labels=["a", "c", "d"])[0]
    assert "asks for 300 samples" in found(**data | {"calibration": 300})[0]
    assert "needs two classes" in found(**data, task="anomaly")[0]
    assert "asks for 63" in found(source="digits", input_shape=[63])[0]
    assert "has 2 values" in found(source="digits", preprocess={"mean": [1, 2]})[0]


def test_folders_that_cannot_be_used() -> None:
    section = images("a")
    assert "1 class" in found(**section)[0]
    images("b")
    Image.new("L", (2, 2)).save("images/loose.png")
    assert "lie beside the class folders" in found(**section)[0]
    Path("images/loose.png").unlink()
    Path("images/a/gone.png").symlink_to("nowhere")
    assert "is a broken link" in found(**section)[0]


@pytest.mark.parametrize("path", ["a" * 5000, "~nobody-of-that-name/a"])
def test_paths_that_lead_nowhere(path: str) -> None:
    raw = {"store": {"path": path}, "devices": {"pi": {"environment": path}}}
    assert [finding.keys[0] for finding in check_files(raw)][:1] == ["devices"]


def test_the_samples_themselves_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise DataError("read", hint="")

    monkeypatch.setattr("edgeflow.dataset.sources.image_folder.read", fail)
    assert found(**images("a", "b")) == []


def test_a_home_of_nobody_is_refused_where_paths_are_given() -> None:
    section = {"path": "~nobody-of-that-name/a"}
    with pytest.raises(ValidationError, match="~NAME needs an account"):
        Store.model_validate(section)
    with pytest.raises(ValidationError, match="~NAME needs an account"):
        NpzDataset.model_validate(section | {"source": "npz"})

"""Arrays of the user."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.config.dataset import NpzDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.sources import npz as source
from edgeflow.errors import DataError

WriteNpz = Callable[..., Path]
Y: NDArray[np.int32] = np.array([0, 1, 2, 0, 1, 2], np.int32)


def load(path: Path, **section: Any) -> RawDataset:
    return source.load(NpzDataset(source="npz", path=str(path), **section))


def test_one_part_of_bytes_gets_a_channel_axis(npz: WriteNpz) -> None:
    x = np.arange(6 * 3 * 2, dtype=np.uint8).reshape(6, 3, 2)

    raw = load(npz(x=x, y=Y), labels=["a", "b", "c"])

    np.testing.assert_array_equal(raw.train.x, x[..., None])
    assert raw.train.x.dtype == np.uint8
    assert raw.train.y.dtype == np.int64
    assert (raw.scale, raw.test, raw.labels) == (1 / 255, None, ("a", "b", "c"))


def test_floats_are_taken_as_they_are(npz: WriteNpz) -> None:
    x = np.linspace(-3, 3, 6 * 4).reshape(6, 2, 2, 1)

    raw = load(npz(x_train=x, y_train=Y, x_test=x[:3], y_test=Y[:3]))

    assert raw.test is not None
    assert raw.train.x.dtype == np.float32
    np.testing.assert_array_equal(raw.train.x, x.astype(np.float32))
    assert (len(raw.test.y), raw.scale, raw.labels) == (3, 1.0, ("0", "1", "2"))


def test_too_large_for_float32_becomes_infinity_without_a_warning(npz: WriteNpz) -> None:
    raw = load(npz(x=np.full((6, 2, 2), 1e300), y=Y))
    assert np.isinf(raw.train.x).all()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros(6, np.uint8), Y, r"x is uint8 \(6,\)"),
        (np.zeros((6, 2, 2), np.int16), Y, "x is int16"),
        (np.zeros((6, 2, 2), np.uint8), np.eye(6), r"y is float64 \(6, 6\)"),
        (np.zeros((6, 2, 2), np.uint8), Y.astype(float), "y is float64"),
        (np.zeros((6, 2, 2), np.uint8), Y.astype(object), "cannot be read"),
    ],
    ids=["no samples", "int16", "one-hot", "float-classes", "objects"],
)
def test_unusable_arrays(npz: WriteNpz, x: Any, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(npz(x=x, y=y))
    assert "np.savez" in caught.value.hint


def test_other_names_are_listed(npz: WriteNpz) -> None:
    with pytest.raises(DataError, match="holds features, x, and no x, y or x_train"):
        load(npz(x=np.zeros((6, 2, 2)), features=Y))


def test_a_file_that_is_not_an_npz(tmp_path: Path, npz: WriteNpz) -> None:
    garbage, cut, single = (tmp_path / name for name in ("a.npz", "b.npz", "c.npz"))
    garbage.write_bytes(b"PK garbage")
    cut.write_bytes(npz(x=np.zeros((6, 2, 2)), y=Y).read_bytes()[:300])
    with single.open("wb") as file:
        np.save(file, Y)
    for path in (garbage, cut, single):
        with pytest.raises(DataError, match=rf"{path.name} is no \.npz file, or is cut off"):
            load(path)


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.npz"
    with pytest.raises(DataError, match="does not exist"):
        load(path)
    assert source.files(NpzDataset(source="npz", path=str(path))) == {}


def test_objects_are_refused_without_naming_an_option_that_edgeflow_lacks(npz: WriteNpz) -> None:
    with pytest.raises(DataError, match="pickled objects") as caught:
        load(npz(x=np.array([None] * 6), y=Y))
    assert "allow_pickle" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no file"):
        load(tmp_path)


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("values", [True, False])
def test_members_as_other_tools_write_them(tmp_path: Path, values: bool) -> None:
    x = npy(np.zeros((6, 2), np.float32))
    endless = x.replace(b"(6, 2), }".ljust(30), b"(9999999999999, 999), }".ljust(30))
    assert endless != x
    for name, member, fails in (("x", x, False), ("x", b"text", True), ("x.npy", endless, True)):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr(name, member)
            archive.writestr("y.npy", npy(Y))
        section = NpzDataset(source="npz", path=str(tmp_path / "a.npz"))
        if fails and (values or member != endless):
            with pytest.raises(DataError, match=r"cannot be read as \.npz"):
                source.load(section, values=values)
        elif not fails:
            assert source.load(section, values=values).train.x.shape == (6, 2)

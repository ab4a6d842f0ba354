"""Vectors, and arrays whose channels may stand elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.check.files import check_files
from edgeflow.check.peek import peek
from edgeflow.config.dataset import NpzDataset, SignalDataset, WavFolderDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.sources import npz as images
from edgeflow.dataset.sources import signal as signals
from edgeflow.dataset.view import open_dataset
from edgeflow.errors import DataError
from edgeflow.ondevice.front_end import features
from tests.signals import RATE, write_tones

WriteNpz = Callable[..., Path]


def load(path: Path, source: str = "npz", **more: Any) -> RawDataset:
    section = {"source": source, "path": str(path), **more}
    if source == "signal":
        return signals.load(SignalDataset.model_validate(section))
    return images.load(NpzDataset.model_validate(section))


def samples(*shape: int) -> Any:
    values = np.arange(6 * np.prod(shape), dtype=np.float32)
    return values.reshape(6, *shape)


Y = np.arange(6) % 2


def test_vectors_stay_vectors(npz: WriteNpz) -> None:
    raw = load(npz(x=samples(640), y=Y))
    np.testing.assert_array_equal(raw.train.x, samples(640))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (12, 20, 16), (3, 8, 6)])
def test_channels_first_are_asked_about(npz: WriteNpz, shape: tuple[int, ...]) -> None:
    path = npz(x=samples(*shape), y=Y)
    with pytest.raises(DataError, match=rf"seem to have their {shape[0]} channels first") as caught:
        load(path)
    assert "data_format: channels_first" in caught.value.hint

    moved = load(path, data_format="channels_first").train.x
    np.testing.assert_array_equal(moved, samples(*shape).transpose(0, 2, 3, 1))
    kept = load(path, data_format="channels_last").train.x
    np.testing.assert_array_equal(kept, samples(*shape))


@pytest.mark.parametrize("shape", [(32, 32, 3), (8, 8, 64), (4, 4, 4), (2, 50, 1), (3, 3, 3)])
def test_what_cannot_be_channels_first_is_read_as_it_lies(
    npz: WriteNpz, shape: tuple[int, ...]
) -> None:
    np.testing.assert_array_equal(load(npz(x=samples(*shape), y=Y)).train.x, samples(*shape))


def test_signals_with_channels_first(npz: WriteNpz) -> None:
    path = npz(x=samples(9, 128), y=Y)
    with pytest.raises(DataError, match="seem to have their 9 channels first"):
        load(path, "signal")
    moved = load(path, "signal", data_format="channels_first").train.x
    np.testing.assert_array_equal(moved[:, :, 0], samples(9, 128).transpose(0, 2, 1))
    kept = load(path, "signal", data_format="channels_last").train.x
    np.testing.assert_array_equal(kept[:, :, 0], samples(9, 128))


def test_channels_first_are_stored_last(tmp_path: Path, npz: WriteNpz) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8), np.uint8)
    asked = {"source": "npz", "path": str(npz(x=x, y=np.arange(20) % 2)), "calibration": 4}
    build_dataset("a", {**asked, "data_format": "channels_first"}, "code", tmp_path / "a")
    np.savez(tmp_path / "data.npz", x=x.transpose(0, 2, 3, 1), y=np.arange(20) % 2)
    build_dataset("a", asked, "code", tmp_path / "b")
    for name in ("train_x.npy", "test_x.npy"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("name", ["x_val", "x_valid", "x_validation"])
def test_a_validation_set_in_the_file_is_kept(npz: WriteNpz, name: str) -> None:
    y_name = f"y{name[1:]}"
    raw = load(npz(x_train=samples(4), y_train=Y, **{name: -samples(4), y_name: Y[:, None]}))
    assert raw.validation is not None
    np.testing.assert_array_equal(raw.validation.x, -samples(4))
    np.testing.assert_array_equal(raw.validation.y, Y)
    assert raw.test is None


def test_no_array_is_dropped_silently(npz: WriteNpz) -> None:
    raw = load(npz(x=samples(4), y=Y, x_test=samples(4), y_test=Y, ids=Y))
    assert raw.test is not None
    assert raw.notes == ("arrays not read: ids",)
    with pytest.raises(DataError, match="holds x_test and no y_test"):
        load(npz(x=samples(4), y=Y, x_test=samples(4)))
    with pytest.raises(DataError, match="holds x and x_train, which mean the same part"):
        load(npz(x=samples(4), y=Y, x_train=samples(4), y_train=Y))


@pytest.mark.parametrize(
    ("source", "stored", "asked"),
    [("npz", (6, 4, 1), [24]), ("npz", (24,), [4, 6, 1]), ("signal", (20, 3), [20, 3])],
)
def test_the_network_may_take_another_shape(
    tmp_path: Path, npz: WriteNpz, source: str, stored: tuple[int, ...], asked: list[int]
) -> None:
    x = np.random.default_rng(0).normal(size=(20, *stored)).astype(np.float32)
    section = {"source": source, "path": str(npz(x=x, y=np.arange(20) % 2)), "calibration": 4}
    build_dataset("a", {**section, "input_shape": asked}, "code", tmp_path / "a")
    view = open_dataset(tmp_path / "a", ("train",))
    assert view.facts.input_shape == asked
    assert view.raw("train").shape[1:] == tuple(asked)
    build_dataset("a", section, "code", tmp_path / "b")
    other = open_dataset(tmp_path / "b", ("train",)).raw("train")
    np.testing.assert_array_equal(view.raw("train").ravel(), other.ravel())

    with pytest.raises(DataError, match="values, `input_shape` .* asks for 7"):
        build_dataset("a", {**section, "input_shape": [7]}, "code", tmp_path / "a")


def test_features_of_sound_become_vectors_on_the_device_too(tmp_path: Path) -> None:
    write_tones(tmp_path / "tones", each=4)
    section = {
        **{"source": "wav_folder", "path": str(tmp_path / "tones"), "seconds": 0.5},
        **{"features": {"rate": RATE, "mels": 16, "upper_hz": 2000}, "calibration": 3},
        "input_shape": [24 * 16],
    }
    build_dataset("a", section, "code", tmp_path / "out")
    view = open_dataset(tmp_path / "out", ("test",))
    assert view.raw("test").shape[1:] == (24 * 16,)
    assert view.facts.front_end is not None
    made = features(np.zeros(RATE), view.facts.front_end)
    assert made.shape == (24 * 16,)
    plain = features(np.zeros(RATE), WavFolderDataset.model_validate(section).front_end())
    np.testing.assert_array_equal(made, plain.ravel())


def test_check_knows_shapes_before_a_build(npz: WriteNpz) -> None:
    path = npz(x_train=samples(3, 8, 6), y_train=Y, x_val=samples(3, 8, 6), y_val=Y)
    entry: dict[str, Any] = {"source": "npz", "path": str(path), "calibration": 4}
    (finding,) = check_files({"datasets": {"a": entry}})
    assert "3 channels first" in finding.message
    entry["data_format"] = "channels_first"
    assert list(check_files({"datasets": {"a": entry}})) == []
    seen = peek(NpzDataset.model_validate({**entry, "input_shape": [144]}))
    assert seen is not None
    assert (seen.inputs, seen.labels) == ({"input": (144,)}, 2)
    (finding,) = check_files({"datasets": {"a": {**entry, "input_shape": [145]}}})
    assert "asks for 145" in finding.message
    entry["preprocess"] = {"mean": [1, 2]}
    (finding,) = check_files({"datasets": {"a": entry}})
    assert "`preprocess.mean` has 2 values, samples have 3 channels" in finding.message


def test_check_tells_a_mixed_layout(tmp_path: Path) -> None:
    for place in ("train/a", "train/b", "test/a", "extra"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "1.png").write_bytes(b"")
    entry = {"source": "image_folder", "path": str(tmp_path), "size": [2, 2]}
    (finding,) = check_files({"datasets": {"a": entry}})
    assert "extra beside test, train" in finding.message

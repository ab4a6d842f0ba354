"""A folder of sounds per class."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from edgeflow.config.dataset import WavFolderDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.sources import wav_folder
from edgeflow.errors import DataError
from edgeflow.ondevice.front_end import features
from tests.signals import RATE, write_tones

FEATURES = {"kind": "log_mel", "rate": RATE, "mels": 16, "upper_hz": 2000}


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    write_tones(tmp_path / "tones", each=3)
    return tmp_path / "tones"


def options(root: Path, **features: Any) -> WavFolderDataset:
    return WavFolderDataset.model_validate(
        {
            "source": "wav_folder",
            "path": str(root),
            "seconds": 0.5,
            "features": {**FEATURES, **features},
        }
    )


def load(root: Path, **features: Any) -> RawDataset:
    return wav_folder.load(options(root, **features))


def test_a_sample_for_each_file_with_the_parameters_that_made_it(tones: Path) -> None:
    raw = load(tones)
    assert raw.labels == ("high", "low", "middle")
    assert raw.train.y.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert raw.train.x.shape == (9, 24, 16, 1)
    assert raw.train.x.dtype == np.float32
    assert (raw.scale, raw.offset) == (1.0, 0.0)

    first = wavfile.read(tones / "high" / "0.wav")[1]
    assert raw.front_end is not None
    np.testing.assert_array_equal(raw.train.x[0], features(first, dict(raw.front_end)))
    loudest = raw.train.x.mean(axis=1)[..., 0].argmax(axis=1)
    assert loudest[3:6].max() < loudest[6:].min() < loudest[:3].min()


def test_cepstra(tones: Path) -> None:
    assert load(tones, kind="mfcc", coefficients=7).train.x.shape == (9, 24, 7, 1)


def test_files_of_other_lengths_and_channels(tones: Path) -> None:
    sound = wavfile.read(tones / "low" / "0.wav")[1]
    (tones / "low" / ".hidden").write_bytes(b"")
    wavfile.write(tones / "low" / "0.wav", RATE, np.stack([sound, sound], axis=1))
    wavfile.write(tones / "low" / "1.wav", RATE, np.concatenate([sound, sound]))
    raw = load(tones)
    np.testing.assert_array_equal(raw.train.x[3], raw.train.x[4])
    assert len(wav_folder.files(options(tones))) == 9


def test_a_file_with_another_rate_is_named(tones: Path) -> None:
    wavfile.write(tones / "low" / "2.wav", 8000, np.zeros(4000, np.int16))
    with pytest.raises(DataError, match=r"low/2\.wav has 8000 samples per second") as caught:
        load(tones)
    assert f"-ar {RATE}" in caught.value.hint
    assert caught.value.exit_code == 9


@pytest.mark.parametrize("kept", [0, 20, 1000])
def test_a_corrupt_file_is_named(tones: Path, kept: int) -> None:
    path = tones / "low" / "1.wav"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"low/1\.wav cannot be read as WAV"):
        load(tones)


def test_notes_of_a_recorder_are_skipped_without_a_word(tones: Path) -> None:
    path, before = tones / "low" / "1.wav", load(tones).train.x
    path.write_bytes(path.read_bytes() + b"note\x04\x00\x00\x00loud")
    with warnings.catch_warnings(action="error"):
        np.testing.assert_array_equal(load(tones).train.x, before)


def test_no_class_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder with folders in it") as caught:
        load(tmp_path)
    assert "WAV files per class" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"upper_hz": 2001}, "at most half of rate"),
        ({"lower_hz": 2000}, "lower_hz .* must be below upper_hz"),
        ({"kind": "mfcc", "mels": 8}, "8 mels give no 10 coefficients"),
        ({"window_ms": 501}, "clips of 0.5 s hold no window of 501 ms"),
        ({"hop_ms": 0.1}, "a hop holds no sample"),
    ],
)
def test_features_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(Path(), **change)

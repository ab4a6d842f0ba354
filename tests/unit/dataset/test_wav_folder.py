"""A folder of sounds per class."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
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


def section(root: Path, **features: Any) -> WavFolderDataset:
    return WavFolderDataset.model_validate(
        {
            "source": "wav_folder",
            "path": str(root),
            "seconds": 0.5,
            "features": {**FEATURES, **features},
        }
    )


def load(root: Path, **features: Any) -> RawDataset:
    return wav_folder.load(section(root, **features))


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
    assert len(wav_folder.files(section(tones))) == 9


def test_a_file_with_another_rate_is_named(tones: Path) -> None:
    wavfile.write(tones / "low" / "2.wav", 8000, np.zeros(4000, np.int16))
    with pytest.raises(DataError, match=r"low/2\.wav has 8000 samples per second") as caught:
        load(tones)
    assert f"-ar {RATE}" in caught.value.hint
    assert caught.value.exit_code == 9


def sine(rate: int, hertz: float = 440.0, seconds: float = 0.5) -> NDArray[np.float64]:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def asked(root: Path, **more: Any) -> WavFolderDataset:
    return WavFolderDataset.model_validate({**section(root).model_dump(), **more})


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 3000])
def test_other_rates_are_resampled_on_demand(tones: Path, rate: int) -> None:
    path = tones / "low" / "2.wav"
    wavfile.write(path, RATE, (0.5 * sine(RATE)).astype(np.float32))
    expected = load(tones).train.x[5]
    wavfile.write(path, rate, (0.5 * sine(rate, seconds=9)).astype(np.float32))
    made = wav_folder.load(asked(tones, resample=True)).train.x[5]
    loud = expected > expected.max() - 4  # the tone: beside it there is only what rounding leaves
    np.testing.assert_allclose(made[loud], expected[loud], atol=0.1)


def test_resampling_folds_nothing_back(tones: Path) -> None:
    path = tones / "low" / "2.wav"
    wavfile.write(path, 16000, (0.5 * sine(16000, hertz=3500)).astype(np.float32))
    made = wav_folder.load(asked(tones, resample=True)).train.x[5, 2:-2]
    assert made.max() < load_without(tones, path).max() - 5


def load_without(tones: Path, path: Path) -> NDArray[Any]:
    """Return the features of the same loudness at a frequency that the rate can hold."""
    wavfile.write(path, RATE, (0.5 * sine(RATE, hertz=500)).astype(np.float32))
    features: NDArray[Any] = load(tones).train.x[5]
    return features


def test_channels_are_mixed_as_the_user_says(tones: Path) -> None:
    path, sound = tones / "low" / "2.wav", (20000 * sine(RATE)).astype(np.int16)
    wavfile.write(path, RATE, sound)
    alone = load(tones).train.x[5]
    wavfile.write(path, RATE, np.stack([sound, -sound], axis=1))
    raw = wav_folder.load(asked(tones, mixdown="first"))
    np.testing.assert_array_equal(raw.train.x[5], alone)
    assert raw.front_end is not None
    stereo = wavfile.read(path)[1]
    np.testing.assert_array_equal(features(stereo, dict(raw.front_end)), alone)

    cancelled = load(tones)
    assert cancelled.notes == ("1 of 9 files are silent, all samples being equal: low/2.wav",)


BAD: dict[str, tuple[NDArray[Any], str]] = {
    "empty": (np.zeros(0, np.int16), "holds no samples"),
    "empty stereo": (np.zeros((0, 2), np.int16), "holds no samples"),
    "integer scale": (
        (20000 * sine(RATE)).astype(np.float32),
        "float samples up to 2.* full scale is 1",
    ),
    "8 bits": (100 * sine(RATE), "seem to be integers stored as floats"),
    "nan": (np.full(2000, np.nan, np.float32), "holds NaN or infinity"),
    "infinity": (np.full(2000, -np.inf, np.float32), "holds NaN or infinity"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_sound_is_refused(tones: Path, name: str) -> None:
    samples, message = BAD[name]
    wavfile.write(tones / "low" / "2.wav", RATE, samples)
    with pytest.raises(DataError, match=rf"low/2\.wav.*{message}"):
        load(tones)


def test_all_bad_sounds_are_named_at_once(tones: Path) -> None:
    for number, (samples, _) in enumerate(BAD.values()):
        wavfile.write(tones / "high" / f"bad{number}.wav", RATE, samples)
    wavfile.write(tones / "low" / "0.wav", 8000, np.ones(100, np.int16))
    with pytest.raises(DataError, match=f"{len(BAD) + 1} files cannot be used") as caught:
        load(tones)
    for number in range(len(BAD)):
        assert f"bad{number}.wav" in caught.value.message
    assert "low/0.wav has 8000 samples per second" in caught.value.message


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_notes_name_what_is_odd(tones: Path, dtype: Any) -> None:
    half = {np.uint8: 127.5, np.int16: 32767, np.int32: 2147483647, np.float32: 1.0}[dtype]
    middle = 127.5 if dtype == np.uint8 else 0

    def write(name: str, values: NDArray[np.float64]) -> None:
        wavfile.write(tones / "low" / name, RATE, (middle + half * values).astype(dtype))

    write("loud.wav", sine(RATE, hertz=300))
    assert load(tones).notes == ()
    write("clipped.wav", np.clip(3 * sine(RATE, hertz=300), -1, 1))
    write("long.wav", sine(RATE, hertz=300, seconds=0.6) / 2)
    write("short.wav", sine(RATE, hertz=300, seconds=0.4) / 2)
    write("silent.wav", 0 * sine(RATE))
    assert set(load(tones).notes) == {
        "1 of 14 files are clipped: low/clipped.wav",
        "1 of 14 files are longer than 0.5 s and cut at the end: low/long.wav",
        "1 of 14 files are shorter than 0.5 s and filled up with silence: low/short.wav",
        "1 of 14 files are silent, all samples being equal: low/silent.wav",
    }


def test_floats_somewhat_beyond_full_scale_are_sound(tones: Path) -> None:
    wavfile.write(tones / "low" / "2.wav", RATE, np.float32(1.5 * sine(RATE)))
    assert np.isfinite(load(tones).train.x).all()


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
        section(Path(), **change)


@pytest.mark.parametrize("rate", [0, 400_000_007])
def test_a_rate_that_no_recorder_has_is_a_corrupt_header(tones: Path, rate: int) -> None:
    wavfile.write(tones / "high" / "0.wav", rate, np.ones(100, np.int16))
    resampled = section(tones).model_copy(update={"resample": True})
    with pytest.raises(DataError, match=rf"0\.wav has a header of {rate} samples"):
        wav_folder.load(resampled)

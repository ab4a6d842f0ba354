"""Features of sound, held against TensorFlow's."""

from typing import Any

import numpy as np
import pytest

from edgeflow.config.dataset import WavFolderDataset
from edgeflow.ondevice.front_end import features

RNG = np.random.default_rng(5)


def parameters(seconds: float = 1.0, **options: Any) -> dict[str, Any]:
    section = {"source": "wav_folder", "path": ".", "seconds": seconds, "features": options}
    return WavFolderDataset.model_validate(section).front_end()


def by_tensorflow(clip: Any, wanted: dict[str, Any]) -> Any:
    """Return log-mel energies or MFCCs of float samples as the tutorials of tf.signal make them."""
    import tensorflow as tf

    window, hop = (int(wanted["rate"] * wanted[name] / 1000) for name in ("window_ms", "hop_ms"))
    spectra = tf.abs(tf.signal.stft(tf.constant(clip, tf.float32), window, hop))
    weights = tf.signal.linear_to_mel_weight_matrix(
        wanted["mels"], spectra.shape[-1], wanted["rate"], wanted["lower_hz"], wanted["upper_hz"]
    )
    energies = tf.math.log(tf.matmul(spectra, weights) + 1e-6)
    if wanted["kind"] == "log_mel":
        return energies.numpy()
    cepstra = tf.signal.mfccs_from_log_mel_spectrograms(energies)
    return cepstra[:, : wanted["coefficients"]].numpy()


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "log_mel"},
        {"kind": "mfcc"},
        {"kind": "mfcc", "window_ms": 30, "mels": 20, "coefficients": 20, "lower_hz": 80},
        {"kind": "log_mel", "rate": 8000, "window_ms": 32, "hop_ms": 32, "mels": 13},
    ],
    ids=str,
)
def test_they_are_those_of_tensorflow(options: dict[str, Any]) -> None:
    wanted = parameters(**options)
    time = np.arange(wanted["rate"]) / wanted["rate"]
    clip = 0.4 * np.sin(2 * np.pi * 440 * time) + RNG.normal(0, 0.1, len(time))
    expected = by_tensorflow(clip, wanted)
    found = features(clip, wanted)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], expected, atol=2e-3)


def test_a_second_of_speech_has_the_shape_of_keyword_spotting() -> None:
    wanted = parameters(kind="mfcc", rate=16000, window_ms=40, hop_ms=20, coefficients=10)
    assert features(np.zeros(16000), wanted).shape == (49, 10, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
def test_integers_are_the_floats_that_they_stand_for(dtype: Any) -> None:
    wanted, clip = parameters(rate=8000), RNG.uniform(-0.9, 0.9, 8000)
    limits = np.iinfo(dtype)
    middle, half = (limits.max + limits.min + 1) // 2, (limits.max - limits.min + 1) // 2
    stored = (np.round(clip * half) + middle).astype(dtype)
    exact = (stored.astype(np.float64) - middle) / half
    np.testing.assert_array_equal(features(stored, wanted), features(exact, wanted))


def test_channels_are_averaged() -> None:
    wanted, one = parameters(rate=8000), RNG.uniform(-0.5, 0.5, 8000)
    both = np.stack([one * 1.5, one * 0.5], axis=1)
    np.testing.assert_allclose(features(both, wanted), features(one, wanted), atol=1e-5)


def test_a_clip_is_cut_or_filled_up_with_silence() -> None:
    wanted, clip = parameters(0.5, rate=8000), RNG.uniform(-0.5, 0.5, 8000)
    np.testing.assert_array_equal(features(clip, wanted), features(clip[:4000], wanted))
    short = features(clip[:2000], wanted)
    np.testing.assert_array_equal(
        short, features(np.concatenate([clip[:2000], np.zeros(2000)]), wanted)
    )
    np.testing.assert_allclose(short[-1], np.log(1e-6), rtol=1e-6)

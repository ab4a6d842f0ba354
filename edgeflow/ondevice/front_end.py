"""Makes a network's input of recorded sound: log-mel spectra, or MFCCs.

The dataset's samples were made by this file on the host, and it lies in the bundle beside the
parameters (the manifest's `front_end`), so that an application on the device gives the network
the very input it was trained on: ``features(samples, manifest["front_end"])``.

Mel scale, filters and cepstra are those of HTK ("The HTK Book", chapter 5) in the form of
tf.signal. Standard library and numpy; Python 3.7 or newer; imports nothing of edgeflow.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

# Keeps the logarithm finite in silence.
FLOOR = 1e-6


def features(samples: Any, parameters: dict[str, Any]) -> Any:
    """Return the features of one clip, float32 (frames, features, 1), or as `shape` says.

    Args:
        samples: as recorded, (n,) or (n, channels): integers as in a WAV file, or floats -1..1.
        parameters: kind (log_mel or mfcc), mixdown (mean or first), rate and seconds, window_ms,
            hop_ms, mels, coefficients, lower_hz, upper_hz; shape where the network takes another.
    """
    rate = parameters["rate"]
    clip = fitted(mono(samples, parameters["mixdown"]), round(rate * parameters["seconds"]))
    window, hop = (round(rate * parameters[name] / 1000) for name in ("window_ms", "hop_ms"))
    spectra = magnitudes(clip, window, hop)
    limits = parameters["lower_hz"], parameters["upper_hz"]
    weights = mel_weights(spectra.shape[1], parameters["mels"], rate, limits)
    values = np.log(spectra.dot(weights) + FLOOR)
    if parameters["kind"] == "mfcc":
        values = values.dot(cepstral_weights(parameters["mels"], parameters["coefficients"]))
    values = values.astype(np.float32)[..., None]
    return values.reshape(parameters["shape"]) if "shape" in parameters else values


def mono(samples: Any, mixdown: str) -> Any:
    """Return samples as float64 -1..1, (n,): the mean of all channels, or the first of them."""
    if samples.ndim == 2 and mixdown == "first":
        samples = samples[:, 0]
    values = samples.astype(np.float64)
    if samples.dtype.kind in "iu":
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        values = values / half - (1.0 if samples.dtype.kind == "u" else 0.0)
    return values if values.ndim == 1 else values.mean(axis=1)


def fitted(clip: Any, length: int) -> Any:
    """Return a clip cut to a length, or filled up to it with silence."""
    return np.pad(clip[:length], (0, max(0, length - len(clip))), "constant")


def magnitudes(clip: Any, window: int, hop: int) -> Any:
    """Return the spectrum's magnitude in each window, (frames, bins); what is over is left out.

    Windows are Hann windows, padded to a power of two.
    """
    frames = 1 + (len(clip) - window) // hop
    steps = hop * np.arange(frames)[:, None] + np.arange(window)
    shape = np.hanning(window + 1)[:-1]
    size = 1 << (window - 1).bit_length()
    return np.abs(np.fft.rfft(clip[steps] * shape, size))


def to_mel(hertz: Any) -> Any:
    """Return frequencies on the mel scale."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


@functools.lru_cache(maxsize=8)
def mel_weights(bins: int, mels: int, rate: int, limits: tuple[float, float]) -> Any:
    """Return triangular filters, evenly spaced in mel between two limits in Hz, (bins, mels).

    Each has a peak of 1. The lowest bin, the constant part of a signal, belongs to none.
    """
    frequencies = to_mel(np.linspace(0.0, rate / 2.0, bins))[:, None]
    edges = np.linspace(to_mel(limits[0]), to_mel(limits[1]), mels + 2)
    rise = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rise, fall))
    weights[0] = 0.0
    return weights


@functools.lru_cache(maxsize=8)
def cepstral_weights(mels: int, coefficients: int) -> Any:
    """Return the first columns of the cosine transform of log-mel spectra."""
    angles = np.pi / mels * np.outer(np.arange(mels) + 0.5, np.arange(coefficients))
    return np.sqrt(2.0 / mels) * np.cos(angles)

"""Small data sets of signals and sounds, and networks for them, that tests write themselves."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

RATE = 4000


def waves(count: int, length: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return sums of two sines, (count, length), about -1..1."""
    time = np.arange(length) / length
    phases = rng.uniform(0, 2 * np.pi, (2, count, 1))
    strengths = rng.uniform(0.3, 0.5, (2, count, 1))
    parts = [
        strength * np.sin(2 * np.pi * cycles * time + phase)
        for cycles, strength, phase in zip((2, 3), strengths, phases, strict=True)
    ]
    noise = rng.normal(0, 0.02, (count, length))
    return np.asarray(parts[0] + parts[1] + noise, np.float32)


def write_signals(path: Path, normal: int = 240, anomalous: int = 40, length: int = 32) -> None:
    """Write waves (class 0), and waves with a burst of four values (class 1), to an .npz file."""
    rng = np.random.default_rng(3)
    x = waves(normal + anomalous, length, rng)
    starts = rng.integers(0, length - 4, anomalous)
    for row, start in zip(range(normal, normal + anomalous), starts, strict=True):
        x[row, start : start + 4] += rng.choice([-0.8, 0.8], 4)
    np.savez(path, x=x, y=np.repeat([0, 1], [normal, anomalous]))


def write_phases(path: Path, count: int = 240, length: int = 16) -> None:
    """Write waves of one cycle with noise, and cosine and sine of the phase of each."""
    rng = np.random.default_rng(5)
    phases = rng.uniform(0, 2 * np.pi, count)
    x = np.sin(2 * np.pi * np.arange(length) / length + phases[:, None])
    x += rng.normal(0, 0.1, x.shape)
    np.savez(path, x=x.astype(np.float32), y=np.stack([np.cos(phases), np.sin(phases)], axis=1))


def write_tones(folder: Path, each: int = 12, rate: int = RATE) -> None:
    """Write half-second clips of three tones, int16 and mono, into a folder for each tone."""
    rng = np.random.default_rng(4)
    time = np.arange(rate // 2) / rate
    for label, hertz in (("low", 300), ("middle", 700), ("high", 1500)):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            tone = np.sin(2 * np.pi * hertz * rng.uniform(0.95, 1.05) * time + rng.uniform(0, 6))
            sound = 0.5 * tone + rng.normal(0, 0.01, len(time))
            samples = (sound * 32767).astype(np.int16)
            wavfile.write(folder / label / f"{number}.wav", rate, samples)


def autoencoder(keras: Any, input_shape: tuple[int, ...], classes: int, *, units: int = 8) -> Any:
    """Return a network that squeezes its input through a few units and restores it."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(units)(x)
    x = keras.layers.Dense(int(np.prod(input_shape)))(x)
    return keras.Model(inputs, keras.layers.Reshape(input_shape)(x))

"""The smallest boards: what a perceptron and a small CNN take of a Cortex-M0 and of an Arduino."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import tiny
from benchmarks.count import Count
from benchmarks.emulated import Bytes, Emulated, emulate, native
from benchmarks.samples import expected, inputs, kinds
from edgeflow.targets.mcu.generate import Sources, generate
from edgeflow.targets.mcu.settings import Mode, Settings

KIB = 1024
EMULATED = 20
MLP = "HardTanh MLP 16-16-8-4"
CNN = "CNN, 28 x 28"


def perceptron(keras: Any) -> Any:
    """416 products; HardTanh becomes the clamp of the layer before it."""
    import tensorflow as tf

    layers = keras.layers
    source = x = layers.Input((16,))
    for units in (16, 8):
        x = layers.Lambda(lambda x: tf.clip_by_value(x, -1.0, 1.0))(layers.Dense(units)(x))
    return keras.Model(source, layers.Dense(4)(x))


def convolutional(keras: Any) -> Any:
    """109,468 products."""
    layers = keras.layers
    source = x = layers.Input((28, 28, 1))
    for filters, stride in ((8, 2), (12, 2), (10, 1)):
        x = layers.Conv2D(filters, 3, stride, "same", activation="relu")(x)
    x = layers.Flatten()(layers.AveragePooling2D(7)(x))
    return keras.Model(source, layers.Dense(10, "softmax")(x))


def strokes() -> tuple[tiny.Floats, tiny.Floats]:
    """Return the upper two rows of handwritten digits, and how bright four parts of them are."""
    images, _ = tiny.digits(16, tiny.SAMPLES)
    return images, images.reshape(-1, 4, 4).mean(axis=2)


def large_digits() -> tuple[tiny.Floats, NDArray[np.int64]]:
    """Return handwritten digits of 28 x 28 pixels, and which they are."""
    images, labels = tiny.digits(64, tiny.SAMPLES)
    large = np.kron(images.reshape(-1, 8, 8), np.ones((1, 4, 4), np.float32))
    return large[:, 2:30, 2:30, None], labels


def small_networks() -> Iterator[Count]:
    """Yield the figures of both networks."""
    for name, make, data, mode, level in (
        (MLP, perceptron, strokes, "unrolled", "-Os"),
        (CNN, convolutional, large_digits, "specialized", "-Os"),
    ):
        model = tiny.converted(make, data)
        sources = generate(model, Settings(mode=_mode(mode)))
        samples = inputs(data, sources)
        wanted = expected(model, sources, samples)
        different = int((native(sources, samples) != wanted).sum())
        what = f"bytes unlike TFLM's, {kinds(samples)}"
        yield Count(name=name, what=what, value=different, unit="bytes", target=0)
        form = f"`{mode}`, `{level}`"
        yield from _on_cortex_m0(name, form, _run(sources, "microbit", samples, wanted, level))
        if name == MLP:
            yield from _on_arduino(form, _run(sources, "arduino-uno", samples, wanted, level))


def _mode(name: str) -> Mode:
    return "unrolled" if name == "unrolled" else "specialized"


def _run(sources: Sources, board: str, samples: Bytes, wanted: Bytes, level: str) -> Emulated:
    # Random ones too, which are the last.
    found = emulate(sources, board, samples[-EMULATED:], [level])
    np.testing.assert_array_equal(found.outputs, wanted[-EMULATED:])
    return found


def _on_cortex_m0(name: str, form: str, found: Emulated) -> Iterator[Count]:
    small = name == MLP
    for what, value, unit, target in (
        ("estimated cycles", found.counts["cycles_estimate"], "cycles", 4300 if small else None),
        ("flash of the firmware", found.flash_bytes, "bytes", (6 if small else 8) * KIB),
        ("RAM with stack", _ram_bytes(found), "bytes", None if small else 8 * KIB),
    ):
        title = f"{what} on a Cortex-M0, {form}"
        yield Count(name=name, what=title, value=value, unit=unit, target=target)


def _on_arduino(form: str, found: Emulated) -> Iterator[Count]:
    for what, value, unit, target in (
        ("cycles", found.counts["cycles"], "cycles", None),
        ("flash of the firmware", found.flash_bytes, "bytes", 32 * KIB),
        ("RAM with stack", _ram_bytes(found), "bytes", 2 * KIB),
    ):
        title = f"{what} on an Arduino Uno, {form}"
        yield Count(name=MLP, what=title, value=value, unit=unit, target=target)


def _ram_bytes(found: Emulated) -> float:
    return found.ram_bytes + found.counts["stack_bytes"]

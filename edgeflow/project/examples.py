"""Small data that a new project starts with, made here: nothing is downloaded or shipped."""

import wave
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 8000
"""Samples per second of the sounds."""
SECONDS = 0.5
SOUNDS = ("falling", "rising", "steady")
CLIPS = 60
"""Sounds of each class."""

MOVEMENTS = ("still", "walking", "shaking")
WINDOWS = 160
"""Signals of each class."""
LENGTH = 128
"""Values of a signal: 2.56 s at 50 per second."""


def write_sounds(folder: Path) -> None:
    """Write WAV files of half a second, 16 bits and mono: tones that fall, rise, or do neither."""
    import numpy as np

    rng = np.random.default_rng(1)
    for label in SOUNDS:
        (folder / label).mkdir(parents=True)
        for number in range(CLIPS):
            samples = (32767 * _tone(label, rng)).astype("<i2")
            with wave.open(str(folder / label / f"{number:03}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes(samples.tobytes())


def _tone(label: str, rng: "np.random.Generator") -> "NDArray[np.float64]":
    """Return a sound, -1..1, (n,): a tone whose pitch changes by a third or more, in noise."""
    import numpy as np

    count = round(RATE * SECONDS)
    start = rng.uniform(400, 1200)
    end = start * {"falling": 1 / rng.uniform(1.3, 2), "rising": rng.uniform(1.3, 2)}.get(label, 1)
    hertz = np.geomspace(start, end, count)
    tone = np.sin(2 * np.pi * np.cumsum(hertz) / RATE + rng.uniform(0, 2 * np.pi))
    sound: NDArray[np.float64] = rng.uniform(0.1, 0.6) * tone + rng.normal(0, 0.02, count)
    return sound


def write_signals(file: Path) -> None:
    """Write an .npz file of what an accelerometer could measure.

    ``x`` is float32 (n, 128, 3), in units of gravity along three axes; ``y`` int64 (n,) the class.
    """
    import numpy as np

    rng = np.random.default_rng(1)
    x = [_movement(label, rng) for label in MOVEMENTS for _ in range(WINDOWS)]
    y = np.repeat(np.arange(len(MOVEMENTS)), WINDOWS)
    np.savez(file, x=np.asarray(x, np.float32), y=y)


def _movement(label: str, rng: "np.random.Generator") -> "NDArray[np.float64]":
    """Return acceleration (128, 3): gravity in any direction, an oscillation, and noise."""
    import numpy as np

    down = rng.normal(size=3)
    hertz, strength = {"walking": (2.0, 0.3), "shaking": (5.0, 0.9)}.get(label, (1.0, 0.0))
    seconds = np.arange(LENGTH) / 50
    phase = 2 * np.pi * (hertz * rng.uniform(0.8, 1.25) * seconds + rng.uniform())
    swing = strength * rng.uniform(0.6, 1.4) * rng.normal(size=3)
    waves = np.sin(phase)[:, None] * swing + np.sin(2 * phase)[:, None] * swing[::-1] / 3
    moved: NDArray[np.float64] = down / np.linalg.norm(down) + waves
    return moved + rng.normal(0, 0.05, moved.shape)


def write_model(file: Path) -> None:
    """Write an ONNX model as PyTorch would export it: 8x8 digits, channels first, to 10 logits.

    Its weights are learned here, from half of scikit-learn's digits, in about a second.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    x, y = load_digits(return_X_y=True)
    half = slice(0, len(x) // 2)
    network = MLPClassifier((32,), max_iter=60, tol=0.0, n_iter_no_change=60, random_state=1)
    weights = _fitted(network, x[half] / 16, y[half])
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["pixels"]),
            helper.make_node("Gemm", ["pixels", "w0", "b0"], ["sums"]),
            helper.make_node("Relu", ["sums"], ["hidden"]),
            helper.make_node("Gemm", ["hidden", "w1", "b1"], ["logits"]),
        ],
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(each.astype(np.float32), name) for name, each in weights.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), file)


def _fitted(network: object, x: object, y: object) -> "dict[str, NDArray[np.float64]]":
    """Return the weights that a network of scikit-learn learns."""
    import warnings
    from typing import Any, cast

    learner = cast("Any", network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it could learn on
        learner.fit(x, y)
    kinds = {"w": learner.coefs_, "b": learner.intercepts_}
    return {f"{kind}{n}": each for kind, layers in kinds.items() for n, each in enumerate(layers)}

"""Exports a model of Keras 3: a program of its own, as a process has either Keras 2 or 3."""

import os
import sys
from pathlib import Path

OUTPUTS = "outputs.npy"


def main(source: str, samples: str, out: str) -> None:
    """Write a SavedModel and the model's outputs for some samples.

    Args:
        source: the .keras or .h5 file.
        samples: .npy of float32 (n, *input_shape).
        out: folder for saved_model/ and outputs.npy.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    import keras
    import numpy as np

    model = keras.saving.load_model(source, compile=False, safe_mode=True)
    np.save(Path(out) / OUTPUTS, model.predict(np.load(samples), batch_size=1, verbose=0))
    model.export(Path(out) / "saved_model", format="tf_saved_model", verbose=False)


if __name__ == "__main__":
    main(*sys.argv[1:])

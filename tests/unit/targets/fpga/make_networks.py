"""Writes small networks of HGQ2 and what they compute, in the environment of envs/fpga.txt."""

import os
import sys
from pathlib import Path

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="2", CUDA_VISIBLE_DEVICES="")

import keras
import numpy as np
from hgq.config import QuantizerConfigScope
from hgq.layers import QConv2D, QDense
from hgq.utils import trace_minmax

out = Path(sys.argv[1])
keras.utils.set_random_seed(1)
samples = np.random.default_rng(0).uniform(-1, 1, (40, 4, 4, 1)).astype("float32")
with QuantizerConfigScope(default_q_type="kif", f0=3, i0=2, overflow_mode="WRAP"):
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            QConv2D(2, 3, activation="relu", beta0=0),
            keras.layers.Flatten(),
            QDense(3, beta0=0),
        ]
    )
trace_minmax(model, samples)
model.save(out / "model.keras")
np.savez(out / "samples.npz", inputs=samples, outputs=model.predict(samples, verbose=0))
inputs = keras.Input((4,))
refused = keras.layers.LayerNormalization(name="norm")(inputs)
keras.Model(inputs, refused).save(out / "refused.keras")

"""Inputs of a network in int8, real and random ones, and TFLM's outputs for them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import tiny
from benchmarks.emulated import Bytes
from edgeflow.targets.mcu.generate import Sources
from edgeflow.targets.mcu.oracle import Engine

RANDOM = 100


def inputs(data: Callable[[], tuple[tiny.Floats, Any]], sources: Sources) -> Bytes:
    """Return real inputs, and random ones behind them, [samples, bytes]."""
    (place,) = sources.graph.inputs
    tensor = sources.graph.tensors[place]
    real, _ = data()
    quantized = np.round(real.reshape(len(real), -1) / tensor.scale) + tensor.zero_point
    random = np.random.default_rng(tiny.SEED).integers(-128, 128, (RANDOM, tensor.size))
    return np.concatenate([quantized.clip(-128, 127), random]).astype(np.int8).view(np.uint8)


def kinds(samples: Bytes) -> str:
    """Say what the samples are."""
    return f"{len(samples) - RANDOM:,} real inputs, {RANDOM} random ones"


def expected(model: bytes, sources: Sources, samples: Bytes) -> Bytes:
    """Return the outputs of TFLM, [samples, bytes]."""
    engine = Engine.from_bytes(model, "tflm")
    shape = sources.graph.tensors[sources.graph.inputs[0]].shape
    arrays = (sample.view(np.int8).reshape(shape) for sample in samples)
    return np.stack([engine.infer(array)[0].ravel() for array in arrays]).view(np.uint8)

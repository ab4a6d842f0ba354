"""Recipes: how a trained model is compressed and quantized."""

from typing import Literal

from edgeflow.config.base import Section

Quantize = Literal["none", "fp16", "dynamic", "ptq-int8"]

CALIBRATED: frozenset[str] = frozenset({"ptq-int8"})
"""Values of `quantize` that read the calibration set; the others do not depend on it."""


class Recipe(Section):
    """What happens to a trained model before it is compiled. An empty recipe keeps float32."""

    quantize: Quantize = "none"
    """none: float32. fp16: weights in float16. dynamic: int8 weights, float activations.
    ptq-int8: full integer, int8 in and out, scales from the calibration set."""

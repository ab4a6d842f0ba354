"""Runs a compiled model in its target's engine on the host."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeflow.compress.evaluate import dequantized, details, quantized
from edgeflow.dataset.tensors import Tensors, listed, stacked

REFERENCE = "reference"
"""Folder of a compilation with what the engine gave for the test set, a file for each output."""

Io = Mapping[str, Sequence[Mapping[str, Any]]]
"""What an engine's `io` says: ``inputs`` and ``outputs``, each a list by position."""


def run_engine(engine: Any, io: Io, inputs: Tensors) -> Tensors:
    """Return an engine's raw outputs, by name.

    Args:
        engine: with the model loaded.
        io: the engine's own, with names that may be others.
        inputs: float32, preprocessed, in the order of the engine's.
    """
    arrays = {
        tensor["name"]: quantized(array, details(tensor))
        for tensor, array in zip(io["inputs"], inputs.arrays.values(), strict=True)
    }
    names = [tensor["name"] for tensor in io["outputs"]]
    if hasattr(engine, "infer_many"):
        return Tensors(dict(zip(names, listed(engine.infer_many(*arrays.values())), strict=True)))
    return stacked(names, [listed(engine.infer(*sample)) for sample in Tensors(arrays)])


def floats(outputs: Tensors, io: Io) -> Tensors:
    """Return raw outputs as float32, each by its scale and zero point."""
    found = zip(io["outputs"], outputs.arrays.items(), strict=True)
    return Tensors({name: dequantized(array, details(one)) for one, (name, array) in found})

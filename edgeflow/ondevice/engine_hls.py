"""Runs hls4ml's project of a network as a CPU computes it, bit for bit. Needs numpy alone.

`engine_options`: ``model``, name of the library. It has `model_float`, which takes a pointer to
float32 for each input and output, in their order, and the text `model_description`, JSON with:

    compiler    name and version of what made it
    layers      how many there are
    inputs      [{"name", "shape", ...}, ...]; the batch is 1
    outputs     the same
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
from typing import Any

import numpy as np


class Engine:
    """One loaded library; `infer` takes and gives float32 arrays in the order of `io`."""

    clock = "none"

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load the library `engine_options["model"]` from `folder`."""
        self._library = ctypes.CDLL(os.path.join(folder, engine_options["model"]))
        place = ctypes.byref(ctypes.c_char.in_dll(self._library, "model_description"))
        self._described = json.loads(ctypes.string_at(place))
        self._library.model_float.restype = None

    def version(self) -> str:
        """Return the name and version of what made the library, and the CPU that runs it."""
        return "%s on %s" % (self._described["compiler"], platform.machine())

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return io_of(self._described)

    def operators(self) -> int:
        """Return how many layers the network has."""
        return int(self._described["layers"])

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped like the inputs, with their batch."""
        return self.infer_many(*inputs)

    def infer_many(self, *inputs: Any) -> list[Any]:
        """Run samples, which lie along the first axis of each array, one after the other."""
        count = len(inputs[0])
        given = [np.ascontiguousarray(array, np.float32) for array in inputs]
        shapes = [tensor["shape"][1:] for tensor in self._described["outputs"]]
        outputs = [np.zeros((count, *shape), np.float32) for shape in shapes]
        for row in range(count):
            places = [array[row].ctypes.data for array in (*given, *outputs)]
            self._library.model_float(*map(ctypes.c_void_p, places))
        return outputs


def io_of(described: dict[str, Any]) -> dict[str, Any]:
    """Return the float32 tensors of a description."""
    return {
        side: [
            {
                "name": tensor["name"],
                "shape": tensor["shape"],
                "dtype": "float32",
                "scale": 0.0,
                "zero_point": 0,
            }
            for tensor in described[side]
        ]
        for side in ("inputs", "outputs")
    }

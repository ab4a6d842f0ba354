"""Runs a simulation of hardware description: a library that Verilator made. Needs numpy alone.

`engine_options`: ``model``, name of the JSON file below.

The JSON file describes the library, which lies beside it:

    arch        of the CPU that it was compiled for, as `uname -m` calls it
    library     name of its file
    compiler    names and versions of what made it
    io          {"inputs": [...], "outputs": [...]}: name, shape, dtype, scale and zero_point
    operators   how many operators the network has
    cycles      of one inference, from the edge that takes the sample to the one that gives it out
    inputs      {"signed", "integers", "fractions"}: of each element of all inputs, one after the
                other, the fixed-point number that the hardware takes; {"low", "high"}, the
                range that values are held to
    outputs     the same of what it gives

The library has `edgeflow_run(inputs, outputs, samples)`, which is not 0 where it fails. Both are
int32, an element of the network each, as multiples of its own smallest step.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
from typing import Any

import numpy as np


class Engine:
    """One loaded simulation; `infer` takes and gives float32 arrays in the order of `io`."""

    clock = "none"

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load the library that `engine_options["model"]` in `folder` names."""
        with open(os.path.join(folder, engine_options["model"])) as file:
            self._described = json.load(file)
        arch, here = self._described["arch"], platform.machine()
        if arch != here:
            raise RuntimeError("compiled for %s, and this CPU is %s" % (arch, here))
        self._library = ctypes.CDLL(os.path.join(folder, self._described["library"]))
        self._inputs = _Numbers(self._described["inputs"])
        self._outputs = _Numbers(self._described["outputs"])

    def version(self) -> str:
        """Return the names and versions of what made the library."""
        return str(self._described["compiler"])

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return dict(self._described["io"])

    def operators(self) -> int:
        """Return how many operators the network has."""
        return int(self._described["operators"])

    def figures(self) -> dict[str, float]:
        """Return the cycles of one inference."""
        return {"cycles": int(self._described["cycles"])}

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        return self.infer_many(*inputs)

    def infer_many(self, *inputs: Any) -> list[Any]:
        """Run samples one after the other, a new one in each cycle."""
        count = len(inputs[0])
        rows = np.concatenate([array.reshape(count, -1) for array in inputs], axis=1)
        packed = self._inputs.packed(rows)
        given = np.zeros((count, self._outputs.count), np.int32)
        if self._library.edgeflow_run(_place(packed), _place(given), ctypes.c_size_t(count)):
            raise RuntimeError("the simulation failed")
        return self._split(self._outputs.floats(given))

    def _split(self, rows: Any) -> list[Any]:
        found, start = [], 0
        for tensor in self._described["io"]["outputs"]:
            size = int(np.prod(tensor["shape"][1:], dtype=np.int64))
            part = rows[:, start : start + size]
            found.append(np.ascontiguousarray(part).reshape(len(rows), *tensor["shape"][1:]))
            start += size
        return found


class _Numbers:
    """Fixed-point numbers: of each element the step, and of inputs the range."""

    def __init__(self, described: dict[str, Any]) -> None:
        fractions = np.asarray(described["fractions"], np.int64)
        self.count = len(fractions)
        self._step = np.exp2(-fractions.astype(np.float64))
        self._range = [np.asarray(described.get(key, 0.0), np.float64) for key in ("low", "high")]

    def packed(self, values: Any) -> Any:
        """Return floats as the hardware takes them: held to the range, and rounded down."""
        held = np.clip(values.astype(np.float64), *self._range)
        # An unsigned number of 32 bits has no int32; the library takes its bits alone.
        return np.ascontiguousarray(np.floor(held / self._step).astype(np.int64).astype(np.int32))

    def floats(self, values: Any) -> Any:
        """Return what the hardware gave as float32."""
        return (values * self._step).astype(np.float32)


def _place(array: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))

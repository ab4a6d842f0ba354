"""Runs a network that IREE compiled into a library. Needs numpy alone.

`engine_options`: ``model``, name of the JSON file below.

The JSON file describes the library, which lies beside it:

    arch        of the CPU that it was compiled for, as `uname -m` calls it
    library     name of its file
    compiler    name and version of what made it
    io          {"inputs": [...], "outputs": [...]}: name, shape, dtype, scale and zero_point
    operators   how many operators the network has
    steps       [{"name", "type"}, ...] of all its kernels and other steps, in their order

The library has `edgeflow_load()`, `edgeflow_run()`, which takes all steps, and
`edgeflow_step(index)`, which are not 0 where they fail, and `edgeflow_input(index)` and
`edgeflow_output(index)`, the places of the tensors.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import time
from typing import Any

import numpy as np


class Engine:
    """One loaded library; `infer` takes and gives arrays in the order and dtypes of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load the library that `engine_options["model"]` in `folder` names."""
        with open(os.path.join(folder, engine_options["model"])) as file:
            self._described = json.load(file)
        arch, here = self._described["arch"], platform.machine()
        if arch != here:
            raise RuntimeError("compiled for %s, and this CPU is %s" % (arch, here))
        self._library = ctypes.CDLL(os.path.join(folder, self._described["library"]))
        failed = self._library.edgeflow_load()
        if failed:
            raise RuntimeError("the library does not load (%d)" % failed)
        self._inputs = self._arrays("inputs", self._library.edgeflow_input)
        self._outputs = self._arrays("outputs", self._library.edgeflow_output)

    def _arrays(self, side: str, place: Any) -> list[Any]:
        """Return the library's own tensors as arrays."""
        place.restype = ctypes.c_void_p
        found = []
        for index, tensor in enumerate(self._described["io"][side]):
            dtype = np.dtype(tensor["dtype"])
            size = dtype.itemsize * int(np.prod(tensor["shape"], dtype=np.int64))
            memory = (ctypes.c_char * size).from_address(place(index))
            found.append(np.frombuffer(memory, dtype).reshape(tensor["shape"]))
        return found

    def version(self) -> str:
        """Return the name and version of what made the library."""
        return str(self._described["compiler"])

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return dict(self._described["io"])

    def operators(self) -> int:
        """Return how many operators the network has."""
        return int(self._described["operators"])

    def profile(self, *inputs: Any) -> list[dict[str, Any]]:
        """Run samples step by step and return the mean time of each, the call of it included.

        The first sample runs once before, uncounted.
        """
        self.infer(*[array[:1] for array in inputs])
        steps, count = self._described["steps"], len(inputs[0])
        totals_s = [0.0] * len(steps)
        for row in range(count):
            self._feed([array[row : row + 1] for array in inputs])
            for place in range(len(steps)):
                begin_s = time.perf_counter()
                self._library.edgeflow_step(place)
                totals_s[place] += time.perf_counter() - begin_s
        return [
            dict(step, kernel="iree", time_us=1e6 * total_s / count)
            for step, total_s in zip(steps, totals_s)
        ]

    def _feed(self, inputs: Any) -> None:
        for own, array in zip(self._inputs, inputs):
            own[...] = array

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        self._feed(inputs)
        if self._library.edgeflow_run():
            raise RuntimeError("a kernel failed")
        return [own.copy() for own in self._outputs]

"""Runs a network in the fabric of a board with PYNQ. Needs numpy and the board's pynq.

`engine_options`: ``model``, name of a JSON file with the ``inputs`` and ``outputs`` of the network,
{"name", "shape", ...}, and ``compiler``; ``unit``, with the path of the ``overlay`` on the board.

The overlay is one .bit file with its .hwh beside, which has a DMA between memory and the network:
float32 go in, and float32 come out, as hls4ml's own designs for PYNQ have it.
"""

from __future__ import annotations

import errno
import json
import os
from typing import Any

import numpy as np


class Engine:
    """One loaded overlay; `infer` takes and gives float32 arrays in the order of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load the overlay that the device's unit names.

        Raises:
            ImportError: pynq is missing.
            OSError: there is no such overlay, or it has no DMA; or pynq finds no FPGA.
        """
        import pynq

        with open(os.path.join(folder, engine_options["model"])) as file:
            self._described = json.load(file)
        if len(self._described["inputs"]) != 1 or len(self._described["outputs"]) != 1:
            raise ValueError("the DMA moves one input and one output, and the network has more")
        bitfile = str(engine_options["unit"]["overlay"])
        if not os.path.isfile(bitfile):
            raise OSError(errno.ENODEV, "no overlay %s on this board" % bitfile)
        try:
            self._overlay = pynq.Overlay(bitfile)
        except RuntimeError as error:
            raise OSError(errno.ENODEV, "pynq cannot load %s: %s" % (bitfile, error)) from error
        self._version = str(pynq.__version__)
        self._dma = _dma(self._overlay, bitfile)
        self._given = pynq.allocate(self._sizes("inputs"), np.float32)
        self._found = pynq.allocate(self._sizes("outputs"), np.float32)

    def _sizes(self, side: str) -> tuple[int, ...]:
        return tuple(self._described[side][0]["shape"])

    def version(self) -> str:
        """Return the name and version of what drives the board."""
        return "pynq %s" % self._version

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return {side: [self._tensor(side)] for side in ("inputs", "outputs")}

    def _tensor(self, side: str) -> dict[str, Any]:
        name = self._described[side][0]["name"]
        shape = list(self._sizes(side))
        return {"name": name, "shape": shape, "dtype": "float32", "scale": 0.0, "zero_point": 0}

    def operators(self) -> int:
        """Return how many layers the network has."""
        return int(self._described["layers"])

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its array is shaped like the input, with its batch."""
        self._given[:] = inputs[0]
        # The receiving side first: what comes out before it waits would be lost.
        self._dma.recvchannel.transfer(self._found)
        self._dma.sendchannel.transfer(self._given)
        self._dma.sendchannel.wait()
        self._dma.recvchannel.wait()
        return [np.array(self._found)]


def _dma(overlay: Any, bitfile: str) -> Any:
    """Return the overlay's one DMA, wherever it stands in the design."""
    names = [name for name, block in overlay.ip_dict.items() if _is_dma(block)]
    if len(names) != 1:
        raise OSError(
            errno.ENODEV, "%s has %d DMAs (axi_dma), and needs one" % (bitfile, len(names))
        )
    found = overlay
    for part in names[0].split("/"):
        found = getattr(found, part)
    return found


def _is_dma(block: dict[str, Any]) -> bool:
    return ":axi_dma:" in str(block.get("type"))

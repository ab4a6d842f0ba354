"""Windows that move over an image: where they lie, and how far writing may follow reading."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.graph import Graph, Node

_NOWHERE = 2**62  # beyond all places


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """Windows along one side of an image.

    Attributes:
        size: of the input.
        outputs: number of windows.
        taps: of a window.
        stride: from one window to the next.
        dilation: from one tap to the next.
        pad: by which the first window begins before the input.
    """

    size: int
    outputs: int
    taps: int
    stride: int
    dilation: int
    pad: int

    @property
    def padded(self) -> bool:
        """Whether some window lies partly outside."""
        last = (self.outputs - 1) * self.stride - self.pad + (self.taps - 1) * self.dilation
        return self.pad > 0 or last >= self.size

    def firsts(self) -> NDArray[np.int64]:
        """Return the first position that each window reads; `size` if it reads none."""
        starts = np.arange(self.outputs, dtype=np.int64) * self.stride - self.pad
        taps = np.arange(self.taps, dtype=np.int64) * self.dilation
        places = starts[:, None] + taps
        return np.asarray(
            np.where((places >= 0) & (places < self.size), places, self.size).min(axis=1)
        )


def sides(graph: Graph, node: Node, taps: tuple[int, int]) -> tuple[Side, Side]:
    """Return the windows of an operator on [batch, rows, columns, depth].

    Source of the padding: `ComputePaddingHeightWidth` in tensorflow/lite/kernels/padding.h.
    """
    source, target = graph.tensors[node.inputs[0]].shape, graph.tensors[node.outputs[0]].shape
    return (
        _side(node, "H", source[1], target[1], taps[0]),
        _side(node, "W", source[2], target[2], taps[1]),
    )


def _side(node: Node, letter: str, size: int, outputs: int, taps: int) -> Side:
    stride = int(node.options[f"stride{letter}"])
    dilation = int(node.options.get(f"dilation{letter}Factor", 1))
    reach = (taps - 1) * dilation + 1
    total = max(0, (outputs - 1) * stride + reach - size)
    return Side(
        size=size,
        outputs=outputs,
        taps=taps,
        stride=stride,
        dilation=dilation,
        pad=total // 2,
    )


def values(rows: Side, columns: Side) -> dict[str, int]:
    """Return the members of a kernel's parameters that tell its windows."""
    return {
        f"{what}_{name}": getattr(side, attribute)
        for name, side in (("rows", rows), ("columns", columns))
        for what, attribute in (
            ("in", "size"),
            ("out", "outputs"),
            ("kernel", "taps"),
            ("stride", "stride"),
            ("dilation", "dilation"),
            ("pad", "pad"),
        )
    }


def padded(rows: Side, columns: Side) -> dict[str, int]:
    """Return the members that tell whether windows lie partly outside."""
    return {"padded_rows": int(rows.padded), "padded_columns": int(columns.padded)}


def slack(rows: Side, columns: Side, depths: tuple[int, int], *, by_channel: bool = False) -> int:
    """Return by how many bytes the output must start before the input it is written over.

    A kernel takes one place of the output after another, rows outermost, and writes all of its
    channels while it still reads the place's window; or, `by_channel`, reads each channel in the
    whole window before it writes that channel. `depths` are those of input and output.
    """
    read, written = depths
    row, column = rows.firsts()[:, None], columns.firsts()[None, :]
    reads = (row * columns.size + column) * read
    reads = np.where((row < rows.size) & (column < columns.size), reads, _NOWHERE)
    # What is read at a place or after it.
    lowest = np.minimum.accumulate(np.append(reads, _NOWHERE)[::-1])[::-1]
    done = np.arange(len(lowest), dtype=np.int64) * written
    if by_channel:
        return max(0, int((done - lowest).max()))
    return max(0, int((done[1:] - lowest[:-1]).max()))

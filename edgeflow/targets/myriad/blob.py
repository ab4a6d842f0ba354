"""Reads a VPU graph: what it takes and gives, and which stages the VPU runs.

The layout is that of OpenVINO 2021.4, inference-engine/src/vpu/graph_transformer: an ELF-like
header and `mv_blob_header` of include/vpu/backend/blob_format.hpp, then the sections that
src/backend/serialize.cpp writes. All numbers are little-endian, 32 bits.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from edgeflow.errors import CompileError

MAGIC = b"\x7felf"
_ELF_BYTES = 52
_HEADER = struct.Struct("<20I")
_FIELDS = (
    *("magic_number", "file_size", "major", "minor", "inputs", "outputs", "stages"),
    *("inputs_size", "outputs_size", "batch", "work_bytes", "cmx_slices", "shaves"),
    *("has_hw", "has_shave", "has_dma", "inputs_at", "outputs_at", "stages_at", "constants_at"),
)
_MAGIC_NUMBER = 9709
VERSION = (6, 0)
_BORDER = 0x7F83FF19
_TYPES = {0: "float16", 1: "uint8", 2: "int32", 3: "float32"}
_IN_BLOB = 3
_AXES = (4, 3, 5, 2, 1)
"""Codes of the axes N, C, D, H and W, from the outermost."""
_COPIES = frozenset({19, 119, 120})
_CNN_ENGINE = 38


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """An input or output of a graph."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """What a VPU graph says of itself.

    Attributes:
        inputs: in the order of the file.
        outputs: likewise.
        stages: how many the VPU runs, by what runs them: ``cnn_engine``, the convolution hardware
            of the Myriad X; ``shave``, its vector processors; ``dma``, which only moves data.
        shaves: vector processors that it is compiled for.
        cmx_slices: slices of on-chip memory, of 128 KiB, likewise.
        work_bytes: DDR memory for what stages hand each other.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    stages: dict[str, int]
    shaves: int
    cmx_slices: int
    work_bytes: int


def read_graph(content: bytes) -> Graph:
    """Return what a VPU graph says of itself.

    Raises:
        CompileError: it is no such graph, or cut.
    """
    try:
        return _Reader(content).graph()
    except (struct.error, ValueError, LookupError) as error:
        raise CompileError(
            f"what OpenVINO compiled is no VPU graph as this version of edgeflow knows it: {error}",
            hint="was the lock of the toolchain changed? it must install openvino 2021.4.2",
        ) from error


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        if content[:4] != MAGIC:
            raise ValueError("it does not begin as one")
        fields = _HEADER.unpack_from(content, _ELF_BYTES)
        if fields[:4] != (_MAGIC_NUMBER, len(content), *VERSION):
            magic, size, major, minor = fields[:4]
            raise ValueError(f"its header says {magic}, {size} bytes, version {major}.{minor}")
        self._header = dict(zip(_FIELDS, fields, strict=True))

    def graph(self) -> Graph:
        header = self._header
        return Graph(
            inputs=tuple(self._tensors(header["inputs_at"], header["inputs"])),
            outputs=tuple(self._tensors(header["outputs_at"], header["outputs"])),
            stages=self._stages(header["stages_at"], header["stages"]),
            shaves=header["shaves"],
            cmx_slices=header["cmx_slices"],
            work_bytes=header["work_bytes"],
        )

    def _words(self, start: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}I", self._content, start)

    def _tensors(self, place: int, count: int) -> Iterator[Tensor]:
        for index in range(count):
            found, _, length = self._words(place, 3)
            if found != index:
                raise ValueError(f"tensor {index} is numbered {found}")
            place += 12
            name = self._content[place : place + length].rstrip(b"\0").decode()
            dtype, order, axes, where, at = self._words(place + length, 5)
            if where != _IN_BLOB or axes > len(_AXES):
                raise ValueError(f"the sizes of {name} cannot be found")
            sizes = self._words(self._header["constants_at"] + at, axes)
            yield Tensor(name=name, dtype=_TYPES[dtype], shape=_shape(order, sizes))
            place += length + 7 * 4

    def _stages(self, place: int, count: int) -> dict[str, int]:
        stages = {"cnn_engine": 0, "shave": 0, "dma": 0}
        for index in range(count):
            length, kind = self._words(place, 2)
            place += length
            if length < 12 or self._words(place - 4, 1) != (_BORDER,):
                raise ValueError(f"stage {index} has no end")
            by = "cnn_engine" if kind == _CNN_ENGINE else "dma" if kind in _COPIES else "shave"
            stages[by] += 1
        return stages


def _shape(order: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return sizes from N to W, of those from the innermost axis on; a digit codes an axis."""
    codes = [order >> 4 * place & 15 for place in range(len(sizes))]
    by_axis = dict(zip(codes, sizes, strict=True))
    return tuple(by_axis[axis] for axis in _AXES if axis in by_axis)

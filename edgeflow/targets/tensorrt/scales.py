"""Calibration for TensorRT: a scale for each tensor, and the network with plain names."""

import re
import struct
from pathlib import Path
from typing import Any

from edgeflow.exported.ranges import Ranges

LEVELS = 127
"""Steps from 0 to the end of a range; TensorRT's int8 is symmetric."""


def scales_of(ranges: Ranges) -> dict[str, str]:
    """Return the scale of each tensor as a calibration cache holds it: a float32 in hexadecimal.

    A tensor that is always 0 has none: a scale must be positive.
    """
    ends = {name: max(-low, high) for name, (low, high) in ranges.items()}
    return {name: struct.pack(">f", end / LEVELS).hex() for name, end in ends.items() if end > 0}


def name_plainly(path: Path) -> None:
    """Rename a network's tensors in place, so that a calibration cache can hold their names.

    Names from a .tflite are those of all operators that were fused, with `;` and `:` between them.
    """
    import onnx

    model = onnx.load(path)
    graph = model.graph
    names: dict[str, str] = {"": ""}
    for name in _names(graph):
        if name not in names:
            plain = re.sub(r"[^A-Za-z0-9_./-]", "_", name.partition(";")[0])
            taken = plain if plain not in names.values() else f"{plain}.{len(names)}"
            names[name] = taken
    for node in graph.node:
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names[value.name]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _names(graph: Any) -> list[str]:
    ends = [value.name for value in (*graph.input, *graph.output)]
    inner = [name for node in graph.node for name in (*node.output, *node.input)]
    rest = [value.name for value in (*graph.value_info, *graph.initializer)]
    return [*ends, *inner, *rest]

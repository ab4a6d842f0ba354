"""What an ONNX file says of itself, read without its weights."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from edgeflow.config.fileidentity import Identity, identity


class Weights(NamedTuple):
    """Another file, which holds weights of a model.

    Attributes:
        location: from the model's folder.
        size_bytes: that it must have at least.
    """

    location: str
    size_bytes: int

    def is_inside(self) -> bool:
        """Return whether it lies in or below the model's folder; ONNX reads no other."""
        return not Path(self.location).is_absolute() and not self.location.startswith("..")


def read_onnx(path: Path) -> Any:
    """Return an `onnx.ModelProto` without external weights, or None if the file holds none.

    Raises:
        OSError: the file cannot be read.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError):
        return None
    return model if model.graph.node and model.opset_import else None


def external_weights(path: Path) -> list[Weights]:
    """Return the files that an ONNX model names for its weights; they need not exist."""
    try:
        return list(_external_weights(identity(path)))
    except OSError:
        return []


@cache
def _external_weights(file: Identity) -> tuple[Weights, ...]:
    model = read_onnx(file.path)
    ends: dict[str, int] = {}
    for tensor in tensors(model) if model else ():
        named = {entry.key: entry.value for entry in tensor.external_data}
        if tensor.data_location == tensor.EXTERNAL and named.get("location"):
            place = os.path.normpath(named["location"])
            end = _number(named.get("offset")) + _number(named.get("length"))
            ends[place] = max(ends.get(place, 0), end)
    return tuple(Weights(place, ends[place]) for place in sorted(ends))


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def scopes(model: Any) -> Iterator[Any]:
    """Yield all that holds nodes: the graph, branches and loops within, functions."""
    stack = [model.graph, *model.functions]
    while stack:
        scope = stack.pop()
        yield scope
        attributes = (each for node in scope.node for each in node.attribute)
        stack += (g for each in attributes for g in (each.g, *each.graphs) if g.node)


def tensors(model: Any) -> Iterator[Any]:
    """Yield all constant tensors of a model."""
    for scope in scopes(model):
        yield from getattr(scope, "initializer", ())
        for sparse in getattr(scope, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for attribute in (each for node in scope.node for each in node.attribute):
            yield from (each for each in (attribute.t, *attribute.tensors) if each.data_type)

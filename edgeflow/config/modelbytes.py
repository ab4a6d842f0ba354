"""What is wrong with a model file, seen without a converter: quick, and before a build."""

import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeflow.config.modelfile import files_of, kind_of
from edgeflow.config.onnxfile import external_weights, read_onnx, scopes
from edgeflow.config.pointer import pointer
from edgeflow.config.tflitefile import read_tflite

PAGE = (b"<!doctype html", b"<html")
FIRST_OPSET = 7
"""Oldest version of ONNX's operators that its own converter of versions and ONNX Runtime read."""
DOMAINS = ("", "ai.onnx")
"""Names of the set of ONNX's own operators."""


def flaw(path: Path) -> str:
    """Return why a file is no usable model of its kind; empty if nothing speaks against it."""
    try:
        file = path / "saved_model.pb" if path.is_dir() else path
        pointers = (f"{each} is only {what}" for each in files_of(path) if (what := pointer(each)))
        return next(itertools.chain(pointers, _flaws(path, file)), "")
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"


def _flaws(path: Path, file: Path) -> Iterator[str]:
    with file.open("rb") as opened:
        head = opened.read(64)
    if not head:
        yield f"{file} is empty"
    elif head.lower().lstrip().startswith(PAGE):
        yield f"{file} is a web page, not a model: the download went wrong"
    else:
        yield from _of_kind(path, head)


def _of_kind(path: Path, head: bytes) -> Iterator[str]:
    kind = kind_of(path)
    if kind == "tflite" and read_tflite(path) is None:
        yield f"{path} is no .tflite, or is cut off"
    elif kind == "keras" and not (head.startswith(b"\x89HDF") or zipfile.is_zipfile(path)):
        yield f"{path} is no file of Keras, or is cut off"
    elif kind == "onnx":
        yield from _of_onnx(path)


def _of_onnx(path: Path) -> Iterator[str]:
    model = read_onnx(path)
    if model is None:
        yield f"{path} is no ONNX model, or is cut off"
        return
    yield from _of_operators(path, model)
    for weights in external_weights(path):
        file = path.parent / weights.location
        if not weights.is_inside():
            yield f"{path} names weights outside of its folder: {weights.location}"
        elif not file.is_file():
            yield f"{path} has its weights in {file}, which is not there: bring it too"
        elif file.stat().st_size < weights.size_bytes:
            yield f"{file} has {file.stat().st_size} of {weights.size_bytes} bytes of weights"


def _of_operators(path: Path, model: Any) -> Iterator[str]:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    opset = next((each.version for each in model.opset_import if each.domain in DOMAINS), newest)
    nodes = (node for scope in scopes(model) for node in scope.node)
    own = {(function.domain, function.name) for function in model.functions}
    used = {(node.domain, node.op_type) for node in nodes if node.domain not in DOMAINS}
    if used - own:
        names = ", ".join(f"{domain}.{name}" for domain, name in sorted(used - own))
        yield f"{path} has operators that are none of ONNX's own: {names}"
    if not FIRST_OPSET <= opset <= newest:
        yield (
            f"{path} is of opset {opset}, the import reads {FIRST_OPSET} to {newest}: "
            "export it with another `opset_version`"
        )

"""Converts a .tflite to ONNX: a worker, as tf2onnx counts names up over a process' life."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.config.tflitefile import read_tflite
from edgeflow.errors import CompileError
from edgeflow.exported.canonical import canonical
from edgeflow.exported.spelled_out import spell_out

FILE = "model.onnx"
_HINT = "use another operator, or another target for this model"


def work(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write model.onnx.

    Args:
        job: ``model``, the .tflite, and ``opset``.
        folder: gets the file.

    Raises:
        CompileError: the file cannot be read, or an operator has no form in ONNX.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    path = Path(job["model"])
    found = read_tflite(path)
    if found is None:
        raise CompileError(f"{path.name} is no .tflite, or damaged", hint="build it anew")
    if found.custom:
        raise CompileError(
            f"ONNX has no operator {found.custom[0]}", hint="leave it out of the network"
        )
    model = _converted(path, job["opset"])
    tensors = (*found.inputs, *found.outputs)
    _require_ends(model, [found.tensors[place].name for place in tensors])
    _write(model, folder / FILE, job["opset"])
    return {}


def _converted(path: Path, opset: int) -> Any:
    # TensorFlow goes on without Keras 3, which a third of its import is for, with all that that
    # imports for plots and statistics; nothing here needs it.
    sys.modules.setdefault("keras", None)  # type: ignore[arg-type]
    import tf2onnx.convert

    said: list[str] = []
    with _listening(said):
        try:
            model, _ = tf2onnx.convert.from_tflite(str(path), opset=opset)
        except Exception as error:  # it raises many kinds
            raise CompileError(
                f"tf2onnx cannot write it with opset {opset}: {_reason(said, error)}", hint=_HINT
            ) from error
    return model


def _reason(said: list[str], error: Exception) -> str:
    """Return what tf2onnx said of an operator, or what it raised."""
    return "; ".join([*(line for line in said if "not supported" in line), str(error)][:2])[:500]


@contextlib.contextmanager
def _listening(said: list[str]) -> Iterator[None]:
    """Collect what tf2onnx logs as errors."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, collector = logging.getLogger("tf2onnx"), Collector(logging.ERROR)
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)


def _require_ends(model: Any, wanted: list[str]) -> None:
    """Raise unless inputs and outputs stand in the order of the .tflite."""
    ends = [value.name for value in (*model.graph.input, *model.graph.output)]
    if ends != wanted:
        raise CompileError(
            f"tf2onnx gives other inputs and outputs, {', '.join(ends)}, than the network has, "
            f"{', '.join(wanted)}",
            hint=_HINT,
        )


def _require_known(graph: Any) -> None:
    """Raise if tf2onnx left operators as they are in the .tflite."""
    kinds = dict.fromkeys(node.op_type for node in graph.node)
    left = [kind.removeprefix("TFL_") for kind in kinds if kind.startswith("TFL_")]
    if left:
        raise CompileError(f"ONNX has no form of {', '.join(left)}", hint=_hint(left))


def _hint(left: Iterable[str]) -> str:
    if any("LSTM" in name or "RNN" in name for name in left):
        return "build the recurrent layer with `unroll=True` of Keras: it becomes plain operators"
    return _HINT


def _write(model: Any, path: Path, opset: int) -> None:
    import onnx

    spell_out(model.graph, opset)
    _require_known(model.graph)
    canonical(model.graph)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        first = next(filter(None, str(error).splitlines()), type(error).__name__)
        raise CompileError(f"tf2onnx writes what is no ONNX: {first}", hint=_HINT) from error
    model.doc_string = model.graph.doc_string = ""
    onnx.save(model, path)

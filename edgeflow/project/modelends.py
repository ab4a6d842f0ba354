"""What a model file takes and gives, read without running it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.config.modelbytes import flaw
from edgeflow.config.modelfile import FORMS, SAVED_MODEL, kind_of, quantization
from edgeflow.errors import CompileError
from edgeflow.inspection.facts import ModelFacts
from edgeflow.inspection.of_onnx import inspect_onnx
from edgeflow.inspection.of_tflite import inspect_tflite
from edgeflow.project.end import End, Ends, Sizes
from edgeflow.project.kerasends import keras_ends

SERVING = "serving_default"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelEnds:
    """What a file takes and gives.

    Attributes:
        kind: of file.
        inputs: those that a caller gives.
        outputs: in their order.
        quantized: how it is quantized already, as a recipe's `quantize`; empty where it is float.
        notes: what else the file tells, in words.
    """

    kind: str
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    quantized: str = ""
    notes: tuple[str, ...] = ()

    @property
    def image(self) -> tuple[int | None, int | None, int | None] | None:
        """Height, width and channels of the one input that is an image; None where none is."""
        images = [end.sizes for end in self.inputs if end.sizes and len(end.sizes) == 3]
        if len(images) != 1:
            return None
        first, second, third = images[0]
        channels = (1, 3)
        if self.kind == "onnx" and first in channels and third not in channels:
            return second, third, first
        return first, second, third

    @property
    def classes(self) -> int | None:
        """Number of values of the one output that is a vector; None where none is."""
        vectors = [_values(end.sizes) for end in self.outputs if end.sizes]
        found = [count for count in vectors if count]
        return found[0] if len(found) == 1 else None


def _values(sizes: Sizes) -> int | None:
    """Return the length of a vector, also of one among sizes of 1; None for any other shape."""
    longer = [size for size in sizes if size != 1]
    return longer[0] if len(longer) == 1 else None


def model_ends(path: Path) -> ModelEnds:
    """Return what a model file takes and gives.

    Raises:
        CompileError: it is no model file, or is damaged.
    """
    kind = kind_of(path) if path.exists() else None
    if kind is None:
        what = "is no model file" if path.exists() else "does not exist"
        raise CompileError(f"{path} {what}", hint=f"bring {FORMS}")
    wrong = flaw(path)
    if wrong:
        raise CompileError(wrong, hint="replace the file")
    inputs, outputs, notes = _READERS[kind](path)
    if not inputs or not outputs:
        raise CompileError(f"{path} tells no inputs or outputs", hint="export it again")
    quantized = quantization(path).get("quantize", "")
    return ModelEnds(kind=kind, inputs=inputs, outputs=outputs, quantized=quantized, notes=notes)


def _of_facts(facts: ModelFacts) -> Ends:
    sides = (facts.inputs, facts.outputs)
    inputs, outputs = (
        tuple(End(each.name, _positive(each.shape[1:]), each.dtype) for each in side)
        for side in sides
    )
    macs = sum(facts.macs.values())
    return inputs, outputs, (f"{facts.parameters:,} parameters", f"{macs:,} MACs")


def _positive(sizes: tuple[int, ...]) -> Sizes:
    return tuple(size if size > 0 else None for size in sizes)


def _saved_model(path: Path) -> Ends:
    # Its format's classes come with TensorFlow alone.
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((path / SAVED_MODEL).read_bytes())
    signatures = [graph.signature_def for graph in model.meta_graphs]
    served = next((each[SERVING] for each in signatures if SERVING in each), None)
    if served is None:
        raise CompileError(
            f"{path} has no signature `{SERVING}`",
            hint="export it again, with `tf.saved_model.save` or Keras' `model.export`",
        )
    inputs, outputs = (
        tuple(_saved_end(name, side[name]) for name in sorted(side))
        for side in (served.inputs, served.outputs)
    )
    return inputs, outputs, ()


def _saved_end(name: str, info: Any) -> End:
    from tensorflow.dtypes import as_dtype

    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else _positive(tuple(each.size for each in shape.dim)[1:])
    return End(name, sizes, as_dtype(info.dtype).name)


_READERS: Mapping[str, Callable[[Path], Ends]] = {
    "onnx": lambda path: _of_facts(inspect_onnx(path)),
    "tflite": lambda path: _of_facts(inspect_tflite(path)),
    "keras": keras_ends,
    "saved_model": _saved_model,
}

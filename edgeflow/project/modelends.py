"""What a model file takes and gives, read without running it."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edgeflow.config.modelbytes import flaw
from edgeflow.config.modelfile import FORMS, SAVED_MODEL, kind_of, quantization
from edgeflow.errors import CompileError
from edgeflow.inspection.facts import ModelFacts
from edgeflow.inspection.of_onnx import inspect_onnx
from edgeflow.inspection.of_tflite import inspect_tflite

SERVING = "serving_default"
Sizes = tuple[int | None, ...]
"""Sizes without the batch; None where one is free."""


class End(NamedTuple):
    """An input or output.

    Attributes:
        name: as the file has it.
        sizes: None where the file does not tell them.
        dtype: as numpy names it; empty where the file does not tell.
    """

    name: str
    sizes: Sizes | None
    dtype: str = ""

    def told(self) -> str:
        """Return it in words."""
        sizes = ["?" if size is None else str(size) for size in self.sizes or ()]
        return " ".join(filter(None, [self.name, "x".join(sizes), self.dtype]))


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


Ends = tuple[tuple[End, ...], tuple[End, ...], tuple[str, ...]]
"""Inputs, outputs, and what else the file tells."""


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


def _keras(path: Path) -> Ends:
    model = _keras_config(path).get("config", {})
    found = (each.get("config") for each in model.get("layers", []) if isinstance(each, Mapping))
    layers = {str(each.get("name")): each for each in found if isinstance(each, Mapping)}
    shapes = {name: _batched(config) for name, config in layers.items()}
    names = [list(_keras_names(model.get(side))) for side in ("input_layers", "output_layers")]
    # A Sequential model names neither: it begins where a shape stands, and ends with its layers.
    inputs = names[0] or [name for name, sizes in shapes.items() if sizes][:1]
    units = {name: layers.get(name, {}).get("units") for name in names[1] or list(layers)[-1:]}
    return (
        tuple(End(name, shapes.get(name)) for name in inputs),
        tuple(End(name, (count,) if count else None) for name, count in units.items()),
        (),
    )


def _batched(config: Mapping[str, Any]) -> Sizes | None:
    """Return the sizes of a layer that says what the model takes."""
    for key in ("batch_shape", "batch_input_shape"):
        if isinstance(config.get(key), list):
            return tuple(config[key][1:])
    return None


def _keras_names(layers: Any) -> Iterator[str]:
    """Yield the names in Keras' lists of layers: `[name, 0, 0]`, or a list or mapping of such."""
    if isinstance(layers, Mapping):
        for each in layers.values():
            yield from _keras_names(each)
    elif isinstance(layers, list) and layers and isinstance(layers[0], str):
        yield layers[0]
    elif isinstance(layers, list):
        for each in layers:
            yield from _keras_names(each)


def _keras_config(path: Path) -> Mapping[str, Any]:
    """Return the architecture that a file of Keras holds as JSON."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                text: Any = archive.read("config.json")
        else:
            import h5py

            with h5py.File(path) as file:
                text = file.attrs["model_config"]
        found = json.loads(text)
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        hint = "save the whole model, not its weights alone"
        raise CompileError(f"{path} holds no model of Keras", hint=hint) from error
    return found if isinstance(found, Mapping) else {}


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
    "keras": _keras,
    "saved_model": _saved_model,
}

"""Inspects ONNX files, without their weights: sizes are all that counts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.config.modelfile import files_of
from edgeflow.config.onnxfile import read_onnx, scopes
from edgeflow.errors import CompileError
from edgeflow.inspection.facts import ModelFacts, Shape, Tensor, Work, product, tallied

WEIGHTS = {
    "Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3, "Gemm": 1, "MatMul": 1,
    "MatMulInteger": 1, "QLinearMatMul": 3, "LSTM": 1, "GRU": 1, "RNN": 1,
}  # fmt: skip
"""Operators whose work is counted, with the place of their weights."""
SCALES = {"QLinearConv": 4, "QLinearMatMul": 4}
"""Place of the scale of weights that are integers themselves."""
_SIZES = frozenset({"int64", "bool", "string"})
"""Types of constants that are no parameters: shapes, axes and the like."""


def inspect_onnx(path: Path) -> ModelFacts:
    """Return what is in an ONNX file.

    Raises:
        CompileError: it is none.
    """
    try:
        model = read_onnx(path)
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror}") from error
    if model is None:
        raise CompileError(f"{path} is no ONNX model, or damaged", hint="export it again")
    graph = _Graph(model)
    works = list(graph.works())
    return ModelFacts(
        format="onnx",
        size_bytes=sum(file.stat().st_size for file in files_of(path)),
        parameters=graph.parameters(),
        quantize="ptq-int8" if graph.quantized() else "none",
        inputs=tuple(graph.inputs()),
        outputs=tuple(_end(value) for value in model.graph.output),
        notes=tuple(graph.notes()),
        **tallied(works),
    )


def _end(value: Any) -> Tensor:
    kind = value.type.tensor_type
    return Tensor(name=value.name, shape=_sizes(kind), dtype=_dtype(kind.elem_type))


def _sizes(kind: Any) -> Shape:
    return tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim)


def _dtype(number: int) -> str:
    import onnx

    name: str = onnx.TensorProto.DataType.Name(number).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


class _Graph:
    """An ONNX model with the shapes that can be told from it, for one sample."""

    def __init__(self, model: Any) -> None:
        self._given = model
        self._constants = {
            tensor.name: tensor for scope in scopes(model) for tensor in _constants(scope)
        }
        self._model = _inferred(model)
        self._shapes = dict(self._known())
        self._made = {name: node for node in self._nodes() for name in node.output}

    def _nodes(self) -> Iterator[Any]:
        for scope in scopes(self._model):
            yield from scope.node

    def _known(self) -> Iterator[tuple[str, Shape]]:
        for scope in scopes(self._model):
            if hasattr(scope, "value_info"):
                for value in (*scope.input, *scope.output, *scope.value_info):
                    kind = getattr(value, "type", None)
                    if kind is not None and kind.tensor_type.HasField("shape"):
                        yield value.name, _sizes(kind.tensor_type)
        for name, tensor in self._constants.items():
            yield name, tuple(tensor.dims)

    def inputs(self) -> Iterator[Tensor]:
        """Yield the inputs that are no weights."""
        for value in self._given.graph.input:
            if value.name not in self._constants:
                yield _end(value)

    def parameters(self) -> int:
        """Return the number of constants that are no sizes."""
        used = [one for one in self._constants.values() if _dtype(one.data_type) not in _SIZES]
        return sum(product(tensor.dims) for tensor in used)

    def quantized(self) -> bool:
        """Return whether operators compute with integers, or are meant to."""
        names = {node.op_type for node in self._nodes()}
        return bool(names & {"QuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger"})

    def notes(self) -> Iterator[str]:
        """Yield what else is to be said."""
        unknown = [
            node.op_type
            for node in self._nodes()
            if node.op_type in WEIGHTS and self._macs(node) is None
        ]
        if unknown:
            yield f"{len(unknown)} operators have sizes that only a run tells: {unknown[0]}"
        if len(list(scopes(self._model))) > 1:
            yield "the operators of loops, branches and functions are counted once"

    def works(self) -> Iterator[Work]:
        """Yield what the operators do."""
        for node in self._nodes():
            counted = node.op_type in WEIGHTS
            yield Work(
                kind=f"{node.op_type} (depthwise)" if self._is_depthwise(node) else node.op_type,
                macs=self._macs(node) if counted else None,
                weights=self._stored(node) if counted else None,
            )

    def _shape(self, node: Any, place: int) -> Shape | None:
        names = node.input
        return self._shapes.get(names[place]) if place < len(names) else None

    def _is_depthwise(self, node: Any) -> bool:
        if node.op_type not in ("Conv", "QLinearConv", "ConvInteger"):
            return False
        weights = self._shape(node, WEIGHTS[node.op_type])
        groups = _attribute(node, "group", 1)
        return weights is not None and groups > 1 and weights[1] == 1

    def _macs(self, node: Any) -> int | None:
        """Return the multiplications of an operator; None where sizes are not known."""
        kind, weights = node.op_type, self._shape(node, WEIGHTS[node.op_type])
        first, out = self._shape(node, 0), self._shapes.get(node.output[0])
        if weights is None or first is None or -1 in weights:
            return None
        if kind in ("LSTM", "GRU", "RNN"):  # (time, batch, in); weights (ways, gates, in)
            state = self._shape(node, 2) or ()
            return None if -1 in first else product(first[:2]) * (product(weights) + product(state))
        if kind == "ConvTranspose":  # weights (in, out, ...)
            return None if -1 in first else product(first) * product(weights[1:])
        if out is None or -1 in out:
            return None
        if "Conv" in kind:  # weights (out, in, ...)
            return product(out) * product(weights[1:])
        inner = weights[-1 if kind == "Gemm" and _attribute(node, "transB", 0) else 0]
        return product(out) * (inner if kind == "Gemm" else weights[-2 if len(weights) > 1 else 0])

    def _stored(self, node: Any) -> str | None:
        name = node.input[WEIGHTS[node.op_type]]
        place = SCALES.get(node.op_type)
        scale = node.input[place] if place is not None and place < len(node.input) else None
        source = self._made.get(name)
        if source is not None and source.op_type == "DequantizeLinear":
            name, scale = source.input[0], source.input[1]
        tensor = self._constants.get(name)
        if tensor is None:
            return None
        dtype = _dtype(tensor.data_type)
        if scale is None:
            return dtype
        many = product(self._shapes.get(scale, ())) > 1
        return f"{dtype} per {'channel' if many else 'tensor'}"


def _constants(scope: Any) -> Iterator[Any]:
    yield from getattr(scope, "initializer", ())
    for node in scope.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    tensor = attribute.t
                    tensor.name = node.output[0]
                    yield tensor


def _inferred(model: Any) -> Any:
    """Return a model with the shapes of all tensors that follow from a batch of 1."""
    import onnx

    bound = type(model).FromString(model.SerializeToString())
    for value in bound.graph.input:
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].HasField("dim_value"):
            dims[0].dim_value = 1
    for value in bound.graph.output:
        value.type.tensor_type.ClearField("shape")  # they may say another batch
    try:
        return onnx.shape_inference.infer_shapes(bound)
    except Exception:  # it raises many kinds; what it cannot tell stays unknown
        return bound


def _attribute(node: Any, name: str, default: int) -> int:
    found: Mapping[str, int] = {one.name: one.i for one in node.attribute}
    return found.get(name, default)

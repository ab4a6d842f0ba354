"""Renders the C files."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgeflow.targets.mcu.graph import Graph, Tensor
from edgeflow.targets.mcu.layers.base import Layer, Unrolled, owners
from edgeflow.targets.mcu.layers.products import TOGETHER
from edgeflow.targets.mcu.memory import Plan
from edgeflow.targets.mcu.settings import Settings

DATA = ("kernels/*.h", "templates/*.j2")  # counts as code: see edgeflow.artifact.fingerprint

if TYPE_CHECKING:
    from jinja2 import Environment

_C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
}
_INCLUDE = re.compile(r'^#include "(?!arm_)(\w+)\.h"\n', re.MULTILINE)  # arm_...: CMSIS-NN's own
_LINE = 16


def render(
    graph: Graph, layers: Sequence[Layer], plan: Plan, settings: Settings, labels: Sequence[str]
) -> dict[str, str]:
    """Return the text of each file, by name.

    Args:
        graph: the network.
        layers: in the order in which they run.
        plan: of the arena.
        settings: of the generator.
        labels: names of the classes.
    """
    constants = {
        f"constant{place}": tensor.data
        for place, tensor in enumerate(graph.tensors)
        if tensor.data is not None and any(place in layer.reads for layer in layers)
    }
    pointers = _pointers(graph, plan)
    values = {
        "name": settings.name,
        "settings": settings,
        "plan": plan,
        "memory_map": list(_memory_map(graph, plan)),
        "labels": labels,
        "ends": ends(graph, settings.name),
        "arguments": _arguments(graph),
        "constants": constants,
        "unused": [
            pointers[place]
            for place in graph.inputs
            if not any(place in layer.reads for layer in layers)
        ],
        "layers": [
            _layer(graph, n, layer, plan, pointers) | {"owners": owner}
            for n, (layer, owner) in enumerate(zip(layers, owners(layers), strict=True))
        ],
        "kernels": kernels([layer.kernel for layer in layers if _calls_kernel(layer)]),
    }
    names = {"model.h": "", "model.c": "", "kernels.h": "_"}
    return {
        name.replace("model", settings.name) if not joint else f"{settings.name}{joint}{name}": (
            templates().get_template(f"{name}.j2").render(values)
        )
        for name, joint in names.items()
    }


@cache
def templates() -> "Environment":
    """Return the environment of the templates, with filters for C."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # C, no page
        loader=PackageLoader("edgeflow.targets.mcu"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "c_array": c_array,
        "c_integer": _literal,
        "c_products": c_products,
        "c_float": c_float,
        "c_string": c_string,
        "c_type": lambda array: _C_TYPES[array.dtype.name],
        "c_comment": _safe,
        "code": lambda text: f"`{re.sub('[`|]', '_', _safe(text))}`",
    }
    return environment


def c_array(array: NDArray[Any]) -> str:
    """Return the values of an array as an initializer, in lines."""
    flat = [_literal(int(value)) for value in array.ravel()]
    rows = (flat[start : start + _LINE] for start in range(0, len(flat), _LINE))
    return ",\n".join("    " + ", ".join(row) for row in rows)


def c_products(code: Unrolled, units: Sequence[int]) -> Iterator[str]:
    """Yield statements that add an input's products to sums of units, for each input."""
    for number, column in enumerate(zip(*(code.weights[unit] for unit in units), strict=True)):
        terms = [
            f"a{unit} {'-' if weight < 0 else '+'}= {abs(weight)} * x{number};"
            for unit, weight in zip(units, column, strict=True)
            if weight
        ]
        if terms:
            yield " ".join([f"const int16_t x{number} = x[{number}];", *terms])


def _literal(value: int) -> str:
    # -2147483648 is an expression of a wider type in C.
    return "-2147483647 - 1" if value == -(2**31) else str(value)


def c_float(value: float) -> str:
    """Return a number as a constant of type float, which it is exactly."""
    text = f"{value:.9g}"
    return f"{text}f" if {".", "e"} & set(text) else f"{text}.0f"


def c_string(text: str) -> str:
    """Return a text of unknown origin as a string literal of its UTF-8."""
    plain = {*range(32, 127)} - set(b'"\\?')  # two question marks may begin a trigraph
    quoted = "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode())
    return f'"{quoted}"'


def ends(graph: Graph, name: str) -> list[dict[str, Any]]:
    """Return the inputs and outputs: ``tensor``, ``argument`` in C and start of its ``macro``s."""
    sides = (("in", "INPUT", graph.inputs), ("out", "OUTPUT", graph.outputs))
    return [
        {
            "tensor": graph.tensors[place],
            "argument": _numbered(side, number, places),
            "macro": f"{name.upper()}_{_numbered(macro, number, places)}",
            "is_input": side == "in",
        }
        for side, macro, places in sides
        for number, place in enumerate(places)
    ]


def _numbered(name: str, number: int, places: Sequence[int]) -> str:
    return name if len(places) == 1 else f"{name}{number}"


def kernels(names: Sequence[str]) -> str:
    """Return the C of kernels, each after those that it includes, and each once."""
    texts: dict[str, str] = {}
    for name in ("nn_common", *names):
        _collect(name.removeprefix("nn_"), texts)
    return "\n".join(texts.values())


def _collect(name: str, texts: dict[str, str]) -> None:
    if name in texts:
        return
    text = resources.files(__package__).joinpath(f"kernels/{name}.h").read_text()
    for needed in _INCLUDE.findall(text):
        _collect(needed, texts)
    texts[name] = _INCLUDE.sub("", text)


def _arguments(graph: Graph) -> str:
    return ", ".join(
        f"{'const ' if end['is_input'] else ''}int8_t *{end['argument']}" for end in ends(graph, "")
    )


def _pointers(graph: Graph, plan: Plan) -> dict[int, str]:
    """Return the C expression of where each tensor lies."""
    found = {place: f"constant{place}" for place in range(len(graph.tensors))}
    found |= {place: f"&arena[{start}]" for place, start in plan.tensors.items()}
    for side, places in (("in", graph.inputs), ("out", graph.outputs)):
        for number, place in enumerate(places):
            found[place] = _numbered(side, number, places)
    return found


def _memory_map(graph: Graph, plan: Plan) -> Iterator[str]:
    """Yield a line for each block of the arena, in the order in which layers need them."""
    yield f"{'offset':>8}{'bytes':>8}  layers     what"
    for key in sorted(plan.blocks, key=lambda key: (plan.blocks[key].first, plan.starts[key])):
        kind, number = key
        block = plan.blocks[key]
        what = _safe(graph.tensors[number].name) if kind == "tensor" else "working memory"
        yield f"{plan.starts[key]:8}{block.size_bytes:8}  {block.first:3} - {block.last:<3}  {what}"


def _tiles(layer: Layer) -> Iterator[range]:
    """Yield units that are computed at once: as many sums as a Cortex-M0 has registers for."""
    count = len(layer.unrolled.bias) if layer.unrolled is not None else 0
    for first in range(0, count, TOGETHER):
        yield range(first, min(first + TOGETHER, count))


def _calls_kernel(layer: Layer) -> bool:
    """Return whether the code of a layer needs its kernel, or what that includes."""
    return layer.unrolled is None or any(one.narrow is None for one in layer.unrolled.scales)


def _layer(
    graph: Graph, number: int, layer: Layer, plan: Plan, pointers: Mapping[int, str]
) -> dict[str, Any]:
    scratch = [f"&arena[{plan.scratch[number]}]"] if layer.scratch_bytes else []
    arguments = [pointers[place] for place in (*layer.reads, *layer.writes)] + scratch
    call = (layer.kernel, f"&layer{number}") if layer.unrolled is None else (f"layer{number}",)
    return {
        "comment": list(_comment(graph, number, layer)),
        "number": number,
        "symbol": f"layer{number}",
        "call": f"{call[0]}({', '.join([*call[1:], *arguments])});",
        "kernel": layer.kernel,
        "values": {key: _literal(value) for key, value in layer.values.items()},
        "arrays": layer.arrays,
        "unrolled": layer.unrolled,
        "rows": layer.values.get("rows", 1),
        "tiles": list(_tiles(layer)),
    }


def _comment(graph: Graph, number: int, layer: Layer) -> Iterator[str]:
    tensors = [graph.tensors[place] for place in (*layer.reads, *layer.writes)]
    shapes = [_shape(tensor) for tensor in tensors]
    read = ", ".join(shapes[: len(layer.reads)])
    yield f"Layer {number}: {layer.node.operator} {read} -> {', '.join(shapes[len(layer.reads) :])}"
    yield _safe(tensors[-1].name)
    yield from layer.notes


def _shape(tensor: Tensor) -> str:
    return "x".join(str(size) for size in tensor.shape[1:] or tensor.shape)


def _safe(text: str) -> str:
    """Return a name of unknown origin such that it cannot end a comment."""
    # Of a fused operator's name, which joins those of its parts, the first is enough.
    return re.sub(r"[^ -~]|\*/|/\*|\\|\?\?", "_", text.split(";")[0])[:80]

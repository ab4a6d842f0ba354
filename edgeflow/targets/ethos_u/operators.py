"""Operators that Vela can map to the NPU, as its report of supported operators has them.

`vela --supported-ops-report` writes all of its constraints; those of names, types and
shapes can be told from a .tflite alone. Vela itself has the last word when it compiles.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.targets.base import Lint
from edgeflow.targets.ethos_u.configuration import Family
from edgeflow.targets.ethos_u.shapes import shape_refusal, unused
from edgeflow.targets.lint import by_name, operators_of
from edgeflow.targets.reading import read_graph

if TYPE_CHECKING:
    from edgeflow.config.tflitefile import Operator

_BOTH = """
ABS ADD ARG_MAX AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D DEPTHWISE_CONV_2D ELU EXP
EXPAND_DIMS FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM
MIRROR_PAD MUL NEG PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_0_TO_1
RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RSQRT SLICE SOFTMAX SPLIT
SPLIT_V SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV
UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK
"""
_U85_ALONE = """
ASSIGN_VARIABLE CAST DIV EQUAL GATHER GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND LOGICAL_NOT
LOGICAL_OR NOT_EQUAL READ_VARIABLE REDUCE_ALL REDUCE_ANY SCATTER_ND SELECT SELECT_V2
"""
OPERATORS: Mapping[Family, frozenset[str]] = {
    Family.U55: frozenset(_BOTH.split()),
    Family.U65: frozenset(_BOTH.split()),
    Family.U85: frozenset(_BOTH.split() + _U85_ALONE.split()),
}
"""Names of what Vela can map, for each family."""

_NARROW_NAMES = """
ABS AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D ELU EXP GELU HARD_SWISH LEAKY_RELU LOG
LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU
RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RSQRT SLICE
SOFTMAX SPLIT SPLIT_V SQUARED_DIFFERENCE STRIDED_SLICE TANH TILE TRANSPOSE_CONV
UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK
"""
NARROW = frozenset(_NARROW_NAMES.split())
"""Those for which U55 and U65 take no 32-bit tensors."""

_INT8 = frozenset({"int8"})
_BYTES = frozenset({"int8", "uint8"})
_SIGNED = frozenset({"int8", "int16"})
_SMALL = frozenset({"int8", "uint8", "int16"})
TYPES: Mapping[str, frozenset[str]] = {
    "BATCH_MATMUL": _INT8,
    "ELU": _INT8,
    "GELU": _BYTES,
    "LOG": _SIGNED,
    "MEAN": _SMALL,
    "RSQRT": _SIGNED,
}
"""Types of activations that operators are limited to, on all families."""

_INTEGERS = frozenset({"int8", "uint8", "int16", "int32", "int64"})


def findings(model: Path, family: Family) -> list[Lint]:
    """Return which operators of a .tflite the NPU cannot take.

    Of a float network the names alone are judged: the recipe makes integers of the rest.
    """
    operators = operators_of(model)
    integers = any(one.dtypes & _INTEGERS for one in operators)
    graph = read_graph(model)
    refused: list[tuple[Operator, str]] = []
    for one in operators:
        why = _refusal(one, family, integers)
        if why is None and integers and graph and one.place is not None:
            shape = shape_refusal(graph, graph.nodes[one.place], family)
            why = shape and f"it {shape}, which Vela does not map to {family.written}, {_CPU}"
        if why:
            refused.append((one, why))
    gone = (
        unused(graph, {one.place for one, _ in refused if one.place is not None}) if graph else ()
    )
    groups: dict[str, list[Operator]] = {}
    for one, why in refused:
        if one.place not in gone:
            groups.setdefault(why, []).append(one)
    return [found for why, group in groups.items() for found in by_name(group, "warning", why)]


def _refusal(one: "Operator", family: Family, integers: bool) -> str | None:
    """Return what of an operator's name or types keeps it off the NPU; None where nothing does."""
    if one.custom or one.name not in OPERATORS[family]:
        return f"Vela has no such operator for {family.written}, {_CPU}"
    wrong = one.dtypes - _taken(one.name, family)
    return _typed(" and ".join(sorted(wrong)), family) if integers and wrong else None


def _taken(name: str, family: Family) -> frozenset[str]:
    """Return the types of activations that an operator may have."""
    if name in TYPES:
        return TYPES[name]
    if family is Family.U85:
        return _INTEGERS | {"bool", "resource"}
    if name in NARROW:
        return _SMALL
    return _INTEGERS if name == "ARG_MAX" else _INTEGERS - {"int64"}


def _typed(types: str, family: Family) -> str:
    return f"Vela maps no {types} tensors of this operator to {family.written}, {_CPU}"


_CPU = "so the CPU runs it"

"""Small faults in Python sources, one at a time, for `tools/mutate.py`."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_OTHERS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
_UNWRAPPED = frozenset({"abs", "round", "int", "float", "sorted", "set", "list", "dict", "bool"})
_SPOKEN = frozenset({"say", "print", "Finding", "Problem"})
"""Calls whose texts are for people; what they say is no behaviour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One fault.

    Attributes:
        line: of the source.
        place: the function, with its class.
        change: what stood there, and what stands there now.
        source: the whole module with the fault.
    """

    line: int
    place: str
    change: str
    source: str


def mutants(text: str) -> Iterator[Mutant]:
    """Yield all mutants of a module's source, in its order."""
    tree = ast.parse(text)
    for parent, field, index, place in _spots(tree, ""):
        value = getattr(parent, field)
        node = value if index is None else value[index]
        shown = parent if isinstance(node, ast.operator | ast.cmpop | ast.boolop) else node
        before = _short(ast.unparse(shown))
        for other in _replacements(parent, field, index, node):
            _put(parent, field, index, other)
            after = _short(
                ast.unparse(ast.fix_missing_locations(other if shown is node else parent))
            )
            yield Mutant(
                line=getattr(node, "lineno", 0) or getattr(parent, "lineno", 0),
                place=place,
                change=f"{before}  ->  {after}",
                source=ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree))),
            )
            _put(parent, field, index, node)


def _short(text: str) -> str:
    return " ".join(text.split())[:90]


def _put(parent: ast.AST, field: str, index: int | None, node: Any) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def _spots(node: ast.AST, place: str) -> Iterator[tuple[ast.AST, str, int | None, str]]:
    """Yield each place that a node can stand in, but in what only types, speaks or imports."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = f"{place}.{node.name}" if place else node.name
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "keywords_", "type_params"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _silent(child):
                yield node, field, index, place
                yield from _spots(child, place)


def _silent(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Raise(cause=None, exc=None):
            return True
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case (
            ast.If(test=ast.Name(id="TYPE_CHECKING"))
            | ast.Assign(targets=[ast.Name(id="TYPE_CHECKING")])
        ):
            return True
        case ast.keyword(arg="hint" | "message" | "help" | "doc"):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in _SPOKEN or name.endswith("Error")
        case ast.expr_context():
            return True
        case _:
            return False


def _replacements(
    parent: ast.AST, field: str, index: int | None, node: ast.AST
) -> Iterator[ast.AST]:
    if type(node) in _OTHERS:
        yield _OTHERS[type(node)]()
    if isinstance(node, ast.Constant):
        yield from _constants(node.value)
    elif isinstance(node, ast.expr):
        yield from _expressions(node)
    elif isinstance(node, ast.stmt):
        yield from _statements(node)
    following = getattr(parent, field)[index + 1 : index + 2] if index is not None else []
    if isinstance(node, ast.Expr) and following and isinstance(following[0], ast.Expr):
        yield ast.If(test=ast.Constant(1), body=[following[0], node], orelse=[])


def _constants(value: object) -> Iterator[ast.AST]:
    match value:
        case bool():
            yield ast.Constant(not value)
        case int() | float():
            yield ast.Constant(value + 1)
        case str():
            yield ast.Constant(f"{value}x")
        case _:
            pass


def _expressions(node: ast.expr) -> Iterator[ast.AST]:
    match node:
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(op=ast.Sub() | ast.Div(), left=left, right=right):
            yield ast.BinOp(left=right, op=node.op, right=left)
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _UNWRAPPED:
            yield first
        case ast.IfExp(test=test):
            yield _with_test(node, test)
        case _:
            pass


def _statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.If(test=test) | ast.While(test=test):
            yield _with_test(node, test)
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield ast.Return(value=ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Yield()) | ast.Raise() | ast.AugAssign():
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()
        case _:
            pass


def _with_test(node: Any, test: ast.expr) -> ast.AST:
    other = copy.copy(node)
    other.test = ast.UnaryOp(op=ast.Not(), operand=test)
    negated: ast.AST = other
    return negated


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None

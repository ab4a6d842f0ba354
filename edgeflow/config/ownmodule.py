"""What the source of a user's own architecture tells, without running it."""

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgeflow import plugins
from edgeflow.config.finding import UNKNOWN_KEY, Finding, Keys, did_you_mean
from edgeflow.config.model import architecture_module
from edgeflow.config.raw import Entry

GIVEN = ("keras", "input_shape", "classes")
"""Arguments that edgeflow passes to a build function, before the options."""


def check_module(name: str, options: Entry, keys: Keys) -> Iterator[Finding]:
    """Yield what cannot work in an architecture of the user's.

    Args:
        name: import path, ``package.module:function``.
        options: what the function is to be called with.
        keys: of the architecture.
    """
    module, function = architecture_module(name), name.partition(":")[2]
    here = (*keys, "name")
    spec = plugins.find_module(module)
    if spec is None:
        hint = "it must be installed, or lie in the folder where edgeflow runs"
        yield Finding(keys=here, message=f"no module {module!r}", hint=hint)
        return
    path = Path(spec.origin or "")
    if path.suffix != ".py" or not path.is_file():
        return  # compiled, or a package without a file: the build tells
    try:
        bound = _bound(path.read_bytes())
    except (SyntaxError, ValueError, OSError) as error:
        yield Finding(keys=here, message=_unparsed(path, error))
        return
    if function in bound:
        yield from _call(bound[function], options, keys)
    elif "*" not in bound and "__getattr__" not in bound:
        hint = did_you_mean(function, [n for n, node in bound.items() if _is_function(node)])
        yield Finding(keys=here, message=f"{path.name} has no {function!r}", hint=hint)


def _unparsed(path: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{path.name}, line {error.lineno}: {error.msg}"
    return f"{path.name} cannot be read: {error}"


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef)


@functools.lru_cache(maxsize=64)
def _bound(source: bytes) -> Mapping[str, ast.AST]:
    """Return the names that a module gives a meaning, anywhere in it, with what does so.

    Of one module, many networks may be made.

    Raises:
        SyntaxError: it is no Python.
        ValueError: it has null bytes.
    """
    found: dict[str, ast.AST] = {}
    queue: list[ast.AST] = [ast.parse(source)]
    while queue:
        for node in ast.iter_child_nodes(queue.pop(0)):
            for name in _names(node):  # of two meanings, only a run tells which holds
                found[name] = ast.Pass() if name in found else node
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                queue.append(node)
            elif any(isinstance(inner, ast.Global) for inner in ast.walk(node)):
                found["*"] = node  # it may give any name a meaning
    return found


def _names(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.Name(id=name, ctx=ast.Store()):
            return [name]
        case ast.Call(func=ast.Name(id="globals" | "locals" | "vars" | "setattr" | "exec")):
            return ["*"]
        case _:
            return []


def _call(node: ast.AST, options: Entry, keys: Keys) -> Iterator[Finding]:
    """Yield options that a build function does not take, and those that it needs."""
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return
    arguments = node.args
    places = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    named = [argument.arg for argument in arguments.kwonlyargs]
    if len(places) < len(GIVEN) and not arguments.vararg:
        message = f"{node.name} takes {len(places)} arguments by position, not {', '.join(GIVEN)}"
        yield Finding(keys=(*keys, "name"), message=message)
        return
    by_name = {argument.arg for argument in arguments.args}
    more = [name for name in places[len(GIVEN) :] if name in by_name]
    known = {*more, *named}
    taken = set(places[: len(GIVEN)])
    for key in options:
        if key in taken & by_name or (key not in known and not arguments.kwarg):
            hint = did_you_mean(key, known)
            yield Finding(keys=(*keys, key), message=UNKNOWN_KEY, hint=hint)
    with_default = places[len(places) - len(arguments.defaults) :] if arguments.defaults else []
    optional = {name for name, value in zip(named, arguments.kw_defaults, strict=True) if value}
    for key in (*more, *named):
        if key not in {*options, *with_default, *optional}:
            hint = f"{node.name} has no default for it"
            yield Finding(keys=(*keys, key), message="required, but not there", hint=hint)

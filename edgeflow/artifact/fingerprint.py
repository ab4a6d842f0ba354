"""Fingerprint of a step's code: the SHA-256 of the syntax trees it can reach by import.

Comments, layout and docstrings do not count, so only an edit that can change what a step
does makes it run again. Snakemake alone sees no edit in an imported module.
"""

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

# These say how a step talks about its work, never what it writes.
_SILENT = frozenset({"edgeflow.errors", "edgeflow.console", "edgeflow.artifact.events"})


def _find(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ModuleNotFoundError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


def _strip(tree: ast.Module) -> ast.Module:
    """Drop docstrings and blocks that only type checkers run."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        node.body = [  # type: ignore[attr-defined]  # every node with a list body has one
            child for child in body if not (_is_text(child) or _is_type_checking(child))
        ]
    return tree


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def _imports(tree: ast.Module, package: str) -> set[str]:
    """Return the dotted names below the top-level `package` that the tree may import."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] == package}


@cache
def _read(module: str) -> tuple[str, frozenset[str]] | None:
    path = _find(module)
    if path is None:
        return None
    tree = _strip(ast.parse(path.read_bytes()))
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return digest, frozenset(_imports(tree, module.split(".")[0]))


@cache
def _closure(modules: tuple[str, ...]) -> dict[str, str]:
    """Return module name to digest, for `modules` and all they import in their package."""
    found: dict[str, str] = {}
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module in found or module in _SILENT:
            continue
        entry = _read(module)
        if entry is None:
            continue
        found[module] = entry[0]
        queue.extend(entry[1])
    return found


def fingerprint(*modules: str) -> str:
    """Return the fingerprint of `modules` and of every module of their packages they import.

    Args:
        modules: dotted names, for example ``edgeflow.train.build`` or a user's ``nets``.
    """
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(_closure(modules).items()))
    return hashlib.sha256(text.encode()).hexdigest()


def closure(*modules: str) -> list[str]:
    """Return the sorted names of the modules that count in `fingerprint(*modules)`."""
    return sorted(_closure(modules))

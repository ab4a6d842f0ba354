"""What a module's source says of its code; kept from process to process.

Parsing the modules of all steps takes half a second, so what was found in a source is kept in the
project by the digest of its bytes.
"""

import ast
import hashlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

KEPT = Path(".edgeflow/code.json")
"""Where it is kept; its first line is the digest of the rest."""
_MOST = 5_000
"""Sources that are kept; with more, those that this process did not need are dropped."""


@dataclass(frozen=True, slots=True)
class Code:
    """What counts of a module.

    Attributes:
        digest: of its syntax tree, without what cannot change behaviour.
        imports: dotted names that it may import.
        tools: distributions that it names as `TOOLS`.
        data: patterns of the files beside it that it reads, named as `DATA`.
    """

    digest: str
    imports: tuple[str, ...]
    tools: tuple[str, ...]
    data: tuple[str, ...] = ()


class _Strip(ast.NodeTransformer):
    """Drops what cannot change behaviour: docstrings, `pass`, blocks for type checkers."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        value = node.value
        return None if isinstance(value, ast.Constant) and isinstance(value.value, str) else node

    def visit_Pass(self, node: ast.Pass) -> None:
        """Drop it: a body that held only a docstring is then the same as `pass`."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        name = getattr(node.test, "id", getattr(node.test, "attr", ""))
        return node.orelse if name == "TYPE_CHECKING" else node


def read_code(source: bytes, package: str) -> Code:
    """Return what counts of a source.

    Args:
        source: of a module.
        package: what a dot in an import stands for.

    Raises:
        SyntaxError: it is not Python.
    """
    key = hashlib.sha256(f"{package}\0".encode() + source).hexdigest()
    kept = _kept(KEPT.absolute())
    if key not in kept.codes:
        kept.codes[key] = _parse(source, package)
        kept.is_changed = True
    kept.used.add(key)
    return kept.codes[key]


def keep() -> None:
    """Keep what was found, where this folder holds a project."""
    kept = _kept(KEPT.absolute())
    if kept.is_changed and KEPT.parent.is_dir():
        kept.is_changed = False
        with suppress(OSError):  # slower next time, no more
            _write(kept)


def stripped(source: bytes) -> ast.Module:
    """Return the syntax tree of a source without what cannot change behaviour.

    Raises:
        SyntaxError: it is not Python.
    """
    tree: ast.Module = _Strip().visit(ast.parse(source))
    return tree


def _parse(source: bytes, package: str) -> Code:
    tree = stripped(source)
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return Code(digest, tuple(sorted(_imports(tree, package))), *_named(tree, "TOOLS", "DATA"))


def _imports(tree: ast.Module, package: str) -> set[str]:
    """Return the dotted names that the tree may import; `package` is what a dot stands for."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def _named(tree: ast.Module, *names: str) -> list[tuple[str, ...]]:
    """Return the literals of those names, empty where there is none."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(names, ())
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name in found:
                found[name] = tuple(ast.literal_eval(value))
            case _:
                continue
    return list(found.values())


@dataclass(slots=True)
class _Kept:
    codes: dict[str, Code]
    used: set[str]
    is_changed: bool = False


@cache
def _kept(path: Path) -> _Kept:
    """Return what is kept in a file; nothing if it is missing, damaged or of other code."""
    try:
        seal, _, text = path.read_text().partition("\n")
        content: dict[str, Any] = json.loads(text) if seal == _digest(text) else {}
        entries = content.get(_reader(), {})
        codes = {key: Code(of, *map(tuple, rest)) for key, (of, *rest) in entries.items()}
    except (OSError, ValueError):
        codes = {}
    return _Kept(codes, set())


def _write(kept: _Kept) -> None:
    whole = len(kept.codes) <= _MOST
    entries = {key: astuple(code) for key, code in kept.codes.items() if whole or key in kept.used}
    text = json.dumps({_reader(): entries})
    # Not synced to the disk: what is lost is found again.
    part = KEPT.with_name(f"{KEPT.name}.{os.getpid()}.part")
    part.write_text(f"{_digest(text)}\n{text}")
    part.replace(KEPT)


@cache
def _reader() -> str:
    """Return what the same source may be read otherwise by: this module, and Python."""
    return f"{sys.version} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""Fingerprint of a step's code: the SHA-256 of the syntax trees it can reach by import.

Comments, layout and docstrings do not count, so only an edit that can change what a step
does makes it run again. Snakemake alone sees no edit in an imported module.
"""

import ast
import hashlib
import sys
from functools import cache
from pathlib import Path

from edgeflow import plugins
from edgeflow.errors import EdgeflowError

# How a step talks about its work, and where it finds what it made before: never what it writes.
_SILENT = frozenset(
    {
        *("edgeflow.errors", "edgeflow.console", "edgeflow.artifact.events"),
        *("edgeflow.artifact.entry", "edgeflow.artifact.tiers"),
    }
)


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


@cache
def _is_ours(top: str) -> bool:
    """Return whether a top-level module is code that is worked on, not an installed library."""
    if top == "edgeflow":
        return True
    spec = None if top in sys.stdlib_module_names else plugins.find_module(top)
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
    return any(places) and not any(plugins.is_installed(place) for place in places)


@cache
def _read(module: str) -> tuple[str, frozenset[str]] | None:
    """Return digest and imports of a module's source, or None where there is none."""
    spec = plugins.find_module(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        tree = _Strip().visit(ast.parse(Path(spec.origin).read_bytes()))
    except SyntaxError as error:
        raise EdgeflowError(
            f"{spec.origin}, line {error.lineno}: {error.msg}", hint="fix the file"
        ) from error
    package = module if spec.submodule_search_locations else module.rpartition(".")[0]
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    own = module.partition(".")[0]
    imports = _imports(tree, package)
    return digest, frozenset(
        name
        for name in imports
        if name.partition(".")[0] == own or _is_ours(name.partition(".")[0])
    )


@cache
def _closure(modules: tuple[str, ...]) -> dict[str, str]:
    """Return module name to digest, for `modules`, their packages, and all they import."""
    found: dict[str, str] = {}
    queue, seen = list(modules), set(_SILENT)
    while queue:
        module = queue.pop()
        if not module or module in seen:
            continue
        seen.add(module)
        queue.append(module.rpartition(".")[0])  # importing a module runs its packages
        entry = _read(module)
        if entry is not None:
            found[module] = entry[0]
            queue.extend(entry[1])
    return found


@cache
def fingerprint(*modules: str) -> str:
    """Return the fingerprint of `modules` and of all code they import that is not installed.

    Installed libraries count by their version, in a step's `tools`.

    Args:
        modules: dotted names, for example ``edgeflow.train.build`` or a user's ``nets``.

    Raises:
        EdgeflowError: one of the files is not Python.
    """
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(_closure(modules).items()))
    return hashlib.sha256(text.encode()).hexdigest()


def closure(*modules: str) -> list[str]:
    """Return the sorted names of the modules that count in `fingerprint(*modules)`."""
    return sorted(_closure(modules))


def normalized_source(module: str) -> str:
    """Return a module's source as its fingerprint sees it, without comments and docstrings.

    What is shipped to a device is this, so that equal fingerprints mean equal bytes.
    """
    spec = plugins.find_module(module)
    if spec is None or spec.origin is None:
        raise EdgeflowError(f"no module {module}", hint="reinstall the package that provides it")
    tree = _Strip().visit(ast.parse(Path(spec.origin).read_bytes()))
    for node in ast.walk(tree):
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]  # it has, see above
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"

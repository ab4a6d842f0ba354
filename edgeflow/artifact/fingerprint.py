"""Fingerprint of a step's code: the SHA-256 of the syntax trees it can reach by import.

Comments, layout and docstrings do not count, so only an edit that can change what a step
does makes it run again. Snakemake alone sees no edit in an imported module. A module that reads
files of its package names them as `DATA`, a literal of patterns relative to its folder.
"""

import ast
import hashlib
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow import plugins
from edgeflow.artifact.code import Code, keep, read_code, stripped
from edgeflow.errors import EdgeflowError

if TYPE_CHECKING:
    from edgeflow.plan.job import Job

# How a step talks about its work, and where it finds what it made before: never what it writes.
_SILENT = frozenset(
    {
        *("edgeflow.errors", "edgeflow.console", "edgeflow.artifact.events"),
        *("edgeflow.artifact.entry", "edgeflow.artifact.tiers"),
    }
)


@cache
def _is_ours(top: str) -> bool:
    """Return whether a top-level module is code that is worked on, not an installed library."""
    if top == "edgeflow":
        return True
    spec = None if top in sys.stdlib_module_names else plugins.find_module(top)
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
    return any(places) and not any(plugins.is_installed(place) for place in places)


@cache
def _read(module: str) -> Code | None:
    """Return what counts of a module's source, or None where there is none."""
    spec = plugins.find_module(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    package = module if spec.submodule_search_locations else module.rpartition(".")[0]
    try:
        code = read_code(Path(spec.origin).read_bytes(), package)
    except SyntaxError as error:
        raise EdgeflowError(
            f"{spec.origin}, line {error.lineno}: {error.msg}", hint="fix the file"
        ) from error
    own = module.partition(".")[0]
    tops = {name: name.partition(".")[0] for name in code.imports}
    ours = tuple(name for name, top in tops.items() if top == own or _is_ours(top))
    digest = _with_data(code, Path(spec.origin).parent) if code.data else code.digest
    return replace(code, imports=ours, digest=digest)


def _with_data(code: Code, folder: Path) -> str:
    """Return the digest of a module with the files that it reads: what those say counts whole."""
    digest = hashlib.sha256(code.digest.encode())
    for path in sorted({path for pattern in code.data for path in folder.glob(pattern)}):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


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
            found[module] = entry.digest
            queue.extend(entry.imports)
    keep()
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


def distributions(job: "Job") -> tuple[str, ...]:
    """Return all distributions whose version shapes what a job makes.

    Its modules name them as `TOOLS`, a literal: nothing is imported for that.
    """
    codes = [_read(name) for name in job.modules if name.startswith("edgeflow.")]
    return tuple(sorted({*job.tools, *(tool for code in codes if code for tool in code.tools)}))


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
    tree = stripped(Path(spec.origin).read_bytes())
    for node in ast.walk(tree):
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]  # it has, see above
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"

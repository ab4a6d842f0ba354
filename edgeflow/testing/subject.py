"""What the contract of targets looks at: a compiled model, and an engine's imports."""

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgeflow.config.target import toolchain_of
from edgeflow.dataset.tensors import Tensors
from edgeflow.targets import registry
from edgeflow.targets.apart import host_engine
from edgeflow.targets.base import (
    CompiledModel,
    CompileInput,
    Runtime,
    Target,
    own_figures,
    parse_options,
)
from edgeflow.targets.build import reference_engine
from edgeflow.targets.host import run_engine
from edgeflow.targets.worker import Worker
from edgeflow.testing.trained import Trained
from edgeflow.toolchain.base import Host, Toolchain

_COMPILE = """\
import json, sys
from dataclasses import asdict
from pathlib import Path
from edgeflow.targets import registry
from edgeflow.targets.base import parse_options
from edgeflow.testing.subject import compile_input
from edgeflow.testing.trained import Trained
folder, recipe, options, host, out = sys.argv[1:]
options = json.loads(options)
target = registry.get(options["kind"])
job = compile_input(target, Trained(folder=Path(folder)), recipe, options, json.loads(host))
compiled = target.compile(job, parse_options(target, options), Path(out))
print(json.dumps(asdict(compiled)))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A compiled model under test, and what it came from; `recipe` is a name of `RECIPES`."""

    recipe: str
    trained: Trained
    options: Mapping[str, Any]
    runtime: Runtime
    compiled: CompiledModel
    out: Path
    host: Host = None

    def engine(self) -> Any:
        """Return a new engine with the model loaded, as the compile step runs it.

        Skips where the target says that the host lacks it.
        """
        if not self.runtime.runs_here:
            pytest.skip("its engine runs on the device alone")
        return host_engine(
            self.runtime, self._toolchain(), self.compiled.model, self.out, self.recipe
        )

    def reference(self) -> Any:
        """Return what makes the reference outputs, as the compile step runs it."""
        job = self.trained.job(self.recipe)
        job = replace(job, worker=Worker(title=self.recipe, toolchain=self._toolchain()))
        return reference_engine(job, self.runtime, self.compiled.model, self.out)

    def _toolchain(self) -> Toolchain:
        target = registry.get(self.options["kind"])
        return toolchain_of(target, parse_options(target, self.options))

    @property
    def declared(self) -> set[str]:
        """Names of the figures that the target declares."""
        return {figure.name for figure in own_figures(registry.get(self.options["kind"]))}

    def figures(self, engine: Any) -> dict[str, float]:
        """Return what an engine counted itself."""
        return dict(engine.figures()) if hasattr(engine, "figures") else {}

    def outputs(self, engine: Any) -> Tensors:
        """Return the engine's raw outputs for the test set."""
        inputs = self.trained.view().tensors("test")
        return run_engine(engine, engine.io(), inputs)

    def compile_elsewhere(self, out: Path) -> Any:
        """Compile again in a new process, in the folder above `out`; return what it says."""
        given = [json.dumps(value) for value in (dict(self.options), self.host)]
        arguments = (str(self.trained.folder), self.recipe, *given, str(out))
        text = run_python("-c", _COMPILE, *arguments, cwd=out.parent)
        return json.loads(text.splitlines()[-1])

    def facts(self) -> Any:
        """Return the compiler's answer in the form that `compile_elsewhere` gives it."""
        return json.loads(json.dumps(asdict(self.compiled)))


def compile_input(
    target: type[Target], trained: Trained, recipe: str, options: Mapping[str, Any], host: Host
) -> CompileInput:
    """Return what a target's compiler gets for a recipe, with the worker of its toolchain."""
    toolchain = toolchain_of(target, parse_options(target, options))
    job = trained.job(recipe, network=target.capabilities.network)
    return replace(job, worker=Worker(title=recipe, toolchain=toolchain, host=host))


def run_python(*arguments: str, cwd: Path | None = None) -> str:
    """Run this interpreter and return what it printed."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def foreign_imports(tree: ast.Module) -> set[str]:
    """Return imported packages beside numpy and the standard library; fallbacks do not count."""
    fallbacks = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in set(ast.walk(tree)) - fallbacks:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    tops = {name.partition(".")[0] or "a relative import" for name in names}
    return tops - sys.stdlib_module_names - {"numpy"}

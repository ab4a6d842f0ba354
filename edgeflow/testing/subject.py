"""What the contract of targets looks at: a compiled model, and an engine's imports."""

import ast
import importlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from edgeflow.dataset.tensors import INPUT, Tensors
from edgeflow.targets import registry
from edgeflow.targets.base import CompiledModel, Runtime, own_figures
from edgeflow.targets.host import run_engine
from edgeflow.testing.trained import Trained

_COMPILE = """\
import json, sys
from dataclasses import asdict
from pathlib import Path
from edgeflow.targets import registry
from edgeflow.targets.base import parse_options
from edgeflow.testing.trained import Trained
folder, recipe, options, out = sys.argv[1:]
options = json.loads(options)
target = registry.get(options["kind"])
job = Trained(folder=Path(folder)).job(recipe, network=target.capabilities.network)
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

    def engine(self) -> Any:
        """Return a new engine with the model loaded, as the compile step runs it.

        Skips where the target says that the host lacks it.
        """
        if self.runtime.reference != "engine":
            pytest.skip("its engine runs on the device alone")
        module = importlib.import_module(self.runtime.engine_module)
        fixed = {"model": self.compiled.model, "unit": {}}
        engine_options = {**fixed, **self.runtime.host_engine_options}
        return module.Engine(str(self.out), engine_options)

    @property
    def declared(self) -> set[str]:
        """Names of the figures that the target declares."""
        return {figure.name for figure in own_figures(registry.get(self.options["kind"]))}

    def figures(self, engine: Any) -> dict[str, float]:
        """Return what an engine counted itself."""
        return dict(engine.figures()) if hasattr(engine, "figures") else {}

    def outputs(self, engine: Any) -> Tensors:
        """Return the engine's raw outputs for the test set."""
        inputs = Tensors({INPUT: self.trained.view().inputs("test")})
        return run_engine(engine, engine.io(), inputs)

    def compile_elsewhere(self, out: Path) -> Any:
        """Compile again in a new process, in the folder above `out`; return what it says."""
        folder, options = str(self.trained.folder), json.dumps(dict(self.options))
        text = run_python("-c", _COMPILE, folder, self.recipe, options, str(out), cwd=out.parent)
        return json.loads(text.splitlines()[-1])

    def facts(self) -> Any:
        """Return the compiler's answer in the form that `compile_elsewhere` gives it."""
        return json.loads(json.dumps(asdict(self.compiled)))


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

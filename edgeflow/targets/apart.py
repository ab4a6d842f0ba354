"""A target's engine on the host, where it needs packages that edgeflow's environment has not."""

import importlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.targets import apart_worker
from edgeflow.targets.apart_worker import ARRAYS, ENGINE
from edgeflow.targets.base import Runtime
from edgeflow.toolchain.base import Environment, Toolchain
from edgeflow.toolchain.environment import python_of
from edgeflow.worker import run_worker, source_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HINT = "run the target's engine by hand in its environment, to see what it lacks"


def host_engine(
    runtime: Runtime, toolchain: Toolchain, model: str, folder: Path, title: str
) -> Any:
    """Return a target's engine with a compiled model, as the host runs it for the references.

    Args:
        runtime: names the engine and its options on the host.
        toolchain: may name an environment for it.
        model: file name that the engine opens.
        folder: that holds the file.
        title: what is compiled, for messages.
    """
    options = {"model": model, "unit": {}, **runtime.host_engine_options}
    if toolchain.host_environment is None:
        return importlib.import_module(runtime.engine_module).Engine(str(folder), options)
    return EngineApart(runtime.engine_module, toolchain.host_environment, folder, options, title)


class EngineApart:
    """An engine in an environment of its own: each call is a process that opens the model."""

    def __init__(
        self, module: str, where: Environment, folder: Path, options: Mapping[str, Any], title: str
    ) -> None:
        """Open the model once, so that what is wrong with it is known.

        Raises:
            CompileError: the engine cannot open the model.
            MissingToolError: the environment cannot be built.
        """
        self._python = python_of(where, f"the engine of {title}")
        self._engine, self._title = source_of(module), title
        self._job = {"folder": str(folder.absolute()), "options": dict(options)}
        self._said, _ = self._ask()

    def io(self) -> dict[str, Any]:
        """Return what the engine says of inputs and outputs."""
        return dict(self._said["io"])

    def operators(self) -> int:
        """Return how many operators the engine runs."""
        return int(self._said["operators"])

    def version(self) -> str:
        """Return the engine's name and version."""
        return str(self._said["version"])

    def figures(self) -> dict[str, float]:
        """Return what the engine counted."""
        return dict(self._said["figures"])

    def infer_many(self, *inputs: "NDArray[Any]") -> list[Any]:
        """Return the outputs for all samples, which lie along the first axis of each input."""
        self._said, outputs = self._ask(*inputs)
        return outputs

    def infer(self, *inputs: "NDArray[Any]") -> list[Any]:
        """Return the outputs for one sample."""
        return self.infer_many(*inputs)

    def _ask(self, *inputs: "NDArray[Any]") -> tuple[dict[str, Any], list[Any]]:
        import numpy as np

        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copyfile(self._engine, folder / ENGINE)
            for place, array in enumerate(inputs):
                np.save(folder / ARRAYS["inputs"].format(place), array)
            said = run_worker(
                apart_worker.__name__,
                {**self._job, "inputs": len(inputs)},
                folder,
                title=self._title,
                hint=_HINT,
                python=self._python,
            )
            paths = (folder / ARRAYS["outputs"].format(i) for i in range(said["outputs"]))
            return said, [np.load(path) for path in paths]

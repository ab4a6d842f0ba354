"""Runs an .onnx file with ONNX Runtime on a device. Needs numpy and onnxruntime."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

CPU = "CPUExecutionProvider"
OPERATORS = "operators"
"""Entry of the model's metadata: how many operators it has, which the runtime does not tell."""
KERNEL = "_kernel_time"
"""End of the name that a profile gives a node's computation."""
DTYPES = {
    "tensor(float)": "float32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


class Engine:
    """One loaded model; `infer` takes and gives arrays in the order and dtypes of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load `engine_options["model"]` from `folder`, with `threads`, on `provider`.

        Raises:
            ImportError: this onnxruntime has no such provider, or a library that it needs is
                missing. By itself onnxruntime would go on with the CPU.
        """
        import onnxruntime

        self._provider = engine_options["provider"]
        require(self._provider, onnxruntime.get_available_providers())
        self._path = os.path.join(folder, engine_options["model"])
        self._threads = engine_options["threads"]
        self._session = self._open(self._options())
        require(self._provider, self._session.get_providers(), "could load")
        self._inputs = self._session.get_inputs()
        self._outputs = self._session.get_outputs()

    def _options(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        return options

    def _open(self, options: Any) -> Any:
        import onnxruntime

        # What the provider has no kernel for runs on the CPU.
        providers = [self._provider] if self._provider == CPU else [self._provider, CPU]
        session = onnxruntime.InferenceSession(self._path, options, providers=providers)
        session.disable_fallback()
        return session

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        import onnxruntime

        return "onnxruntime %s" % onnxruntime.__version__

    @staticmethod
    def _tensor(end: Any) -> dict[str, Any]:
        return {
            "name": end.name,
            "shape": [int(size) for size in end.shape],
            "dtype": DTYPES[end.type],
            "scale": 0.0,
            "zero_point": 0,
        }

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return {
            "inputs": [self._tensor(end) for end in self._inputs],
            "outputs": [self._tensor(end) for end in self._outputs],
        }

    def operators(self) -> int:
        """Return how many operators the model has."""
        return int(self._session.get_modelmeta().custom_metadata_map.get(OPERATORS, 0))

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        found: list[Any] = self._session.run(None, self._fed(*inputs))
        return found

    def _fed(self, *inputs: Any) -> dict[str, Any]:
        return {end.name: array for end, array in zip(self._inputs, inputs)}

    def profile(self, *inputs: Any) -> list[dict[str, Any]]:
        """Run samples and return the mean time of each node of the optimized graph.

        The model is loaded once more for it, because counters cost time. The first sample runs once
        before, uncounted.
        """
        count = len(inputs[0])
        with tempfile.TemporaryDirectory() as folder:
            options = self._options()
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(folder, "profile")
            session = self._open(options)
            for row in (0, *range(count)):
                session.run(None, self._fed(*[array[row : row + 1] for array in inputs]))
            with open(session.end_profiling()) as file:
                events = json.load(file)
        return means(events, count)


def means(events: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return the mean time of each node over the last `count` runs of a profile."""
    times: dict[str, list[float]] = {}
    facts: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(KERNEL):
            name = event["name"][: -len(KERNEL)]
            times.setdefault(name, []).append(event["dur"])
            facts[name] = event["args"]
    return [
        {
            "name": name,
            "type": facts[name]["op_name"],
            "kernel": facts[name]["provider"],
            "time_us": sum(found[-count:]) / count,
        }
        for name, found in times.items()
    ]


def require(provider: str, found: list[str], can: str = "has") -> None:
    """Raise ImportError unless onnxruntime has a provider."""
    if provider not in found:
        raise ImportError(
            "onnxruntime here %s only %s, not %s: install the package with it (such as "
            "onnxruntime-gpu) and the libraries that it needs" % (can, ", ".join(found), provider)
        )

"""Runs OpenVINO IR on a device. Needs numpy and openvino."""

from __future__ import annotations

import os
from typing import Any


class Engine:
    """One compiled model; `infer` takes and gives arrays in the model's own dtypes."""

    def __init__(self, folder: str, options: dict[str, Any]) -> None:
        """Compile `options["model"]` from `folder` for `device`, with `threads`."""
        import openvino

        core = openvino.Core()
        settings = {"PERFORMANCE_HINT": "LATENCY"}
        if options["device"] == "CPU":
            settings["INFERENCE_NUM_THREADS"] = options["threads"]
            # The plug-in may choose bfloat16 by itself, and then no two CPUs agree.
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        model = core.read_model(os.path.join(folder, options["model"]))
        self._compiled = core.compile_model(model, options["device"], settings)
        self._request = self._compiled.create_infer_request()

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        import openvino

        return "openvino %s" % openvino.__version__.split("-")[0]

    @staticmethod
    def _tensor(port: Any) -> dict[str, Any]:
        return {
            "shape": [int(size) for size in port.get_shape()],
            "dtype": port.get_element_type().to_dtype().name,
            "scale": 0.0,
            "zero_point": 0,
        }

    def io(self) -> dict[str, Any]:
        """Return shape and dtype of input and output; scale 0 says that they are float."""
        return {
            "input": self._tensor(self._compiled.input(0)),
            "output": self._tensor(self._compiled.output(0)),
        }

    def operators(self) -> int:
        """Return how many operators the compiled graph runs."""
        return len(self._compiled.get_runtime_model().get_ops())

    def infer(self, sample: Any) -> Any:
        """Run one sample, shaped and typed like the input; return the output with its batch."""
        return self._request.infer({0: sample})[0].copy()

"""Runs OpenVINO IR on a device. Needs numpy and openvino."""

from __future__ import annotations

import json
import os
from typing import Any

QUANTIZATION = "quantization.json"
FLOAT = {"scale": 0.0, "zero_point": 0}


class Engine:
    """One compiled model; `infer` takes and gives arrays in the order and dtypes of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Compile `engine_options["model"]` from `folder` for `device`, with `threads`.

        A model with integers at its ends has their scales in a file beside it: OpenVINO's
        format knows none.
        """
        import openvino

        self._quantization = None
        beside = os.path.join(folder, QUANTIZATION)
        if os.path.exists(beside):
            with open(beside) as file:
                self._quantization = json.load(file)

        core = openvino.Core()
        model = core.read_model(os.path.join(folder, engine_options["model"]))
        settings = {"PERFORMANCE_HINT": "LATENCY"}
        if engine_options["device"] == "CPU":
            settings["INFERENCE_NUM_THREADS"] = engine_options["threads"]
            # The plug-in may choose bfloat16 by itself, and then no two CPUs agree.
            settings["INFERENCE_PRECISION_HINT"] = "f32"
            if any(node.get_type_name() == "FakeQuantize" for node in model.get_ops()):
                # OpenVINO 2026.4 fuses int8 dense layers, and where a negative input comes in on
                # a CPU with VNNI, what they give is noise.
                settings["SNIPPETS_MODE"] = "DISABLE"
        self._compiled = core.compile_model(model, engine_options["device"], settings)
        self._request = self._compiled.create_infer_request()

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        import openvino

        return "openvino %s" % openvino.__version__.split("-")[0]

    def _tensors(self, ports: Any, side: str) -> list[dict[str, Any]]:
        scales = self._quantization[side] if self._quantization else [FLOAT] * len(ports)
        return [
            {
                "name": sorted(port.get_names() or {port.get_node().get_friendly_name()})[0],
                "shape": [int(size) for size in port.get_shape()],
                "dtype": port.get_element_type().to_dtype().name,
                "scale": scale["scale"],
                "zero_point": scale["zero_point"],
            }
            for port, scale in zip(ports, scales)  # noqa: B905  # Python 3.7
        ]

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return {
            "inputs": self._tensors(self._compiled.inputs, "inputs"),
            "outputs": self._tensors(self._compiled.outputs, "outputs"),
        }

    def operators(self) -> int:
        """Return how many operators the compiled graph runs."""
        return len(self._compiled.get_runtime_model().get_ops())

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        found = self._request.infer(dict(enumerate(inputs)))
        return [found[place].copy() for place in range(len(self._compiled.outputs))]

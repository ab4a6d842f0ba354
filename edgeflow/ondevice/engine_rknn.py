"""Runs a model on the NPU of a Rockchip SoC. Needs numpy, rknn-toolkit-lite2 and librknnrt.

`engine_options`: ``model``, name of the .rknn file; ``platform``, the SoC that it is for;
``cores``, such as ``core_0_1``, or None where the NPU has one; ``library``, Rockchip's runtime. The
file model.json beside it holds ``io``, inputs and outputs, and ``operators``, their number.
"""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any

import numpy as np

FACTS = "model.json"
UNPACKED = {"auto": "NPU_CORE_AUTO"}


class Engine:
    """One loaded model; `infer` takes and gives float32 arrays in the order of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load the model, and start the NPU."""
        require_library(engine_options["library"])
        from rknnlite.api import RKNNLite

        with open(os.path.join(folder, FACTS)) as file:
            self._facts = json.load(file)
        self._cores, self._lite = engine_options["cores"], RKNNLite()
        path = os.path.join(folder, engine_options["model"])
        if self._lite.load_rknn(path) != 0:
            raise RuntimeError("rknn-toolkit-lite2 cannot load %s" % path)
        given = {}
        if self._cores:
            name = UNPACKED.get(self._cores, "NPU_%s" % self._cores.upper())
            given["core_mask"] = getattr(RKNNLite, name)
        code = self._lite.init_runtime(**given)
        if code != 0:
            text = (
                "the NPU does not start (code %s): the model is for %s, this device says it is %s; "
                "its kernel needs Rockchip's driver (`cat /sys/kernel/debug/rknpu/version`), not "
                "older than librknnrt"
            )
            raise RuntimeError(text % (code, engine_options["platform"], board()))

    def version(self) -> str:
        """Return the versions of runtime and driver, as the runtime tells them."""
        return "rknn %s" % " ".join(str(self._lite.get_sdk_version()).split())[:200]

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return dict(self._facts["io"])

    def operators(self) -> int:
        """Return how many operators the model has."""
        return int(self._facts["operators"])

    def conditions(self) -> dict[str, Any]:
        """Return which cores of the NPU run the model."""
        return {"npu_cores": self._cores or "one"}

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        # Nothing is moved: the model's own shapes, channels last as they are.
        outputs = self._lite.inference(inputs=list(inputs), data_format=["nchw"] * len(inputs))
        if outputs is None:
            raise RuntimeError("the NPU did not answer; the kernel's log (`dmesg`) may say why")
        shapes = [one["shape"] for one in self._facts["io"]["outputs"]]
        return [np.asarray(out, np.float32).reshape(s) for out, s in zip(outputs, shapes)]


def require_library(name: str) -> None:
    """Refuse where Rockchip's runtime is missing: the package alone would say little."""
    try:
        ctypes.CDLL(name)
    except OSError as error:
        text = (
            "Rockchip's runtime %s cannot be loaded (%s); install it there, of the version of "
            "rknn-toolkit2 or newer, or name the file by `library` of the target"
        )
        raise RuntimeError(text % (name, error)) from error


def board() -> str:
    """Return what the device tree calls the SoC."""
    try:
        with open("/proc/device-tree/compatible", "rb") as file:
            names = file.read().decode("ascii", "replace").strip("\0").split("\0")
    except OSError:
        return "unknown"
    return names[-1] or "unknown"

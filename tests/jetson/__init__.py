"""Stand-ins for a Jetson: trtexec that prints what is documented, TensorRT and CUDA's library.

A plan of this trtexec is the network itself behind a header, and this TensorRT runs it with ONNX
Runtime, on memory that this CUDA allocates: so the worker, the artifact and the engine are real.
"""

import ctypes
import json
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

HERE = Path(__file__).parent
BOARD = "NVIDIA Jetson Orin Nano Developer Kit"
RELEASE = (
    "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, "
    "DATE: Wed Jan  8 01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\n"
)
BUILT = {"board": BOARD, "l4t": "36.4.3", "tensorrt": "10.3.0"}
MAGIC = b"ftrt"

_CAT = """\
#!/bin/sh
case "$*" in
*/etc/nv_tegra_release*) printf '%s\\000%s' '{board}' '{release}' ;;
*) exec /bin/cat "$@" ;;
esac
"""
_DPKG_QUERY = """\
#!/bin/sh
printf 'libnvinfer-bin {version}.30-1+cuda12.5'
"""
_TRTEXEC = """\
#!/bin/sh
exec {python} {program} "$@"
"""


def install(folder: Path, version: str = "10.3.0", board: str = BOARD) -> Path:
    """Write the programs of a Jetson into a folder for PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "cat": _CAT.format(board=board, release=RELEASE),
        "dpkg-query": _DPKG_QUERY.format(version=version),
        "trtexec": _TRTEXEC.format(python=sys.executable, program=HERE / "trtexec.py"),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def build_library(folder: Path) -> Path:
    """Compile a libcudart.so whose GPU is the host's memory."""
    path = folder / "libcudart.so"
    command = ["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(path)]
    subprocess.run([*command, str(HERE / "cudart.c")], check=True)
    return path


def unpacked(plan: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header of a plan, and its network."""
    (size,) = struct.unpack(">I", plan[4:8])
    return json.loads(plan[8 : 8 + size]), plan[8 + size :]


def tensorrt(version: str = "10.3.0") -> ModuleType:
    """Return a stand-in for the Python package, with what is documented of 8.5 to 10."""
    module = ModuleType("tensorrt")
    module.__dict__.update(
        __version__=version,
        float32="float32",
        Logger=type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None}),
        Runtime=_Runtime,
        IProfiler=type("IProfiler", (), {"__init__": lambda self: None}),
    )
    return module


class _Runtime:
    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        return _Plan(plan) if plan.startswith(MAGIC) else None


class _Plan:
    def __init__(self, plan: bytes) -> None:
        import onnxruntime

        _, network = unpacked(plan)
        self.session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
        self.inputs, self.outputs = self.session.get_inputs(), self.session.get_outputs()
        self.ends = {end.name: end for end in (*self.inputs, *self.outputs)}
        self.num_layers = 3

    def get_tensor_dtype(self, name: str) -> str:
        return {"tensor(float)": "float32"}[self.ends[name].type]

    def get_tensor_shape(self, name: str) -> list[int]:
        return list(self.ends[name].shape)

    def create_execution_context(self) -> Any:
        return _Context(self)


class _Context:
    def __init__(self, plan: _Plan) -> None:
        self.plan, self.addresses = plan, dict[str, int]()
        self.profiler = SimpleNamespace(report_layer_time=lambda name, ms: None)

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        import numpy as np

        assert stream_handle
        fed = {end.name: self._at(end) for end in self.plan.inputs}
        found = self.plan.session.run(None, fed)
        for end, array in zip(self.plan.outputs, found, strict=True):
            np.copyto(self._at(end), array)
        self.profiler.report_layer_time("conv + relu", 0.25)
        return True

    def _at(self, end: Any) -> Any:
        import numpy as np

        size = int(np.prod(end.shape))
        memory = (ctypes.c_float * size).from_address(self.addresses[end.name])
        return np.ctypeslib.as_array(memory).reshape(end.shape)

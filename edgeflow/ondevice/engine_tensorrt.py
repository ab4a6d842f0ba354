"""Runs a TensorRT engine on a Jetson. Needs numpy, tensorrt and CUDA's runtime library."""

from __future__ import annotations

import ctypes
import json
import os
import re
from typing import Any

BUILT = "built.json"
"""File beside the plan: what it was built on, and the order of its inputs and outputs."""
MODEL_FILE = "/proc/device-tree/model"
RELEASE_FILE = "/etc/nv_tegra_release"
LIBRARIES = (
    *("libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"),
    "/usr/local/cuda/lib64/libcudart.so",
)
TO_DEVICE, TO_HOST = 1, 2
"""Values of cudaMemcpyKind."""


class Engine:
    """One loaded plan; `infer` takes and gives float32 arrays in the order of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load `engine_options["model"]` from `folder`.

        Raises:
            ImportError: tensorrt or CUDA's runtime library is missing.
            RuntimeError: the plan was built on another board or with other versions.
        """
        import tensorrt

        with open(os.path.join(folder, BUILT)) as file:
            built = json.load(file)
        require_same(built, here(tensorrt.__version__))
        self._cuda = Cuda()
        self._logger = tensorrt.Logger(tensorrt.Logger.ERROR)
        self._runtime = tensorrt.Runtime(self._logger)
        with open(os.path.join(folder, engine_options["model"]), "rb") as file:
            self._engine = self._runtime.deserialize_cuda_engine(file.read())
        if self._engine is None:
            raise RuntimeError("TensorRT cannot load the plan: its log says why")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise RuntimeError("TensorRT has no memory left to run the plan")
        self._inputs = [self._end(name) for name in built["inputs"]]
        self._outputs = [self._end(name) for name in built["outputs"]]
        self._stream = self._cuda.stream()

    def _end(self, name: str) -> dict[str, Any]:
        """Return a tensor with memory of its own on the GPU."""
        import tensorrt

        if self._engine.get_tensor_dtype(name) != tensorrt.float32:
            raise RuntimeError("tensor %s of the plan is not float32" % name)
        shape = [int(size) for size in self._engine.get_tensor_shape(name)]
        size_bytes = 4
        for size in shape:
            size_bytes *= size
        address = self._cuda.allocate(size_bytes)
        self._context.set_tensor_address(name, address)
        return {"name": name, "shape": shape, "address": address}

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        import tensorrt

        return "tensorrt %s" % tensorrt.__version__

    @staticmethod
    def _tensor(end: dict[str, Any]) -> dict[str, Any]:
        described = {"name": end["name"], "shape": end["shape"], "dtype": "float32"}
        return dict(described, scale=0.0, zero_point=0)

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return {
            "inputs": [self._tensor(end) for end in self._inputs],
            "outputs": [self._tensor(end) for end in self._outputs],
        }

    def operators(self) -> int:
        """Return how many layers the plan has."""
        return int(self._engine.num_layers)

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped like the inputs, with their batch."""
        import numpy as np

        for end, array in zip(self._inputs, inputs):
            self._cuda.copy_in(end["address"], np.ascontiguousarray(array, np.float32))
        if not self._context.execute_async_v3(self._stream):
            raise RuntimeError("TensorRT cannot run the plan: its log says why")
        self._cuda.wait(self._stream)
        return [self._cuda.copy_out(end["address"], end["shape"]) for end in self._outputs]

    def profile(self, *inputs: Any) -> list[dict[str, Any]]:
        """Run samples and return the mean time of each layer, by TensorRT's own profiler.

        The first sample runs once before, uncounted.
        """
        import tensorrt

        times: dict[str, float] = {}

        class Times(tensorrt.IProfiler):  # type: ignore[misc]
            def __init__(self) -> None:
                tensorrt.IProfiler.__init__(self)

            def report_layer_time(self, layer_name: str, ms: float) -> None:
                times[layer_name] = times.get(layer_name, 0.0) + ms * 1e3

        count = len(inputs[0])
        self.infer(*[array[:1] for array in inputs])
        self._context.profiler = Times()
        for row in range(count):
            self.infer(*[array[row : row + 1] for array in inputs])
        return [
            {"name": name, "type": "", "kernel": "TensorRT", "time_us": time_us / count}
            for name, time_us in times.items()
        ]


def here(version: str) -> dict[str, str]:
    """Return what this machine is, in the words of the one that built the plan."""
    release = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", _read(RELEASE_FILE))
    return {
        "board": " ".join(_read(MODEL_FILE).replace("\0", " ").split()) or "no Jetson",
        "l4t": ".".join(release.groups()) if release else "none",
        "tensorrt": ".".join(version.split(".")[:3]),
    }


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def require_same(built: dict[str, Any], found: dict[str, str]) -> None:
    """Raise RuntimeError unless a plan was built on such a board, with these versions."""
    if any(built[name] != text for name, text in found.items()):
        form = "%(board)s with L4T %(l4t)s and TensorRT %(tensorrt)s"
        raise RuntimeError(
            "the plan was built on %s; this is %s: compile on a Jetson like this one"
            % (form % built, form % found)
        )


class Cuda:
    """The few functions of CUDA's runtime library that copy tensors."""

    def __init__(self) -> None:
        """Load the library, which JetPack installs; no Python package of it is needed."""
        self._library = load()

    def _do(self, function: str, *arguments: Any) -> None:
        code = getattr(self._library, function)(*arguments)
        if code != 0:
            self._library.cudaGetErrorString.restype = ctypes.c_char_p
            reason = self._library.cudaGetErrorString(code)
            raise RuntimeError("%s fails: %s" % (function, (reason or b"").decode()))

    def allocate(self, size_bytes: int) -> int:
        """Return the address of new memory on the GPU."""
        address = ctypes.c_void_p()
        self._do("cudaMalloc", ctypes.byref(address), ctypes.c_size_t(size_bytes))
        return int(address.value or 0)

    def stream(self) -> int:
        """Return the handle of a new stream."""
        handle = ctypes.c_void_p()
        self._do("cudaStreamCreate", ctypes.byref(handle))
        return int(handle.value or 0)

    def wait(self, stream: int) -> None:
        """Wait until a stream has done all of its work."""
        self._do("cudaStreamSynchronize", ctypes.c_void_p(stream))

    def copy_in(self, address: int, array: Any) -> None:
        """Copy an array to the GPU."""
        self._copy(address, array.ctypes.data, array.nbytes, TO_DEVICE)

    def copy_out(self, address: int, shape: list[int]) -> Any:
        """Return a float32 array from the GPU."""
        import numpy as np

        array = np.empty(shape, np.float32)
        self._copy(array.ctypes.data, address, array.nbytes, TO_HOST)
        return array

    def _copy(self, to: int, source: int, size_bytes: int, kind: int) -> None:
        sizes = ctypes.c_size_t(size_bytes), ctypes.c_int(kind)
        self._do("cudaMemcpy", ctypes.c_void_p(to), ctypes.c_void_p(source), *sizes)


def load() -> Any:
    """Return CUDA's runtime library; raise ImportError where there is none."""
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise ImportError("no CUDA runtime library (%s): install JetPack's CUDA" % LIBRARIES[0])

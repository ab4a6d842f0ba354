"""Stand-ins for Rockchip's packages, whose own take 5.6 GB or a board."""

import os
import subprocess
from pathlib import Path

import pytest

ALLOWED = "EDGEFLOW_RKNN"
TOOLKIT = '''\
import os
import numpy as np
import onnxruntime

TABLE = """
D RKNN: [19:28:51.404]                 Network Layer Information Table
D RKNN: [19:28:51.404] -----------------------------------------------------------------
D RKNN: [19:28:51.404] ID   OpType        DataType Target InputShape OutputShape  Cycles
D RKNN: [19:28:51.404] 0    InputOperator INT8 CPU \\\\ (1,8,8,1) 0/0/0 0 InputOperator:input
D RKNN: [19:28:51.404] 1    ConvRelu INT8 NPU (1,1,8,8) (1,32,8,8) 336/576/576 5 Conv:a;b/c
D RKNN: [19:28:51.404] 2    Reshape  INT8 CPU (1,10,1,1) (1,10) 0/0/7 0 Reshape:d
D RKNN: [19:28:51.404] -----------------------------------------------------------------
"""


class RKNN:
    """rknn-toolkit2 as far as it is called: codes instead of most exceptions."""

    def __init__(self, verbose=False):
        self.verbose = verbose
        self.fails = os.environ.get("STAND_IN_FAILS", "")

    def _code(self, step):
        if self.fails == step:
            print(f"\\x1b[1;31mE\\x1b[0m \\x1b[1;31m{step}: no such thing\\x1b[0m")
            return -1
        return 0

    def config(self, target_platform, quantized_algorithm="normal"):
        self.kept = f"{target_platform} {quantized_algorithm}"
        return self._code("config")

    def load_onnx(self, model):
        if self.fails == "raise":
            raise ValueError("Traceback (most recent call last):\\n  x\\nValueError: Bad op!\\n")
        self.model = model
        return self._code("load_onnx")

    def build(self, do_quantization, dataset=None):
        if do_quantization:
            with open(dataset) as file:
                self.samples = [[np.load(name) for name in line.split()] for line in file]
            self.kept += f" {len(self.samples)} of {[one.shape for one in self.samples[0]]}"
        if self.verbose:
            print(TABLE)
        return self._code("build")

    def export_rknn(self, path):
        if self.fails != "silent":
            with open(path, "w") as file:
                file.write(f"{self.kept} {os.environ['MALLOC_PERTURB_']}")
        return self._code("export_rknn")

    def init_runtime(self):
        self.session = onnxruntime.InferenceSession(self.model)
        return self._code("init_runtime")

    def inference(self, inputs, data_format):
        assert data_format == ["nchw"] * len(inputs)
        names = [one.name for one in self.session.get_inputs()]
        return self.session.run(None, dict(zip(names, inputs)))
'''
LITE = '''\
class RKNNLite:
    """rknn-toolkit-lite2 as far as it is called."""

    NPU_CORE_AUTO, NPU_CORE_0, NPU_CORE_1, NPU_CORE_2 = 0, 1, 2, 4
    NPU_CORE_0_1, NPU_CORE_0_1_2 = 3, 7
    load = start = 0
    answers = True
    given = None

    def load_rknn(self, path):
        with open(path):
            return self.load

    def init_runtime(self, **given):
        type(self).given = given
        return self.start

    def get_sdk_version(self):
        return "RKNN VERSION:\\n  API: librknnrt 2.3.0\\n  DRV: rknpu 0.9.8\\n"

    def inference(self, inputs, data_format):
        assert data_format == ["nchw"] * len(inputs)
        return [2 * inputs[0].reshape(-1)[:10]] if self.answers else None
'''


def install(folder: Path, name: str, text: str) -> Path:
    """Write a package `name` with a module `api` below a folder, which goes on the path."""
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "api.py").write_text(text)
    return folder


def build_runtime(folder: Path) -> Path:
    """Return a library as librknnrt.so, with nothing in it."""
    library = folder / "librknnrt.so"
    command = ["cc", "-shared", "-o", str(library), "-x", "c", "/dev/null"]
    subprocess.run(command, check=True)
    return library


def require_toolkit() -> None:
    """Skip where nobody asked for an environment of 5.6 GB."""
    if not os.environ.get(ALLOWED):
        pytest.skip(f"needs rknn-toolkit2: {ALLOWED}=1 builds its environment of 5.6 GB once")

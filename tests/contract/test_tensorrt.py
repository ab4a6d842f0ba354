"""The contract over `tensorrt`, with stand-ins for a Jetson's trtexec, TensorRT and CUDA."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeflow.ondevice import engine_tensorrt
from edgeflow.targets.tensorrt import TensorRT, TensorRTOptions
from edgeflow.testing.contract import TargetContract
from tests import jetson


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jetson.build_library(tmp_path_factory.mktemp("library"))


class TestTensorRT(TargetContract):
    kinds = ("tensorrt",)
    recipes = ("none", "ptq-int8")

    @pytest.fixture(autouse=True)
    def stand_ins(self, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """This machine is a Jetson."""
        jetson.install(tmp_path / "bin")
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setitem(sys.modules, "tensorrt", jetson.tensorrt())
        monkeypatch.setattr(engine_tensorrt, "LIBRARIES", (str(library),))
        monkeypatch.setattr(engine_tensorrt, "here", lambda version: jetson.BUILT)
        runtime = TensorRT.runtime

        def here(options: TensorRTOptions) -> Any:
            return replace(runtime(options), runs_here=True)

        monkeypatch.setattr(TensorRT, "runtime", staticmethod(here))

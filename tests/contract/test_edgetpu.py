"""The contract over `edgetpu`, with stand-ins for the compiler and for libedgetpu."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeflow.targets.edgetpu import EdgeTPU
from edgeflow.targets.edgetpu.options import EdgeTPUOptions
from edgeflow.testing.contract import TargetContract
from tests import edge_tpu


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return edge_tpu.build_library(tmp_path_factory.mktemp("library"))


class TestEdgeTPU(TargetContract):
    kinds = ("edgetpu",)

    @pytest.fixture(autouse=True)
    def stand_ins(self, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The compiler is on PATH, and this host has Edge TPUs."""
        edge_tpu.install_compiler(tmp_path / "bin", "partial")
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        runtime = EdgeTPU.runtime

        def here(options: EdgeTPUOptions) -> Any:
            found = runtime(options)
            engine_options = {**found.host_engine_options, "library": str(library)}
            return replace(found, host_engine_options=engine_options, runs_here=True)

        monkeypatch.setattr(EdgeTPU, "runtime", staticmethod(here))

"""Engines that the host runs in an environment of their own."""

import sys
from pathlib import Path

import numpy as np
import pytest

from edgeflow.errors import CompileError
from edgeflow.targets import apart
from edgeflow.targets.base import Runtime
from edgeflow.toolchain.base import Environment, Toolchain

ENGINE = """\
class Engine:
    def __init__(self, folder, options):
        self.step = int(open(folder + "/" + options["model"]).read()) * options["times"]
        self.runs = 0
    def io(self):
        return {"inputs": [{"name": "x"}], "outputs": [{"name": "y"}, {"name": "z"}]}
    def operators(self):
        return 3
    def version(self):
        return "counter 1"
    def figures(self):
        return {"runs": self.runs}
    def infer(self, x):
        self.runs += 1
        return [x + self.step, x * self.step]
"""
TOOLS = Toolchain(host_environment=Environment(lock=Path("engine.txt"), python="3.9"))


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    (tmp_path / "engine_counter.py").write_text(ENGINE)
    (tmp_path / "model.txt").write_text("2")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(apart, "python_of", lambda where, title: Path(sys.executable))
    return Runtime(
        engine_module="engine_counter",
        engine_options={"times": 0},
        host_engine_options={"times": 5},
        tolerance=0.0,
        tools=(),
    )


def test_it_answers_as_it_would_here(runtime: Runtime, tmp_path: Path) -> None:
    engine = apart.host_engine(runtime, TOOLS, "model.txt", tmp_path, "net")
    assert (engine.operators(), engine.version()) == (3, "counter 1")
    assert [one["name"] for one in engine.io()["outputs"]] == ["y", "z"]
    x = np.arange(6, dtype=np.int8).reshape(3, 2)
    added, multiplied = engine.infer_many(x)
    np.testing.assert_array_equal(added, x + 10)
    np.testing.assert_array_equal(multiplied, x * 10)
    assert added.dtype == np.int8
    assert engine.figures() == {"runs": 3}


def test_a_model_that_it_cannot_open_is_a_failed_compilation(
    runtime: Runtime, tmp_path: Path
) -> None:
    with pytest.raises(CompileError, match="No such file"):
        apart.host_engine(runtime, TOOLS, "other.txt", tmp_path, "net")

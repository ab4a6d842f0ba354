"""Tests of the flow `hls` of the target kind `fpga`, up to what compiles with hls4ml."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edgeflow.errors import CompileError, MissingToolError
from edgeflow.ondevice import engine_hls, engine_pynq
from edgeflow.targets.fpga import FPGA, hls, vendor_worker
from edgeflow.targets.fpga.fpga_worker.reading import plain_kernel
from edgeflow.targets.fpga.hls import programs
from edgeflow.targets.fpga.options import FPGAOptions
from edgeflow.targets.fpga.synthesis import synthesize
from edgeflow.targets.worker import Worker
from edgeflow.toolchain.base import Toolchain

TENSOR = {"shape": [1, 2], "type": "fixed<16,6>", "signed": True, "width": 16, "fraction": 10}
DESCRIBED = {
    "compiler": "hls4ml 1.3.0",
    "layers": 2,
    "inputs": [{"name": "input0", **TENSOR}],
    "outputs": [{"name": "output0", **TENSOR}],
}
STAND_IN = """#!{python}
import pathlib, sys
if sys.argv[1:] == ["--version"]:
    print("vitis-run 2024.2")
    sys.exit()
assert sys.argv[1:] == ["--tcl", "build_prj.tcl", "--mode", "hls"], sys.argv
assert "synth 1 cosim 0" in pathlib.Path("build_opt.tcl").read_text()
assert pathlib.Path("firmware/model.cpp").is_file()
report = pathlib.Path("model_prj/solution1/syn/report/model_csynth.xml")
report.parent.mkdir(parents=True)
report.write_text({report!r})
sys.exit({code})
"""
REPORT = """<profile>
<UserAssignments><TargetClockPeriod>5.00</TargetClockPeriod></UserAssignments>
<PerformanceEstimates>
<SummaryOfTimingAnalysis><EstimatedClockPeriod>{clock}</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><Best-caseLatency>11</Best-caseLatency>
<Worst-caseLatency>{latency}</Worst-caseLatency>
<Interval-min>1</Interval-min><Interval-max>1</Interval-max></SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates><Resources><BRAM_18K>4</BRAM_18K><DSP>7</DSP><FF>1200</FF><LUT>5300</LUT>
<URAM>0</URAM></Resources></AreaEstimates>
</profile>"""


def options(**more: Any) -> FPGAOptions:
    return FPGAOptions(kind="fpga", flow="hls", **more)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"backend": "Quartus"}, "set `part`"),
        ({"backend": "Quartus", "part": "XA7Z020"}, "set `part`"),
        ({"backend": "Vivado", "part": "5CSEMA5F31C6"}, "set `part`"),
        ({"backend": "Catapult", "synthesize": True}, "`synthesize` is for"),
        ({"flow": "rtl", "overlay": True}, "`overlay` is for `flow: hls`"),
        ({"flow": "rtl", "io": "stream"}, "`io` is for `flow: hls`"),
        ({"flow": "rtl", "backend": "Vivado"}, "`backend` is for `flow: hls`"),
        ({"flow": "rtl", "reuse_factor": 2}, "`reuse_factor` is for `flow: hls`"),
        ({"flow": "rtl", "precision": "fixed<8,3>"}, "`precision` is for `flow: hls`"),
        ({"latency_cutoff": 2}, "`latency_cutoff` is for `flow: rtl`"),
        ({"compile_host": "bench"}, "set `synthesize: true`"),
        *(
            ({"precision": precision}, "precision")
            for precision in ("float", "ufixed<8,3>", "fixed<65,6>", "fixed<8,3,SAT>")
        ),
    ],
)
def test_options_that_fit_no_tool_are_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FPGAOptions(**{"kind": "fpga", "flow": "hls", **more})


def test_the_vendors_tool_is_asked_for_only_where_it_synthesizes() -> None:
    assert [one.name for one in programs(options())] == ["g++"]
    asked = options(synthesize=True)
    assert [one.name for one in programs(asked)] == ["g++", "vitis-run"]
    away = asked.model_copy(update={"compile_host": "bench"})
    assert [one.name for one in programs(away)] == ["vitis-run"]


def test_figures_of_synthesis_are_had_only_with_it() -> None:
    assert FPGA.runtime(options()).figures == frozenset()
    assert "lut" in (FPGA.runtime(options(synthesize=True)).figures or ())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the one file of a project that the stand-in looks for."""
    folder = tmp_path / "project"
    (folder / "firmware").mkdir(parents=True)
    (folder / "firmware" / "model.cpp").write_text("void model() {}\n")
    return folder


def worker_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: str, code: int = 0
) -> Worker:
    """Return a worker whose vitis-run is a stand-in that leaves a report."""
    tool = tmp_path / "bin" / "vitis-run"
    tool.parent.mkdir()
    tool.write_text(STAND_IN.format(python=sys.executable, report=report, code=code))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    return worker()


def worker() -> Worker:
    vendor = programs(options(synthesize=True))[1:]
    return Worker(title="net", toolchain=Toolchain(worker=vendor_worker.__name__, programs=vendor))


def test_synthesis_tells_the_figures_of_the_vendors_report(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = worker_with(tmp_path, monkeypatch, REPORT.format(clock="4.3", latency="13"))
    found = synthesize(there, "vitis-run", 5.0, project)
    figures = {"lut": 5300, "ff": 1200, "dsp": 7, "bram": 4}
    cycles = {"latency_estimate_cycles": 13, "interval_estimate_cycles": 1}
    assert found == {**figures, **cycles}
    assert {one.name: one.kind for one in FPGA.figures if one.name in found} == dict.fromkeys(
        found, "estimated"
    )
    assert [path.name for path in project.rglob("*")] == ["firmware", "model.cpp"]


def test_a_latency_that_the_tool_does_not_know_is_no_figure(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = worker_with(tmp_path, monkeypatch, REPORT.format(clock="4.3", latency="undef"))
    assert "latency_estimate_cycles" not in synthesize(there, "vitis-run", 5.0, project)


@pytest.mark.parametrize(
    ("report", "code", "said"),
    [
        (REPORT.format(clock="6.1", latency="13"), 0, "period of 6.1 ns"),
        ("<profile>", 0, "leaves no report"),
        (REPORT.format(clock="4.3", latency="13"), 3, "exit code 3"),
    ],
)
def test_synthesis_that_fails_is_told(
    tmp_path: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    report: str,
    code: int,
    said: str,
) -> None:
    there = worker_with(tmp_path, monkeypatch, report, code)
    with pytest.raises(CompileError, match=said):
        synthesize(there, "vitis-run", 5.0, project)


def test_a_missing_tool_is_told_with_what_to_do(project: Path) -> None:
    with pytest.raises(MissingToolError, match="no program vitis-run") as caught:
        synthesize(worker(), "vitis-run", 5.0, project)
    assert "`compile_host`" in (caught.value.hint or "")


def test_a_kernel_without_groups_and_dilation_computes_the_same() -> None:
    """hls4ml knows neither."""
    kernel = np.arange(1, 9, dtype=np.float32).reshape(2, 1, 1, 4)
    found = plain_kernel(kernel, (2, 1), 2)
    assert found.shape == (3, 1, 2, 4)
    assert found[:, 0, 0].tolist() == [[1, 2, 0, 0], [0, 0, 0, 0], [5, 6, 0, 0]]
    assert found[:, 0, 1].tolist() == [[0, 0, 3, 4], [0, 0, 0, 0], [0, 0, 7, 8]]
    np.testing.assert_array_equal(plain_kernel(kernel, (1, 1), 1), kernel)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library like those of the worker, in a folder: it swaps two numbers and adds 1 to one."""
    text = json.dumps(json.dumps(DESCRIBED))
    (tmp_path / "model.c").write_text(
        f"const char model_description[] = {text};\n"
        "void model_float(float *x, float *y) { y[0] = x[1] + 1; y[1] = x[0]; }\n"
    )
    command = ["g++", "-xc", "-shared", "-fPIC", "model.c", "-o", "model.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path


def test_the_engine_runs_a_library_sample_by_sample(library: Path) -> None:
    engine = engine_hls.Engine(str(library), {"model": "model.so"})
    assert engine.io()["outputs"][0]["shape"] == [1, 2]
    (found,) = engine.infer_many(np.array([[1, 2], [3, 4], [5, 6]], np.float32)[::-1])
    assert found.tolist() == [[7, 5], [5, 3], [3, 1]]
    assert engine.clock == "none"


@pytest.mark.parametrize(("keras", "tflite"), [(1, 0), (0, 1), (0, 0)])
def test_one_number_that_differs_is_told(
    library: Path, monkeypatch: pytest.MonkeyPatch, keras: int, tflite: int
) -> None:
    x = np.array([[1, 2], [3, 4]], np.float32)
    y = np.array([[3, 1], [5, 3]], np.float32)
    last = np.array([[0, 0], [0, 1e-6]])
    np.save(library / "samples_0.npy", x)
    np.save(library / "expected_0.npy", y + keras * last)
    monkeypatch.setattr(hls, "litert_outputs", lambda job, samples: [y + tflite * last])
    job: Any = SimpleNamespace(samples=True)
    if not keras and not tflite:
        assert hls.require_exact(job, library, "model.so") == 2
        return
    title = "Keras" if keras else "the recipe's model.tflite"
    with pytest.raises(CompileError, match=f"differs from {title} in 1 numbers of 2 samples"):
        hls.require_exact(job, library, "model.so")


class _Channel:
    """One side of a DMA, which notes what is asked of it."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name, self.said = name, said
        self.buffer: Any = None

    def transfer(self, buffer: Any) -> None:
        self.said.append(f"{self.name} transfer")
        self.buffer = buffer

    def wait(self) -> None:
        self.said.append(f"{self.name} wait")


def fake_pynq(blocks: dict[str, dict[str, str]], said: list[str]) -> Any:
    """Return a module in the place of PYNQ's, whose fabric doubles its input."""
    send, receive = _Channel("send", said), _Channel("receive", said)

    def received() -> None:
        said.append("receive wait")
        receive.buffer[:] = send.buffer * 2

    receive.wait = received  # type: ignore[method-assign]
    dma = SimpleNamespace(sendchannel=send, recvchannel=receive)

    def overlay(path: str) -> Any:
        if Path(path).read_bytes() != b"bits":
            raise RuntimeError("no device")
        return SimpleNamespace(ip_dict=blocks, hier_0=SimpleNamespace(axi_dma_0=dma))

    module = ModuleType("pynq")
    module.__dict__.update(__version__="3.0.1", Overlay=overlay, allocate=np.zeros)
    return module


DMA = {"hier_0/axi_dma_0": {"type": "xilinx.com:ip:axi_dma:7.1"}}


@pytest.fixture
def board(tmp_path: Path) -> dict[str, Any]:
    """Options of the engine on a board with an overlay."""
    (tmp_path / "model.json").write_text(json.dumps(DESCRIBED))
    (tmp_path / "net.bit").write_bytes(b"bits")
    return {"model": "model.json", "unit": {"overlay": str(tmp_path / "net.bit")}}


def test_a_board_is_driven_through_its_dma(
    tmp_path: Path, board: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setitem(sys.modules, "pynq", fake_pynq({**DMA, "other": {"type": "x"}}, said))
    engine = engine_pynq.Engine(str(tmp_path), board)
    first = engine.infer(np.array([[1, 2]], np.float32))
    (second,) = engine.infer(np.array([[3, 4]], np.float32))
    assert first[0].tolist() == [[2, 4]]  # a copy: the buffer has the second by now
    assert second.tolist() == [[6, 8]]
    assert said[:4] == ["receive transfer", "send transfer", "send wait", "receive wait"]
    assert engine.version() == "pynq 3.0.1"


@pytest.mark.parametrize(
    ("content", "blocks", "reason"),
    [(None, DMA, "no overlay"), (b"bits", {}, "0 DMAs"), (b"other", DMA, "no device")],
)
def test_a_board_without_what_it_needs_is_missing_hardware(
    tmp_path: Path,
    board: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    blocks: dict[str, dict[str, str]],
    reason: str,
) -> None:
    monkeypatch.setitem(sys.modules, "pynq", fake_pynq(blocks, []))
    overlay = Path(board["unit"]["overlay"])
    overlay.unlink() if content is None else overlay.write_bytes(content)
    with pytest.raises(OSError, match=reason) as caught:
        engine_pynq.Engine(str(tmp_path), board)
    assert caught.value.errno == errno.ENODEV


def test_without_pynq_the_engine_lacks_a_package(tmp_path: Path, board: dict[str, Any]) -> None:
    with pytest.raises(ImportError, match="pynq"):
        engine_pynq.Engine(str(tmp_path), board)

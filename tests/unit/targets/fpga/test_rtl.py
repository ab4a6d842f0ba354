"""Kind `fpga` with `flow: rtl`: Verilog of a fixed-point network, and its simulation."""

import os
import platform
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgeflow.artifact.manifest import describe_files
from edgeflow.cli import needs
from edgeflow.config.recipe import Recipe
from edgeflow.config.target import toolchain_of
from edgeflow.dataset.tensors import Tensors
from edgeflow.errors import CompileError, MissingToolError
from edgeflow.ondevice.engine_rtl import Engine
from edgeflow.targets.base import CompiledModel, CompileInput
from edgeflow.targets.fpga import FPGA
from edgeflow.targets.fpga.fpga_worker.harness import harness
from edgeflow.targets.fpga.fpga_worker.network import Network
from edgeflow.targets.fpga.fpga_worker.refusal import Refusal
from edgeflow.targets.fpga.fpga_worker.rtl import COST_MAX, collect, require_equal, require_size
from edgeflow.targets.fpga.fpga_worker.simulation import limits, widths
from edgeflow.targets.fpga.fpga_worker.synthesis import counted
from edgeflow.targets.fpga.options import FPGAOptions
from edgeflow.targets.fpga.parts import family_of
from edgeflow.targets.identity import identify
from edgeflow.targets.worker import Worker
from edgeflow.toolchain.environment import python_of
from edgeflow.toolchain.fpga import environment

OPTIONS = FPGAOptions(kind="fpga")
UNMAPPED = FPGAOptions(kind="fpga", part="5CSEMA5F31C6")
"""A part whose figures yosys does not tell, which saves its time."""


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.keras, samples.npz of it, and refused.keras, which da4ml lacks."""
    out = tmp_path_factory.mktemp("networks")
    python = python_of(environment(), "the tests")
    script = Path(__file__).with_name("make_networks.py")
    subprocess.run([str(python), str(script), str(out)], check=True, capture_output=True)
    return out


def job_of(network: Path | None, options: FPGAOptions = UNMAPPED) -> CompileInput:
    nothing = Path(os.devnull)
    samples = None
    if network is not None and network.with_name("samples.npz").is_file():
        given = np.load(network.with_name("samples.npz"))
        samples = Tensors({"input": given["inputs"]})
    return CompileInput(
        model=nothing,
        float_model=nothing,
        network=network,
        recipe=Recipe(quantize="hgq"),
        calibration=None,
        worker=Worker(title="net/own", toolchain=toolchain_of(FPGA, options)),
        samples=samples,
    )


@pytest.fixture(scope="module")
def made(networks: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[CompiledModel, Path]:
    out = tmp_path_factory.mktemp("made")
    return FPGA.compile(job_of(networks / "model.keras", OPTIONS), OPTIONS, out), out


def test_the_simulation_gives_the_networks_very_bits(
    networks: Path, made: tuple[CompiledModel, Path]
) -> None:
    compiled, out = made
    given = np.load(networks / "samples.npz")
    engine = Engine(str(out), {"model": compiled.model})
    (many,) = engine.infer_many(given["inputs"])
    np.testing.assert_array_equal(many, given["outputs"])
    assert (many.dtype, many.any()) == (np.float32, True)
    np.testing.assert_array_equal(engine.infer(given["inputs"][7:8])[0], many[7:8])
    assert compiled.facts["compared_samples"] == {"program": 1000, "simulation": 1000}
    assert engine.figures()["cycles"] == compiled.figures["cycles"] > 1


def test_it_counts_what_the_network_takes_of_the_chip(made: tuple[CompiledModel, Path]) -> None:
    figures = made[0].figures
    assert figures["lut"] > 100
    assert figures["ff"] > figures["cycles"]
    assert figures["dsp"] == 0
    assert {*figures} == {*(FPGA.runtime(OPTIONS).figures or ())}


def test_sources_stay_here_and_name_no_folder(
    networks: Path, made: tuple[CompiledModel, Path]
) -> None:
    compiled, out = made
    files = describe_files(out)
    assert {"verilog/model.v", "verilog/model.xdc"} <= {*compiled.host_files}
    assert files.keys() == {*compiled.host_files, "model.json", "model.so"}
    for path in (path for path in out.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert b"/tmp/" not in content
        assert str(Path.home()).encode() not in content


def test_another_folder_gives_the_same_bytes(
    networks: Path, made: tuple[CompiledModel, Path], tmp_path: Path
) -> None:
    FPGA.compile(job_of(networks / "model.keras"), UNMAPPED, tmp_path)
    first, again = describe_files(made[1]), describe_files(tmp_path)
    named = {"model.json", "verilog/model.xdc", "verilog/model.sdc"}  # with the part's number
    assert {key: it for key, it in first.items() if key not in named} == {
        key: it for key, it in again.items() if key not in named
    }


def test_a_damaged_network_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "model.keras"
    damaged.write_bytes(b"PK\3\4 no archive")
    with pytest.raises(CompileError, match=r"net/own: model\.keras is no network") as caught:
        FPGA.compile(job_of(damaged), UNMAPPED, tmp_path)
    assert "quantize: hgq" in str(caught.value.hint)


def test_a_layer_that_da4ml_lacks_is_named(networks: Path, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"it has no form for LayerNormalization \(norm\)"):
        FPGA.compile(job_of(networks / "refused.keras"), UNMAPPED, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("network", [None, Path("network/model.h5")])
def test_other_networks_are_refused(network: Path | None, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="takes networks that `quantize: hgq` trained"):
        FPGA.compile(job_of(network), UNMAPPED, tmp_path)


def test_a_missing_compiler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for arch, package in (("x86_64", "g++"), ("aarch64", "g++-aarch64-linux-gnu")):
        options = FPGAOptions(kind="fpga", arch=arch)  # type: ignore[arg-type]
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")
        with pytest.raises(MissingToolError) as caught:
            identify(toolchain_of(FPGA, options), None)
        assert caught.value.hint == f"apt install {package}"


@pytest.mark.parametrize(
    ("part", "family"),
    [
        ("xc7z020clg400-1", "xc7"),
        ("XC7A35T", "xc7"),
        ("xczu7ev-ffvc1156-2-e", "xcup"),
        ("xcvu13p-flga2577-2-e", "xcup"),
        ("xcku040-ffva1156-2-e", "xcu"),
        ("5CSEMA5F31C6", None),
    ],
)
def test_families_of_parts(part: str, family: str | None) -> None:
    assert family_of(part) == family
    options = FPGAOptions(kind="fpga", part=part)
    assert ("lut" in (FPGA.runtime(options).figures or ())) == (family is not None)


def test_no_compile_host_is_advised_where_none_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(needs, "_program", needs._program.__wrapped__)  # which remembers
    options = FPGAOptions(kind="fpga", arch="aarch64")
    (need,) = (one for one in needs.needs_with(FPGA, options) if one.sort == "program")
    assert (need.found, need.install) == (None, "apt install g++-aarch64-linux-gnu")


def test_cells_are_counted_by_kind() -> None:
    cells = {"LUT2": 3, "LUT6": 4, "FDRE": 5, "FDSE": 1, "CARRY4": 2, "INV": 9, "DSP48E1": 1}
    assert counted(cells) == {"lut": 7, "ff": 6, "carry": 2, "dsp": 1}


def test_inputs_are_held_below_what_would_be_rounded_out_of_the_range() -> None:
    intervals = [(-1.0, 0.9375, 0.0625), (0.0, 0.0, 1.0)]
    assert [side.tolist() for side in limits(intervals, rounds=True)] == [[-1, 0], [0.875, 0]]
    assert limits(intervals, rounds=False)[1].tolist() == [0.9375, 0]
    assert widths({"signed": [1, 0], "integers": [0, 2], "fractions": [4, -1]}) == [5, 1]


def test_one_bit_that_differs_is_told() -> None:
    expected = np.array([[0.5, -1.0], [2.0, 0.25]])
    assert require_equal("the Verilog", expected.astype(np.float32), expected) == 2
    found = np.add(expected, np.array([[0, 0], [0, 2.0**-8]]))
    with pytest.raises(Refusal, match=r"the Verilog gives 1 of 4 outputs otherwise .* 0\.00390625"):
        require_equal("the Verilog", found, expected)


def test_lookup_tables_are_refused(tmp_path: Path) -> None:
    """Their files would be looked for on the device, by names of this machine."""
    (tmp_path / "src/memfiles").mkdir(parents=True)
    (tmp_path / "src/memfiles/table_1.mem").write_text("0\n1\n")
    with pytest.raises(Refusal, match="lookup tables"):
        collect(tmp_path / "src", tmp_path / "verilog")
    assert not (tmp_path / "verilog").exists()


def test_a_network_too_large_is_refused_before_it_is_traced() -> None:
    kernel = np.array([[1, 0], [2, 3]])
    shapes = [(None, 4, 4, 2), (None, 2)]
    layers = [SimpleNamespace(qkernel=kernel, output=SimpleNamespace(shape=one)) for one in shapes]
    assert Network(SimpleNamespace(layers=[*layers, SimpleNamespace()])).products() == 3 * 16 + 3
    huge = np.ones((COST_MAX + 1, 1), np.int8)
    dense = SimpleNamespace(qkernel=huge, output=SimpleNamespace(shape=(None, 1)))
    with pytest.raises(Refusal, match="2,000,001 multiplications, more than any chip has"):
        require_size(Network(SimpleNamespace(layers=[dense])).products(), "multiplications")


NARROW = """\
#include <cstddef>
#include <cstdint>
template <size_t N> struct VlWide {
  uint32_t words[N];
  uint32_t &operator[](size_t i) { return words[i]; }
  const uint32_t &operator[](size_t i) const { return words[i]; }
};
struct VerilatedContext {};
struct Vmodel {
  uint8_t clk = 0, before = 0;
  VlWide<2> model_inp;
  VlWide<2> model_out;
  Vmodel(VerilatedContext *, const char *) {}
  void eval() {
    if (clk && !before) model_out = model_inp;
    before = clk;
  }
  void final() {}
};
"""
"""In the place of Verilator's model: a register of 64 bits."""


def test_the_harness_packs_numbers_without_gaps(tmp_path: Path) -> None:
    import ctypes

    bits, signs = [5, 32, 0, 7, 20], [1, 1, 0, 0, 1]
    (tmp_path / "Vmodel.h").write_text(NARROW)
    (tmp_path / "harness.cpp").write_text(harness(bits, bits, signs, 0))
    command = ["g++", "-std=c++17", "-shared", "-fPIC", "-I.", "harness.cpp", "-o", "model.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    given = np.array([[-16, -(2**31), 3, 127, 2**19 - 1], [15, 2**31 - 1, 0, 0, -1]], np.int32)
    taken = np.zeros_like(given)
    library = ctypes.CDLL(str(tmp_path / "model.so"))
    places = [ctypes.c_void_p(array.ctypes.data) for array in (given, taken)]
    assert library.edgeflow_run(*places, ctypes.c_size_t(2)) == 0
    given[:, 2] = 0  # no bits, no number
    np.testing.assert_array_equal(taken, given)

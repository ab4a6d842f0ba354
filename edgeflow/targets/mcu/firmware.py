"""Firmware around a generated network: the files of a board, and how they are compiled."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.board import Board

DATA = ("firmware/*",)  # counts as code: see edgeflow.artifact.fingerprint

MAIN = ("main.c", "firmware.h")


def firmware_files(
    board: Board, inputs: Sequence[int], outputs: Sequence[int], name: str = "model"
) -> dict[str, str]:
    """Return the text of each file that a board's firmware has beside the network's, by name.

    Args:
        board: that they are for.
        inputs: bytes of each input of the network.
        outputs: bytes of each output.
        name: prefix of the network's public names.
    """
    parts = {part: _text(part) for part in (*MAIN, *board.family.parts)}
    return {**parts, "tensors.h": tensors(inputs, outputs, name)}


def host_files(
    inputs: Sequence[int], outputs: Sequence[int], name: str = "model"
) -> dict[str, str]:
    """Return the files with which the machine at the board runs the same network, or counts."""
    names = ("native.c", "plugin.c", "simavr.c")
    return {**{one: _text(one) for one in names}, "tensors.h": tensors(inputs, outputs, name)}


def build_job(
    board: Board, sources: Sequence[str], optimize: Sequence[str] = ("-O2",), name: str = "model"
) -> dict[str, Any]:
    """Return the arguments of `build_elf`.

    Args:
        board: that is compiled for.
        sources: names of the network's C files.
        optimize: options of the compiler for these files.
        name: prefix of the network's public names.

    Raises:
        CompileError: there is no compiler for the board's core.
    """
    family = board.family
    if not family.compiler:
        raise CompileError(
            f"{board.title}: no compiler for {board.core} is supported, code is exported only",
            hint="run `edgeflow export c`, and build the component with the vendor's tools",
        )
    return {
        "compiler": family.compiler,
        "install": f"run `{family.install}` where the compiler is to run",
        "flags": [*board.flags, f"-DF_CPU={board.clock_hz}ul"],
        "link": _link(board),
        "optimize": list(optimize),
        "parts": [part for part in ("main.c", *family.parts) if part.endswith(".c")],
        "sources": list(sources),
        "ram_origin": board.ram.origin,
        "invoke": f"{name}_invoke",
    }


def tensors(inputs: Sequence[int], outputs: Sequence[int], name: str) -> str:
    """Return the header that says which buffers the network needs, and calls it with them."""
    ins = [f"input{number}" for number in range(len(inputs))]
    outs = [f"output{number}" for number in range(len(outputs))]
    each_in = " ".join(f"DO({one}, {size})" for one, size in zip(ins, inputs, strict=True))
    each_out = " ".join(f"DO({one}, {size})" for one, size in zip(outs, outputs, strict=True))
    return (
        "/* Buffers of inputs and outputs, for the main loop. */\n"
        f'#include "{name}.h"\n\n'
        f"#define EACH_INPUT(DO) {each_in}\n"
        f"#define EACH_OUTPUT(DO) {each_out}\n"
        f"#define MODEL_INIT() {name}_init()\n"
        f"#define MODEL_INVOKE() {name}_invoke({', '.join([*ins, *outs])})\n"
    )


def _link(board: Board) -> list[str]:
    end = board.ram.origin + board.ram.bytes
    if board.core == "avr":  # avr-libc has the linker script, and names of its own
        symbols = {"stack_limit": "__bss_end", "stack_top": f"{end:#x}"}
        # Larger than any board's, so that also of a program that does not fit it can be told.
        symbols |= {"__DATA_REGION_LENGTH__": "0xffa0", "__TEXT_REGION_LENGTH__": "0x400000"}
        script = []
    else:
        origins = {"FLASH_ORIGIN": board.flash.origin, "RAM_ORIGIN": board.ram.origin}
        symbols = {name: f"{value:#x}" for name, value in {**origins, "RAM_END": end}.items()}
        script = ["-nostdlib", "-T", "link.ld", "-Wl,--build-id=none"]
    defined = [f"-Wl,--defsym={name}={value}" for name, value in symbols.items()]
    return [*script, "-Wl,--gc-sections", *defined]


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(f"firmware/{name}").read_text()

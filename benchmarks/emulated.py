"""Builds C as firmware of an emulated board, and counts what an inference takes there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.ondevice.engine_mcu import Qemu
from edgeflow.targets.mcu.board import Board, boards
from edgeflow.targets.mcu.build import build_elf
from edgeflow.targets.mcu.firmware import build_job, firmware_files, host_files
from edgeflow.targets.mcu.generate import Sources


@dataclass(frozen=True, kw_only=True, slots=True)
class Emulated:
    """What a network takes of a board.

    Attributes:
        flash_bytes: of the whole firmware.
        ram_bytes: likewise, without the stack.
        instructions: the most of one inference.
        cycles: likewise, 0 without a model of the core.
        outputs: bytes of the outputs, [samples, bytes].
    """

    flash_bytes: int
    ram_bytes: int
    instructions: int
    cycles: int
    outputs: NDArray[np.uint8]


def emulate(
    sources: Sources,
    board_name: str,
    samples: NDArray[np.int8],
    optimize: Sequence[str],
    files: Mapping[str, str] | None = None,
) -> Emulated:
    """Run samples, [samples, bytes], on an emulated board.

    Args:
        sources: the network.
        board_name: as `boards.toml` has it.
        samples: inputs.
        optimize: options of the compiler.
        files: other C files of the same network, instead of those of `sources`.
    """
    chosen, files = boards()[board_name], files or sources.files
    tensors = sources.graph.tensors
    inputs, outputs = (
        [tensors[place].size for place in places]
        for places in (sources.graph.inputs, sources.graph.outputs)
    )
    parts = firmware_files(chosen, inputs, outputs)
    job = build_job(chosen, [name for name in files if name.endswith(".c")], optimize)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in {**host_files(inputs, outputs), **parts, **files}.items():
            (folder / file).write_text(text)
        built = build_elf(job, folder)
        runner = Qemu(name, _facts(sources, chosen, built))
        answers = runner.run(samples.view(np.uint8))
    return Emulated(
        flash_bytes=built.flash_bytes,
        ram_bytes=built.ram_bytes,
        instructions=int(runner.counts["instructions"]),
        cycles=int(runner.counts.get("cycles_estimate", 0)),
        outputs=answers,
    )


def _facts(sources: Sources, board: Board, built: Any) -> dict[str, Any]:
    """Return what the engine asks of a network."""
    sides = {"inputs": sources.graph.inputs, "outputs": sources.graph.outputs}
    return {
        "board": board.model_dump(),
        "elf": built.elf,
        "invoke_address": built.invoke_address,
        "cycles": board.family.cycles,
        "macs": sources.macs,
        "io": {
            side: [
                {"shape": list(sources.graph.tensors[place].shape), "dtype": "int8"}
                for place in places
            ]
            for side, places in sides.items()
        },
    }

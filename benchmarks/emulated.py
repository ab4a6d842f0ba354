"""Builds C as firmware of an emulated board, and counts what an inference takes there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.ondevice.engine_mcu import Native, boards_of
from edgeflow.targets.mcu.board import boards
from edgeflow.targets.mcu.build import build_elf
from edgeflow.targets.mcu.firmware import build_job, firmware_files, host_files
from edgeflow.targets.mcu.generate import Sources

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Emulated:
    """What a network takes of a board.

    Attributes:
        flash_bytes: of the whole firmware.
        ram_bytes: likewise, without the stack.
        counts: the most of one inference, by figure, such as ``instructions``.
        outputs: bytes of the outputs, [samples, bytes].
    """

    flash_bytes: int
    ram_bytes: int
    counts: Mapping[str, float]
    outputs: Bytes


def emulate(
    sources: Sources,
    name: str,
    samples: Bytes,
    optimize: Sequence[str],
    files: Mapping[str, str] | None = None,
) -> Emulated:
    """Run samples, [samples, bytes], on an emulated board.

    Args:
        sources: the network.
        name: of the board.
        samples: inputs.
        optimize: options of the compiler.
        files: other C files of the same network, instead of those of `sources`.
    """
    chosen, files = boards()[name], files or sources.files
    parts = firmware_files(chosen, *_sizes(sources))
    job = build_job(chosen, _units(files), optimize)
    described = {**chosen.model_dump(mode="json"), "name": name}
    with TemporaryDirectory() as folder:
        _write(folder, {**host_files(*_sizes(sources)), **parts, **files})
        built = build_elf(job, Path(folder))
        facts = {
            **_facts(sources),
            "board": described,
            "elf": built.elf,
            "invoke_address": built.invoke_address,
            "cycles": chosen.family.cycles,
        }
        (runner,) = boards_of(folder, facts, {})
        outputs = runner.run(samples)
    return Emulated(
        flash_bytes=built.flash_bytes,
        ram_bytes=built.ram_bytes,
        counts=runner.counts,
        outputs=outputs,
    )


def native(sources: Sources, samples: Bytes) -> Bytes:
    """Run samples, [samples, bytes], as the same C built for this machine."""
    facts = {**_facts(sources), "sources": _units(sources.files), "native_flags": []}
    with TemporaryDirectory() as folder:
        _write(folder, {**host_files(*_sizes(sources)), **sources.files})
        outputs: Bytes = Native(folder, facts).run(samples)
        return outputs


def _units(files: Mapping[str, str]) -> list[str]:
    return [name for name in files if name.endswith(".c")]


def _sizes(sources: Sources) -> tuple[list[int], list[int]]:
    tensors = sources.graph.tensors
    return [tensors[place].size for place in sources.graph.inputs], [
        tensors[place].size for place in sources.graph.outputs
    ]


def _write(folder: str, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (Path(folder) / name).write_text(text)


def _facts(sources: Sources) -> dict[str, Any]:
    """Return what the engine asks of a network."""
    sides = {"inputs": sources.graph.inputs, "outputs": sources.graph.outputs}
    tensors = sources.graph.tensors
    return {
        "macs": sources.macs,
        "io": {
            side: [{"shape": list(tensors[place].shape), "dtype": "int8"} for place in places]
            for side, places in sides.items()
        },
    }

"""From a recipe's model to the firmware of a board, in the first form that keeps its budgets."""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from edgeflow.config.base import Section
from edgeflow.errors import CompileError
from edgeflow.targets.base import CompiledModel, CompileInput
from edgeflow.targets.mcu.board import Board
from edgeflow.targets.mcu.budget import Needs, estimate, is_hopeless, misfit
from edgeflow.targets.mcu.build import ELF
from edgeflow.targets.mcu.firmware import build_job, firmware_files, host_files
from edgeflow.targets.mcu.generate import Sources
from edgeflow.targets.mcu.graph import Tensor
from edgeflow.targets.mcu.options import KIB, McuOptions
from edgeflow.targets.mcu.variants import Variant, generated
from edgeflow.targets.worker import Worker

DESCRIPTION = "mcu.json"
"""File that the engine opens, and that describes the others."""

Size = Annotated[int, Field(ge=0, lt=1 << 32)]


class Built(Section):
    """What the worker says of the firmware that it linked; it may have run on another machine."""

    elf: Literal["fw.elf"]
    flash_bytes: Size
    ram_bytes: Size
    stack_bytes: Size
    invoke_address: Size


@dataclass(frozen=True, kw_only=True, slots=True)
class Firmware:
    """Firmware in one form.

    Attributes:
        variant: of the code.
        sources: the generated code.
        built: what it takes.
        folder: with the linked file.
    """

    variant: Variant
    sources: Sources
    built: Built
    folder: Path

    @property
    def needs(self) -> Needs:
        """What it takes of the board."""
        return Needs(
            variant=self.variant,
            flash_bytes=self.built.flash_bytes,
            ram_bytes=self.built.ram_bytes,
            stack_bytes=self.built.stack_bytes,
            sources=self.sources,
        )


def compile_for(job: CompileInput, options: McuOptions, out: Path) -> CompiledModel:
    """Compile a recipe's model; see `Mcu.compile`."""
    with tempfile.TemporaryDirectory() as scratch:
        chosen, tried = first_that_fits(job.model, options, job.worker, Path(scratch))
        if chosen is None:
            raise misfit(job.worker.title, options, tried)
        write(chosen, options, out)
    sources, needs = chosen.sources, chosen.needs
    return CompiledModel(
        model=DESCRIPTION,
        operators={"mcu": len(sources.graph.nodes)},
        figures={"flash_kb": needs.flash_bytes / KIB, "ram_kb": needs.ram_bytes / KIB},
        facts={
            "board": options.board,
            "profile": options.profile,
            "mode": chosen.variant.mode,
            "optimize": chosen.variant.optimize,
            "simd": chosen.variant.simd,
            "macs": sources.macs,
            "weights_bytes": sources.weights_bytes,
            "arena_bytes": sources.plan.arena_bytes,
            "io_bytes": sources.io_bytes,
            "stack_bound_bytes": needs.stack_bytes,
            "layers": [asdict(layer) for layer in sources.per_layer],
        },
    )


def first_that_fits(
    model: Path, options: McuOptions, worker: Worker, scratch: Path
) -> tuple[Firmware | None, list[Needs]]:
    """Return firmware in the first form that fits the board, and what each that was tried takes.

    What cannot fit whatever the compiler makes of it, is not compiled, but estimated.

    Args:
        model: the recipe's .tflite.
        options: of the target.
        worker: of its toolchain.
        scratch: folder for what is made.

    Raises:
        CompileError: no kernel takes an operator, or the compiler refuses the code.
        MissingToolError: the compiler is not installed.
    """
    tried: list[Needs] = []
    for variant, sources in generated(model, options):
        if is_hopeless(sources, options):
            tried.append(estimate(variant, sources))
            continue
        folder = scratch / str(variant)
        built = build(sources, variant, options, worker, folder)
        made = Firmware(variant=variant, sources=sources, built=built, folder=folder)
        tried.append(made.needs)
        if made.needs.fits(options):
            return made, tried
    return None, tried


def build(
    sources: Sources, variant: Variant, options: McuOptions, worker: Worker, out: Path
) -> Built:
    """Compile and link generated code for a board; the firmware goes to `out`."""
    board = options.hardware
    files = {**sources.files, **firmware_files(board, *_buffers(sources))}
    job = build_job(board, _units(sources), optimize=(f"-{variant.optimize}",))
    out.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        given = {name: Path(folder) / name for name in files}
        answer = worker.run(job, given, out, hint="report this as a defect of edgeflow")
    try:
        built = Built.model_validate(answer)
    except ValidationError as error:
        raise CompileError(
            f"{worker.title}: the compiler's worker says what no firmware is: {error}",
            hint="look at the compile host, or compile on this machine",
        ) from error
    if not (out / ELF).is_file():
        raise CompileError(f"{worker.title}: the compiler left no {ELF}")
    return built


def write(firmware: Firmware, options: McuOptions, out: Path) -> None:
    """Write what the engine needs: firmware, the C that is compiled for its host, a description."""
    sources = firmware.sources
    for name, text in {**sources.files, **host_files(*_buffers(sources))}.items():
        (out / name).write_text(text)
    (out / ELF).write_bytes((firmware.folder / ELF).read_bytes())
    text = json.dumps(description(firmware, options), indent=1, sort_keys=True)
    (out / DESCRIPTION).write_text(f"{text}\n")


def description(firmware: Firmware, options: McuOptions) -> dict[str, Any]:
    """Return what `edgeflow.ondevice.engine_mcu` reads."""
    sources, board = firmware.sources, options.hardware
    return {
        "board": {"name": options.board, **_known(board)},
        "profile": options.profile,
        "mode": firmware.variant.mode,
        "cycles": board.family.cycles,
        "elf": ELF,
        "invoke_address": firmware.built.invoke_address,
        "sources": _units(sources),
        "native_flags": [],
        "operators": len(sources.graph.nodes),
        "macs": sources.macs,
        "io": {
            side: [_edge(sources.graph.tensors[place]) for place in places]
            for side, places in (
                ("inputs", sources.graph.inputs),
                ("outputs", sources.graph.outputs),
            )
        },
    }


def _known(board: Board) -> dict[str, Any]:
    kept = {"title", "core", "clock_hz", "wait_states", "chip", "programmer", "emulator"}
    return board.model_dump(mode="json", include=kept)


def _units(sources: Sources) -> list[str]:
    return sorted(name for name in sources.files if name.endswith(".c"))


def _buffers(sources: Sources) -> tuple[list[int], list[int]]:
    """Return the bytes of each input and of each output."""
    sizes = [tensor.size for tensor in sources.graph.tensors]
    return [sizes[place] for place in sources.graph.inputs], [
        sizes[place] for place in sources.graph.outputs
    ]


def _edge(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
    }

"""From a .tflite to one for the NPU, and what Vela says of it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edgeflow.config.tflitefile import Operator
from edgeflow.console import say
from edgeflow.errors import CompileError, MissingToolError
from edgeflow.figures.accelerator import accelerator_share
from edgeflow.targets.base import CompiledModel, CompileInput, Fit, Memory
from edgeflow.targets.ethos_u.options import EthosUOptions
from edgeflow.targets.ethos_u.structure import left_to_cpu, require_same_ends
from edgeflow.targets.ethos_u.vela_worker import MODEL, SOURCE
from edgeflow.targets.lint import operators_of
from edgeflow.targets.worker import Worker
from edgeflow.text import excerpt

STEPS = 2
"""Steps of an integer output by which the NPU may differ from LiteRT on the host. Both compute in
integers by the same rules; LiteRT's own kernels for two kinds of CPU differ by one step."""
TOLERANCE = 2e-2
"""The same of an output that stayed in float."""
_NAMED = 5
"""Operators that a message names, at most."""


class Compiled(NamedTuple):
    """What Vela made of a model.

    Attributes:
        operators: how many the model has.
        left: those that the CPU runs, each with Vela's reason.
        summary: the row of Vela's CSV.
        scales: of the outputs; 0 of float ones.
    """

    operators: int
    left: list[tuple[Operator, str]]
    summary: Mapping[str, str]
    scales: list[float]

    @property
    def sram_bytes(self) -> int:
        """SRAM that it takes; where that holds the weights too, Vela counts these as on-chip."""
        return self._bytes("sram") + self._bytes("on_chip_flash")

    @property
    def external_bytes(self) -> int:
        """Flash and DRAM that it takes."""
        return self._bytes("off_chip_flash") + self._bytes("dram")

    def _bytes(self, memory: str) -> int:
        return round(float(self.summary[f"{memory}_memory_used"]) * 1024)

    def number(self, column: str) -> float:
        """Return a number of Vela's CSV."""
        return float(self.summary[column])


def compile_for(job: CompileInput, options: EthosUOptions, out: Path) -> CompiledModel:
    """Compile for the NPU; see `EthosU.compile`."""
    made = _compiled(job.model, options, job.worker, out)
    for operator, reason in made.left:
        say(f"{job.worker.title}: {_named(operator)} runs on the CPU: {reason}")
    if problem := _too_large(made, options):
        raise CompileError(problem, hint=_SMALLER)
    mapped = made.operators - len(made.left)
    return CompiledModel(
        model=MODEL,
        operators={"accelerator": mapped, "cpu": len(made.left)},
        tolerances=tuple(STEPS * scale or TOLERANCE for scale in made.scales),
        figures={
            "accelerator_share": accelerator_share(mapped, made.operators),
            "sram_bytes": made.sram_bytes,
            "external_memory_bytes": made.external_bytes,
            "npu_cycles_estimate": made.number("cycles_total"),
            "latency_estimate_ms": round(made.number("inference_time") * 1000, 6),
        },
        facts={
            "cpu_operators": [
                {"operator": operator.name, "output": operator.output, "reason": reason}
                for operator, reason in made.left
            ],
            "vela": {key: made.summary[key] for key in _FACTS},
        },
    )


def fit(model: Path, options: EthosUOptions, worker: Worker | None) -> Fit:
    """Return what a network takes of the SRAM; see `EthosU.fit`."""
    _require_tflite(model)
    if worker is None:
        raise MissingToolError("Vela is not at hand", hint="run `edgeflow doctor`")
    with tempfile.TemporaryDirectory() as scratch:
        made = _compiled(model, options, worker, Path(scratch))
    problem = _too_large(made, options)
    limit = options.sram_bytes
    return Fit(
        memories=(Memory(name="SRAM", needed_bytes=made.sram_bytes, limit_bytes=limit),),
        macs=round(made.number("nn_macs")),
        exact=False,  # weights that were trained take other room once Vela has packed them
        problem=problem,
        hint=_SMALLER if problem else "",
        share=limit / made.sram_bytes if limit and problem else 1.0,
    )


def _compiled(model: Path, options: EthosUOptions, worker: Worker, out: Path) -> Compiled:
    """Let Vela compile a model, and judge what it made.

    Raises:
        CompileError: Vela refuses it, or what it made is not what the model was.
    """
    _require_tflite(model)
    job = {"arguments": _arguments(options), "ini": options.ini, "raw": options.raw}
    answer = worker.run(job, {SOURCE: model}, out, hint=_HINT)
    operators = operators_of(model)
    left = [
        (operator, _why(operator, answer["left"]))
        for operator in left_to_cpu(operators, operators_of(out / MODEL))
    ]
    _require_mapped(len(operators), left, options)
    scales = require_same_ends(model, out / MODEL)
    return Compiled(len(operators), left, answer["summary"], scales)


def _arguments(options: EthosUOptions) -> list[str]:
    given = {
        "--accelerator-config": options.accelerator,
        "--system-config": options.system,
        "--memory-mode": options.mode,
        "--optimise": options.optimise.capitalize(),
    }
    if options.arena_cache_size_bytes is not None:
        given["--arena-cache-size"] = str(options.arena_cache_size_bytes)
    if not options.ini:
        given["--config"] = "Arm/vela.ini"
    return [word for pair in given.items() for word in pair]


def _require_tflite(model: Path) -> None:
    if not operators_of(model):
        raise CompileError(
            f"{model.name} is no .tflite with operators, so Vela cannot read it",
            hint="run the compress step again, or give another model file",
        )


def _require_mapped(total: int, left: list[tuple[Operator, str]], options: EthosUOptions) -> None:
    if len(left) < total and not (left and options.cpu_operators == "refuse"):
        return
    kept = f"{len(left)} of {total}" if len(left) < total else f"all {total}"
    named = "; ".join(f"{_named(operator)}: {reason}" for operator, reason in left[:_NAMED])
    more = f"; and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    raise CompileError(
        f"Vela leaves {kept} operators to the CPU: {named}{more}",
        hint="change those layers, or set `cpu_operators: allow`"
        if len(left) < total
        else "nothing is left for the NPU: quantize the model, or use target kind litert",
    )


def _too_large(made: Compiled, options: EthosUOptions) -> str:
    """Return why a model does not fit the SRAM; empty where it does."""
    limit = options.sram_bytes
    if limit is None or made.sram_bytes <= limit:
        return ""
    return f"it takes {made.sram_bytes:,} bytes of SRAM by Vela, `sram_bytes` allows {limit:,}"


def _why(operator: Operator, reasons: Mapping[str, Any]) -> str:
    return excerpt(str(reasons.get(operator.output) or "Vela gives no reason"), 300)


def _named(operator: Operator) -> str:
    return f"{operator.name} at {excerpt(operator.output.partition(';')[0], 80)}"


_HINT = "run `edgeflow check`; the step's log has all that Vela printed"
_SMALLER = (
    "set `optimise: size`, a narrower network, or a memory mode that keeps more in flash or DRAM"
)
_FACTS = ("accelerator_configuration", "system_config", "memory_mode", "core_clock", "nn_macs")
"""Columns of Vela's CSV that say what the figures hold for."""

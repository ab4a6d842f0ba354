"""What the runner of a bundle answers, by verb; `edgeflow.ondevice.runner` is the other side."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from edgeflow.bundle.manifest import BundleManifest
from edgeflow.errors import DeployError
from edgeflow.remote.answer import Answer, Count, Quantity, Sha256, Words, malformed, parse
from edgeflow.remote.inventory import Endpoint

EXIT_MISSING = 69
"""The runner lacks a package, or hardware: EX_UNAVAILABLE of sysexits.h."""

CONDITIONS_MAX = 64
# How much faster than ours a device's clock may run, and what it may round.
_CLOCK_TOLERANCE, _CLOCK_STEP_MS = 1.05, 100.0

Fact = Annotated[float, Field(allow_inf_nan=False)] | bool | Words | None
Facts = Annotated[list[Words], Field(max_length=CONDITIONS_MAX)]
FIGURES_MAX = 64
Figure = Count | Quantity
FigureName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Figures = Annotated[dict[FigureName, Figure], Field(max_length=FIGURES_MAX)]
"""What an engine counted itself, such as instructions or bytes of flash, by name."""
LAYERS_MAX = 10_000
Celsius = Annotated[float, Field(ge=-273.15, le=1000)]


class Missing(Answer):
    """What the runner lacks: a package, or hardware."""

    missing: Words
    hardware: bool = False


class Golden(Answer):
    """The largest difference of the golden vectors of each output from what the host expects."""

    passed: bool
    max_abs: dict[Words, Quantity]


class Conditions(Answer):
    """What the figures were measured under; a device may add keys, and need not have a sensor."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, Fact | Facts]
    cpu: Words
    machine: Words
    instruction_sets: Facts = Field(default_factory=list)
    kernel: Words
    python: Words
    engine: Words
    governor: Words | None = None
    temperature_c: Celsius | None = None
    throttled: bool | None = None
    emulated: bool = False

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        extra = self.__pydantic_extra__ or {}
        if len(extra) > CONDITIONS_MAX:
            raise ValueError(f"more than {CONDITIONS_MAX} conditions")
        if not all(name.isidentifier() and name.isascii() for name in extra):
            raise ValueError("a condition whose name is no identifier")
        return self


class Layer(Answer):
    """The mean time of one layer in an inference, by the engine's own counters."""

    name: Words
    type: Words
    kernel: Words
    time_us: Quantity


Layers = Annotated[list[Layer], Field(max_length=LAYERS_MAX)]


class Measured(Answer):
    """A measurement; `outputs_sha256` are the digests of the files with the outputs, by name.

    Time and memory are those of the process on the device; None where they are not the model's.
    """

    load_time_ms: Quantity | None
    latencies_ms: list[Quantity]
    peak_rss_mb: Annotated[float, Field(gt=0, le=1e9)] | None
    figures: Figures = Field(default_factory=dict)
    layers: Layers = Field(default_factory=list)
    outputs_sha256: dict[Words, Sha256]
    conditions: Conditions


class Predicted(Answer):
    """Answers to samples; `outputs_sha256` are the digests of the files with the outputs, by name.

    There is a latency for each sample, or none where the process' time is not the model's.
    """

    latencies_ms: list[Quantity]
    outputs_sha256: dict[Words, Sha256]
    engine: Words


def has_clock(manifest: BundleManifest, endpoint: Endpoint) -> bool:
    """Return whether times there are the model's: neither engine nor device is an emulator."""
    return manifest.clock == "device" and not endpoint.emulated


def golden(text: str, tolerances: Mapping[str, float], *, device: str, model: str) -> Golden:
    """Return the answer to `golden`, which passes only within the bundle's own tolerances.

    Args:
        text: what the runner printed.
        tolerances: largest absolute difference of each output.
        device: name of the device.
        model: name of the model.

    Raises:
        MalformedError: it is no such answer.
        DeployError: the outputs are others than on the host.
    """
    where, program = f"device {device}", f"the runner of {model}"
    answer = parse(Golden, text, device=where, program=program)
    _require_outputs(answer.max_abs, tolerances, where, program)
    failed = [name for name, most in tolerances.items() if answer.max_abs[name] > most]
    if failed or not answer.passed:
        differences = (
            f"{name} by {answer.max_abs[name]:g}, allowed are {tolerances[name]:g}"
            for name in failed or tolerances
        )
        raise DeployError(
            f"golden vectors of {model} differ on device {device}: {'; '.join(differences)}",
            hint="does the device have the engine's version of the build machine? see "
            "docs/targets.md; or try another recipe",
        )
    return answer


def _require_outputs(
    found: Mapping[str, object], wanted: Collection[str], where: str, program: str
) -> None:
    """Refuse an answer that leaves an output out, or has others."""
    if set(found) != set(wanted):
        reason = f"it answers for the outputs {', '.join(found) or 'none'}"
        raise malformed(where, program, f"{reason}; they are {', '.join(wanted)}")


def measured(
    text: str, runs: int, elapsed_s: float, *, outputs: Collection[str], device: str, model: str
) -> Measured:
    """Return the answer to `measure`.

    Args:
        text: what the runner printed.
        runs: how many latencies it was asked for; 0 for an engine without a clock.
        elapsed_s: what the whole run took by our own clock.
        outputs: names of the model's outputs.
        device: name of the device.
        model: name of the model.

    Raises:
        MalformedError: it is no such answer, or one that cannot be true.
    """
    where, program = f"device {device}", f"the runner of {model}"
    answer = parse(Measured, text, device=where, program=program)
    _require_outputs(answer.outputs_sha256, outputs, where, program)
    if reason := _implausible(answer, runs, elapsed_s * 1e3):
        raise malformed(where, program, reason)
    return answer


def predicted(
    text: str, runs: int, elapsed_s: float, *, outputs: Collection[str], device: str, model: str
) -> Predicted:
    """Return the answer to `predict`.

    Args:
        text: what the runner printed.
        runs: number of samples; 0 for an engine without a clock.
        elapsed_s: what the whole run took by our own clock.
        outputs: names of the model's outputs.
        device: name of the device.
        model: name of the model.

    Raises:
        MalformedError: it is no such answer, or one that cannot be true.
    """
    where, program = f"device {device}", f"the runner of {model}"
    answer = parse(Predicted, text, device=where, program=program)
    _require_outputs(answer.outputs_sha256, outputs, where, program)
    if reason := _untimed(answer.latencies_ms, runs, 0.0, elapsed_s * 1e3):
        raise malformed(where, program, reason)
    return answer


def _implausible(answer: Measured, runs: int, elapsed_ms: float) -> str | None:
    load_time_ms = answer.load_time_ms
    if runs == 0 and not answer.latencies_ms:
        timed = load_time_ms is not None or answer.peak_rss_mb is not None or answer.layers
        return "time or memory of an engine without a clock" if timed else None
    layers_ms = sum(layer.time_us for layer in answer.layers) / 1e3
    besides_ms = (load_time_ms or 0.0) + layers_ms
    reason = _untimed(answer.latencies_ms, runs, besides_ms, elapsed_ms)
    return reason or ("no load time" if runs and load_time_ms is None else None)


def _untimed(
    latencies_ms: Sequence[float], runs: int, besides_ms: float, elapsed_ms: float
) -> str | None:
    """Return why times cannot be those of `runs` inferences; None if they can."""
    count, total_ms = len(latencies_ms), sum(latencies_ms)
    if count != runs:
        return f"{count} latencies instead of {runs}"
    if runs and total_ms == 0:
        return f"{runs} inferences in no time at all"
    claimed_s = (total_ms + besides_ms) / 1e3
    if claimed_s * 1e3 > elapsed_ms * _CLOCK_TOLERANCE + _CLOCK_STEP_MS:
        return f"{claimed_s:.3g} s of work in a run of {elapsed_ms / 1e3:.3g} s"
    return None

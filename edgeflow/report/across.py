"""The same models across targets: what each compiler made, and where each figure comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edgeflow import paths
from edgeflow.artifact.manifest import read_manifest
from edgeflow.errors import EdgeflowError
from edgeflow.figures.accelerator import ACCELERATOR_SHARE
from edgeflow.figures.figure import Figure
from edgeflow.report.columns import own_figures
from edgeflow.report.rows import Row
from edgeflow.report.text import NONE, adaptive, kib, metric, metric_title
from edgeflow.targets import registry
from edgeflow.targets.base import own_figures as declared
from edgeflow.targets.coverage import cover

Ran = Literal["device", "virtual device", "emulator", "host"]
HEADER = ("deployment", "target", "KiB", "on accelerator", "metric", "latency, ms", "state")
_MS = {"ms": 1.0, "µs": 1e-3, "us": 1e-3}


@dataclass(frozen=True, kw_only=True, slots=True)
class Across:
    """A model after a recipe on one target.

    Attributes:
        artifact_bytes: size of what the compiler made; None where it made nothing.
        accelerator_operators: those on the accelerator; None of a target without one.
        operators: all of them, as the compiler or the linter counts.
        operators_by: who counted: ``compiler``, or ``lint`` where nothing is compiled.
        metric_of: what the metric was computed on; a virtual device and the host run on this
            machine, an emulator computes what its board does.
        latency_kind: ``measured`` on what `metric_of` says, or ``estimated`` by the compiler;
            None of what has no latency, such as an emulator.
        state: that of the row.
    """

    deployment: str
    target: str
    artifact_bytes: float | None
    accelerator_operators: int | None
    operators: int | None
    operators_by: str | None
    metric: str | None
    value: float | None
    metric_of: Ran | None
    latency_ms: float | None
    latency_kind: str | None
    state: str

    def record(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """Return it for people, in the order of `HEADER`."""
        return (
            self.deployment,
            self.target,
            kib(self.artifact_bytes),
            self._operators(),
            NONE if self.value is None else f"{metric(self.metric, self.value)} ({self.metric_of})",
            self._latency(),
            self.state,
        )

    def _operators(self) -> str:
        if self.accelerator_operators is None:
            return NONE
        by = ", by lint" if self.operators_by == "lint" else ""
        return f"{self.accelerator_operators} of {self.operators}{by}"

    def _latency(self) -> str:
        if self.latency_ms is None:
            return NONE
        where = "estimated" if self.latency_kind == "estimated" else self.metric_of
        return f"{adaptive(self.latency_ms)} ({where})"


def across(rows: Sequence[Row], results: Path, options: Mapping[str, Any]) -> list[Across]:
    """Return each row with what its compiler made.

    Args:
        rows: of the report.
        results: folder of the results.
        options: parsed options of each target, by its name.
    """
    return [_across(row, results, options[row.target]) for row in rows]


def header_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the header, with the metric that the rows share."""
    names = {row.metric for row in rows if row.metric}
    title = metric_title(names.pop()) if len(names) == 1 else "metric"
    return tuple(title if name == "metric" else name for name in HEADER)


def _across(row: Row, results: Path, options: Any) -> Across:
    on, total, by = _operators(row, results, options)
    ran = _ran(row)
    latency_ms, latency_kind = _latency(row)
    return Across(
        deployment=f"{row.model}/{row.recipe}",
        target=row.target,
        artifact_bytes=row.figure("model_bytes"),
        accelerator_operators=on,
        operators=total,
        operators_by=by,
        metric=row.metric,
        value=row.metric_last,
        metric_of=ran,
        latency_ms=latency_ms,
        latency_kind=latency_kind,
        state=row.verdict,
    )


def _ran(row: Row) -> Ran | None:
    if row.compiled:
        return "host"
    if not row.measured:
        return None
    if "emulated" in row.kinds.values() or row.conditions.get("emulated"):
        return "emulator"
    return "virtual device" if row.transport == "virtual" else "device"


def _latency(row: Row) -> tuple[float | None, str | None]:
    """Return a latency in ms and its kind; one that is estimated only where none was measured."""
    measured = row.figure("latency_p50_ms")
    if measured is not None:
        return measured, "measured"
    guessed = [figure for figure in own_figures(row) if _is_estimate(row, figure)]
    if not guessed:
        return None, None
    value = row.figures[guessed[0].name] * guessed[0].scale
    return value * _MS[guessed[0].unit], "estimated"


def _is_estimate(row: Row, figure: Figure) -> bool:
    timed = figure.name.startswith("latency") and figure.unit in _MS
    return timed and row.kinds[figure.name] == "estimated"


def _operators(row: Row, results: Path, options: Any) -> tuple[int | None, int | None, str | None]:
    """Return the operators on the accelerator, all, and who counted them."""
    target = registry.get(options.kind)
    has_accelerator = ACCELERATOR_SHARE in declared(target)
    names = {"target": row.target, "model": row.model, "recipe": row.recipe}
    manifest = results / paths.COMPILED.format(**names) / "compile.json"
    if row.measured or row.compiled:
        counted: dict[str, int] = read_manifest(manifest).facts["operators"]
        on = counted.get("accelerator", 0) if has_accelerator else None
        return on, sum(counted.values()), "compiler"
    model = results / paths.RECIPE.format(**names) / "model.tflite"
    if not has_accelerator or not model.is_file():
        return None, None, None
    try:
        covered = cover(target, model, options)
    except EdgeflowError:
        return None, None, None
    total = len(covered.operators)
    return total - len(covered.unmapped), total, "lint"

"""What was measured, as one tidy row per deployment and device."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeflow import paths
from edgeflow.artifact.manifest import read_manifest
from edgeflow.config.gates import figures_of
from edgeflow.deploy.judged import rollback_reason
from edgeflow.deploy.runner import Layer
from edgeflow.figures.figure import Kind
from edgeflow.validate.gates import GateResult, check_gates
from edgeflow.validate.judge import record_of
from edgeflow.validate.metrics import STAGES
from edgeflow.validate.schema import OutputParity, Validation, read_validation

Matrix = Sequence[Sequence[int]]
"""Confusion matrix: counts by true class (row) and predicted class (column)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A model after a recipe, on one device or only compiled.

    Attributes:
        figures: each figure that is known, by name; one that was not measured is not there.
        kinds: where each of the figures comes from.
        device: its name; empty where the model goes to none.
        kind: of the target.
        measured: whether it ran on its device.
        compiled: whether it is one that goes to no device, and is compiled.
        bit_exact: whether engine and recipe promise the host's very bytes.
        parity_max_abs: largest difference of any output.
        parity_outputs: share, difference and tolerance of each output, by name.
        metric: name of what the model is judged by, such as ``accuracy``.
        metric_baseline: that of the trained model; the others follow it through the stages.
        checks: each gate of the deployment against its figure; empty if not measured.
        limits: the gates asked for, by name.
        rolled_back: why the release was rejected by hand after it was measured; see
            `with_rollbacks`.
        layers: mean time of each layer, where the engine tells it.
        labels: class names, in the order of the confusion matrices.
    """

    model: str
    recipe: str
    target: str
    device: str
    kind: str | None = None
    measured: bool = False
    compiled: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    checks: tuple[GateResult, ...] = ()
    metric: str | None = None
    metric_baseline: float | None = None
    metric_recipe: float | None = None
    metric_compiled: float | None = None
    metric_device: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    bit_exact: bool = False
    parity_max_abs: float | None = None
    parity_outputs: Mapping[str, OutputParity] = field(default_factory=dict)
    first_divergence: str | None = None
    latency_runs: int | None = None
    samples: int | None = None
    engine: str | None = None
    cpu: str | None = None
    bundle_sha256: str | None = None
    signed_by: str | None = None
    transport: str | None = None
    rolled_back: str | None = None
    layers: tuple[Layer, ...] = ()
    labels: tuple[str, ...] = ()
    confusion_baseline: Matrix = ()
    confusion_device: Matrix = ()
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def figure(self, name: str) -> float | None:
        """Return a figure by its name; None if it was not measured."""
        return self.figures.get(name)

    @property
    def place(self) -> str:
        """Where it is: its device, or the target that it is compiled for."""
        return self.device or self.target

    @property
    def matrices(self) -> tuple[object, ...]:
        """What its confusion matrices show: rows in which this is equal look the same."""
        both = (self.confusion_baseline, self.confusion_device)
        return (self.labels, *(tuple(map(tuple, matrix)) for matrix in both))

    @property
    def kind_of_figures(self) -> str | None:
        """``measured`` or ``compiled``, then the names of other figures by their kind."""
        others: dict[str, list[str]] = {}
        plain = {"measured"} if self.measured else {"measured", "compiled"}
        for name, kind in self.kinds.items():
            if kind not in plain:
                others.setdefault(kind, []).append(name)
        named = [f"{kind}: {' '.join(names)}" for kind, names in others.items()]
        if not self.measured and not self.compiled:
            return None
        return "; ".join(["measured" if self.measured else "compiled", *named])

    @property
    def gates_passed(self) -> bool | None:
        """Whether all gates hold; None if nothing was measured or no gate was set."""
        return all(check.passed for check in self.checks) if self.checks else None

    @property
    def same_bytes(self) -> bool:
        """Whether each output of the device equals the host's to the last bit, as promised."""
        return self.bit_exact and self.figure("parity") == 1.0 and self.parity_max_abs == 0.0

    @property
    def metric_last(self) -> float | None:
        """The metric on the device; on the host where the model goes to none."""
        return self.metric_compiled if self.compiled else self.metric_device

    @property
    def metric_change(self) -> float | None:
        """The last metric minus that of the trained model."""
        if self.metric_baseline is None or self.metric_last is None:
            return None
        return self.metric_last - self.metric_baseline

    @property
    def status(self) -> str:
        """``passed``, ``failed``, ``no gates``, ``rolled back``, ``compiled`` or ``not ...``."""
        if self.compiled:
            return "failed" if self.gates_passed is False else "compiled"
        if not self.device:
            return "not compiled"
        if not self.measured:
            return "not measured"
        if self.rolled_back is not None:
            return "rolled back"
        return {True: "passed", False: "failed", None: "no gates"}[self.gates_passed]

    @property
    def verdict(self) -> str:
        """The status, with the number of gates that it is of: ``failed 1 of 4``."""
        if not self.checks or self.rolled_back is not None:
            return self.status
        count = sum(check.passed == self.gates_passed for check in self.checks)
        status = "compiled, passed" if self.status == "compiled" else self.status
        return f"{status} {count} of {len(self.checks)}"


def _measured(
    validation: Validation, record: Mapping[str, Any], outputs: Sequence[str]
) -> dict[str, Any]:
    parity, (figures, kinds) = validation.parity, _figures(record)
    ordered = [*filter(parity.outputs.__contains__, outputs), *parity.outputs]
    return {
        "kind": validation.kind,
        "metric": validation.metric.name,
        **{f"metric_{stage}": getattr(validation.metric, stage) for stage in STAGES},
        "figures": figures,
        "kinds": kinds,
        "bit_exact": parity.bit_exact,
        "parity_max_abs": parity.max_abs,
        "parity_outputs": {name: parity.outputs[name] for name in ordered},
        "first_divergence": validation.first_divergence,
        "latency_runs": validation.latency_ms and validation.latency_ms.runs,
        "samples": validation.samples,
        "engine": validation.conditions.engine,
        "cpu": validation.conditions.cpu,
        "bundle_sha256": validation.bundle_sha256,
        "signed_by": validation.signed_by,
        "transport": validation.transport,
        "layers": tuple(validation.layers),
        "labels": tuple(validation.labels),
        "confusion_baseline": validation.confusion.baseline if validation.confusion else (),
        "confusion_device": validation.confusion.device if validation.confusion else (),
        "conditions": record["conditions"],
    }


def _outputs(compiled: Path) -> list[str]:
    """Return the outputs of a compiled model in the order of its engine, which JSON forgets."""
    facts = read_manifest(compiled).facts if compiled.is_file() else {}
    return [str(tensor["name"]) for tensor in facts.get("io", {}).get("outputs", ())]


def _row(unit: Mapping[str, Any], results: Path, outputs: Callable[[Path], Sequence[str]]) -> Row:
    names: dict[str, Any] = {key: str(unit[key]) for key in ("model", "recipe", "target", "device")}
    limits = dict(unit["gates"])
    if not names["device"]:
        return _compiled(names, limits, results)
    path = results / paths.DEVICE.format(**names) / "validation.json"
    validation = read_validation(path) if path.exists() else None
    # A file of another recipe or target is left over from before the configuration changed.
    if validation is None or any(getattr(validation, key) != names[key] for key in names):
        return Row(**names, limits=limits)
    record = validation.model_dump()
    compiled = results / paths.COMPILED.format(**names) / "compile.json"
    checks = tuple(check_gates(record, limits))
    measured = _measured(validation, record, outputs(compiled))
    return Row(**names, limits=limits, measured=True, checks=checks, **measured)


def _compiled(names: Mapping[str, Any], limits: Mapping[str, float], results: Path) -> Row:
    """Return the row of a model that goes to no device."""
    patterns = (paths.BASELINE, paths.RECIPE, paths.COMPILED)
    model, recipe, compiled = (results / pattern.format(**names) for pattern in patterns)
    needed = (model / "manifest.json", recipe / "manifest.json", compiled / "compile.json")
    if not all(path.is_file() for path in (*needed, compiled / "bundle.json")):
        return Row(**names, limits=limits)
    record = record_of(model, recipe, compiled)
    figures, kinds = _figures(record)
    return Row(
        **names,
        limits=limits,
        compiled=True,
        kind=record["kind"],
        checks=tuple(check_gates(record, limits)),
        metric=record["metric"]["name"],
        **{f"metric_{stage}": record["metric"].get(stage) for stage in STAGES},
        figures=figures,
        kinds=kinds,
    )


def _figures(record: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, Kind]]:
    """Return the figures of a validation that are known, and their kinds."""
    known = figures_of([record["kind"]])
    values = {name: figure.read(record) for name, figure in known.items()}
    figures = {name: value for name, value in values.items() if value is not None}
    return figures, {name: known[name].kind for name in figures}


def load_rows(results: Path, slice_: Mapping[str, Any]) -> list[Row]:
    """Return one row per unit of the report's slice, in their order.

    Raises:
        IntegrityError: a validation.json or compile.json cannot be read.
    """
    outputs = functools.cache(_outputs)  # one compilation may be on many devices
    return [_row(unit, results, outputs) for unit in slice_["units"]]


def with_rollbacks(rows: Sequence[Row], results: Path) -> list[Row]:
    """Return rows with what was rolled back by hand, of which the page does not tell."""

    def reason(row: Row) -> str | None:
        if not row.device:
            return None
        folder = results / paths.DEVICE.format(device=row.device, model=row.model)
        return rollback_reason(folder, row.bundle_sha256)

    return [replace(row, rolled_back=reason(row)) for row in rows]

"""The report step: `metrics.csv`, `plots/*.svg` and `index.html` from what was measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow import paths
from edgeflow.artifact.hashing import sha256_file, sha256_json
from edgeflow.artifact.manifest import Manifest
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.report.failures import Failures, load_failures
from edgeflow.report.lint import load_lints
from edgeflow.report.quantization import input_names, load_quantizations
from edgeflow.report.rollouts import load_rollouts, rollout_names
from edgeflow.targets.findings import KEPT

TOOLS = ("edgeflow-ml", "matplotlib", "jinja2")


def build_report(
    slice_: Mapping[str, Any], code: str, results: Path, out: Path, *, events: Path | None = None
) -> Manifest:
    """Write the report over all units into `out`.

    A unit without a validation appears as not measured.

    Args:
        slice_: the units, as in the plan's report job.
        code: fingerprint of the step's code, shown in the page.
        results: folder that holds ``devices/`` and ``models/``.
        out: folder for index.html, metrics.csv, plots/ and manifest.json.
        events: log that says why units failed, where some may have.

    Raises:
        IntegrityError: a validation, history or manifest cannot be read.
    """
    failures = load_failures(events, slice_) if events else {}
    known: dict[str, Any] = {"failures": failures} if failures else {}
    spec = StepSpec(
        step="report",
        name="report",
        inputs=_inputs(slice_, results),
        slice={**slice_, **known},
        code=code,
        tools=TOOLS,
        cpu="nothing",
    )
    return run_step(spec, out, lambda scratch: _draw(slice_, code, results, scratch, failures))


def _inputs(slice_: Mapping[str, Any], results: Path) -> dict[str, Path]:
    """Return the files that the page speaks of, as far as they are there; templates too."""
    wanted = [
        name
        for unit in slice_["units"]
        for name in (
            f"{paths.DEVICE}/validation.json".format(**unit),
            f"{paths.BASELINE}/history.csv".format(**unit),
            f"{paths.BASELINE}/manifest.json".format(**unit),
            f"{paths.COMPILED}/compile.json".format(**unit),
            f"{paths.COMPILED}/{KEPT}".format(**unit),
            *input_names(unit["model"], unit["recipe"]),
            *(name.format(**unit) for name in (() if unit["device"] else _COMPILED)),
        )
    ]
    wanted += rollout_names(slice_)
    found = {name: results / name for name in dict.fromkeys(wanted)}
    found = {name: path for name, path in found.items() if path.is_file()}
    return {**found, **{f"templates/{path.name}": path for path in _templates()}}


_COMPILED = (f"{paths.RECIPE}/manifest.json", f"{paths.COMPILED}/bundle.json")
"""What tells of a unit that goes to no device."""


def _templates() -> list[Path]:
    return sorted((Path(__file__).parent / "templates").iterdir())


def templates_digest() -> str:
    """Return the digest of the page's templates, for Snakemake to plan by."""
    return sha256_json({path.name: sha256_file(path) for path in _templates()})


def _draw(
    slice_: Mapping[str, Any], code: str, results: Path, out: Path, failures: Failures
) -> dict[str, object]:
    from edgeflow.report.excerpt import FIGURES, ROWS, telling
    from edgeflow.report.metrics import write_metrics
    from edgeflow.report.page import write_page
    from edgeflow.report.plots import layer_error
    from edgeflow.report.plots.build import draw_plots
    from edgeflow.report.rows import load_rows
    from edgeflow.report.training import load_training

    rows = load_rows(results, slice_)
    shown = telling(rows, ROWS)
    trainings = load_training(results, [row.model for row in shown])
    quantizations = load_quantizations(results, [(row.model, row.recipe) for row in shown])
    (out / "plots").mkdir()
    write_metrics(rows, out / "metrics.csv")
    plots = draw_plots(rows, trainings, out / "plots")
    plots |= layer_error.draw_all(quantizations[:FIGURES], out / "plots")
    lints = load_lints(results, slice_)
    write_page(
        rows,
        trainings,
        plots,
        code,
        out,
        quantizations=quantizations,
        lints=lints,
        failures=failures,
        rollouts=load_rollouts(results, slice_),
    )
    return {}

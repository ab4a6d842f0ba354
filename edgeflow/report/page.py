"""`index.html`: the report as one page that needs nothing else."""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edgeflow.figures.figure import Figure
from edgeflow.report import text
from edgeflow.report.columns import results_columns
from edgeflow.report.excerpt import FIGURES, ROWS, telling
from edgeflow.report.failures import Failures, key
from edgeflow.report.layers import slowest
from edgeflow.report.lint import Linted
from edgeflow.report.pareto import METRIC_LATENCY_SIZE, efficient
from edgeflow.report.plots.build import Plot, confusion_name, drawn_matrices, is_drawable
from edgeflow.report.plots.size_by_recipe import BUILDS, sizes
from edgeflow.report.quantization import Quantization
from edgeflow.report.rollouts import OUTCOMES, SHOWN, Rollout
from edgeflow.report.rows import Row
from edgeflow.report.svg import inline_svg
from edgeflow.report.theme import TONES, series_index
from edgeflow.report.training import Training
from edgeflow.tasks.metric import Metric
from edgeflow.tasks.registry import METRICS
from edgeflow.validate.metrics import AGREEMENT_MIN

_MOST_CONFUSED = 40
_GIVEN = {
    "agreement_min": AGREEMENT_MIN,
    "front": METRIC_LATENCY_SIZE,
    "most": ROWS,
    "most_left": SHOWN,
    "outcomes": OUTCOMES,
    "tones": TONES,
}
"""What every page is told, whatever its rows."""


def write_page(
    rows: Sequence[Row],
    trainings: Sequence[Training],
    plots: Mapping[str, Plot],
    code: str,
    folder: Path,
    *,
    quantizations: Sequence[Quantization] = (),
    lints: Sequence[Linted] = (),
    failures: Failures | None = None,
    rollouts: Sequence[Rollout] = (),
) -> None:
    """Write `index.html` beside the plots, which it holds inline.

    Args:
        code: fingerprint of the code that made the report.
        folder: holds ``plots/``.
    """

    def plot(name: str) -> Markup:
        # Our own SVG: its texts were escaped when it was written as XML.
        return Markup(inline_svg(folder / "plots" / f"{name}.svg", plots[name].alt))

    metrics, shown = _metrics(rows), telling(rows, ROWS)
    matrices = {row.matrices: row for row in drawn_matrices(shown)}

    def drawn(row: Row) -> Row | None:
        return matrices.get(row.matrices) if is_drawable(row) else None

    def failure(row: Row) -> Mapping[str, str] | None:
        names = {name: getattr(row, name) for name in ("model", "recipe", "target", "device")}
        return (failures or {}).get(key(names))

    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            rows=shown,
            total=len(rows),
            **_GIVEN,
            **_cut(rows, shown, trainings, quantizations),
            **_counted_off("lints", lints, ROWS),
            **_counted_off("sizes", sizes(rows), BUILDS),
            rollouts=rollouts,
            drawn=drawn,
            failure=failure,
            plots=plots,
            plot=plot,
            columns=results_columns(rows),
            efficient={id(row) for row in efficient(rows)},
            counts=Counter(row.status for row in rows),
            headline=headline(rows),
            series=series_index(row.target for row in rows),
            metrics=metrics,
            direction=_direction(metrics),
            code=code,
            version=version("edgeflow-ml"),
        )
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


def _counted_off(name: str, what: Sequence[Any], most: int) -> dict[str, Any]:
    """Return what fits on a page, and how many more there are."""
    return {name: what[:most], f"more_{name}": max(len(what) - most, 0)}


def _cut(
    rows: Sequence[Row],
    shown: Sequence[Row],
    trainings: Sequence[Training],
    quantizations: Sequence[Quantization],
) -> dict[str, Any]:
    """Return the trainings and quantizations that fit on a page, and whether there are more."""
    return {
        "trainings": trainings[:FIGURES],
        "more_trainings": len(trainings) > FIGURES or _models(shown) != _models(rows),
        "quantizations": quantizations[:FIGURES],
        "more_quantizations": len(quantizations) > FIGURES or _recipes(shown) != _recipes(rows),
    }


def _models(rows: Sequence[Row]) -> set[str]:
    return {row.model for row in rows}


def _recipes(rows: Sequence[Row]) -> set[tuple[str, str]]:
    return {(row.model, row.recipe) for row in rows}


def _metrics(rows: Sequence[Row]) -> list[Metric]:
    """Return the metrics of the rows, each once; of none, those of all tasks."""
    names = dict.fromkeys(row.metric for row in rows if row.metric)
    return [METRICS[name] for name in names or METRICS]


def _direction(metrics: Sequence[Metric]) -> str:
    """Return in words where in a plot the better metrics are."""
    ways = {"higher": "up", "lower": "down"}
    found = {better: [m.title for m in metrics if m.better == better] for better in ways}
    titles = {better: " and ".join(names) for better, names in found.items() if names}
    if len(titles) == 1:
        return f"{ways[next(iter(titles))]} is better."
    return (
        ", ".join(f"{ways[better]} is better for {names}" for better, names in titles.items()) + "."
    )


def headline(rows: Sequence[Row]) -> str:
    """Return the verdict over all rows in one sentence."""
    counts = Counter(row.status for row in rows)
    total = f"{len(rows)} deployment{'s' if len(rows) != 1 else ''}"
    if not rows:
        return "Nothing is deployed yet"
    if counts["failed"]:
        return f"{counts['failed']} of {total} missed a gate"
    if counts["not measured"]:
        return f"{counts['not measured']} of {total} could not be measured"
    if counts["not compiled"]:
        return f"{counts['not compiled']} of {total} could not be compiled"
    if counts["no gates"]:
        return f"{total} measured, {counts['no gates']} without gates"
    if counts["compiled"]:
        others = ", the others passed" if counts["passed"] else ""
        return f"{counts['compiled']} of {total} compiled for no device{others}"
    return "The one deployment passed its gates" if len(rows) == 1 else f"All {total} passed"


def confused(row: Row) -> list[tuple[str, str, int, int]]:
    """Return (true, predicted, float count, device count) of the mistakes, most frequent first."""
    before, after = row.confusion_baseline, row.confusion_device
    cells = (
        (row.labels[i], row.labels[j], old, new)
        for i, pair in enumerate(zip(before, after, strict=True))
        for j, (old, new) in enumerate(zip(*pair, strict=True))
        if i != j and (old or new)
    )
    return heapq.nsmallest(_MOST_CONFUSED, cells, key=lambda cell: -max(cell[2:]))


def notes(row: Row, figure: Figure) -> list[str]:
    """Return what is to be said below a figure of a row."""
    kind = row.kinds.get(figure.name, "measured")
    exact = ["bit-exact"] if figure.name == "parity" and row.same_bytes else []
    return exact if kind == "measured" else [*exact, kind]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("edgeflow.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"metric": text.metric, "metric_change": text.metric_change}
    environment.filters |= {
        "adaptive": text.adaptive,
        "percent": text.percent,
        "points": text.points,
        "metric_title": text.metric_title,
        "metrics_title": text.metrics_title,
        "decibels": text.decibels,
        "kib": text.kib,
        "shown": text.shown,
        "notes": notes,
        "slowest": slowest,
        "fact_title": text.title,
        "fact": text.fact,
        "gate": text.gate_text,
        "id": id,
        "confused": confused,
        "confusion_name": confusion_name,
    }
    return environment

"""The figures of every target, but for the metrics of tasks, which those declare.

Config, gates, report and docs are made of this table.
"""

from edgeflow.figures.figure import SHARE, Bound, Figure


def _latency(percentile: str, meaning: str) -> Figure:
    return Figure(
        name=f"latency_{percentile}_ms",
        title=f"latency {percentile}",
        meaning=meaning,
        unit="ms",
        bound="max",
        reader=lambda validation: (validation["latency_ms"] or {}).get(percentile),
        needs_clock=True,
        group="Latency, ms",
        column=percentile,
    )


def _size(
    name: str, title: str, meaning: str, column: str = "", bound: Bound | None = "max"
) -> Figure:
    return Figure(
        name=name,
        title=title,
        meaning=meaning,
        unit="KiB",
        scale=1 / 1024,
        bound=bound,
        reader=lambda validation: validation["sizes"][name],
        group="Size, KiB",
        column=column,
        in_results=bool(column),
    )


FIGURES = (
    Figure(
        name="parity",
        title="parity",
        meaning="share of test samples whose output equals the host's reference, 0..1",
        unit="%",
        scale=100,
        bound="min",
        limit=SHARE,
        reader=lambda validation: (validation["parity"] or {}).get("share"),
        needs_device=True,
        group="Parity",
        column="with host, %",
    ),
    _latency("p50", "median latency of one inference"),
    _latency("p90", "90th percentile of the latency"),
    _latency("p99", "99th percentile of the latency"),
    Figure(
        name="load_time_ms",
        title="load time",
        meaning="time from the start of loading the engine to a model that can run",
        unit="ms",
        reader=lambda validation: validation["load_time_ms"],
        needs_clock=True,
        group="Load",
    ),
    Figure(
        name="peak_rss_mb",
        title="peak RSS",
        meaning="resident memory of the process that runs the model, at its peak",
        unit="MB",
        bound="max",
        reader=lambda validation: validation["peak_rss_mb"],
        needs_clock=True,
        group="RSS",
        column="peak, MB",
    ),
    Figure(
        name="energy_mj",
        title="energy",
        meaning="energy of one inference, idle power included, where the device has a sensor",
        unit="mJ",
        bound="max",
        needs_clock=True,
    ),
    Figure(
        name="instructions",
        title="instructions",
        meaning="number of instructions of one inference",
        kind="emulated",
        bound="max",
        needs_emulator=True,
        counts=True,
    ),
    _size("float_bytes", "float size", "size of the float network as .tflite", bound=None),
    _size("recipe_bytes", "recipe size", "size of the recipe's .tflite", bound=None),
    _size("model_bytes", "model size", "size of the compiled model", "model"),
    _size(
        "model_packed_bytes",
        "packed model size",
        "size of the compiled model after entropy coding (Zstandard)",
        "packed",
    ),
    _size("bundle_bytes", "bundle size", "size of the bundle", "bundle"),
    _size(
        "bundle_packed_bytes",
        "packed bundle size",
        "size of the bundle after entropy coding, as a device that can unpack it is sent",
        "packed",
    ),
)
"""In the order in which they are shown."""

_BY_NAME = {figure.name: figure for figure in FIGURES}


def figure(name: str) -> Figure:
    """Return a figure of the table; KeyError if there is none of that name."""
    return _BY_NAME[name]

"""Results as the earlier steps leave them, and rows without any files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.manifest import Manifest
from edgeflow.config.gates import all_figures
from edgeflow.figures.table import figure
from edgeflow.report.rows import Row
from edgeflow.validate.gates import GateResult

Unit = dict[str, Any]


def unit(recipe: str, target: str, device: str, **gates: float) -> Unit:
    return {
        "model": "net", "recipe": recipe, "target": target, "device": device, "gates": gates,
    }  # fmt: skip


UNITS = {
    "units": [
        unit("fp32", "pi-cpu", "pi-1", accuracy_drop_max=0.01, latency_p90_ms_max=20.0),
        unit("int8", "pi-cpu", "pi-2", accuracy_drop_max=0.01, latency_p90_ms_max=0.01),
        unit("int8", "intel-cpu", "pc-1", accuracy_drop_max=0.01),
        unit("fp16", "intel-cpu", "pc-2"),
    ]
}
"""The first passes, the second misses a gate, the third is not measured, the last has no gates."""


def validation(unit: Mapping[str, Any], labels: list[str]) -> dict[str, Any]:
    names = {key: unit[key] for key in ("model", "recipe", "target", "device")}
    return names | {
        "format": 1,
        "kind": "litert",
        "quantize": "none",
        "transport": "virtual",
        "bundle_sha256": "ab" * 32,
        "samples": 20,
        "labels": labels,
        "metric": {
            "name": "accuracy", "baseline": 1.0, "recipe": 1.0, "compiled": 0.995, "device": 0.995,
        },
        "parity": {
            "share": 1.0, "max_abs": 0.0, "bit_exact": True, "agreement": 1.0,
            "outputs": {"output": {"share": 1.0, "max_abs": 0.0, "tolerance": 0.0}},
        },
        "first_divergence": "compiled",
        "latency_ms": {
            "p50": 0.05, "p90": 0.06, "p99": 0.1, "mean": 0.05, "min": 0.04, "max": 0.2,
            "runs": 200, "warmup": 20,
        },
        "load_time_ms": 3.125,
        "peak_rss_mb": None,
        "confusion": {"baseline": [[10, 0], [0, 10]], "device": [[9, 1], [0, 10]]},
        "sizes": {
            "float_bytes": 40960, "recipe_bytes": 20480, "model_bytes": 14336,
            "bundle_bytes": 30720, "model_packed_bytes": 10240, "bundle_packed_bytes": 12800,
        },
        "figures": {},
        "conditions": {
            "cpu": "Cortex-A72", "governor": None, "temperature_c": None, "throttled": False,
            "engine": "ai-edge-litert 2.3.0", "python": "3.11.2", "machine": "aarch64",
            "kernel": "6.1",
        },
    }  # fmt: skip


def write_validation(results: Path, unit: Mapping[str, Any], labels: list[str]) -> Path:
    path = results.joinpath("devices", unit["device"], unit["model"], "validation.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(validation(unit, labels)))
    return path


def write_training(results: Path, model: str, **train: Any) -> Path:
    folder = results / "models" / model / "baseline"
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text(
        "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate\n"
        "1,0.9,0.5,1.0,0.4,0.001\n2,0.3,0.9,0.4,0.85,0.001\n"
    )
    Manifest(
        step="train", inputs={"dataset": "cd" * 32}, slice={"train": train}, code="ef" * 32,
        tools={"tensorflow": "2.21.0"}, files={},
        facts={"best_epoch": 2, "parameters": 8810, "metric": "accuracy"},
    ).write(folder / "manifest.json")  # fmt: skip
    return folder


def make_row(number: int = 0, **changes: Any) -> Row:
    """A measured row whose figures follow from its number."""
    values: dict[str, Any] = {
        "model": f"net-{number % 3}",
        "recipe": ("fp32", "int8", "fp16")[number % 3],
        "target": f"target-{number % 4}",
        "device": f"device-{number}",
        "measured": True,
        "transport": "ssh",
        "cpu": "Cortex-A72",
        "limits": {"accuracy_drop_max": 0.01, "latency_p90_ms_max": 5.0},
        "checks": (GateResult(figure=figure("latency_p90_ms"), limit=5.0, value=1.0),),
        "metric": "accuracy",
        "metric_baseline": 0.99,
        "metric_device": 0.99 - number % 7 / 500,
        "latency_p50_ms": 0.1 + number % 11 / 10,
        "latency_p90_ms": 0.2 + number % 11 / 10,
        "float_bytes": 40960,
        "recipe_bytes": 20480,
        "model_bytes": 14336,
        "bundle_bytes": 30720,
        "model_packed_bytes": 4096 * (1 + number % 5),
        "bundle_packed_bytes": 4096 * (2 + number % 5),
    }
    values |= changes
    figures = {name: values.pop(name) for name in all_figures() if name in values}
    known = {name: value for name, value in figures.items() if value is not None}
    return Row(**{"figures": known, "kinds": dict.fromkeys(known, "measured"), **values})

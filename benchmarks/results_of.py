"""Results of a plan that nobody built, in the files that the report reads."""

import json
from pathlib import Path
from typing import Any

from edgeflow import paths
from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.manifest import Manifest
from edgeflow.deploy.runner import Conditions
from edgeflow.plan import Plan, Unit
from edgeflow.validate.schema import (
    Confusion,
    Latency,
    Metric,
    OutputParity,
    Parity,
    Sizes,
    Validation,
)

SAMPLES, EPOCHS, LAYERS = 360, 25, 12


def write_results(plan: Plan, results: Path, *, classes: int = 10, distinct: int = 1000) -> None:
    """Write the validation of each unit, the training of each model, the layers of each recipe.

    Args:
        distinct: how many different confusion matrices devices have.
    """
    for number, unit in enumerate(plan.units):
        path = results / paths.DEVICE.format(**unit.names()) / "validation.json"
        path.parent.mkdir(parents=True)
        validation = _validation(unit, number, classes, number % distinct)
        write_json(path, validation.model_dump(mode="json"))
    for model in dict.fromkeys(unit.model for unit in plan.units):
        _write_training(results / paths.BASELINE.format(model=model))
    for pair in dict.fromkeys((unit.model, unit.recipe) for unit in plan.units):
        _write_layers(results / paths.RECIPE.format(model=pair[0], recipe=pair[1]))


def _validation(unit: Unit, number: int, classes: int, mistakes: int) -> Validation:
    share = 0.99 - number % 7 / 500
    latency_ms = 0.1 + number % 11 / 10
    return Validation(
        device=unit.device,
        target=unit.target,
        model=unit.model,
        recipe=unit.recipe,
        kind="litert",
        quantize="ptq-int8",
        transport="ssh",
        bundle_sha256="ab" * 32,
        samples=SAMPLES,
        labels=[f"class {label}" for label in range(classes)],
        metric=Metric(name="accuracy", baseline=0.99, recipe=share, compiled=share, device=share),
        parity=Parity(
            share=1.0,
            max_abs=0.0,
            bit_exact=True,
            agreement=1.0,
            outputs={"output": OutputParity(share=1.0, max_abs=0.0, tolerance=0.0)},
        ),
        first_divergence="none",
        latency_ms=Latency(
            p50=latency_ms,
            p90=1.2 * latency_ms,
            p99=1.5 * latency_ms,
            mean=latency_ms,
            min=0.9 * latency_ms,
            max=2 * latency_ms,
            runs=200,
            warmup=20,
        ),
        load_time_ms=3.0,
        peak_rss_mb=20.0,
        confusion=Confusion(baseline=_matrix(classes, 0), device=_matrix(classes, mistakes)),
        sizes=Sizes(
            float_bytes=40960,
            recipe_bytes=20480,
            model_bytes=14336,
            bundle_bytes=30720,
            model_packed_bytes=4096 * (1 + number % 5),
            bundle_packed_bytes=4096 * (2 + number % 5),
        ),
        conditions=Conditions(
            cpu="Cortex-A72", machine="aarch64", kernel="6.1", python="3.11.2", engine="litert 2.3"
        ),
    )


def _matrix(classes: int, mistakes: int) -> list[list[int]]:
    """Return a confusion matrix with mistakes beside and far from its diagonal."""
    rows = [[0] * classes for _ in range(classes)]
    for label in range(classes):
        rows[label][label] = SAMPLES // classes + mistakes
        rows[label][(label + 1 + mistakes) % classes] += 1 + mistakes % 3
        rows[label][(label * 7 + mistakes) % classes] += 1
    return rows


def _write_training(folder: Path) -> None:
    folder.mkdir(parents=True)
    epochs = [f"{n},{1 / n:.4f},0.9,{1 / n:.4f},0.9,0.001" for n in range(1, EPOCHS + 1)]
    header = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate"
    (folder / "history.csv").write_text("\n".join([header, *epochs]) + "\n")
    facts = {"best_epoch": EPOCHS, "parameters": 8810, "metric": "accuracy"}
    _manifest("train", facts).write(folder / "manifest.json")


def _write_layers(folder: Path) -> None:
    (folder / "debug").mkdir(parents=True)
    _manifest("compress", {"metric": "accuracy"}).write(folder / "manifest.json")
    figures = {
        "quantize": "ptq-int8",
        "float_layers": LAYERS,
        "inputs": [_layer(0)],
        "narrow_channels": {"input": []},
        "layers": [_layer(number) for number in range(LAYERS)],
        "hurts_below_db": 30.0,
        "hurting": ["layer-3"],
        "classes": None,
        "calibration_sizes": [],
    }
    (folder / "debug" / "quantization.json").write_text(json.dumps(figures))


def _layer(number: int) -> dict[str, Any]:
    return {
        "name": f"layer-{number}" if number else "input",
        "operator": "CONV_2D",
        "dtype": "int8",
        "sqnr_db": 40.0 - number,
        "own_sqnr_db": 45.0 - 5 * number,
        "max_error": 0.5,
        "mean_error": -0.01,
        "saturated": 0.002,
        "weight_spread": 12.5,
    }


def _manifest(step: str, facts: dict[str, Any]) -> Manifest:
    return Manifest(step=step, inputs={}, slice={}, code="ef" * 32, tools={}, files={}, facts=facts)

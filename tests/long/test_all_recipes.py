"""Every technique from config.yaml alone, to the report; and the same bytes when made again."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import Project, make_project

pytestmark = pytest.mark.timeout(3600)
TIMEOUT_S = 1700

TRAIN = {"epochs": 4, "batch_size": 64, "learning_rate": 0.01, "augment": {"shift": 1}}
NETWORK = {"name": "ds_cnn", "width": 16, "blocks": 2}
SHORT = {"epochs": 1, "learning_rate": 0.001}

RECIPES: dict[str, Any] = {
    "fp32": {},
    "fp16": {"quantize": "fp16"},
    "dynamic": {"quantize": "dynamic"},
    "int8": {"quantize": "ptq-int8"},
    "uint8": {"quantize": "ptq-int8", "io": "uint8"},
    "percentile": {"quantize": "ptq-int8", "calibration": {"method": "percentile"}},
    "mse": {"quantize": "ptq-int8", "calibration": {"method": "mse"}},
    "selective": {"quantize": "ptq-int8", "keep_float": {"worst": 1}},
    "int16x8": {"quantize": "ptq-int16x8"},
    "qat": {"quantize": "qat-int8", "qat": SHORT},
    "pruned": {"prune": SHORT, "quantize": "ptq-int8"},
    "clustered": {"cluster": SHORT, "quantize": "ptq-int8"},
    "shared-zeros": {"prune": SHORT, "cluster": SHORT, "quantize": "ptq-int8"},
    "pcqat": {"prune": SHORT, "cluster": SHORT, "quantize": "qat-int8", "qat": SHORT},
    "slim": {"prune_channels": {"share": 0.5, **SHORT}, "quantize": "ptq-int8"},
    "distilled": {"distill": {"teacher": "wide", **SHORT}, "quantize": "ptq-int8"},
    "stacked": {
        "prune_channels": {"share": 0.25, **SHORT},
        "distill": {"teacher": "wide", **SHORT},
        "prune": {"sparsity": 0.5, **SHORT},
        "cluster": SHORT,
        "quantize": "qat-int8",
        "qat": SHORT,
    },
    "auto": {"auto": {"recipes": ["int8", "fp32"], "accuracy_drop_max": 0.5}},
}
ON_OPENVINO = (
    *("fp32", "fp16", "int8", "percentile", "selective", "qat", "pruned", "clustered"),
    *("shared-zeros", "pcqat", "slim", "distilled", "stacked", "auto"),
)


def config() -> dict[str, Any]:
    deployments, devices = [], {}
    for kind, recipes in (("litert", RECIPES), ("openvino", ON_OPENVINO)):
        for recipe in recipes:
            device = f"{kind}-{recipe}"
            devices[device] = {"target": kind, "transport": "virtual"}
            deployments.append(
                {"model": "net", "recipe": recipe, "devices": [device], "measure": {"runs": 10}}
            )
    return {
        "store": {"path": "store"},
        "datasets": {"digits": {"source": "digits", "calibration": 50, "limit": 900}},
        "models": {
            "net": {"dataset": "digits", "architecture": NETWORK, "train": TRAIN},
            "wide": {"dataset": "digits", "architecture": {**NETWORK, "width": 32}, "train": TRAIN},
        },
        "recipes": RECIPES,
        "targets": {"litert": {"kind": "litert"}, "openvino": {"kind": "openvino"}},
        "devices": devices,
        "deployments": deployments,
    }


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = make_project(tmp_path_factory.mktemp("all") / "project", config(), TIMEOUT_S)
    project.build()
    yield project
    project.stop_devices()


def test_every_recipe_is_measured_on_every_target_that_takes_it(everything: Project) -> None:
    with (everything.folder / "results/report/metrics.csv").open(newline="") as file:
        rows = {(row["target"], row["recipe"]): row for row in csv.DictReader(file)}
    expected = {("litert", name) for name in RECIPES} | {("openvino", n) for n in ON_OPENVINO}
    assert rows.keys() == expected
    assert all(float(row["latency_p50_ms"]) > 0 for row in rows.values())
    assert {float(row["parity"]) for row in rows.values()} == {1.0}
    page = (everything.folder / "results/report/index.html").read_text()
    assert all(f">{recipe}<" in page for recipe in RECIPES)


def digests(project: Project) -> dict[str, str]:
    folder = project.folder / "results/models/net"
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/*"))
        if path.is_file() and path.name != ".snakemake_timestamp"
    }


def test_each_recipe_made_from_scratch_again_has_the_same_bytes(
    everything: Project, tmp_path: Path
) -> None:
    again = make_project(tmp_path / "again", config(), TIMEOUT_S)
    again.build(*(f"results/models/net/{recipe}/manifest.json" for recipe in RECIPES))
    first, second = digests(everything), digests(again)
    assert len(second) >= 4 * len(RECIPES)
    assert second == first

"""What the report says of quantization."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.manifest import Manifest
from edgeflow.errors import IntegrityError
from edgeflow.report.plots import layer_error
from edgeflow.report.quantization import load_quantizations
from edgeflow.report.text import MINUS, NONE
from tests.unit.report.test_build import build
from tests.unit.report.test_plots import texts

TRIED = [
    {
        "recipe": "mixed",
        "worse_by": None,
        "worse_by_max": 0.01,
        "taken": False,
        "failure": "no layer 'x'",
    },
    {"recipe": "q8", "worse_by": 0.03, "worse_by_max": 0.01, "taken": False},
    {"recipe": "q16", "worse_by": 0.0, "worse_by_max": 0.01, "taken": True},
]


def layer(name: str, sqnr: float | None, own: float | None, dtype: str = "int8") -> dict[str, Any]:
    return {
        "name": name, "tensor": f"net/{name}/Op", "operator": "CONV_2D", "dtype": dtype,
        "sqnr_db": sqnr, "own_sqnr_db": own, "max_error": 0.5, "mean_error": -0.01,
        "saturated": 0.002, "weight_spread": 12.5,
    }  # fmt: skip


FIGURES: dict[str, Any] = {
    "quantize": "ptq-int8",
    "calibration_method": "minmax",
    "samples": 50,
    "float_layers": 4,
    "quantized_layers": 4,
    "inputs": [layer("input", None, None)],
    "narrow_channels": {"input": []},
    "layers": [layer("first", 40.0, 41.0), layer("<odd>", 18.25, 18.5), layer("third", 18.0, None)],
    "hurts_below_db": 30.0,
    "hurting": ["<odd>"],
    "classes": {
        "labels": ["cat", "dog"],
        "agreement": 0.985,
        "right": {"float": 0.99, "quantized": 0.975},
        "by_class": [
            {"samples": 10, "float": 1.0, "quantized": 0.9},
            {"samples": 0, "float": None, "quantized": None},
        ],
    },
    "calibration_sizes": [
        {"samples": 25, "sqnr_db": 21.5, "metric": 0.91},
        {"samples": 50, "sqnr_db": None, "metric": None},
    ],
}


PAIRS = [("net", "int8")]


def write(results: Path, figures: dict[str, Any] | None, **facts: Any) -> Path:
    folder = results / "models/net/int8"
    (folder / "debug").mkdir(parents=True)
    Manifest(
        step="compress", inputs={}, slice={}, code="ef" * 32, tools={}, files={}, facts=facts
    ).write(folder / "manifest.json")
    path = folder / "debug/quantization.json"
    if figures is not None:
        path.write_text(json.dumps(figures))
    return path


def test_the_page_tells_of_layers_classes_and_calibration(results: Path) -> None:
    write(
        results,
        FIGURES,
        metric="accuracy",
        kept_float=[{"layer": "third", "sqnr_db": 9.0, "reason": "worst"}],
    )
    page = build(results)
    assert "Layers compared 3 of 4" in page.text
    assert "Layers that hurt <odd>" in page.text
    assert "Layers kept in float third" in page.text
    assert "<odd> CONV_2D int8 18.2 18.5 0.5 -0.01 0.200 12.5" in page.text
    assert f"cat 10 100.00 90.00 {MINUS}10.00" in page.text
    assert f"dog 0 {NONE} {NONE} {NONE}" in page.text
    assert f"25 21.5 91.00 50 {NONE} {NONE}" in page.text
    assert "#quantization" in page.references
    assert len(page.ids) == len(set(page.ids))
    assert (results / "report/plots/layer_error_net_int8.svg").is_file()


def test_a_choice_shows_what_was_tried_even_without_integers(results: Path) -> None:
    write(results, {"quantize": "fp16"}, chosen="half", tried=TRIED, metric="accuracy")
    text = build(results).text
    assert "Chosen recipe half" in text
    assert f"mixed {NONE} +1.00 cannot be made: no layer 'x'" in text
    assert "q8 +3.00 +1.00 worse than the limit" in text
    assert "q16 0.00 +1.00 taken: the first within the limit" in text


def test_there_is_no_section_without_quantization(results: Path) -> None:
    write(results, None, parameters=5)
    page = build(results)
    assert "#quantization" not in page.references
    assert "Layers that hurt" not in page.text


def test_figures_that_cannot_be_read(results: Path) -> None:
    path = write(results, FIGURES, metric="accuracy")
    path.write_text("{")
    with pytest.raises(IntegrityError, match=r"quantization\.json cannot be read"):
        load_quantizations(results, PAIRS)


def test_a_changed_figure_makes_another_report(results: Path) -> None:
    path = write(results, FIGURES, metric="accuracy")
    build(results)
    before = json.loads((results / "report/manifest.json").read_text())["inputs"]
    path.write_text(json.dumps(FIGURES | {"samples": 51}))
    build(results)
    assert json.loads((results / "report/manifest.json").read_text())["inputs"] != before


def test_the_plot_names_layers_and_what_they_add(results: Path, tmp_path: Path) -> None:
    figures = FIGURES | {"layers": [*FIGURES["layers"], layer("last", 17.0, 35.0, "float32")]}
    write(results, figures)
    (found,) = load_quantizations(results, PAIRS)
    for name in ("a.svg", "b.svg"):
        layer_error.draw(found, tmp_path / name)
    written = texts(tmp_path / "a.svg")
    assert {"first", "<odd>", "third", "last (float)"} <= set(written)
    assert {"added by a layer that hurts", "added by the layer"} <= set(written)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_plot_says_when_there_is_no_error(results: Path, tmp_path: Path) -> None:
    write(results, FIGURES | {"layers": [layer("first", None, None)], "hurting": []})
    (found,) = load_quantizations(results, PAIRS)
    layer_error.draw(found, tmp_path / "plot.svg")
    assert texts(tmp_path / "plot.svg") == ["no layer differs from float"]


def test_hundreds_of_layers_are_drawn_without_their_names(results: Path, tmp_path: Path) -> None:
    many = [layer(f"conv-{number}", 30.0, 40.0) for number in range(300)]
    write(results, FIGURES | {"layers": many, "hurting": []})
    (found,) = load_quantizations(results, PAIRS)
    layer_error.draw(found, tmp_path / "plot.svg")
    assert not any(text.startswith("conv-") for text in texts(tmp_path / "plot.svg"))

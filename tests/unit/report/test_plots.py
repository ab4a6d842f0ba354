import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edgeflow.report.plots import (
    confusion,
    metric_latency,
    metric_size,
    size_by_recipe,
    training,
)
from edgeflow.report.plots.gate_lines import metric_limit
from edgeflow.report.rows import Row
from edgeflow.report.training import load_training
from tests.unit.report.samples import make_row, write_training

Draw = Callable[[Sequence[Row], Path], None]
OVERVIEWS = [metric_latency.draw, metric_size.draw, size_by_recipe.draw]


def texts(path: Path) -> list[str]:
    """Return the texts of an SVG file; fails if it is not XML."""
    root = ET.parse(path).getroot()
    assert root.tag.endswith("}svg")
    return ["".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("}text")]


@pytest.mark.parametrize("draw", OVERVIEWS)
@pytest.mark.parametrize("count", [1, 60])
def test_overviews_are_drawn_for_one_and_for_many(draw: Draw, count: int, tmp_path: Path) -> None:
    draw([make_row(number) for number in range(count)], tmp_path / "plot.svg")
    written = texts(tmp_path / "plot.svg")
    assert any("net-0" in text for text in written)
    assert len(written) > 10


@pytest.mark.parametrize("draw", OVERVIEWS)
def test_overviews_say_when_nothing_was_measured(draw: Draw, tmp_path: Path) -> None:
    row = Row(model="net", recipe="int8", target="pi", device="pi-1")
    draw([row], tmp_path / "plot.svg")
    assert texts(tmp_path / "plot.svg") == ["nothing was measured on a device"]


def test_engines_without_a_clock_have_no_latency_to_draw(tmp_path: Path) -> None:
    row = make_row(latency_p50_ms=None, latency_p90_ms=None)
    metric_latency.draw([row], tmp_path / "plot.svg")
    assert texts(tmp_path / "plot.svg") == ["no latency p50 was measured on a device"]


@pytest.mark.parametrize("draw", OVERVIEWS)
def test_equal_rows_give_equal_bytes(draw: Draw, tmp_path: Path) -> None:
    rows = [make_row(number) for number in range(5)]
    for name in ("a.svg", "b.svg"):
        draw(rows, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_each_target_has_a_front_of_its_own_where_sizes_are_compared() -> None:
    rows = [
        make_row(0, target="a", model_packed_bytes=2048, metric_device=0.9),
        make_row(1, target="b", model_packed_bytes=4096, metric_device=0.9),
        make_row(2, target="b", model_packed_bytes=5120, metric_device=0.9),
    ]
    assert metric_size.PACKED_SIZE.front.of(rows) == {"a": [rows[0]], "b": [rows[1]]}
    assert metric_size.PACKED_SIZE.x(rows[0]) == 2.0
    assert list(metric_latency.LATENCY.front.of(rows)) == [None]


def test_a_gate_on_the_packed_size_is_drawn(tmp_path: Path) -> None:
    metric_size.draw([make_row(0, limits={"model_packed_bytes_max": 8192})], tmp_path / "p.svg")
    written = texts(tmp_path / "p.svg")
    assert "packed ≤ 8.00 KiB" in written
    assert "metric-size front of its target" in written


def test_sizes_are_written_raw_and_packed(tmp_path: Path) -> None:
    size_by_recipe.draw([make_row(0)], tmp_path / "plot.svg")
    assert {"40.0", "20.0", "14.0 (4.0)", "30.0 (8.0)"} <= set(texts(tmp_path / "plot.svg"))


def test_gates_are_drawn_with_their_limits(tmp_path: Path) -> None:
    metric_latency.draw([make_row(10)], tmp_path / "plot.svg")
    written = texts(tmp_path / "plot.svg")
    assert "p90 ≤ 5.00 ms" in written
    assert "accuracy ≥ 98.00 %" in written


def test_a_gate_far_off_is_named_at_the_edge(tmp_path: Path) -> None:
    row = make_row(limits={"latency_p50_ms_max": 500.0})
    metric_latency.draw([row], tmp_path / "plot.svg")
    assert "p50 ≤ 500 ms →" in texts(tmp_path / "plot.svg")


def test_only_the_strictest_of_many_gates_is_drawn(tmp_path: Path) -> None:
    rows = [
        make_row(number, model="net", limits={"latency_p50_ms_max": 1.0 + number})
        for number in range(5)
    ]
    metric_latency.draw(rows, tmp_path / "plot.svg")
    gates = [text for text in texts(tmp_path / "plot.svg") if text.startswith("p50 ≤")]
    assert gates == ["p50 ≤ 1.00 ms (strictest of 5)"]


def test_the_stricter_accuracy_gate_is_the_floor() -> None:
    limits = {"accuracy_min": 0.5, "accuracy_drop_max": 0.01}
    assert metric_limit(make_row(limits=limits)) == pytest.approx(98.0)
    assert metric_limit(make_row(limits={"accuracy_min": 0.5})) == 50.0
    assert metric_limit(make_row(limits={})) is None


def test_the_stricter_gate_on_an_error_is_the_ceiling(tmp_path: Path) -> None:
    limits = {"rmse_max": 2.0, "rmse_rise_max": 0.5}
    row = make_row(metric="rmse", metric_baseline=1.0, metric_device=1.25, limits=limits)
    assert metric_limit(row) == 1.5
    assert metric_limit(make_row(metric="rmse", limits={"rmse_max": 2.0})) == 2.0
    metric_latency.draw([row], tmp_path / "plot.svg")
    assert {"RMSE on the device", "RMSE ≤ 1.50"} <= set(texts(tmp_path / "plot.svg"))


def test_names_of_crowded_points_are_left_out(tmp_path: Path) -> None:
    rows = [make_row(n, model="net", latency_p50_ms=1.0, metric_device=0.9) for n in range(30)]
    metric_latency.draw(rows, tmp_path / "plot.svg")
    named = [text for text in texts(tmp_path / "plot.svg") if text.startswith("device-")]
    assert 1 <= len(named) <= 6


def test_a_front_does_not_keep_names_away(tmp_path: Path) -> None:
    rows = [
        make_row(n, model="net", latency_p50_ms=1.0 + n, metric_device=0.9 + n / 100, limits={})
        for n in range(5)
    ]
    for draw in (metric_latency.draw, metric_size.draw):
        draw(rows, tmp_path / "plot.svg")
        assert {f"device-{n}" for n in range(5)} <= set(texts(tmp_path / "plot.svg"))


def test_sizes_are_drawn_once_for_all_devices_of_a_target() -> None:
    rows = [make_row(0), make_row(0, device="other"), make_row(0, target="other")]
    assert size_by_recipe.sizes(rows) == [rows[0], rows[2]]


def test_confusion_shows_what_changed_on_the_device(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    confusion.draw(["$a$", "<b>"], [[10, 0], [0, 10]], [[9, 1], [0, 10]], path)
    written = texts(path)
    assert {"+1", "-1", "$a$", "<b>"} <= set(written)
    assert "no difference" not in written


def test_confusion_says_that_nothing_changed(tmp_path: Path) -> None:
    confusion.draw(["a", "b"], [[10, 0], [0, 10]], [[10, 0], [0, 10]], tmp_path / "plot.svg")
    assert "no difference" in texts(tmp_path / "plot.svg")


def test_confusion_of_many_classes_names_only_some(tmp_path: Path) -> None:
    names = [f"class {number:03}" for number in range(100)]
    diagonal = [[int(row == column) for column in range(100)] for row in range(100)]
    confusion.draw(names, diagonal, diagonal, tmp_path / "plot.svg")
    named = [text for text in texts(tmp_path / "plot.svg") if text.startswith("class ")]
    assert 2 <= len(set(named)) <= 24


def test_training_marks_the_epoch_that_was_kept(tmp_path: Path) -> None:
    write_training(tmp_path, "net")
    [item] = load_training(tmp_path, ["net", "net", "absent"])
    training.draw(item, tmp_path / "plot.svg")
    assert "kept: epoch 2" in texts(tmp_path / "plot.svg")


def test_a_model_that_was_imported_has_no_training_to_draw(tmp_path: Path) -> None:
    folder = write_training(tmp_path, "net")
    header, *_ = (folder / "history.csv").read_text().splitlines()
    (folder / "history.csv").write_text(f"{header}\n")
    assert load_training(tmp_path, ["net"]) == []

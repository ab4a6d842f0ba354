import io
from pathlib import Path

import pytest

from edgeflow.deploy.judged import note_rollback
from edgeflow.figures.table import FIGURES, figure
from edgeflow.report.console import print_summary
from edgeflow.report.rows import load_rows, with_rollbacks
from edgeflow.report.text import NONE, adaptive, gate_text, kib, percent, points, shown
from edgeflow.targets import registry
from edgeflow.targets.base import own_figures
from edgeflow.tasks.chance import chance_note
from edgeflow.tasks.registry import METRICS
from edgeflow.validate.gates import GateResult
from tests.unit.report.samples import UNITS, make_row


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def test_plain_lines_have_fixed_columns(results: Path) -> None:
    file = io.StringIO()
    print_summary(load_rows(results, UNITS), file)
    header, *lines = file.getvalue().splitlines()
    devices = ("pi-1", "pi-2", "pc-1", "pc-2")
    starts = [line.index(name) for line, name in zip(lines, devices, strict=False)]
    assert starts == [header.index("device")] * 4
    figures = " ".join(lines[0].split())
    assert figures == (
        "net/fp32 pi-1 accuracy, % 100.00 → 99.50 0.0500/0.0600 14.0 virtual: Cortex-A72 "
        "passed 2 of 2"
    )
    assert lines[2].endswith("not measured")
    assert lines[4:] == ["net/int8 on pi-2: latency p90 0.0600 ms, must be ≤ 0.0100 ms"]
    assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize(
    ("matrix", "warned"),
    [
        ([[33, 0, 0], [33, 0, 0], [34, 0, 0]], True),  # always the same answer
        ([[11, 12, 10], [10, 11, 12], [12, 11, 11]], True),
        ([[95, 0], [5, 0]], True),
        ([[940, 10], [20, 30]], False),
        ([[30, 3, 0], [2, 30, 1], [0, 1, 33]], False),
        ([[20, 0], [0, 0]], False),  # nothing to tell apart
    ],
)
def test_a_model_at_chance_level_is_told(matrix: list[list[int]], warned: bool) -> None:
    rows = [make_row(number, confusion_baseline=matrix) for number in (0, 3)]
    file = io.StringIO()
    print_summary(rows, file)
    assert file.getvalue().count("no better than chance: check `preprocess:`") == warned
    assert not chance_note("auc", matrix)


def test_what_was_rolled_back_by_hand_has_not_passed(results: Path) -> None:
    note_rollback(results / "devices/pi-1/net", "ab" * 32, "too warm")
    note_rollback(results / "devices/pi-2/net", "cd" * 32, "a release before")
    file = io.StringIO()
    print_summary(with_rollbacks(load_rows(results, UNITS), results), file)
    _, first, second, *_, last = file.getvalue().splitlines()
    assert first.endswith("rolled back")
    assert second.endswith("failed 1 of 2")
    assert last == "net/fp32 on pi-1: rolled back: too warm"


def test_a_terminal_gets_a_table_with_colours(results: Path) -> None:
    file = Terminal()
    print_summary(load_rows(results, UNITS), file)
    assert "\x1b[32mpassed 2 of 2" in file.getvalue()
    assert "\x1b[1;31mfailed 1 of 2" in file.getvalue()
    assert "─" in file.getvalue()


def test_no_color_is_honoured(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = Terminal()
    print_summary(load_rows(results, UNITS), file)
    assert "passed 2 of 2" in file.getvalue()
    assert "\x1b[32m" not in file.getvalue()
    assert "31m" not in file.getvalue()


def test_a_model_without_a_clock_has_no_latency() -> None:
    file = io.StringIO()
    print_summary([make_row(latency_p50_ms=None, latency_p90_ms=None)], file)
    assert f" {NONE} " in file.getvalue()
    assert "None" not in file.getvalue()


def test_names_are_no_markup() -> None:
    file = Terminal()
    print_summary([make_row(device="[red]x")], file)
    assert "[red]x" in file.getvalue()


def test_figures_read_the_same_at_every_scale() -> None:
    assert [adaptive(value) for value in (None, 0.0512, 5.123, 51.23, 5123.4)] == [
        NONE, "0.0512", "5.12", "51.2", "5,123",
    ]  # fmt: skip
    assert [points(value) for value in (None, -0.0027, 0.01, -1e-9)] == [
        NONE, "\N{MINUS SIGN}0.27", "+1.00", "0.00",
    ]  # fmt: skip
    assert percent(0.99444) == "99.44"
    assert kib(1536) == "1.5"


def test_counts_are_whole_numbers_and_declared_so() -> None:
    texts = [
        shown(figure("instructions"), value) for value in (0, 5.0, 12.0, 5306.0, 1234567.0, 2.5)
    ]
    assert texts == ["0", "5", "12", "5,306", "1,234,567", "2.50"]
    every = {one.name: one for name in registry.names() for one in own_figures(registry.get(name))}
    for one in [*FIGURES, *every.values()]:
        counts = one.meaning.startswith("number of") and not one.unit
        assert one.counts or not counts, f"{one.name} is shown with a fraction"


def test_a_gate_without_a_figure_says_so() -> None:
    gate = gate_text(GateResult(figure=figure("peak_rss_mb"), limit=64.0, value=None))
    assert (gate.title, gate.sign, gate.limit) == ("peak RSS", "≤", "64.0 MB")
    assert (gate.value, gate.verdict) == ("not measured", "fail")
    tiny = gate_text(GateResult(figure=figure("latency_p90_ms"), limit=1e-6, value=0.01))
    assert tiny.limit == "0.000001 ms"


def test_a_gain_is_a_drop_below_zero() -> None:
    gate = gate_text(GateResult(figure=METRICS["accuracy"].change, limit=0.01, value=-0.0028))
    assert gate.value == "\N{MINUS SIGN}0.28 pt"


def test_metrics_are_named() -> None:
    file = io.StringIO()
    print_summary([make_row(metric="auc"), make_row(1), make_row(metric="rmse")], file)
    auc, accuracy, rmse = file.getvalue().splitlines()[1:]
    assert "AUC, % 99.00 → 99.00" in auc
    assert "accuracy, % 99.00 → 98.80" in accuracy
    assert "RMSE 0.990 → 0.990  " in rmse

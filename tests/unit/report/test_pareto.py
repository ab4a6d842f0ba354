from edgeflow.report.pareto import efficient, pareto
from edgeflow.report.rows import Row
from tests.unit.report.samples import make_row


def rows(*figures: tuple[float, float, int], **names: str) -> list[Row]:
    """Return rows of one model and target with these latencies, accuracies and sizes."""
    return [
        make_row(
            number,
            **{"model": "net", "target": "pi", **names},
            latency_p50_ms=latency_ms,
            metric_device=share,
            model_packed_bytes=size,
        )
        for number, (latency_ms, share, size) in enumerate(figures)
    ]


def test_the_front_holds_what_no_other_row_beats() -> None:
    some = rows((1.0, 0.9, 1), (2.0, 0.8, 1), (2.0, 0.95, 1), (3.0, 0.95, 1), (4.0, 0.99, 1))
    assert pareto(some, "latency_p50_ms") == [some[0], some[2], some[4]]


def test_the_front_is_in_the_order_of_its_costs() -> None:
    some = rows((3.0, 0.99, 1), (1.0, 0.9, 1), (2.0, 0.95, 1))
    assert pareto(some, "latency_p50_ms") == [some[1], some[2], some[0]]


def test_a_third_figure_can_save_a_row() -> None:
    some = rows((1.0, 0.9, 500), (2.0, 0.9, 100), (2.0, 0.9, 200))
    assert pareto(some, "latency_p50_ms") == [some[0]]
    assert pareto(some, "latency_p50_ms", "model_packed_bytes") == [some[0], some[1]]


def test_equal_rows_do_not_beat_each_other() -> None:
    some = rows((1.0, 0.9, 1), (1.0, 0.9, 1))
    assert pareto(some, "latency_p50_ms", "model_packed_bytes") == some


def test_a_row_without_a_figure_is_on_no_front_and_beats_none() -> None:
    [whole] = rows((1.0, 0.9, 100))
    lacking = make_row(1, model_packed_bytes=None), make_row(2, metric_device=None)
    assert pareto([whole, *lacking], "latency_p50_ms", "model_packed_bytes") == [whole]


def test_a_metric_may_be_better_lower() -> None:
    low, high = (make_row(metric="rmse", metric_device=value) for value in (0.5, 0.75))
    assert pareto([low, high], "latency_p50_ms") == [low]
    best = make_row()
    assert pareto([make_row(metric_device=0.5), best], "latency_p50_ms") == [best]


def test_only_rows_of_one_model_and_target_are_compared() -> None:
    good, poor = (1.0, 0.99, 10), (2.0, 0.9, 20)
    mine = rows(good, poor)
    other_target, other_model = rows(poor, target="tpu"), rows(poor, model="big")
    found = efficient([*mine, *other_target, *other_model])
    assert found == [mine[0], *other_target, *other_model]

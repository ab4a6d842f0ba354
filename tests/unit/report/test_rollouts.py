"""What came of rollouts, on the page and in a line."""

from pathlib import Path

import pytest

from edgeflow.errors import IntegrityError
from edgeflow.fleet.inventory import Row
from edgeflow.fleet.outcome import Outcome
from edgeflow.fleet.result import RolloutResult, WaveResult, write_result
from edgeflow.fleet.spec import RolloutSpec
from edgeflow.report.rollouts import load_rollouts
from tests.unit.report.samples import UNITS
from tests.unit.report.test_build import build

SLICE = {**UNITS, "rollouts": ["spring", "not-begun"]}


@pytest.fixture
def spring(results: Path) -> Path:
    """The folder of a rollout that ended in its second wave."""
    spec = RolloutSpec(name="spring", model="net", bundle_sha256="0" * 64)
    outcomes = {
        "a": Outcome(result="confirmed"),
        "b": Outcome(result="rolled_back", detail="<b>too slow</b>"),
        **{f"c{n}": Outcome(result="unreachable", detail="no answer") for n in range(30)},
    }
    first = WaveResult(devices=1, counts={"confirmed": 1}, silent=0, seconds=1.0)
    second = WaveResult(
        devices=40, counts={"rolled_back": 1, "unreachable": 30}, silent=0, seconds=1.0
    )
    result = RolloutResult(
        spec=spec, total=41, ended="unreachable", waves=(first, second), outcomes=outcomes
    )
    folder = results / "rollouts" / "spring"
    write_result(result, folder, {name: Row(name=name) for name in outcomes})
    return folder


def test_the_page_has_each_wave_and_the_way_to_those_that_are_left(
    results: Path, spring: Path
) -> None:
    page = build(results, SLICE)
    assert "rollouts" in page.ids
    assert "spring: net, unreachable" in page.text
    assert "2 40 0 1 0 30 0 9" in page.text  # of the second wave
    assert "b rolled back: <b>too slow</b>" in page.text
    assert "11 more are in retry.csv" in page.text
    assert "../rollouts/spring/retry.csv" in page.references
    assert (results / "report" / "../rollouts/spring/retry.csv").is_file()
    (rollout,) = load_rollouts(results, SLICE)
    assert rollout.line == (
        "rollout spring: unreachable: 1 confirmed, 1 rolled back, 30 unreachable, 9 untouched"
    )


def test_a_project_without_rollouts_has_no_section(results: Path) -> None:
    assert "rollouts" not in build(results, {**UNITS, "rollouts": ["not-begun"]}).ids


def test_a_damaged_record_is_told(results: Path, spring: Path) -> None:
    (spring / "rollout.json").write_text('{"waves": []}')
    message = r"rollout\.json cannot be read as a rollout: it lacks 'outcomes'"
    with pytest.raises(IntegrityError, match=message) as caught:
        load_rollouts(results, SLICE)
    assert caught.value.hint.endswith("rollout.json; the next rollout writes it")

import json
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact import events
from edgeflow.artifact.hashing import sha256_json
from edgeflow.deploy.device.trials import Rejection
from edgeflow.deploy.judged import note_rollback, rollback_reason
from edgeflow.errors import GateError, IntegrityError, UnreachableError
from edgeflow.validate.confirm import confirm
from edgeflow.validate.schema import read_validation
from tests.unit.report.samples import unit, validation
from tests.unit.validate.conftest import FakeDevice, only_device

SHA = "ab" * 32


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """The device that gate gets; it runs nothing, so it needs no bundle."""
    return only_device(FakeDevice(release=tmp_path, home=tmp_path), tmp_path, monkeypatch)


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A validation of `net` on device `bench`, with an accuracy drop of 0.005."""
    path = tmp_path / "validation.json"
    path.write_text(json.dumps(validation(unit("int8", "pi", "bench"), ["cat", "dog"])))
    return path


def slice_of(**gates: float) -> dict[str, Any]:
    return {"device": {"name": "bench"}, "gates": gates}


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_validation_confirms_nothing(
    device: FakeDevice, measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(events, "_LOG", [tmp_path / "events.jsonl"])
    measured.write_text(text)
    with pytest.raises(IntegrityError, match="cannot be read as a validation"):
        confirm(slice_of(), "0", measured, tmp_path / "gates.json")
    event = json.loads((tmp_path / "events.jsonl").read_text())
    assert (event["name"], event["exit_code"]) == ("bench", IntegrityError.exit_code)
    assert not (tmp_path / "gates.json").exists()


def test_what_holds_is_confirmed(device: FakeDevice, measured: Path, tmp_path: Path) -> None:
    out = tmp_path / "gates.json"
    note_rollback(out.parent, "ab", "by hand")
    confirm(slice_of(accuracy_drop_max=0.005, latency_p90_ms_max=20), "0", measured, out)
    assert rollback_reason(out.parent, "ab") is None  # it has passed anew
    record = json.loads(out.read_text())
    assert record["passed"] is True
    assert record["bundle_sha256"] == SHA
    assert [gate["name"] for gate in record["gates"]] == ["accuracy_drop_max", "latency_p90_ms_max"]
    assert all(gate["passed"] for gate in record["gates"])
    assert device.calls == [("activate", "net", SHA), ("prune", "net")]
    confirm({**slice_of(), "allow_downgrade": True}, "0", measured, out)
    assert device.calls[2] == ("activate", "net", SHA, "--allow-downgrade")


def test_one_gate_is_one_gate(device: FakeDevice, measured: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError, match="misses 1 gate\n"):
        confirm(slice_of(latency_p90_ms_max=1e-9), "0", measured, tmp_path / "gates.json")
    with pytest.raises(GateError, match="misses 2 gates\n"):
        confirm(
            slice_of(latency_p90_ms_max=1e-9, latency_p99_ms_max=1e-9),
            "0",
            measured,
            tmp_path / "gates.json",
        )


def test_what_is_current_and_holds_is_left_alone(
    device: FakeDevice, measured: Path, tmp_path: Path
) -> None:
    device.changes = False
    confirm(slice_of(), "0", measured, tmp_path / "gates.json")
    assert device.verbs() == ["activate"]


@pytest.mark.parametrize("changes", [True, False])
def test_the_event_says_what_was_judged_and_whether_the_device_changed(
    device: FakeDevice,
    measured: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: bool,
) -> None:
    monkeypatch.setattr(events, "_LOG", [tmp_path / "events.jsonl"])
    device.changes = changes
    limits = slice_of(accuracy_drop_max=0.005)
    confirm(limits, "0", measured, tmp_path / "gates.json")
    event = json.loads((tmp_path / "events.jsonl").read_text())
    assert (event["step"], event["name"], event["changed"]) == ("gate", "bench/net", changes)
    record = read_validation(measured).model_dump(mode="json")
    judged = {"slice": limits, "code": "0", "validation": record}
    assert event["key"] == sha256_json(judged)


OTHER = "cd" * 32
OUTCOMES = {
    "the device went back to release cdcdcdcdcdcd": Rejection(current=OTHER, rolled_back=True),
    "the device now serves no release": Rejection(current=None, rolled_back=True),
    "not in use; the device still serves release cdc": Rejection(current=OTHER, rolled_back=False),
    "not in use; the device serves none": Rejection(current=None, rolled_back=False),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_gate_that_is_missed_rejects_the_release(
    device: FakeDevice, measured: Path, tmp_path: Path, outcome: str
) -> None:
    device.rejection, out = OUTCOMES[outcome], tmp_path / "gates.json"
    gates = slice_of(accuracy_min=0.999, latency_p90_ms_max=0.01, peak_rss_mb_max=9, parity_min=1)
    with pytest.raises(GateError) as caught:
        confirm(gates, "0", measured, out)
    text = caught.value.message
    assert caught.value.exit_code == 6
    assert text.startswith("bench/net misses 3 gates\n  - accuracy_min: 0.995 (must be >= 0.999)\n")
    assert "latency_p90_ms_max: 0.06 (must be <= 0.01)" in text
    assert "peak_rss_mb_max: not measured" in text
    assert "parity_min" not in text
    assert outcome in text
    reason = "missed accuracy_min, latency_p90_ms_max, peak_rss_mb_max"
    assert device.calls == [("reject", "net", SHA, reason)]
    assert not out.exists()


def test_a_gate_is_missed_whatever_the_device_answers(
    device: FakeDevice, measured: Path, tmp_path: Path
) -> None:
    device.fails = UnreachableError("bench does not answer")
    with pytest.raises(GateError) as caught:
        confirm(slice_of(accuracy_min=0.999), "0", measured, tmp_path / "gates.json")
    assert "accuracy_min: 0.995" in caught.value.message
    assert "what the device serves now is not known: bench does not answer" in caught.value.message


def test_what_was_not_measured_is_no_fault_of_the_model(
    device: FakeDevice, measured: Path, tmp_path: Path
) -> None:
    with pytest.raises(GateError) as caught:
        confirm(slice_of(energy_mj_max=1, peak_rss_mb_max=9), "0", measured, tmp_path / "g.json")
    hint = caught.value.hint
    assert "improve" not in hint
    assert "gave no figure for peak RSS: leave" in hint
    assert "powercap or hwmon" in hint
    with pytest.raises(GateError) as caught:
        confirm(slice_of(accuracy_min=0.999), "0", measured, tmp_path / "g.json")
    assert caught.value.hint.startswith("improve the model")
    assert "sensor" not in caught.value.hint

"""Gates on figures that a device cannot give."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from edgeflow.config.gates import all_declarations, all_figures, gates_model
from edgeflow.figures.figure import NOT_NEGATIVE, Figure
from edgeflow.figures.table import figure
from edgeflow.targets.litert import LiteRT
from edgeflow.targets.openvino import OpenVINO

Check = Callable[[object], dict[str, str]]
INSTRUCTIONS = Figure(
    name="instructions",
    title="instructions",
    meaning="number of instructions of one inference",
    kind="emulated",
    bound="max",
)

_FIELDS = (b"ssh-ed25519", bytes(32))
_BLOB = b"".join(len(field).to_bytes(4, "big") + field for field in _FIELDS)
KEY = f"ssh-ed25519 {b64encode(_BLOB).decode()}"


@pytest.fixture
def clockless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Litert, as if it drove an emulator."""
    runtime = LiteRT.runtime
    monkeypatch.setattr(
        LiteRT, "runtime", staticmethod(lambda options: replace(runtime(options), clock="none"))
    )


def gated(good: dict[str, Any], *devices: str, **gates: float) -> dict[str, Any]:
    good["deployments"] = [
        {"model": "cnn", "recipe": "fp32", "devices": [*devices], "gates": gates}
    ]
    return good


@pytest.mark.usefixtures("clockless")
def test_an_engine_without_a_clock_gives_no_latency(good: dict[str, Any], problems: Check) -> None:
    gates = {"latency_p90_ms_max": 5.0, "peak_rss_mb_max": 9.0, "model_bytes_max": 4096.0}
    assert problems(gated(good, "bench-pi", "bench-intel", **gates)) == {
        f"deployments.0.gates.{gate}": "the engine of target kind 'litert' has no clock, and so "
        f"no {title} (leave the gate out)"
        for gate, title in (("latency_p90_ms_max", "latency p90"), ("peak_rss_mb_max", "peak RSS"))
    }
    assert problems(gated(good, "bench-intel", **gates)) == {}


def test_what_only_a_device_gives_is_no_gate_of_what_is_compiled(
    good: dict[str, Any], problems: Check
) -> None:
    gates = {"latency_p90_ms_max": 5.0, "parity_min": 1.0, "model_bytes_max": 9.0}
    deployment = {"model": "cnn", "recipe": "fp32", "targets": ["pi", "intel"], "gates": gates}
    found = problems({**good, "deployments": [deployment]})
    assert found.keys() == {
        f"deployments.0.gates.{gate}" for gate in ("latency_p90_ms_max", "parity_min")
    }
    assert "what is only compiled for target kind 'litert' has no parity" in str(found)


@pytest.mark.usefixtures("clockless")
def test_a_gate_of_null_is_none_and_what_is_no_device_hides_nothing(
    good: dict[str, Any], problems: Check
) -> None:
    gated(good, "bench-pi", latency_p50_ms_max=5.0)
    good["deployments"][0]["gates"]["latency_p90_ms_max"] = None
    good["deployments"][0]["devices"].append({"name": "bench-intel"})
    assert set(problems(good)) == {
        "deployments.0.gates.latency_p50_ms_max",
        "deployments.0.devices.1",
    }


@pytest.mark.usefixtures("clockless")
def test_what_such_an_engine_counts_itself_is_named(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiteRT, "figures", (INSTRUCTIONS,), raising=False)
    (said,) = problems(gated(good, "bench-pi", latency_p50_ms_max=5.0)).values()
    assert "(gates on what it counts itself: instructions_max)" in said


@pytest.mark.usefixtures("clockless")
def test_a_target_may_measure_by_itself_what_its_engine_cannot_time(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(problems(gated(good, "bench-pi", energy_mj_max=5.0)))
    probe = replace(figure("energy_mj"), needs_clock=False)
    monkeypatch.setattr(LiteRT, "figures", (probe,), raising=False)
    assert problems(gated(good, "bench-pi", energy_mj_max=5.0)) == {}
    assert all_figures()["energy_mj"].needs_clock, "elsewhere"


def test_a_figure_of_another_target(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = replace(INSTRUCTIONS, name="hits", title="hits")
    monkeypatch.setattr(OpenVINO, "figures", (hits,), raising=False)
    found = problems(gated(good, "bench-pi", "bench-intel", hits_max=5.0))
    assert found == {
        "deployments.0.gates.hits_max": "target kind 'litert' has no hits "
        "(leave the gate out, or set it for devices of kind openvino alone)"
    }


def test_what_a_target_declares_is_a_gate_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OpenVINO, "figures", (INSTRUCTIONS,), raising=False)
    schema = gates_model(all_figures().values()).model_json_schema()
    said = schema["properties"]["instructions_max"]["description"]
    assert said == "Largest number of instructions of one inference."


def test_what_one_target_declares_narrows_no_other(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiteRT, "figures", (INSTRUCTIONS,), raising=False)
    other = (replace(INSTRUCTIONS, limit=NOT_NEGATIVE), replace(INSTRUCTIONS, name="hits"))
    monkeypatch.setattr(OpenVINO, "figures", other, raising=False)
    gates = gates_model(all_declarations())
    zero = gates.model_validate({"instructions_max": 0.0})
    assert zero.model_dump(exclude_none=True) == {"instructions_max": 0.0}
    with pytest.raises(ValidationError):
        gates.model_validate({"instructions_max": -1.0})

    found = problems(gated(good, "bench-pi", "bench-intel", instructions_max=0.0))
    assert found["deployments.0.gates.instructions_max"] == (
        "target kind 'litert' allows no limit of 0.0 for instructions "
        "(choose another limit, or leave the gate out)"
    )


def test_bounds_of_one_name_are_all_gates_each_for_its_own_target(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiteRT, "figures", (INSTRUCTIONS,), raising=False)
    monkeypatch.setattr(OpenVINO, "figures", (replace(INSTRUCTIONS, bound="min"),), raising=False)
    fields = gates_model(all_declarations()).model_fields
    assert {"instructions_max", "instructions_min"} <= set(fields)
    found = problems(gated(good, "bench-pi", "bench-intel", instructions_min=5.0))
    assert found["deployments.0.gates.instructions_min"] == (
        "target kind 'litert' has no gate instructions_min (did you mean 'instructions_max'?)"
    )


@pytest.mark.parametrize(
    "wrong",
    [{"name": "Energy"}, {"name": "2x"}, {"name": "a b"}, {"kind": "felt"}, {"bound": "mx"}],
)
def test_a_figure_of_another_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"figure .*{next(iter(wrong.values()))}"):
        replace(INSTRUCTIONS, **wrong)


def test_a_figure_that_the_options_of_a_target_exclude(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, hits = LiteRT.runtime, replace(INSTRUCTIONS, name="hits", title="hits")
    one, other = frozenset({"instructions"}), frozenset({"hits"})
    monkeypatch.setattr(LiteRT, "figures", (INSTRUCTIONS, hits), raising=False)
    monkeypatch.setattr(
        LiteRT,
        "runtime",
        staticmethod(lambda it: replace(runtime(it), figures=one, unit_figures=other)),
    )
    gates = {"hits_max": 5.0, "instructions_max": 5.0, "model_bytes_max": 5.0}
    assert problems(gated(good, "bench-pi", **gates)) == {
        "deployments.0.gates.hits_max": "target kind 'litert' with these options has no hits "
        "(gates on what it counts itself: instructions_max)"
    }
    good["devices"]["bench-pi"]["unit"] = {"serial": "A1"}
    found = problems(gated(good, "bench-pi", **gates))
    assert found["deployments.0.gates.instructions_max"] == (
        "target kind 'litert' with these options has no instructions on a `unit` "
        "(gates on what it counts itself: hits_max)"
    )
    assert "has no hits" not in found["deployments.0.gates.hits_max"]


def test_an_emulated_device_has_instructions_and_no_latency(
    good: dict[str, Any], problems: Check
) -> None:
    gates = {"latency_p90_ms_max": 5.0, "instructions_max": 9.0, "parity_min": 1.0}
    where = {"host": "pi", "user": "pi", "host_key": KEY, "identity": "key"}
    real = {"target": "pi", "transport": "ssh", "trust": "transport", **where}
    good["devices"]["bench-pi"] = real
    assert problems(gated(good, "bench-pi", **gates)) == {
        "deployments.0.gates.instructions_max": "only a device that is `emulated` has "
        "instructions (leave the gate out)"
    }
    good["devices"]["bench-pi"] = {**real, "emulated": True}
    assert problems(gated(good, "bench-pi", **gates)) == {
        "deployments.0.gates.latency_p90_ms_max": "a device that is `emulated` has no latency p90 "
        "(gate instructions_max, or leave the gate out)"
    }

"""What a device says: believed where it fits, else one clear failure and never a traceback."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from edgeflow.deploy.agent_answer import (
    Confirmed,
    No,
    ReadyForBundle,
    ReadyForData,
    RolledBack,
    Status,
    Switched,
)
from edgeflow.deploy.runner import LAYERS_MAX, Golden, Measured, Missing, golden, measured
from edgeflow.errors import DeployError
from edgeflow.remote.answer import Answer, MalformedError, Words, parse
from edgeflow.remote.channel import End, Failed, Ready, Receipt, Size

SHA = "0" * 64
CONDITIONS = {
    "cpu": "A53",
    "machine": "aarch64",
    "kernel": "6",
    "python": "3.9",
    "engine": "x 1",
    "governor": None,
    "temperature_c": 40,
    "throttled": False,
}
MEASURED = {
    "load_time_ms": 10.0,
    "latencies_ms": [1.0, 2],
    "peak_rss_mb": None,
    "outputs_sha256": {"output": SHA},
    "conditions": CONDITIONS,
}
ROOM = {"free_bytes": 9, "free_inodes": None}
READY = {**ROOM, "part": f"{SHA}.{SHA[:16]}.part", "received_bytes": 0}
GOOD: dict[type[BaseModel], dict[str, Any]] = {
    Ready: {"version": [3, 9, 2], "home": "/home/pi", "python": "/usr/bin/python3"},
    End: {"end": "exit", "code": 0},
    Receipt: {"have": 3, "sha256": SHA},
    Size: {"size": 9},
    Failed: {"failed": "ENOSPC", "detail": "No space left on device"},
    Golden: {"passed": True, "max_abs": {"output": 0.0}},
    Missing: {"missing": "No module named 'numpy'"},
    Measured: MEASURED,
    Status: {
        "current": SHA,
        "fault": None,
        "previous": None,
        "rejected": [],
        "releases": [SHA],
        "since_unix_s": 1.7e9,
        "state": "healthy",
        "pending": {"sha": SHA, "previous": None, "left_s": 59.5},
        "counter": 3,
        "signed_by": None,
        "trust": "transport",
        "free_bytes": 1 << 40,
        "python": "3.9.2",
        "machine": "aarch64",
        "zstd": None,
    },
    ReadyForBundle: {
        **ROOM,
        "intact": False,
        "held": [SHA],
        "received": {"delta.zst": 1},
        "signed_by": None,
    },
    ReadyForData: {**READY, "stored": False, "path": f"/home/pi/data/{SHA}/x.npy"},
    Switched: {"state": "healthy", "token": "ab" * 16, "current": SHA, "changed": True},
    Confirmed: {"state": "confirmed", "current": SHA},
    RolledBack: {"current": None, "rolled_back": True},
    No: {"error": "corrupt", "detail": "release x was changed"},
}


def read(kind: type[BaseModel], text: str | bytes) -> BaseModel:
    return parse(kind, text, device="device pi", program="the runner")


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_answer_is_taken(kind: type[BaseModel]) -> None:
    read(kind, json.dumps(GOOD[kind]))


TEXTS = {
    "nothing": "",
    "no JSON": "Traceback (most recent call last):",
    "null": "null",
    "a list": "[]",
    "deep": "[" * 100_000,
    "deep inside": '{"missing": ' + '{"a":' * 50_000,
    "a number of 10,000 digits": '{"missing": ' + "1" * 10_000 + "}",
    "half a character": '{"missing": "\\ud800"}',
    "half an escaped one": '{"missing": "\\ud800"}',
    "no UTF-8": b'{"missing": "\xff"}',
    "a NUL": '{"missing": "x"}\0',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("kind", [Missing, Measured])
def test_other_texts_are_malformed(kind: type[BaseModel], text: str | bytes) -> None:
    with pytest.raises(MalformedError, match="the runner on device pi gave a malformed") as caught:
        read(kind, text)
    assert caught.value.exit_code == 5
    assert len(str(caught.value)) < 1500


class Named(Answer):
    number: int
    words: Words


@pytest.mark.parametrize("number", ["1", True, 1.5, None])
def test_nothing_is_converted(number: Any) -> None:
    with pytest.raises(MalformedError, match="number: Input should be a valid integer"):
        read(Named, json.dumps({"number": number, "words": ""}))


def test_words_are_one_clean_line() -> None:
    answer = read(Named, json.dumps({"number": 1, "words": " \x1b[31ma\r\n b\u202e\u2028c\x00 "}))
    assert answer == Named(number=1, words="a bc")


def test_what_is_malformed_is_quoted_safely() -> None:
    with pytest.raises(MalformedError) as caught:
        read(Named, json.dumps({"number": "\x1b[2J" + "x" * 9999, "\x1b]0;t\x07": 1}))
    assert "\x1b" not in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(list(GOOD)), data=st.data())
def test_no_answer_raises_anything_else(kind: type[BaseModel], data: Any) -> None:
    """Replace one value of a good answer by any other, or cut the text anywhere."""
    record = json.loads(json.dumps(GOOD[kind]))
    place = record
    if kind is Measured and data.draw(st.booleans()):
        place = record["conditions"]
    place[data.draw(st.sampled_from(sorted(place)) | st.text(max_size=9))] = data.draw(VALUES)
    text = json.dumps(record)
    end = data.draw(st.just(len(text)) | st.integers(0, len(text)))
    with contextlib.suppress(MalformedError):
        read(kind, text[:end])


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read(Measured, data)


def test_golden_vectors_pass_within_the_bundles_own_tolerances() -> None:
    def judge(scores: float, boxes: float, **record: Any) -> Golden:
        text = json.dumps({"passed": True, "max_abs": {"s": scores, "b": boxes}, **record})
        return golden(text, {"s": 0.5, "b": 2.0}, device="pi", model="net")

    assert judge(0.5, 2.0).passed
    with pytest.raises(DeployError, match="differ on device pi: s by 0.6, allowed are 0.5\n"):
        judge(0.6, 2.0, tolerance=9.0)
    with pytest.raises(DeployError, match="s by 0.7, allowed are 0.5; b by 3, allowed are 2"):
        judge(0.7, 3.0)
    with pytest.raises(DeployError, match="differ"):
        judge(0.1, 0.1, passed=False)
    for record in ({"passed": "yes"}, {"max_abs": {"s": 0.0, "b": -1.0}}, {"max_abs": 0.0}):
        with pytest.raises(MalformedError):
            judge(0.0, 0.0, **record)


@pytest.mark.parametrize("found", [{}, {"s": 0.0}, {"s": 0.0, "b": 0.0, "c": 0.0}])
def test_an_answer_is_of_all_outputs_and_no_others(found: dict[str, float]) -> None:
    text = json.dumps({"passed": True, "max_abs": found})
    with pytest.raises(MalformedError, match="they are s, b"):
        golden(text, {"s": 1.0, "b": 1.0}, device="pi", model="net")


@pytest.mark.parametrize(
    "figures",
    [
        {"two words": 1},
        {"1st": 1},
        {"x" * 65: 1},
        {"energy_mj": float("nan")},
        {"energy_mj": float("-inf")},
        {"energy_mj": -0.5},
        {"instructions": -5},
        {"energy_mj": "3"},
        {"energy_mj": True},
        {"energy_mj": None},
        {f"f{number}": number for number in range(65)},
    ],
    ids=str,
)
def test_figures_of_an_engine_are_finite_named_and_few(figures: dict[str, Any]) -> None:
    good = {"instructions": 1 << 40, "energy_mj": 0.5}
    answer = read(Measured, json.dumps({**MEASURED, "figures": good}))
    assert isinstance(answer, Measured)
    assert answer.figures == good
    assert isinstance(answer.figures["instructions"], int)
    with pytest.raises(MalformedError, match="figures"):
        read(Measured, json.dumps({**MEASURED, "figures": figures}))


def test_a_host_without_sensors_has_conditions_too() -> None:
    sensors = ("governor", "temperature_c", "throttled")
    few = {name: value for name, value in CONDITIONS.items() if name not in sensors}
    answer = read(Measured, json.dumps({**MEASURED, "conditions": few}))
    assert isinstance(answer, Measured)
    assert answer.conditions.throttled is None


NAMES: Any = {"outputs": ["output"], "device": "pi", "model": "net"}
LAYER = {"name": "Convolution_1", "type": "Convolution", "kernel": "gemm_f32", "time_us": 9e5}
UNTIMED = {**MEASURED, "load_time_ms": None, "latencies_ms": []}


@pytest.mark.parametrize(
    ("runs", "changes", "said"),
    [
        (0, {"latencies_ms": [1.0]}, "1 latencies instead of 0"),
        (0, {"load_time_ms": 1.0}, "of an engine without a clock"),
        (0, {"peak_rss_mb": 1.0}, "of an engine without a clock"),
        (0, {"layers": [LAYER]}, "of an engine without a clock"),
        (2, {}, "0 latencies instead of 2"),
        (2, {"latencies_ms": [1.0, 2.0]}, "no load time"),
    ],
)
def test_an_engine_has_a_clock_or_not(runs: int, changes: dict[str, Any], said: str) -> None:
    assert measured(json.dumps(UNTIMED), 0, 0.0, **NAMES).latencies_ms == []
    with pytest.raises(MalformedError, match=said):
        measured(json.dumps({**UNTIMED, **changes}), runs, 9.0, **NAMES)


@pytest.mark.parametrize("name", ["instruction_sets", "cores"])
def test_lists_of_conditions_are_bounded(name: str) -> None:
    def record(count: int) -> str:
        return json.dumps({**MEASURED, "conditions": {**CONDITIONS, name: ["x"] * count}})

    read(Measured, record(64))
    with pytest.raises(MalformedError, match=name):
        read(Measured, record(65))


def test_no_more_work_is_believed_than_the_run_had_time_for() -> None:
    def judge(elapsed_s: float) -> Measured:
        text = json.dumps(MEASURED)
        return measured(text, 2, elapsed_s, **NAMES)

    assert judge(0.013).latencies_ms == [1.0, 2.0]
    for many, claimed in (({"latencies_ms": [500.0, 500.0]}, 1.01), ({"layers": [LAYER]}, 0.913)):
        with pytest.raises(MalformedError, match=f"{claimed} s of work in a run of 0.7 s"):
            measured(json.dumps({**MEASURED, **many}), 2, 0.7, **NAMES)


@pytest.mark.parametrize(
    "layers",
    [
        [{**LAYER, "time_us": -1.0}],
        [{**LAYER, "time_us": float("nan")}],
        [{**LAYER, "name": None}],
        [{"name": "Convolution_1"}],
        [LAYER] * (LAYERS_MAX + 1),
        "Convolution_1",
    ],
    ids=lambda layers: f"{layers}"[:40],
)
def test_times_of_layers_are_finite_named_and_bounded(layers: Any) -> None:
    answer = read(Measured, json.dumps({**MEASURED, "layers": [{**LAYER, "name": "a\x1b[31m"}]}))
    assert isinstance(answer, Measured)
    assert "\x1b" not in answer.layers[0].name
    with pytest.raises(MalformedError, match="layers"):
        read(Measured, json.dumps({**MEASURED, "layers": layers}))

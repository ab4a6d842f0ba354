import dataclasses
import json
from pathlib import Path

import pytest

from edgeflow.artifact import events, step
from edgeflow.artifact.entry import describe
from edgeflow.artifact.events import ElsewhereError, set_event_log
from edgeflow.artifact.manifest import verify_files
from edgeflow.artifact.step import StepSpec, content_digest, identify, only_look_up, run_step
from edgeflow.artifact.store import Store
from edgeflow.errors import IntegrityError, MissingToolError, TrainingError


@pytest.fixture
def spec(tmp_path: Path) -> StepSpec:
    """A step with one input file."""
    data = tmp_path / "data.bin"
    data.write_bytes(b"abc")
    return StepSpec(
        step="train",
        name="cnn",
        inputs={"data": data},
        slice={"epochs": 2},
        code="c0de",
        tools=("pydantic",),
    )


def build(folder: Path) -> dict[str, object]:
    (folder / "model.bin").write_bytes(b"model")
    return {"accuracy": 0.5}


def failing(folder: Path) -> dict[str, object]:
    (folder / "model.bin").write_bytes(b"half")
    raise TrainingError("diverged")


def test_outputs_and_manifest_are_published(spec: StepSpec, tmp_path: Path) -> None:
    manifest = run_step(spec, tmp_path / "out", build)
    assert verify_files(tmp_path / "out" / "manifest.json") == manifest
    assert list(manifest.files) == ["model.bin"]
    assert manifest.facts == {"accuracy": 0.5}


def test_two_builds_in_two_folders_are_the_same_bytes(spec: StepSpec, tmp_path: Path) -> None:
    elsewhere = tmp_path / "a" / "deeper" / "place"
    elsewhere.mkdir(parents=True)
    (elsewhere / "copy.bin").write_bytes(b"abc")
    run_step(spec, tmp_path / "one", build)
    moved = dataclasses.replace(spec, inputs={"data": elsewhere / "copy.bin"})
    run_step(moved, elsewhere / "two", build)
    text = (tmp_path / "one" / "manifest.json").read_text()
    assert (elsewhere / "two" / "manifest.json").read_text() == text
    assert str(tmp_path) not in text


def test_an_entry_without_the_manifest_counts_as_none(
    spec: StepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEFLOW_STORE", str(tmp_path / "store"))
    (tmp_path / "forged").mkdir()
    (tmp_path / "forged/other").write_bytes(b"x")
    Store(tmp_path / "store").put(
        describe("cnn", identify(spec), tmp_path / "forged"), tmp_path / "forged"
    )
    run_step(spec, tmp_path / "out", build)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "model.bin",
    ]


def test_a_failure_leaves_out_as_it_was(spec: StepSpec, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(TrainingError):
        run_step(spec, out, failing)
    assert not out.exists()
    run_step(spec, out, build)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(TrainingError):
        run_step(spec, out, failing)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.bin", "out"]


def test_the_key_depends_on_all_that_may_change_the_output(
    spec: StepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_LOG", [])
    set_event_log(tmp_path / "events.jsonl")
    other = tmp_path / "other.bin"
    other.write_bytes(b"abd")
    variants = [
        spec,
        dataclasses.replace(spec, name="renamed"),
        dataclasses.replace(spec, inputs={"data": other}),
        dataclasses.replace(spec, slice={"epochs": 3}),
        dataclasses.replace(spec, code="c0df"),
        dataclasses.replace(spec, tools=("pydantic", "pyyaml")),
        dataclasses.replace(spec, step="compress"),
    ]
    for variant in variants:
        run_step(variant, tmp_path / "out", build)
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    keys = [json.loads(line)["key"] for line in lines]
    assert keys[0] == keys[1]
    assert len(set(keys)) == len(variants) - 1


def test_a_manifest_counts_by_what_was_made(spec: StepSpec, tmp_path: Path) -> None:
    run_step(spec, tmp_path / "one", build)
    run_step(dataclasses.replace(spec, code="new"), tmp_path / "two", build)
    run_step(spec, tmp_path / "three", lambda folder: {**build(folder), "accuracy": 0.6})
    one, two, three = (
        content_digest(tmp_path / name / "manifest.json") for name in ("one", "two", "three")
    )
    assert one == two != three


def test_a_missing_input_says_what_to_run(spec: StepSpec, tmp_path: Path) -> None:
    missing = dataclasses.replace(spec, inputs={"data": tmp_path / "absent.bin"})
    with pytest.raises(IntegrityError, match=r"absent\.bin is not there") as caught:
        run_step(missing, tmp_path / "out", build)
    assert "edgeflow run" in caught.value.hint


def test_a_missing_tool_is_told_before_anything_runs(spec: StepSpec, tmp_path: Path) -> None:
    with pytest.raises(MissingToolError):
        run_step(dataclasses.replace(spec, tools=("no-such",)), tmp_path / "out", failing)


def test_a_step_that_may_only_look_up_builds_nothing_and_leaves_no_trace(
    spec: StepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEFLOW_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(events, "_LOG", [tmp_path / "events.jsonl"])
    monkeypatch.setitem(step._BUILDS, "here", True)
    only_look_up()
    with pytest.raises(ElsewhereError):
        run_step(spec, tmp_path / "out", failing)
    assert not (tmp_path / "events.jsonl").exists()
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(("out", "model"))]

    monkeypatch.setitem(step._BUILDS, "here", True)
    made = run_step(spec, tmp_path / "out", build)
    only_look_up()
    assert run_step(spec, tmp_path / "again", failing) == made

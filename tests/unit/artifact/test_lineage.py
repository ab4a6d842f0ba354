import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from edgeflow.artifact.lineage import differences, origin, previous
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.artifact.store import Store
from edgeflow.errors import EdgeflowError


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The outputs of a step that used a store."""
    monkeypatch.setenv("EDGEFLOW_STORE", str(tmp_path / "store"))
    data = tmp_path / "data.bin"
    data.write_bytes(b"abc")

    def build(folder: Path) -> dict[str, object]:
        (folder / "compiled").mkdir()
        (folder / "compiled" / "model.bin").write_bytes(b"model")
        return {}

    spec = StepSpec(
        step="compile", name="pi/net", inputs={"data": data}, slice={"threads": 2},
        code="c0de", tools=("numpy",), manifest="compile.json",
    )  # fmt: skip
    run_step(spec, tmp_path / "out", build)
    return tmp_path / "out"


def test_a_file_is_found_in_the_manifest_above_it(built: Path, store: Store) -> None:
    made = origin(built / "compiled" / "model.bin")
    assert (made.manifest, made.as_built) == (built / "compile.json", True)
    assert made.identity["slice"] == {"threads": 2}
    [entry] = store.entries()
    assert (made.key, made.identity) == (entry.key, entry.identity)
    assert origin(built / "compile.json").key == made.key


@pytest.mark.parametrize("change", ["edit", "remove"])
def test_a_file_that_is_no_longer_what_was_built(built: Path, change: str) -> None:
    path = built / "compiled" / "model.bin"
    path.unlink()
    if change == "edit":
        path.write_bytes(b"other")
    assert not origin(path).as_built


def test_a_file_that_no_step_made(built: Path) -> None:
    (built / "notes.txt").write_text("mine")
    with pytest.raises(EdgeflowError, match="no manifest lists"):
        origin(built / "notes.txt")


def test_the_build_before_is_the_projects_own(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = origin(built / "compile.json")
    log = tmp_path / "logs/events.jsonl"
    log.parent.mkdir()

    def event(key: str, name: str = "pi/net", outcome: str = "done") -> str:
        return json.dumps({"step": "compile", "name": name, "key": key, "outcome": outcome})

    mine = event(made.key)
    for lines, wanted in (
        ([], None),
        ([event("a")], None),  # this build itself is not in the log
        ([mine], None),
        ([event("a"), mine], "a"),
        ([event("a"), event("b"), mine, event("c")], "b"),
        ([event("a"), mine, event("b"), mine], "b"),
        ([event("a"), event("b", "pi/other"), event("c", outcome="failed"), mine], "a"),
        ([event("a"), "{torn", "[]", mine, mine], "a"),
    ):
        log.write_text("\n".join(lines))
        assert previous(made) == wanted


def test_differences_are_dotted_paths() -> None:
    old: dict[str, JsonValue] = {
        "slice": {"train": {"epochs": 1, "lr": 0.1}, "w": [1]}, "code": "a", "tools": {},
    }  # fmt: skip
    new: dict[str, JsonValue] = {
        "slice": {"train": {"epochs": 2, "lr": 0.1}, "w": [1, 2]},
        "code": "b",
        "tools": {"numpy": "2"},
    }
    assert differences(old, new) == {
        "code": ["a", "b"],
        "slice.train.epochs": [1, 2],
        "slice.w": [[1], [1, 2]],
        "tools.numpy": [None, "2"],
    }
    assert differences(old, old) == {}

from pathlib import Path

import pytest
from pydantic import JsonValue

from edgeflow.artifact.lineage import differences, origin, previous
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.artifact.store import Store
from edgeflow.errors import EdgeflowError
from tests.unit.artifact.conftest import Make


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
        step="compile", name="pi/net", inputs={"data": data}, options={"threads": 2},
        code="c0de", tools=("numpy",), manifest="compile.json",
    )  # fmt: skip
    run_step(spec, tmp_path / "out", build)
    return tmp_path / "out"


def test_a_file_is_found_in_the_manifest_above_it(built: Path, store: Store) -> None:
    made = origin(built / "compiled" / "model.bin")
    assert (made.manifest, made.as_built) == (built / "compile.json", True)
    assert made.identity["options"] == {"threads": 2}
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


def test_the_previous_build_is_the_last_used_other_one(store: Store, make: Make) -> None:
    entries = []
    for name, epochs in (("net", 1), ("net", 2), ("other", 3), ("net", 4)):
        entry, folder = make(name, epochs=epochs)
        store.put(entry, folder)
        entries.append(entry)
    assert previous(store, entries[3]) == entries[1]
    assert previous(store, entries[1]) == entries[3]
    assert previous(store, entries[2]) is None


def test_differences_are_dotted_paths() -> None:
    old: dict[str, JsonValue] = {
        "options": {"train": {"epochs": 1, "lr": 0.1}, "w": [1]}, "code": "a", "tools": {},
    }  # fmt: skip
    new: dict[str, JsonValue] = {
        "options": {"train": {"epochs": 2, "lr": 0.1}, "w": [1, 2]},
        "code": "b",
        "tools": {"numpy": "2"},
    }
    assert differences(old, new) == {
        "code": ["a", "b"],
        "options.train.epochs": [1, 2],
        "options.w": [[1], [1, 2]],
        "tools.numpy": [None, "2"],
    }
    assert differences(old, old) == {}

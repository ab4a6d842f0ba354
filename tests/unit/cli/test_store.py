import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeflow.artifact import events
from edgeflow.artifact.events import EVENTS
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.artifact.store import Store
from edgeflow.cli.app import main
from tests.unit.cli.conftest import Cli
from tests.unit.cli.test_app import HEAVY


def build_net(project: Path, epochs: int, code: str) -> None:
    def build(folder: Path) -> dict[str, object]:
        (folder / "model.bin").write_bytes(b"m" * 2000)
        return {}

    spec = StepSpec(
        step="train", name="net", inputs={"dataset": project / "config.yaml"},
        slice={"train": {"epochs": epochs}}, code=code, tools=("numpy",),
    )  # fmt: skip
    run_step(spec, project / "out", build)


@pytest.fixture
def kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with two builds of one training; the folder `out` has the second."""
    root = project / "cache" / "store"
    monkeypatch.setenv("EDGEFLOW_STORE", str(root))
    monkeypatch.setattr(events, "_LOG", [project / EVENTS])

    for epochs, code in ((1, "old"), (2, "new")):
        build_net(project, epochs, code)
    monkeypatch.setattr(events, "_LOG", [])
    return Store(root)


@pytest.fixture
def edgeflow(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    """Run the command line in this process, which is faster."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        monkeypatch.chdir(project)
        monkeypatch.setattr(sys, "argv", ["edgeflow", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run


def age(store: Store) -> None:
    for path in store.root.glob("*/*/*"):
        os.utime(path, (time.time() - 40 * 86400,) * 2)


def test_ls(edgeflow: Cli, kept: Store) -> None:
    done = edgeflow("store", "ls")
    assert done.returncode == 0, done.stderr
    for line, key in zip(done.stdout.splitlines(), kept.keys_by_use(), strict=True):
        assert line.startswith(key[:12])
        assert line.split()[-2:] == ["train", "net"]
    rows = json.loads(edgeflow("store", "ls", "--json").stdout)
    assert [row["key"] for row in rows] == kept.keys_by_use()
    assert {(row["step"], row["name"], row["size_bytes"] > 2000) for row in rows} == {
        ("train", "net", True)
    }


def test_the_configuration_says_where_the_store_is(
    edgeflow: Cli, kept: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGEFLOW_STORE")
    with (project / "config.yaml").open("a") as file:
        file.write(f"store: {{path: {project}/cache}}\n")
    assert len(edgeflow("store", "ls").stdout.splitlines()) == 2
    monkeypatch.setenv("EDGEFLOW_STORE", "off")
    done = edgeflow("store", "ls")
    assert done.returncode == 1
    assert "the store is off" in done.stderr


def test_show_takes_a_key_its_start_or_a_file(edgeflow: Cli, kept: Store) -> None:
    key = kept.keys_by_use()[-1]
    texts = {edgeflow("store", "show", what).stdout for what in (key, key[:20], "out/model.bin")}
    [text] = texts
    assert text.startswith(f"{key}\ntrain net, ")
    assert 'slice: {"train": {"epochs": 2}}' in text
    value = json.loads(edgeflow("store", "show", key, "--json").stdout)
    assert value["files"]["model.bin"]["size_bytes"] == 2000
    for what in ("f00d", ""):
        done = edgeflow("store", "show", what)
        assert done.returncode == 1
        assert "edgeflow store ls" in done.stderr


def test_verify_drops_what_is_corrupt_and_exits_with_8(edgeflow: Cli, kept: Store) -> None:
    assert edgeflow("store", "verify").stdout == "2 entries read, 0 dropped\n"
    manifest = kept.find(kept.keys_by_use()[0])
    assert manifest is not None
    blob = kept.blob_path(manifest.files["manifest.json"].sha256)
    blob.unlink()
    blob.write_bytes(b"rot")
    kept.entry_path(kept.keys_by_use()[1]).write_text("{}")
    done = edgeflow("store", "verify")
    assert done.returncode == 8
    assert done.stdout == "2 entries read, 2 dropped\n"
    assert f"drops {manifest.key[:12]}: manifest.json has other bytes" in done.stderr
    assert "does not match its seal" in done.stderr
    assert edgeflow("store", "verify").returncode == 0


def test_gc_by_age(edgeflow: Cli, kept: Store) -> None:
    assert edgeflow("store", "gc", "--older-than", "30d").stdout == "0 entries, 0 files, 0B freed\n"
    age(kept)
    dry = edgeflow("store", "gc", "--older-than", "30d", "--dry-run").stdout.splitlines()
    assert dry[-1].endswith(" would go")
    assert len(kept.keys_by_use()) == 2
    done = edgeflow("store", "gc", "--older-than", "30d").stdout.splitlines()
    assert done[:2] == dry[:2]
    assert done[2].startswith("2 entries, 3 files, ")
    assert [path for path in kept.root.rglob("*") if path.is_file()] == []


def test_gc_by_size_spares_what_is_new(edgeflow: Cli, kept: Store) -> None:
    done = edgeflow("store", "gc", "--max-size", "0B").stdout.splitlines()
    assert done[2:] == [
        "2 entries, 0 files, 0B freed",
        f"{sum(path.stat().st_size for path in kept.root.glob('blobs/*/*')) / 1000:.1f}KB"
        " more go later: new in the last 10 min",
    ]


@pytest.mark.parametrize(
    "arguments", [("--max-size", "much"), ("--older-than", "30"), ("--older-than", "1y")]
)
def test_gc_with_words_it_does_not_know(
    edgeflow: Cli, kept: Store, arguments: tuple[str, str]
) -> None:
    done = edgeflow("store", "gc", *arguments)
    assert done.returncode == 2
    assert f"'{arguments[1]}' is no" in done.stderr
    assert len(kept.keys_by_use()) == 2


def test_explain_says_what_made_a_file_and_what_changed(
    edgeflow: Cli, kept: Store, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")  # builds the same name, with the same store, since
    (other / "config.yaml").write_text("of another project")
    build_net(other, 3, "new")
    done = edgeflow("explain", "out/model.bin")
    assert done.returncode == 0, done.stderr
    old, new, _ = kept.keys_by_use()
    assert done.stdout.startswith("out/model.bin: made by the step train\n  input dataset: ")
    assert done.stdout.endswith(
        f"in the store as {new[:12]} (net)\n"
        f"differs from {old[:12]}, the build before, in\n"
        "  code\n"
        "  slice train.epochs: 1 -> 2\n"
    )
    value = json.loads(edgeflow("explain", "out/model.bin", "--json").stdout)
    assert value["differences"] == {"code": ["old", "new"], "slice.train.epochs": [1, 2]}
    assert (value["in_store"], value["as_built"], value["key"]) == (True, True, new)


def test_explain_names_what_cannot_be_made_again(edgeflow: Cli, kept: Store, project: Path) -> None:
    assert "not reproducible" not in edgeflow("explain", "out/model.bin").stdout
    path = project / "out" / "manifest.json"
    path.write_text(path.read_text().replace('"epochs": 2', '"deterministic": false'))
    told = path.read_text().replace('"machine": "', '"machine": "g++ 12\\nfree software ')
    path.write_text(told)
    said = edgeflow("explain", "out/model.bin").stdout
    assert "not reproducible: trained with" in said
    assert "  tool machine: g++ 12\n    free software " in said
    assert (
        json.loads(edgeflow("explain", "out/model.bin", "--json").stdout)["reproducible"] is False
    )


def test_explain_without_a_store_or_a_build_before(
    edgeflow: Cli, kept: Store, project: Path
) -> None:
    old = kept.keys_by_use()[0]
    kept.entry_path(old).unlink()
    gone = f"the build before, {old[:12]}, is no longer in the store"
    assert gone in edgeflow("explain", "out/model.bin").stdout
    shutil.rmtree(kept.root)
    (project / EVENTS).unlink()
    assert "no build of it before is in logs" in edgeflow("explain", "out/model.bin").stdout
    (project / "out" / "model.bin").unlink()
    text = edgeflow("explain", "out/model.bin").stdout
    assert "and changed or removed since" in text
    assert "not in the store" in text
    done = edgeflow("explain", "config.yaml")
    assert done.returncode == 1
    assert "no manifest lists config.yaml" in done.stderr


def test_a_hit_imports_nothing_heavy(cli: Cli, kept: Store) -> None:
    slice_ = json.dumps({"source": "digits", "limit": 200, "calibration": 20})
    arguments = ("dataset", "--name", "digits", "--slice", slice_, "--code", "0")
    assert cli(*arguments, "--out", "first").returncode == 0
    done = cli(*arguments, "--out", "second", options=("-X", "importtime"))
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    modules = {line.rpartition("|")[2].strip() for line in lines}
    assert "edgeflow.artifact.store" in modules
    tops = {module.partition(".")[0] for module in modules}
    assert tops & (HEAVY | {"fsspec", "s3fs", "yaml", "rich"}) == set()
    assert modules & {"edgeflow.plan", "edgeflow.config.load", "edgeflow.artifact.remote"} == set()

"""Models on a device: listed, and removed by name alone."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from edgeflow.artifact.atomic import write_json
from edgeflow.cli.app import app
from edgeflow.config.device import FOLDERS
from edgeflow.deploy.release import connect
from edgeflow.ondevice import agent
from tests.unit.deploy.conftest import Lab

MakeBundle = Callable[..., Path]
CONFIG: dict[str, Any] = {
    "datasets": {"digits": {"source": "digits"}},
    "models": {"kept": {"dataset": "digits", "architecture": {"name": "ds_cnn"}}},
    "recipes": {"fp32": {}},
    "targets": {"pi": {"kind": "litert"}},
    "devices": {"bench": {"target": "pi", "transport": "virtual"}},
    "deployments": [{"model": "kept", "recipe": "fp32", "devices": ["bench"]}],
}


def test_a_renamed_model_is_listed_and_removed(
    own_lab: Lab, make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = own_lab.device()
    device = address.identity.parent.name
    config = {**CONFIG, "devices": {device: CONFIG["devices"]["bench"]}}
    config["deployments"] = [{**CONFIG["deployments"][0], "devices": [device]}]
    Path("config.yaml").write_text(yaml.safe_dump(config))
    sha = own_lab.serve(address, make_bundle())
    root = own_lab.root(address) / "edgeflow"
    shutil.copytree(root / "net", root / "kept", symlinks=True)
    data = tmp_path / "x.npy"
    data.write_bytes(b"x")
    with connect(own_lab.endpoint(address)) as opened:
        opened.send_data(data)
    own = {path.name for path in root.iterdir()} - {"net", "kept"}
    assert own == {"bin", "data"}
    assert own <= FOLDERS  # so no model may have such a name

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["device", *arguments])

    listed = json.loads(run("models", "--json").stdout)[device]
    assert {it["model"]: (it["current_sha256"], it["configured"]) for it in listed} == {
        "kept": (sha, True),
        "net": (sha, False),
    }
    lines = run("models", device).stdout.splitlines()
    assert [line.split()[1:3] for line in lines[1:]] == [["kept", sha[:12]], ["net", sha[:12]]]
    assert [line.endswith("not in config.yaml") for line in lines[1:]] == [False, True]
    for name in ("kept", "../kept", "bin/..", "-x"):
        assert run("remove", device, name).exit_code == 2
    no_model = run("remove", device, "data")  # a folder of that name, but no model
    assert no_model.exit_code == 5
    assert f"error: device {device}: there is no model data to remove" in no_model.stderr
    assert f"edgeflow device models {device}" in no_model.stderr
    record = Path("results/devices", device, "net/gates.json")
    write_json(record, {})
    done = run("remove", device, "net")
    assert (done.exit_code, done.stdout) == (0, f"{device}: net: removed\n")
    assert {path.name for path in root.iterdir()} == {"kept", *own}
    assert not record.parent.exists()  # or the next build would take it for deployed
    write_json(record, {})
    assert run("remove", device, "net").exit_code == 5
    assert not record.parent.exists()


@pytest.mark.parametrize("step", range(1, 16))
def test_a_removal_that_is_killed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: int
) -> None:
    model = tmp_path / "root/net"
    names = ("releases/one/a", "releases/two/b", "incoming/c.part", "journal.json")
    for name in names:
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text("{}")
    (model / "current").symlink_to("releases/one")
    count = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                raise SystemExit
            return call(*arguments, **options)

        return run

    with monkeypatch.context() as patch:
        for name in ("unlink", "remove", "rmdir"):
            patch.setattr(os, name, counted(getattr(os, name)))
        with pytest.raises(SystemExit):
            agent.main(["forget", str(model)])
    if model.exists():
        if (model / "current").is_symlink():  # what may be in use is whole
            assert all((model / name).is_file() for name in names)
        agent.main(["models", str(tmp_path / "root")])
        left = '"name": "net"' in capsys.readouterr().out
        assert agent.main(["forget", str(model)]) == (0 if left else 70)
        assert not left or not model.exists()


def test_a_removal_takes_the_releases_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "net"
    (model / "releases/one").mkdir(parents=True)
    (model / "audit.log").write_text("")
    found, rmtree = [], shutil.rmtree

    def seen(path: str) -> None:
        left = {entry.name for entry in model.iterdir()} - {"lock"}
        found.append((os.path.relpath(path, model), left))
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", seen)
    assert agent.main(["forget", str(model)]) == 0
    assert found == [("releases", {"releases"})]
    assert not model.exists()


def model_in(folder: Path) -> Path:
    (folder / "net/releases/one").mkdir(parents=True)
    return folder / "net"


def test_a_verb_that_comes_while_a_model_is_removed_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has opened the lock of a folder that is gone: that lock keeps nobody out."""
    model, flock = model_in(tmp_path), fcntl.flock

    def late(file: Any, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        assert agent.main(["forget", str(model)]) == 0
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert agent.main(["prune", str(model), "3"]) == 75
    assert "is being removed" in capsys.readouterr().out
    assert not model.exists()
    assert agent.main(["prune", str(model), "3"]) == 0


def test_a_folder_that_goes_before_its_lock_is_opened_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, makedirs = model_in(tmp_path), os.makedirs

    def late(path: str, *, exist_ok: bool) -> None:
        makedirs(path, exist_ok=exist_ok)
        monkeypatch.setattr(os, "makedirs", makedirs)
        assert agent.main(["forget", str(model)]) == 0

    monkeypatch.setattr(os, "makedirs", late)
    assert agent.main(["prune", str(model), "3"]) == 75
    assert not model.exists()


def test_a_removal_holds_the_lock_to_its_end_and_spares_who_comes_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rmdir, unlink = model_in(tmp_path), os.rmdir, os.unlink
    codes: list[int] = []

    def prune() -> None:
        codes.append(agent.main(["prune", str(model), "3"]))

    def before(path: Any, **options: Any) -> None:
        if path == str(model / "lock"):
            prune()
        unlink(path, **options)

    def between(path: Any, **options: Any) -> None:
        if path == str(model):
            prune()
        rmdir(path, **options)

    monkeypatch.setattr(os, "unlink", before)
    monkeypatch.setattr(os, "rmdir", between)
    assert agent.main(["forget", str(model)]) == 0
    assert codes == [75, 0]
    assert {entry.name for entry in model.iterdir()} == {"lock", "releases"}

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeflow.artifact.manifest import verify_files
from edgeflow.train.build import train_model
from edgeflow.train.checkpoint import Checkpoint, Progress

SLICE = {
    "architecture": {"name": "convnet", "channels": [4], "kernel": 3, "dense": 8},
    "train": {"epochs": 6, "learning_rate": 0.01, "schedule": "cosine", "threads": 1},
}
TRAIN_AND_DIE = """
import os, sys, signal
from pathlib import Path
from edgeflow.train import loop
from edgeflow.train.build import train_model
from edgeflow.train.checkpoint import Checkpoint

loop.SAVE_EVERY_S = 0
save = Checkpoint.save

def save_and_die(self, progress):
    save(self, progress)
    if len(progress.rows) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoint.save = save_and_die
train_model("net", Path(sys.argv[1]), {slice}, "0", Path(sys.argv[2]))
"""
PROGRESS = Progress(
    rows=[{"epoch": 1, "val_loss": 0.1 + 0.2}],
    weights=[np.arange(3.0), np.ones((2, 2), np.float32)],
    optimizer=[np.array(7)],
    best=[np.zeros(11) + index for index in range(11)],
)


@pytest.fixture(autouse=True)
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEFLOW_STORE", "off")


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def undisturbed(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "float"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEFLOW_STORE", "off")
        train_model("net", digits, SLICE, "0", out)
    return out


@pytest.fixture
def killed(digits: Path, tmp_path: Path) -> Path:
    """The output folder of a training that was killed after its third epoch."""
    out = tmp_path / "float"
    program = TRAIN_AND_DIE.format(slice=SLICE)
    command = [sys.executable, "-c", program, str(digits), str(out)]
    assert subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == -9
    assert not out.exists()
    return out


def test_a_killed_training_ends_in_the_same_bytes(
    digits: Path, undisturbed: Path, killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_model("net", digits, SLICE, "0", killed)
    assert "train net: continues after epoch 3 of 6\n" in capsys.readouterr().err
    assert files_of(killed) == files_of(undisturbed)
    assert [path.name for path in killed.parent.iterdir()] == ["float"]


def test_a_checkpoint_serves_no_other_training(
    digits: Path, killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {**SLICE, "train": {**SLICE["train"], "epochs": 1}}
    train_model("net", digits, other, "0", killed)
    said = capsys.readouterr().err
    assert "is dropped: it is of a training with other data, settings, code or tools" in said
    assert verify_files(killed / "manifest.json").facts["epochs"] == 1
    assert [path.name for path in killed.parent.iterdir()] == ["float"]


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "kept", "key")
    assert checkpoint.load() is None
    checkpoint.save(PROGRESS)
    loaded = checkpoint.load()
    assert loaded is not None
    assert repr(loaded.rows) == repr(PROGRESS.rows)
    for group in ("weights", "optimizer", "best"):
        wanted, found = getattr(PROGRESS, group), getattr(loaded, group)
        assert [array.dtype for array in found] == [array.dtype for array in wanted]
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_corrupt_checkpoint_is_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    checkpoint = Checkpoint(tmp_path / "kept", "key")
    checkpoint.save(PROGRESS)
    whole = checkpoint.path.read_bytes()
    middle = whole.index(PROGRESS.weights[0].tobytes())
    damaged = {
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:middle] + b"\xff" + whole[middle + 1 :],
        "empty": b"",
        "text": b"not a checkpoint",
    }
    checkpoint.path.write_bytes(damaged[damage])
    assert checkpoint.load() is None
    assert "is dropped: it cannot be read" in capsys.readouterr().err
    assert not checkpoint.folder.exists()


def test_a_checkpoint_that_cannot_be_written_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").write_text("a file where the folder would be")
    Checkpoint(tmp_path / "kept", "key").save(PROGRESS)
    assert "cannot be written" in capsys.readouterr().err

"""What a compiler says that it made is judged before later steps rely on it."""

import os
from pathlib import Path
from typing import Any

import pytest

from edgeflow.errors import CompileError
from edgeflow.targets.base import CompiledModel
from edgeflow.targets.litert import LiteRT
from edgeflow.targets.outcome import require_sound
from tests.unit.config.test_gatefit import INSTRUCTIONS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a compiler left: a model, and what is none."""
    monkeypatch.setattr(LiteRT, "figures", (INSTRUCTIONS,), raising=False)
    out = tmp_path / "out"
    (out / "made").mkdir(parents=True)
    (out / "made/model.bin").write_bytes(b"model")
    (out / "link.bin").symlink_to("made/model.bin")
    os.mkfifo(out / "pipe.bin")
    (tmp_path / "outside.bin").write_bytes(b"model")
    return out


def judge(folder: Path, **said: Any) -> None:
    usual = {"model": "made/model.bin", "operators": {"cpu": 0}, "figures": {"instructions": 5}}
    require_sound("board/net/int8", LiteRT, CompiledModel(**{**usual, **said}), folder)


def test_what_fits_is_believed(folder: Path) -> None:
    judge(folder)
    judge(folder, figures={"instructions": 0.5}, operators={})


@pytest.mark.parametrize(
    "model",
    ["model.bin", "link.bin", "pipe.bin", "made", "../outside.bin", "/etc/passwd", None],
)
def test_the_model_is_a_regular_file_that_was_made(folder: Path, model: Any) -> None:
    with pytest.raises(CompileError, match=f"board/net/int8 made no regular file {model!r}") as it:
        judge(folder, model=model)
    assert "target kind 'litert'" in it.value.hint


@pytest.mark.parametrize("value", [True, "5", None, -5, -0.5, float("nan"), float("-inf"), 10**400])
def test_a_figure_is_a_finite_number(folder: Path, value: Any) -> None:
    with pytest.raises(CompileError, match=f"board/net/int8 .*: instructions {value!r}") as it:
        judge(folder, figures={"instructions": value})
    assert "target kind 'litert'" in it.value.hint


@pytest.mark.parametrize(
    "operators", [{"cpu": -1}, {"cpu": True}, {"cpu": 1.0}, {"cpu": "1"}, {1: 1}, ["cpu"], None]
)
def test_operators_are_counts(folder: Path, operators: Any) -> None:
    with pytest.raises(CompileError, match="board/net/int8 .*: operators "):
        judge(folder, operators=operators)

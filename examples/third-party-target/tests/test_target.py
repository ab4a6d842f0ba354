"""edgeflow's contract for all targets, and what is particular to this one."""

import lzma
from dataclasses import replace
from pathlib import Path

import pytest
from packed_litert.target import MODEL, PackedLiteRT, PackedOptions

from edgeflow.errors import CompileError
from edgeflow.testing.contract import TargetContract
from edgeflow.testing.trained import Trained


class TestPackedLiteRT(TargetContract):
    kinds = ("packed-litert",)


def test_it_is_smaller_and_loses_nothing(trained: Trained, tmp_path: Path) -> None:
    job = trained.job("ptq-int8")
    made = PackedLiteRT.compile(job, PackedOptions(kind="packed-litert"), tmp_path)
    packed, model = (tmp_path / MODEL).read_bytes(), job.model.read_bytes()
    assert lzma.decompress(packed) == model
    assert made.figures["packed_kb"] * 1024 == len(packed) < len(model)


def test_the_flash_is_a_limit_to_the_byte(trained: Trained, tmp_path: Path) -> None:
    job, enough = trained.job("ptq-int8"), PackedOptions(kind="packed-litert")
    needed = PackedLiteRT.fit(job.model, enough, None).memories[0].needed_bytes
    exact = PackedOptions(kind="packed-litert", flash_kb=needed / 1024)
    assert PackedLiteRT.compile(job, exact, tmp_path)
    short = PackedOptions(kind="packed-litert", flash_kb=(needed - 1) / 1024)
    with pytest.raises(CompileError, match=f"takes {needed:,} bytes of flash"):
        PackedLiteRT.compile(job, short, tmp_path)
    with pytest.raises(CompileError, match="no .tflite"):
        PackedLiteRT.compile(replace(job, model=tmp_path / MODEL), enough, tmp_path)

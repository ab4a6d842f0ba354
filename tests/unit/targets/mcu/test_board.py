from pathlib import Path

import pytest
from pydantic import ValidationError

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.board import Board, boards
from edgeflow.targets.mcu.build import BuildError, build_elf
from edgeflow.targets.mcu.firmware import build_job, firmware_files
from edgeflow.targets.mcu.options import McuOptions

OWN = """
[mine]
title = "our product"
core = "cortex-m0"
flash = { origin = 0x0800_0000, bytes = 65_536 }
ram = { origin = 0x2000_0000, bytes = 8_192 }
clock_hz = 48_000_000
chip = "stm32f051"
"""


def board(name: str, own: Path) -> Board:
    return McuOptions.model_validate({"kind": "mcu", "board": name, "boards": str(own)}).hardware


def test_a_board_for_each_core() -> None:
    cores = {one.core for one in boards().values()}
    assert cores == {
        "cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "rv32imac", "avr",
        "xtensa-lx6",
    }  # fmt: skip
    assert boards()["microbit"].ram.bytes == 16 << 10
    assert [name for name, one in boards().items() if one.family.dsp] == [
        "mps2-an386", "netduinoplus2", "mps2-an500", "mps2-an505",
    ]  # fmt: skip


def test_a_board_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "boards.toml"
    path.write_text(OWN)
    mine = board("mine", path)
    assert mine.flash.bytes == 65536
    assert mine.emulator is None
    assert board("microbit", path) == boards()["microbit"]
    assert "-mcpu=cortex-m0" in build_job(mine, ["model.c"])["flags"]
    assert "startup_arm.c" in firmware_files(mine, [8], [3])


def test_all_that_is_wrong_with_a_board_at_once(tmp_path: Path) -> None:
    path = tmp_path / "boards.toml"
    text = OWN.replace("cortex-m0", "cortex-m1").replace("65_536", '"much"')
    path.write_text(text + "colour = 1\n")
    with pytest.raises(ValidationError) as caught:
        board("mine", path)
    places = {problem["loc"][-1] for problem in caught.value.errors()}
    assert places >= {"core", "bytes", "colour"}


def test_an_avr_without_the_name_of_its_chip(tmp_path: Path) -> None:
    path = tmp_path / "boards.toml"
    path.write_text(OWN.replace("cortex-m0", "avr").replace("chip", "# chip"))
    with pytest.raises(ValidationError, match="needs `chip`"):
        board("mine", path)


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ("0x2000_0000", "0xFFFF_F000", "beyond the addresses"),
        ("0x2000_0000", "0x0800_FFFF", "overlap"),
        ("chip", 'emulator = { program = "simavr", machine = "x" }\nchip', "qemu-system-arm has"),
    ],
)
def test_a_board_that_cannot_be(tmp_path: Path, there: str, instead: str, said: str) -> None:
    path = tmp_path / "boards.toml"
    path.write_text(OWN.replace(there, instead))
    with pytest.raises(ValidationError, match=said):
        board("mine", path)


def test_a_board_that_code_is_only_exported_for() -> None:
    with pytest.raises(CompileError, match="exported only"):
        build_job(boards()["esp32"], ["model.c"])


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("a.c:1:10: fatal error: math.h: No such file or directory", "the header math.h", "newlib"),
        ("a.c:1:1: error: expected identifier", "ended with exit code 1:\na.c", "--version"),
    ],
)
def test_a_compiler_without_its_library_is_told_from_a_wrong_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, message: str, hint: str
) -> None:
    compiler = tmp_path / "bin" / "arm-none-eabi-gcc"
    compiler.parent.mkdir()
    compiler.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{compiler.parent}:/usr/bin:/bin")
    job = build_job(boards()["mps2-an385"], sources=["a.c"], optimize=["-O2"], name="net")
    with pytest.raises(BuildError) as caught:
        build_elf(job, tmp_path)
    assert message in str(caught.value)
    assert hint in caught.value.hint

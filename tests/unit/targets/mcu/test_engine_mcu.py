"""The engine with an emulator that is a script; the real ones are tests/system/test_firmware.py."""

import json
import os
import pty
import shutil
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.ondevice import engine_mcu
from edgeflow.ondevice.engine_mcu import Engine
from tests.unit.targets.mcu import tiny

RUN = f"""
x = np.fromfile("in.bin", np.int8).reshape(-1, {tiny.INPUTS})
y = np.trunc(x.astype(int) @ np.array({tiny.WEIGHTS.tolist()}).T / 1024).astype(np.int8)
stack = np.tile(np.array([72], "<u4").view(np.int8), (len(x), 1))
BREAK
np.concatenate([y, stack], axis=1).tofile("out.bin")
"""
QEMU = f"""#!{sys.executable}
import sys, time
import numpy as np
if "--version" in sys.argv:
    print("QEMU emulator version 7.2"); sys.exit()
{RUN}
with open("counts.txt", "w") as file:
    file.writelines("%d %d\\n" % (100 + i, 200 + i) for i in range(len(x)))
"""

PYOCD = f"""#!{sys.executable}
import json, os, sys
import numpy as np
if "--version" in sys.argv:
    print("0.46.0"); sys.exit()
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps([one for one in sys.argv[1:] if "/" not in one]) + "\\n")
if sys.argv[1] == "run":
    print("\x04", end="")
    {RUN.replace(chr(10), chr(10) + "    ")}
"""
AVRDUDE = f"""#!{sys.executable}
import os, sys
print()
print("avrdude: Version 7.1" if "-v" in sys.argv else "")
if "-U" in sys.argv:
    with open(os.environ["CALLS"], "a") as file:
        file.write(" ".join(one for one in sys.argv[1:] if "/" not in one) + "\\n")
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder on PATH, with a C compiler; for programs of the test's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cc", "as", "ld"):
        (folder / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return folder


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def opened(
    tmp_path: Path,
    emulated: int = 5,
    board: str = "microbit",
    unit: dict[str, str] | None = None,
    **changed: Any,
) -> Engine:
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "fw.elf").write_bytes(b"")
    tiny.write(folder, board, **changed)
    options = {"model": "mcu.json", "emulated": emulated, "unit": unit or {}}
    return Engine(str(folder), options)


def test_the_first_samples_as_firmware_and_all_as_native_code(
    tmp_path: Path, programs: Path
) -> None:
    program(programs, "qemu-system-arm", QEMU.replace("BREAK", ""))
    engine = opened(tmp_path)
    samples = tiny.samples(100)
    (found,) = engine.infer_many(samples[:3])
    (more,) = engine.infer_many(samples[3:])
    np.testing.assert_array_equal(np.concatenate([found, more]), tiny.expected(samples))
    assert found.dtype == np.int8
    # Three and then two: 5 in all.
    assert engine.figures() == {
        "instructions": 102.0, "cycles_estimate": 202.0, "latency_us": 12.625, "stack_bytes": 72.0,
    }  # fmt: skip
    assert engine.clock == "none"
    assert engine.conditions() == {
        "board": "microbit", "cpu": "cortex-m0, 16 MHz", "runs_on": "QEMU's microbit",
        "samples_on_board": "5", "profile": "tflm", "mode": "specialized",
    }  # fmt: skip
    assert engine.version() == "QEMU emulator version 7.2"


def test_figures_before_any_sample(tmp_path: Path, programs: Path) -> None:
    program(programs, "qemu-system-arm", QEMU.replace("BREAK", ""))
    assert opened(tmp_path, emulated=0).figures()["instructions"] == 100


def test_no_estimate_of_cycles_where_there_is_no_model(tmp_path: Path, programs: Path) -> None:
    program(programs, "qemu-system-arm", QEMU.replace("BREAK", ""))
    assert set(opened(tmp_path, cycles="").figures()) == {"instructions", "stack_bytes"}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("y[1, 2] += 1", "differ .* for 1 of 2 samples, first for sample 1"),
        ("y = y[:-1]; stack = stack[:-1]", "answered with 7 bytes, not 14"),
        ("x = x[:-1]", "counted 1 inferences, not 2"),
        ("sys.exit('the processor stopped at a fault')", "exit code 1: the processor stopped"),
        ("time.sleep(60)", "did not end within 0 s"),
    ],
)
def test_an_emulator_that_fails(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, broken: str, said: str
) -> None:
    program(programs, "qemu-system-arm", QEMU.replace("BREAK", broken))
    engine = opened(tmp_path)
    if "sleep" in broken:
        monkeypatch.setattr(engine_mcu, "STARTING_S", 0.2)
        monkeypatch.setattr(engine_mcu, "STARTING_INSTRUCTIONS", 0)
    with pytest.raises(RuntimeError, match=said):
        engine.infer_many(tiny.samples(2))


def test_an_emulator_that_is_not_installed(tmp_path: Path, programs: Path) -> None:
    with pytest.raises(ImportError, match="apt-get install qemu-system-arm"):
        opened(tmp_path)
    (programs / "cc").unlink()
    program(programs, "qemu-system-arm", QEMU.replace("BREAK", ""))
    with pytest.raises(ImportError, match="apt-get install gcc"):
        opened(tmp_path)


def test_a_serial_port_s_frames() -> None:
    assert engine_mcu.crc16(b"123456789") == b"\x91\x6f"  # the catalogue's check value, 0x6F91
    frame = b"A\x01\x02\x48\x00"
    frame += engine_mcu.crc16(frame[1:])
    assert len(frame) == engine_mcu.answer_bytes(2)
    assert engine_mcu.answered(frame).tolist() == [1, 2, 0x48, 0, 0, 0]
    for place in range(len(frame)):
        damaged = bytearray(frame)
        damaged[place] ^= 4
        with pytest.raises(ValueError, match="no answer"):
            engine_mcu.answered(bytes(damaged))


@pytest.mark.parametrize("api", [1, 2])
def test_the_plugin_compiles_without_warnings(tmp_path: Path, api: int) -> None:
    tiny.write(tmp_path, "microbit")
    flags = ["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", f"-DAPI={api}"]
    subprocess.run(["cc", *flags, "plugin.c", "-o", "plugin.so"], cwd=tmp_path, check=True)


def test_tools_are_built_once(tmp_path: Path, programs: Path) -> None:
    program(programs, "qemu-system-arm", QEMU.replace("BREAK", ""))
    opened(tmp_path)
    (plugin,) = (tmp_path / "cache/edgeflow-mcu").iterdir()
    built = plugin.stat()
    opened(tmp_path)
    assert plugin.stat() == built


def test_a_board_at_a_debug_probe(tmp_path: Path, programs: Path) -> None:
    program(programs, "pyocd", PYOCD.replace("BREAK", ""))
    engine = opened(tmp_path, unit={"probe": "0240-17"})
    samples = tiny.samples(20)
    for part in (samples[:3], samples[3:]):
        np.testing.assert_array_equal(engine.infer_many(part)[0], tiny.expected(part))
    # What a board does not count, is not told, where there is no emulator either.
    assert engine.figures() == {"stack_bytes": 72.0}
    assert engine.conditions()["runs_on"] == "the board at probe 0240-17"
    assert engine.version() == "pyocd 0.46.0"
    which = ["--no-wait", "--no-config", "--uid=0240-17", "--target=nrf51"]
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert calls[0] == ["load", *which]  # once
    assert [call[:6] for call in calls[1:]] == [["run", *which, "--eot"]] * 2


def test_the_emulator_counts_beside_a_real_board(tmp_path: Path, programs: Path) -> None:
    program(programs, "pyocd", PYOCD.replace("BREAK", "stack += 1"))
    program(programs, "qemu-system-arm", QEMU.replace("BREAK", ""))
    engine = opened(tmp_path, unit={"probe": "0240-17"})
    engine.infer_many(tiny.samples(2))
    figures = engine.figures()
    assert (figures["instructions"], figures["stack_bytes"]) == (101, 72 + 0x01010101)
    assert engine.conditions()["runs_on"] == "the board at probe 0240-17, QEMU's microbit"


def test_a_board_whose_firmware_does_not_start(tmp_path: Path, programs: Path) -> None:
    program(programs, "pyocd", PYOCD.replace("BREAK", "sys.exit(print('no ack'))"))
    with pytest.raises(RuntimeError, match="did not start: no ack"):
        opened(tmp_path, unit={"probe": "1"}).infer_many(tiny.samples(1))


class NoEmulator:
    def __init__(self, folder: str, facts: dict[str, Any]) -> None:
        raise ImportError


@pytest.fixture
def port() -> Iterator[tuple[str, list[bytes]]]:
    """A serial port with a board that does not hear what comes first, and damages an answer."""
    board, line = pty.openpty()
    tty.setraw(line)
    heard: list[bytes] = []
    size = len(engine_mcu.asked(b"\0" * tiny.INPUTS))

    def run() -> None:
        with suppress(OSError):  # the test is over
            while True:
                frame = b""
                while len(frame) < size:
                    frame += os.read(board, size - len(frame))
                heard.append(frame)
                content = np.frombuffer(frame[1:-2], np.int8)[np.newaxis]
                answer = tiny.expected(content).tobytes() + b"\x60\x00"
                answer = b"A" + answer + engine_mcu.crc16(answer)
                faults = {1: b"", 2: answer[:-1], 3: b"N"}
                os.write(board, faults.get(len(heard), answer))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield os.ttyname(line), heard
    os.close(line)
    os.close(board)
    thread.join(10)


def test_a_board_at_a_serial_port(
    tmp_path: Path,
    programs: Path,
    port: tuple[str, list[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program(programs, "avrdude", AVRDUDE)
    monkeypatch.setattr(engine_mcu, "Simavr", NoEmulator)
    monkeypatch.setattr(engine_mcu, "ANSWER_S", 0.3)
    monkeypatch.setattr(engine_mcu, "STARTING_INSTRUCTIONS", 0)
    name, heard = port
    engine = opened(tmp_path, board="arduino-uno", unit={"port": name})
    samples = tiny.samples(20)
    for part in (samples[:3], samples[3:]):
        np.testing.assert_array_equal(engine.infer_many(part)[0], tiny.expected(part))
    first, second = (engine_mcu.asked(one.tobytes()) for one in samples[:2])
    assert heard[:5] == [first, first, first, first, second]
    assert engine.figures() == {"stack_bytes": 96.0}
    written = "-p atmega328p -c arduino -P -b 115200 -D -U"
    assert (tmp_path / "calls").read_text() == written + "\n"
    assert engine.version() == "avrdude 7.1"


def test_a_serial_port_without_a_board(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs, "avrdude", AVRDUDE)
    monkeypatch.setattr(engine_mcu, "ANSWER_S", 0.01)
    monkeypatch.setattr(engine_mcu, "STARTING_INSTRUCTIONS", 0)
    board, line = pty.openpty()
    engine = opened(tmp_path, board="arduino-mega", unit={"port": os.ttyname(line)})
    with pytest.raises(RuntimeError, match="did not answer in 5 tries"):
        engine.infer_many(tiny.samples(1))
    os.close(line)
    os.close(board)


def test_a_serial_port_that_closes() -> None:
    line, board = os.pipe()
    os.write(board, b"A\1")
    os.close(board)
    with pytest.raises(RuntimeError, match="unplugged"):
        engine_mcu.receive(line, 20, 0.1)
    os.close(line)


@pytest.mark.parametrize(
    ("board", "unit", "said"),
    [
        ("esp32", {}, "no emulator .* esp32"),
        ("mps2-an386", {"probe": "1"}, "needs a `chip`"),
        ("microbit", {"port": "/dev/ttyACM0"}, "needs a `programmer`"),
    ],
)
def test_a_board_that_cannot_be_driven(
    tmp_path: Path, programs: Path, board: str, unit: dict[str, str], said: str
) -> None:
    with pytest.raises(RuntimeError, match=said):
        opened(tmp_path, board=board, unit=unit)


def test_inputs_and_outputs_of_several_tensors() -> None:
    first = np.arange(6, dtype=np.int8).reshape(2, 3, 1)
    second = np.arange(100, 104, dtype=np.uint8).reshape(2, 2)
    io = [
        {"shape": [1, 3, 1], "dtype": "int8"},
        {"shape": [1, 2], "dtype": "uint8"},
    ]
    rows = engine_mcu.joined([first, second], io)
    assert rows.tolist() == [[0, 1, 2, 100, 101], [3, 4, 5, 102, 103]]
    for found, array in zip(engine_mcu.parted(rows, io), (first, second), strict=True):
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype

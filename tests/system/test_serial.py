"""Firmware of an Arduino at a serial port: simavr's chip behind a pseudo-terminal."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeflow.ondevice import engine_mcu
from tests.system.conftest import ENABLE
from tests.system.test_firmware import need
from tests.unit.targets.mcu import tiny
from tests.unit.targets.mcu.test_engine_mcu import AVRDUDE

CHIP = r"""
#include <stdio.h>
#include <string.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/avr_uart.h>
#include <simavr/parts/uart_pty.h>

int main(int argc, char **argv)
{
    static elf_firmware_t firmware;
    static uart_pty_t port;
    uint32_t flags = 0;
    avr_t *avr = avr_make_mcu_by_name("atmega328p");
    if (argc != 2 || avr == NULL || elf_read_firmware(argv[1], &firmware) != 0) return 1;
    avr_init(avr);
    avr->frequency = 16000000;
    avr_load_firmware(avr, &firmware);
    uart_pty_init(avr, &port);
    uart_pty_connect(&port, '0');
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    fprintf(stderr, "\nPORT %s\n", port.pty.slavename);
    for (;;) avr_run(avr);
}
"""
HEADERS = "/usr/include/simavr"
LIBRARIES = ("-lsimavrparts", "-lsimavr", "-lelf", "-lpthread")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """Start a chip with firmware, and return the name of its port."""
    (tmp_path / "chip.c").write_text(CHIP)
    if not Path(HEADERS).exists():
        pytest.skip(f"needs simavr's library; {ENABLE}")
    command = ["cc", "-O2", f"-I{HEADERS}", "chip.c", *LIBRARIES, "-o", "chip"]
    subprocess.run(command, cwd=tmp_path, check=True)
    started: list[subprocess.Popen[str]] = []

    def start(elf: Path) -> str:
        chip = subprocess.Popen([tmp_path / "chip", elf], stderr=subprocess.PIPE, text=True)
        started.append(chip)
        assert chip.stderr
        return next(line.split()[1] for line in chip.stderr if line.startswith("PORT "))

    yield start
    for chip in started:
        with chip:  # closes the pipe, and waits
            chip.kill()


def test_an_arduino_at_a_serial_port(
    tmp_path: Path, port: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("arduino-uno")
    model, programs = tmp_path / "model", tmp_path / "bin"
    for folder in (model, programs):
        folder.mkdir()
    made = tiny.build(model, "arduino-uno")
    (programs / "avrdude").write_text(AVRDUDE)
    (programs / "avrdude").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    unit = {"port": port(model / "fw.elf")}
    options = {"model": "mcu.json", "emulated": 20, "unit": unit}
    engine = engine_mcu.Engine(str(model), options)
    samples = tiny.samples(30)
    np.testing.assert_array_equal(engine.infer_many(samples)[0], tiny.expected(samples))
    figures = engine.figures()
    assert 0 < figures["stack_bytes"] <= made.stack_bytes
    assert figures["cycles"] > 0  # simavr's own, which runs beside the board
    assert engine.conditions()["runs_on"] == f"the board at {unit['port']}, simavr's atmega328p"

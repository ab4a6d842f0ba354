"""Exported C in the build systems that it is for."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgeflow.targets.mcu.export.export import export
from edgeflow.targets.mcu.settings import Settings
from tests.system.conftest import ENABLE
from tests.unit.targets.mcu.test_export import dense, run

STAND_IN = """\
cmake_minimum_required(VERSION 3.16)
project(firmware LANGUAGES C CXX)
file(WRITE ${CMAKE_BINARY_DIR}/main.cpp
  "#include <kws.h>\\nint main() { int8_t in[KWS_INPUT_BYTES] = {}, out[KWS_OUTPUT_BYTES];
   kws_init(); kws_invoke(in, out); }")
add_executable(firmware ${CMAKE_BINARY_DIR}/main.cpp)
"""
ZEPHYR = """\
set(CONFIG_EDGEFLOW_KWS y)
macro(zephyr_library)
  add_library(module STATIC)
endmacro()
function(zephyr_library_sources)
  target_sources(module PRIVATE ${ARGN})
endfunction()
function(zephyr_include_directories directory)
  target_include_directories(module PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/${directory})
endfunction()
add_subdirectory(out/zephyr module)
target_link_libraries(firmware PRIVATE module)
"""
ESP_IDF = """\
set(ESP_PLATFORM 1)
function(idf_component_register)
  cmake_parse_arguments(it "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
  add_library(component STATIC ${it_SRCS})
  target_include_directories(component PUBLIC ${it_INCLUDE_DIRS})
endfunction()
add_subdirectory(out component)
target_link_libraries(firmware PRIVATE component)
"""
CMAKE = """\
add_subdirectory(out)
target_link_libraries(firmware PRIVATE kws)
"""
CORE = Path("/usr/share/arduino/hardware/arduino/avr/cores/arduino")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kws.tflite").write_bytes(dense())
    export(tmp_path / "kws.tflite", tmp_path / "out", Settings(name="kws"))
    return tmp_path


def need(program: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}; {ENABLE}")
    return program


def test_the_cmake_project_builds_and_runs(folder: Path) -> None:
    run([need("cmake"), "-S", "out", "-B", "build"], folder)
    run(["cmake", "--build", "build"], folder)
    assert len(run(["build/kws_example"], folder).splitlines()) == 3


@pytest.mark.parametrize("rest", [CMAKE, ZEPHYR, ESP_IDF], ids=["cmake", "zephyr", "esp-idf"])
def test_a_firmware_takes_it_in(rest: str, folder: Path) -> None:
    """Zephyr and ESP-IDF are played by functions that do what theirs say of themselves."""
    (folder / "CMakeLists.txt").write_text(STAND_IN + rest)
    run([need("cmake"), "-S", ".", "-B", "build"], folder)
    run(["cmake", "--build", "build"], folder)
    run(["build/firmware"], folder)


def test_the_arduino_sketch_runs_on_an_emulated_uno(folder: Path) -> None:
    """Built from Arduino's own core; what it prints is what the example on this machine prints."""
    if not CORE.is_dir():
        pytest.skip(f"needs arduino-core-avr; {ENABLE}")
    flags = ["-mmcu=atmega328p", "-Os", "-ffunction-sections", "-fdata-sections", "-Isrc"]
    arduino = [f"-I{CORE}", f"-I{CORE.parents[1]}/variants/standard", "-DF_CPU=16000000L"]
    strict = ["-Wall", "-Wextra", "-Werror"]
    out = folder / "out"
    run([need("avr-gcc"), *flags, *strict, "-std=gnu11", "-c", "src/kws.c"], out)
    (out / "sketch.cpp").write_text(
        f"#include <Arduino.h>\n{(out / 'examples/kws/kws.ino').read_text()}"
    )
    run(["avr-g++", *flags, *arduino, *strict, "-std=gnu++11", "-c", "sketch.cpp"], out)
    parts = ["main.cpp", "Print.cpp", "HardwareSerial.cpp", "HardwareSerial0.cpp", "abi.cpp"]
    for part in (*parts, "new.cpp", "hooks.c", "wiring.c"):
        dialect = "-std=gnu++11" if part.endswith("pp") else "-std=gnu11"
        run(["avr-gcc", *flags, *arduino, "-w", dialect, "-c", str(CORE / part)], out)
    objects = [str(path) for path in out.glob("*.o")]
    run(["avr-gcc", *flags, "-Wl,--gc-sections", *objects, "-lm", "-o", "uno.elf"], out)
    run(["cc", "-std=c99", "-Isrc", "src/kws.c", "examples/main.c", "-o", "host"], out)
    wanted = re.findall(r"real value (\S+)", run(["./host"], out))
    assert printed(out, len(wanted)) == pytest.approx([float(value) for value in wanted], abs=1e-4)


def printed(folder: Path, count: int) -> list[float]:
    """Return the first numbers that a program for the Uno sends to its serial port."""
    command = ["timeout", "60", need("simavr"), "-m", "atmega328p", "-f", "16000000", "uno.elf"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        assert program.stdout is not None
        found: list[float] = []
        for line in program.stdout:
            found += [float(number) for number in re.findall(r"-?\d+\.\d{4}", line)]
            if len(found) >= count:
                break
        program.terminate()
    return found[:count]


@pytest.mark.parametrize(
    "command",
    [
        ["riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32"],  # ESP32-C2, C3
        ["xtensa-lx106-elf-gcc"],  # of the ESP8266; nobody packages one for the ESP32's cores
    ],
    ids=["riscv", "xtensa"],
)
def test_the_component_compiles_for_espressif_architectures(
    command: list[str], folder: Path
) -> None:
    need(command[0])
    flags = ["-ffreestanding", "-std=c99", "-Wall", "-Wextra", "-Werror", "-Os", "-c"]
    run([*command, *flags, "src/kws.c", "-o", "kws.o"], folder / "out")

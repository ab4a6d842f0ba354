"""Exported C in the build systems that it is for."""

import shutil
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
SKETCH = """\
#include <stddef.h>
#include <stdint.h>
#include <string.h>
extern struct Port { void begin(long); void println(double, int); } Serial;
void delay(unsigned long);
"""


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


def test_the_arduino_library_compiles_for_an_uno(folder: Path) -> None:
    flags = ["-mmcu=atmega328p", "-Os", "-Wall", "-Wextra", "-Werror", "-Isrc"]
    command = [need("avr-gcc"), *flags, "-c"]
    run([*command, "-std=gnu11", "src/kws.c", "-o", "kws.o"], folder / "out")
    sketch = (folder / "out/examples/kws/kws.ino").read_text()
    (folder / "sketch.cpp").write_text(SKETCH + sketch)
    run([*command, "../sketch.cpp", "-o", "sketch.o"], folder / "out")


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

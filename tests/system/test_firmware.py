"""Firmware, built by the cross compilers and run by the emulators."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgeflow.ondevice.engine_mcu import Engine
from edgeflow.targets.mcu.board import boards
from edgeflow.targets.mcu.build import BuildError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Settings
from tests.system.conftest import ENABLE
from tests.unit.targets.mcu import tiny
from tests.unit.targets.mcu.identity import expected
from tests.unit.targets.mcu.test_unrolled import mlp

EMULATED = [name for name, board in boards().items() if board.emulator]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "with, a comma"))


def need(name: str) -> None:
    """Skip where this machine lacks what a board needs."""
    board = boards()[name]
    assert board.emulator is not None
    for program in (f"{board.family.compiler}gcc", board.emulator.program):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}; {ENABLE}")


def opened(folder: Path, emulated: int = 50) -> Engine:
    return Engine(str(folder), {"model": "mcu.json", "emulated": emulated})


@pytest.mark.parametrize("name", EMULATED)
def test_a_board_gives_the_bytes_of_native_code(tmp_path: Path, name: str) -> None:
    need(name)
    made = tiny.build(tmp_path, name)
    engine = opened(tmp_path)
    samples = tiny.samples(60)
    (found,) = engine.infer_many(samples)
    np.testing.assert_array_equal(found, tiny.expected(samples))
    figures = engine.figures()
    # 24 products, each with two loads, a multiplication and an addition at least; an AVR's are of
    # one byte each.
    assert 24 * 4 < figures["instructions"] < 24 * 80
    assert 0 < figures["stack_bytes"] <= made.stack_bytes
    assert made.ram_bytes >= tiny.INPUTS + 2 * tiny.OUTPUTS
    assert 24 < made.flash_bytes < 4096
    assert not list(tmp_path.glob("**/*.o"))


@pytest.mark.parametrize("name", ["microbit", "arduino-uno"])
def test_a_small_dense_network_on_the_smallest_boards(tmp_path: Path, name: str) -> None:
    need(name)
    pytest.importorskip("tflite_micro")
    model = mlp()
    sources = generate(model, Settings(mode="unrolled"))
    io = {"inputs": [tiny.tensor("in", (1, 16))], "outputs": [tiny.tensor("out", (1, 4))]}
    made = tiny.build(tmp_path, name, sources.files, ["-Os"], io=io)
    engine = opened(tmp_path, emulated=10)
    samples = np.random.default_rng(0).integers(-128, 128, (100, 16)).astype(np.int8)
    (found,) = engine.infer_many(samples)
    wanted = expected(model, "tflm", [[sample[None]] for sample in samples])
    np.testing.assert_array_equal(found, np.concatenate([one for (one,) in wanted]))
    figures = engine.figures()
    assert figures["stack_bytes"] <= made.stack_bytes
    assert made.ram_bytes + made.stack_bytes < 300
    if name == "microbit":
        assert figures["cycles_estimate"] <= 4300  # 90 us at 48 MHz
        assert made.flash_bytes <= 6000


COUNTED = """
#include "model.h"
void model_init(void) {}
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noinline)) void model_invoke(const int8_t *in, int8_t *out)
{
    __asm__ volatile(".syntax unified\\nmovs r2, #100\\n"      /* 1 */
                     "push {r4, lr}\\n"      /* 1 + 2 */
                     "1: ldrb r3, [r0]\\n"   /* 2 */
                     "muls r3, r2, r3\\n"    /* 1 */
                     "subs r2, r2, #1\\n"    /* 1 */
                     "bne 1b\\n"             /* 3, at last 1 */
                     "bl 2f\\n"              /* 4 */
                     "pop {r4, pc}\\n"       /* 4 + 2 */
                     "2: strb r3, [r1]\\n"   /* 2 */
                     "strb r3, [r1, #1]\\n"  /* 2 */
                     "strb r3, [r1, #2]\\n"  /* 2 */
                     "bx lr\\n");            /* 3 */
}
"""
INSTRUCTIONS = 2 + 100 * 4 + 1 + 1 + 4
CYCLES = 1 + 3 + 100 * (2 + 1 + 1 + 3) - 2 + 4 + 6 + 3 * 2 + 3


@pytest.mark.parametrize("name", ["microbit", "mps2-an386"])
def test_instructions_are_counted_exactly(tmp_path: Path, name: str) -> None:
    need(name)
    tiny.build(tmp_path, name, {**tiny.FILES, "model.c": COUNTED})
    native = COUNTED[: COUNTED.index("__asm__")] + "out[0] = out[1] = out[2] = in[0]; }"
    (tmp_path / "model.c").write_text(native.replace("naked, ", ""))
    engine = opened(tmp_path)
    engine.infer_many(np.ones((3, tiny.INPUTS), np.int8))  # what is left of 100 down to 1: 1
    figures = engine.figures()
    assert figures["instructions"] == INSTRUCTIONS
    assert figures.get("cycles_estimate", CYCLES) == CYCLES


def test_wait_states_count_for_code_and_constants(tmp_path: Path) -> None:
    need("microbit")
    cycles = []
    for wait_states in range(3):
        tiny.build(tmp_path, "microbit", wait_states=wait_states)
        cycles.append(opened(tmp_path).figures()["cycles_estimate"])
    added = cycles[1] - cycles[0]
    assert cycles[2] - cycles[1] == added
    # 24 weights, and half a word for each instruction that reads, multiplies and adds.
    assert 24 + 24 * 4 / 2 <= added < cycles[0]


@pytest.mark.parametrize("name", ["microbit", "sifive-e"])
def test_a_fault_ends_the_run(tmp_path: Path, name: str) -> None:
    need(name)
    broken = tiny.SOURCE.replace(
        "int32_t sum = 0;", "*(volatile int32_t *)0xE1234560u = 0; int32_t sum = 0;"
    )
    tiny.build(tmp_path, name, {**tiny.FILES, "model.c": broken})
    (tmp_path / "model.c").write_text(tiny.SOURCE)
    with pytest.raises(RuntimeError, match="the processor stopped"):
        opened(tmp_path).infer_many(tiny.samples(1))


def test_the_same_sources_give_the_same_program(tmp_path: Path) -> None:
    need("microbit")
    for name in ("a", "b/c"):
        (tmp_path / name).mkdir(parents=True)
        tiny.build(tmp_path / name, "microbit")
    assert (tmp_path / "a/fw.elf").read_bytes() == (tmp_path / "b/c/fw.elf").read_bytes()
    assert b"tmp" not in (tmp_path / "a/fw.elf").read_bytes()


def test_sources_that_do_not_compile(tmp_path: Path) -> None:
    need("microbit")
    with pytest.raises(BuildError, match=r"model\.c:1"):
        tiny.build(tmp_path, "microbit", {**tiny.FILES, "model.c": "nonsense"})
    assert not (tmp_path / "objects").exists()


def test_constants_that_an_avr_cannot_reach(tmp_path: Path) -> None:
    need("arduino-mega")
    large = "".join(f"const __flash int8_t more{n}[30000] = {{{n}}};\n" for n in range(1, 4))
    used = tiny.SOURCE.replace("int32_t sum = 0;", "int32_t sum = more1[i] + more2[i] + more3[i];")
    source = used.replace("static int8_t arena", large + "static int8_t arena")
    with pytest.raises(BuildError, match="first 65,536"):
        tiny.build(tmp_path, "arduino-mega", {**tiny.FILES, "model.c": source})


def test_a_program_too_large_for_its_board(tmp_path: Path) -> None:
    """It is linked all the same, so that budgets can tell by how much it is too large."""
    need("microbit")
    source = tiny.SOURCE.replace(f"arena[{tiny.OUTPUTS}]", "arena[20000]")
    assert tiny.build(tmp_path, "microbit", {**tiny.FILES, "model.c": source}).ram_bytes > 20000


CHOOSING = """
static volatile int8_t sink;
#define DEFINE(name, size) \\
    __attribute__((noinline)) static int8_t name(const int8_t *x) \\
    { \\
        volatile int8_t kept[size]; \\
        for (int i = 0; i < size; i++) kept[i] = *x; \\
        return kept[size - 1]; \\
    }
DEFINE(small, 4)
DEFINE(large, 400)
void model_init(void) {}
__attribute__((noinline)) void model_invoke(const int8_t *in, int8_t *out)
{
    int8_t (*chosen)(const int8_t *) = sink ? small : large;
    out[0] = out[1] = out[2] = chosen(in);
}
"""


@pytest.mark.parametrize("name", ["microbit", "mps2-an386", "sifive-e", "arduino-uno"])
def test_the_stack_bound_covers_calls_by_pointer(tmp_path: Path, name: str) -> None:
    need(name)
    source = tiny.SOURCE[: tiny.SOURCE.index("#if")] + CHOOSING
    made = tiny.build(tmp_path, name, {**tiny.FILES, "model.c": source})
    engine = opened(tmp_path)
    engine.infer_many(tiny.samples(2))
    assert 400 < engine.figures()["stack_bytes"] <= made.stack_bytes

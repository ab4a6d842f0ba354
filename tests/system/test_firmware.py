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
    __asm__ volatile(CODE);
}
"""
ARM = """.syntax unified
    movs r2, #100
    push {r4, lr}
 1: ldrb r3, [r0]
    muls r3, r2, r3
    subs r2, r2, #1
    bne 1b
    bl 2f
    pop {r4, pc}
 2: strb r3, [r1]
    strb r3, [r1, #1]
    strb r3, [r1, #2]
    bx lr"""
ARM_INSTRUCTIONS = 2 + 100 * 4 + 1 + 1 + 4
# MOVS, PUSH of two; LDRB, MULS, SUBS, BNE, which is not taken at last; BL, POP of two, the rest.
ARM_CYCLES = 1 + 3 + 100 * (2 + 1 + 1 + 3) - 2 + 4 + 6 + 3 * 2 + 3
RISCV = """li t0, 100
    lb t1, 0(a0)
 1: addi t0, t0, -1
    bnez t0, 1b
    sb t1, 0(a1)
    sb t1, 1(a1)
    sb t1, 2(a1)
    ret"""
AVR = """movw r30, r24
    ld r20, Z
    movw r30, r22
    ldi r18, 100
 1: dec r18
    brne 1b
    st Z, r20
    std Z+1, r20
    std Z+2, r20"""
# MOVW, LD, MOVW, LDI; DEC, BRNE, which is not taken at last; ST of three; RET, which the compiler
# adds: for these chips it knows no stack of naked functions.
AVR_CYCLES = 1 + 2 + 1 + 1 + 100 * (1 + 2) - 1 + 3 * 2 + 4


@pytest.mark.parametrize(
    ("name", "code", "counts"),
    [
        ("microbit", ARM, {"instructions": ARM_INSTRUCTIONS, "cycles_estimate": ARM_CYCLES}),
        ("mps2-an386", ARM, {"instructions": ARM_INSTRUCTIONS}),
        ("sifive-e", RISCV, {"instructions": 2 + 100 * 2 + 4}),
        ("arduino-uno", AVR, {"instructions": 4 + 100 * 2 + 4, "cycles": AVR_CYCLES}),
    ],
)
def test_counts_are_exact(tmp_path: Path, name: str, code: str, counts: dict[str, int]) -> None:
    need(name)
    form = COUNTED.replace("naked, ", "") if code is AVR else COUNTED
    text = "\n".join(f'"{line.strip()}\\n"' for line in code.splitlines())
    tiny.build(tmp_path, name, {**tiny.FILES, "model.c": form.replace("CODE", text)})
    native = COUNTED.replace("naked, ", "")
    copied = native.replace("__asm__ volatile(CODE)", "out[0] = out[1] = out[2] = in[0]")
    (tmp_path / "model.c").write_text(copied)
    engine = opened(tmp_path)
    engine.infer_many(np.ones((3, tiny.INPUTS), np.int8))
    figures = engine.figures()
    assert {**figures, "stack_bytes": 0, "latency_us": 0} == {
        **counts, "stack_bytes": 0, "latency_us": 0,
    }  # fmt: skip


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

"""The program around the kernels, and the engine that calls it, over kernels in plain C."""

import json
import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeflow.ondevice.engine_iree import Engine
from edgeflow.targets.iree.iree_worker import LIBRARY, steps_of
from edgeflow.targets.iree.iree_worker.schedule import (
    Copy,
    Dispatch,
    Fill,
    Schedule,
    Span,
    Tensor,
)
from edgeflow.targets.iree.iree_worker.source import CONSTANTS, c_source, kernels_of

KERNEL = "net$async_dispatch_0_conv_4x4x3_f32"
KERNELS = """
/* y[i] = x[i] * weight + constant + workgroup's place, for the four numbers of a workgroup */
static int scale(const environment_t *e, const dispatch_t *d, const workgroup_t *w) {
  if (d->binding_count != 3 || d->constant_count != 1 || d->count_y != 2) return 1;
  if (e->constants || d->lengths[0] != 32 || (uintptr_t)d->bindings[0] % 64) return 1;
  const float *x = d->bindings[0], *weight = d->bindings[1];
  float *y = (float *)d->bindings[2] + 4 * w->y;
  for (int i = 0; i < 4; i++)
    y[i] = x[4 * w->y + i] * *weight + d->constants[0] + 100 * w->x + 1000 * w->z;
  return FAILS;
}
static const header_t header = {6, "kernels", 0, 0};
static const header_t *const headers = &header;
static const kernel_t all[] = {NULL, scale};
static const attributes_t attributes[2] = {[1] = {.local_memory_pages = PAGES}};
static const char *const called[] = {"other", "NAME"};
static const library_t library = {
    &headers, {IMPORTS, NULL}, {2, all, attributes, NULL, NULL, called}};
const library_t *iree_hal_executable_library_query(uint32_t version, const void *host) {
  return version == 6 && !host ? &library : NULL;
}
"""
SCHEDULE = Schedule(
    inputs=[Tensor(Span("input0", 0, 32), "float32", (1, 8))],
    outputs=[
        Tensor(Span("scratch0", 0, 32), "float32", (1, 8)),
        Tensor(Span("scratch0", 32, 8), "int16", (2, 2)),
    ],
    scratch={"scratch0": 40},
    steps=[
        Fill(Span("scratch0", 32, 4), 0xFFFE, 2),
        Copy(Span("scratch0", 32, 4), Span("scratch0", 36, 4)),
        Dispatch(
            KERNEL,
            (1, 2, 1),
            (3,),
            (Span("input0", 0, 32), Span("weights", 4, 4), Span("scratch0", 0, 32)),
        ),
    ],
)


def build(folder: Path, **changed: str) -> None:
    values = {"NAME": KERNEL, "FAILS": "0", "PAGES": "0", "IMPORTS": "0", **changed}
    kernels = KERNELS
    for name, value in values.items():
        kernels = kernels.replace(name, value)
    (folder / CONSTANTS).write_bytes(bytes(64) + np.array([9, 0.5], np.float32).tobytes())
    (folder / "model.c").write_text(c_source(SCHEDULE, {"weights": 64}) + kernels)
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-O1"]
    command = ["cc", *flags, "-fPIC", "-shared", "-fno-builtin", "model.c", "-o", LIBRARY]
    subprocess.run(command, cwd=folder, check=True)
    described = {
        "arch": platform.machine(),
        "library": LIBRARY,
        "compiler": "cc",
        "operators": 1,
        "steps": steps_of(SCHEDULE),
        "io": {
            "inputs": [{"name": "x", "shape": [1, 8], "dtype": "float32"}],
            "outputs": [
                {"name": "y", "shape": [1, 8], "dtype": "float32"},
                {"name": "z", "shape": [2, 2], "dtype": "int16"},
            ],
        },
    }
    (folder / "model.json").write_text(json.dumps(described))


def load(folder: Path) -> Engine:
    return Engine(str(folder), {"model": "model.json"})


needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


@needs_compiler
def test_kernels_get_their_buffers_and_workgroups(tmp_path: Path) -> None:
    build(tmp_path)
    engine, x = load(tmp_path), np.arange(8, dtype=np.float32)[None]
    for sample in (x, -x):
        y, z = engine.infer(sample)
        np.testing.assert_array_equal(y, sample / 2 + 3)
        np.testing.assert_array_equal(z, np.full((2, 2), -2, np.int16))
    kept, _ = engine.infer(x)
    engine.infer(-x)
    np.testing.assert_array_equal(kept, x / 2 + 3)
    assert (engine.version(), engine.operators()) == ("cc", 1)
    assert [tensor["name"] for tensor in engine.io()["outputs"]] == ["y", "z"]


@needs_compiler
def test_each_step_is_timed(tmp_path: Path) -> None:
    build(tmp_path)
    engine, x = load(tmp_path), np.arange(24, dtype=np.float32).reshape(3, 8)
    layers = engine.profile(x)
    assert [(layer["name"], layer["type"]) for layer in layers] == [
        ("0 fill", "fill"),
        ("1 copy", "copy"),
        ("2 conv_4x4x3_f32", "conv"),
    ]
    assert all(layer["time_us"] > 0 for layer in layers)
    np.testing.assert_array_equal(engine.infer(x[:1])[0], x[:1] / 2 + 3)


@pytest.mark.parametrize(
    ("kernel", "step"),
    [
        (
            "f$async_dispatch_3_matmul_like_8x576x48_f32",
            ("0 matmul_like_8x576x48_f32", "matmul_like"),
        ),
        ("f$async_dispatch_0_slow_memcpy", ("0 slow_memcpy", "slow_memcpy")),
        ("f$async_dispatch_1_elementwise_f32xi8", ("0 elementwise_f32xi8", "elementwise_f32xi8")),
        ("other", ("0 other", "other")),
    ],
)
def test_steps_are_called_by_what_they_do(kernel: str, step: tuple[str, str]) -> None:
    (found,) = steps_of(Schedule(steps=[Dispatch(kernel, (1, 1, 1), (), ())]))
    assert (found["name"], found["type"]) == step


@needs_compiler
@pytest.mark.parametrize(
    ("changed", "code"), [({"IMPORTS": "1"}, 1), ({"NAME": KERNEL[:-1]}, 2), ({"PAGES": "1"}, 3)]
)
def test_kernels_that_want_what_is_not_there_do_not_load(
    tmp_path: Path, changed: dict[str, str], code: int
) -> None:
    build(tmp_path, **changed)
    with pytest.raises(RuntimeError, match=rf"does not load \({code}\)"):
        load(tmp_path)


@needs_compiler
def test_a_kernel_that_fails_gives_no_answer(tmp_path: Path) -> None:
    build(tmp_path, FAILS="1")
    engine, x = load(tmp_path), np.zeros((1, 8), np.float32)
    for call in (engine.infer, engine.profile):
        with pytest.raises(RuntimeError, match="a kernel failed"):
            call(x)


def test_a_library_for_another_cpu_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"arch": "vax"}))
    with pytest.raises(
        RuntimeError, match=f"compiled for vax, and this CPU is {platform.machine()}"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "width", "call"),
    [(0, 4, "0u, 1)"), (0xFEFE, 2, "254u, 1)"), (0xFFFE, 2, "65534u, 2)"), (7, 1, "7u, 1)")],
)
def test_patterns_of_equal_bytes_are_filled_fast(pattern: int, width: int, call: str) -> None:
    step = Fill(Span("scratch0", 0, 8), pattern, width)
    source = c_source(Schedule(scratch={"scratch0": 8}, steps=[step]), {})
    assert f"fill(scratch0 + 0, 8, {call};" in source


def test_a_kernel_that_is_called_twice_is_looked_up_once() -> None:
    call = SCHEDULE.steps[2]
    assert kernels_of(Schedule(steps=[call, SCHEDULE.steps[0], call])) == [KERNEL]

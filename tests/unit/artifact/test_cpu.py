"""What of the CPU stands in keys, and that nothing else of it shapes a training."""

import os
import subprocess
import sys
from typing import Any

import pytest

from edgeflow.artifact import cpu
from edgeflow.artifact.step import StepSpec, identify
from edgeflow.ondevice import facts

XEON = "vendor_id : GenuineIntel\nflags : fpu sse4_1 avx avx2 fma avx512f avx512_vnni amx_int8"
ATOM = "vendor_id : GenuineIntel\nflags : fpu sse4_1 avx avx2 fma avx_vnni"
EPYC = "vendor_id : AuthenticAMD\nflags : fpu sse4_1 avx avx2 fma"
OLD = "vendor_id : GenuineIntel\nflags : fpu sse4_1 avx"
PI_5 = "BogoMIPS : 108\nFeatures : fp asimd asimdhp asimddp\nCPU implementer : 0x41"


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The kind of a CPU that /proc/cpuinfo describes so."""

    def of(cpuinfo: str, extent: cpu.Extent) -> str:
        text = f"processor : 0\n{cpuinfo}\n\nprocessor : 1\nflags : sve\n"
        monkeypatch.setattr(facts, "read_text", {"/proc/cpuinfo": text}.get)
        machine = "aarch64" if "Features" in cpuinfo else "x86_64"
        monkeypatch.setattr("platform.machine", lambda: machine)
        return cpu.kind(extent)

    return of


def test_cpus_that_compute_alike_share_a_key(kind: Any) -> None:
    assert kind(XEON, "held") == kind(ATOM, "held") == "x86_64 avx2 GenuineIntel"
    assert kind(EPYC, "held") == "x86_64 avx2 AuthenticAMD"
    assert kind(XEON, "nothing") == kind(OLD, "nothing") == "x86_64"


def test_cpus_that_may_not_do_not(kind: Any) -> None:
    assert kind(OLD, "held") == "x86_64 sse4_1 avx GenuineIntel"
    assert kind(PI_5, "held") == "aarch64 asimd asimdhp asimddp 0x41"
    assert len({kind(text, "all") for text in (XEON, ATOM, EPYC, OLD, PI_5)}) == 5


def test_a_machine_that_is_no_linux_has_a_kind_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "read_text", lambda path: None)
    assert cpu.kind("all").endswith(" unknown")


@pytest.mark.parametrize(
    ("machine", "have", "overflows"),
    [
        ("x86_64", ["sse4_1", "avx2", "fma"], True),
        ("x86_64", ["avx2", "avx_vnni"], False),
        ("x86_64", ["avx512f", "avx512_vnni"], False),
        ("aarch64", ["asimd"], False),
    ],
)
def test_cpus_without_vnni_overflow(machine: str, have: list[str], overflows: bool) -> None:
    assert cpu.overflows(machine, have) is overflows


def test_it_stands_in_the_key_of_what_computes() -> None:
    def machine(**spec: Any) -> str:
        parts = {"step": "s", "name": "n", "inputs": {}, "slice": {}, "code": "0", **spec}
        return str(identify(StepSpec(**parts))["tools"]["machine"])

    assert machine(cpu="nothing") != machine() == cpu.kind("held")
    assert machine(cpu="all") == cpu.kind("all")


PROGRAM = """
import hashlib
from edgeflow.train.keras import load_keras
load_keras(seed=1)
import tensorflow as tf
x = tf.random.stateless_normal((64, 1200), [1, 2])
images = tf.reshape(x, (4, 20, 20, 48))
kernel = tf.random.stateless_normal((3, 3, 48, 16), [3, 4])
# The gradient of a residual network's shortcut, which not every set of kernels survives.
shortcut = tf.raw_ops.Conv2DBackpropFilter(
    input=images[:, :8, :8, :4], filter_sizes=[1, 1, 4, 8], out_backprop=images[:, :4, :4, :8],
    strides=[1, 2, 2, 1], padding="SAME",
)
values = [tf.matmul(x, x, transpose_b=True), tf.nn.conv2d(images, kernel, 1, "SAME"), shortcut]
print(hashlib.sha256(b"".join(value.numpy().tobytes() for value in values)).hexdigest())
"""
UNLIKE: dict[str, str] = {
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "ONEDNN_DEFAULT_FPMATH_MODE": "ANY",
    "TF_SET_ONEDNN_FPMATH_MODE": "BF16",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
}


def test_kernels_compute_alike_whatever_the_callers_environment_says() -> None:
    digests = set()
    for variables in ({"ONEDNN_MAX_CPU_ISA": "DEFAULT"}, UNLIKE):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **variables}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        digests.add(done.stdout)
    assert len(digests) == 1


def test_programs_that_are_started_compute_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in UNLIKE.items():
        monkeypatch.setenv(name, value)
    held = cpu.held_environment()
    assert {name: held[name] for name in cpu.HELD} == cpu.HELD
    assert not held.keys() & set(cpu.DROPPED)


@pytest.mark.parametrize("slice_", [{}, {"train": {"deterministic": True}}, {"source": "digits"}])
def test_a_step_is_reproducible(slice_: dict[str, Any]) -> None:
    assert cpu.reproducible(slice_)


def test_a_training_that_is_not_deterministic_is_not_reproducible() -> None:
    slice_ = {"train": {"epochs": 1, "deterministic": False}}
    assert not cpu.reproducible(slice_)
    assert not cpu.reproducible({"candidates": {"pruned": {"slice": slice_}}, "train": None})

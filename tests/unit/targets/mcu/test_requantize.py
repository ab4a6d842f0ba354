"""Scaled sums are those of TensorFlow Lite for every multiplier, also where roundings tie."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.targets.mcu.emit import kernels
from tests.unit.targets.mcu.identity import SANITIZED

PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#define NN_KERNEL static
KERNELS
int main(void)
{
    int32_t taken[3], given;
    while (fread(taken, sizeof taken, 1, stdin) == 1) {
        given = FUNCTION(taken[0], taken[1], (int8_t)taken[2]);
        fwrite(&given, sizeof given, 1, stdout);
    }
    return 0;
}
"""


def run(folder: Path, function: str, flags: tuple[str, ...], cases: NDArray[np.int32]) -> list[int]:
    program = PROGRAM.replace("KERNELS", kernels(["nn_dense_rows"])).replace("FUNCTION", function)
    (folder / "main.c").write_text(program)
    subprocess.run(["cc", "-std=c99", *SANITIZED, *flags, "main.c"], cwd=folder, check=True)
    done = subprocess.run(
        [folder / "a.out"], input=cases.tobytes(), capture_output=True, check=True
    )
    return [int(value) for value in np.frombuffer(done.stdout, np.int32)]


def twice(x: int, q: int, shift: int) -> int:
    """Compute as `MultiplyByQuantizedMultiplier` with two roundings, in unbounded integers."""
    wrapped = ((x << max(shift, 0)) + 2**31) % 2**32 - 2**31
    product = wrapped * q
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)
    right = max(-shift, 0)
    return (high >> right) + int((high & (1 << right) - 1) > ((1 << right) - 1 >> 1) + (high < 0))


def once(x: int, q: int, shift: int) -> int:
    """Round half away from zero, and stay in 32 bits."""
    scaled = min((abs(x * q) + (1 << 30 - shift)) >> (31 - shift), 2**31 - 1)
    return scaled if x >= 0 else -scaled


def cases() -> NDArray[np.int32]:
    random = np.random.default_rng(0)
    count = 60_000
    sizes = 2.0 ** random.uniform(0, 31, count)
    x = np.rint(sizes * random.choice([-1, 1], count)).clip(-(2**31), 2**31 - 1)
    q = random.integers(2**30, 2**31, count)
    # Powers of two and their neighbours, where roundings tie.
    q[::3] = 2 ** random.integers(20, 31, len(q[::3])) + random.integers(0, 2, len(q[::3]))
    x[::5] = np.rint(2.0 ** random.integers(0, 31, len(x[::5]))) * random.choice(
        [-3, -1, 1], len(x[::5])
    )
    x[:6] = [-(2**31), 2**31 - 1, 0, 1, -1, -(2**30)]
    shifts = random.integers(-31, 31, count)
    return np.stack([x.clip(-(2**31), 2**31 - 1), q, shifts], axis=1).astype(np.int32)


@pytest.mark.parametrize("flags", [(), ("-DNN_SMALL_CORE",)], ids=["wide", "small"])
def test_rounded_twice(flags: tuple[str, ...], tmp_path: Path) -> None:
    taken = cases()
    assert run(tmp_path, "nn_scaled", flags, taken) == [twice(*map(int, case)) for case in taken]


def test_rounded_once(tmp_path: Path) -> None:
    taken = cases()
    found = run(tmp_path, "nn_scale_once", (), taken)
    assert found == [once(*map(int, case)) for case in taken]

"""Scaled sums are those of TensorFlow Lite for every multiplier, also where roundings tie."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.targets.mcu.emit import kernels
from edgeflow.targets.mcu.fixed_point import double_multiplier, requantize_once
from tests.unit.targets.mcu.identity import SANITIZED

PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#define NN_KERNEL static
KERNELS
int main(void)
{
    int32_t taken[COUNT], given;
    while (fread(taken, sizeof taken, 1, stdin) == 1) {
        given = FUNCTION(ARGUMENTS);
        fwrite(&given, sizeof given, 1, stdout);
    }
    return 0;
}
"""


def run(folder: Path, function: str, flags: tuple[str, ...], cases: NDArray[np.int32]) -> list[int]:
    program = PROGRAM.replace("KERNELS", kernels(["nn_dense_rows"])).replace("FUNCTION", function)
    count = cases.shape[1]
    arguments = [*(f"taken[{n}]" for n in range(count - 1)), f"(int8_t)taken[{count - 1}]"]
    program = program.replace("COUNT", str(count)).replace("ARGUMENTS", ", ".join(arguments))
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
    """In double precision, also where a product is a tie, or becomes one as it is rounded."""
    random = np.random.default_rng(1)
    reals = [a / b for a in (1, 3, 7, 0.1) for b in (1, 3, 6, 10, 14, 22, 78, 1000, 65536)]
    reals += list(2.0 ** random.uniform(-33, 30, 50))
    x = random.integers(-(2**31), 2**31, 3000) >> random.integers(0, 31, 3000)
    x[:3000:2] = np.arange(-750, 750)
    factors = [double_multiplier(real) for real in reals]
    taken = np.column_stack([np.tile(x, len(reals)), np.repeat(factors, len(x), axis=0)])
    found = run(tmp_path, "nn_scale_once", (), taken.astype(np.int32))
    assert found == np.concatenate([requantize_once(x, real) for real in reals]).tolist()

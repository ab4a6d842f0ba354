"""The generated header, as a C++ program sees it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeflow.targets.mcu.emit import c_float
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.nets import Net, Quant

LABELS = ["yes", 'a "quoted" \\ one', "été", "??/", "*/ // %s", "line\nbreak", "0"]
MAIN = """\
#include <cstdio>
#include "kws.h"
static const char *const labels[] = KWS_LABELS;
static int8_t in[KWS_INPUT_BYTES], out0[KWS_OUTPUT0_BYTES], out1[KWS_OUTPUT1_BYTES];
static_assert(sizeof labels / sizeof *labels == KWS_LABEL_COUNT, "labels");
int main()
{
    kws_init();
    kws_invoke(in, out0, out1);
    for (const char *label : labels) std::printf("%s%c", label, 0);
    std::printf("%.9g %d %.9g", KWS_INPUT_SCALE, KWS_INPUT_ZERO_POINT, KWS_OUTPUT1_SCALE);
}
"""


def run(command: list[str], folder: Path) -> bytes:
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_cpp_program_sees_labels_and_scales(tmp_path: Path) -> None:
    net = Net()
    x = net.input((1, 4), Quant(0.1, -128))
    net.tensors[x].name = "in */ #error \\\n??/"
    hidden = nets.fully_connected(net, x, 3)
    made = generate(
        net.model(nets.fully_connected(net, hidden, 7), hidden), Settings(name="kws"), LABELS
    )
    for name, text in {**made.files, "main.cpp": MAIN}.items():
        (tmp_path / name).write_text(text)
    run(["cc", "-std=c99", "-c", "kws.c"], tmp_path)
    run(["c++", "-Wall", "-Wextra", "-Werror", "main.cpp", "kws.o", "-o", "program"], tmp_path)
    *labels, rest = run(["./program"], tmp_path).decode().split("\0")
    assert labels == LABELS
    scale, zero_point, second = rest.split()
    assert (np.float32(scale), zero_point) == (np.float32(0.1), "-128")
    assert np.float32(second) == np.float32(made.graph.tensors[made.graph.outputs[1]].scale)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.0f"), (1e-20, "1e-20f"), (0.5, "0.5f"), (123456792.0, "123456792.0f")],
)
def test_floats_are_of_type_float(value: float, text: str) -> None:
    assert c_float(value) == text

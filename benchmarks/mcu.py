"""Microcontrollers: what the C of the MLPerf Tiny networks takes, against TFLM and CMSIS-NN."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import tiny
from benchmarks.count import Count, update_counts
from benchmarks.emulated import Bytes, emulate, native
from benchmarks.samples import expected, inputs, kinds
from benchmarks.small import small_networks
from edgeflow.targets.mcu.cmsis import cmsis_sources
from edgeflow.targets.mcu.generate import Sources, generate
from edgeflow.targets.mcu.settings import Settings

M4 = "mps2-an386"
FLAGS = ("-O3",)
EMULATED = 2
CODE_BYTES = 12 * 1024
TITLES = {
    "resnet8": "ResNet-8",
    "ds_cnn": "DS-CNN",
    "mobilenet": "MobileNetV1 0.25, 96 x 96",
    "autoencoder": "autoencoder",
}
WRAPPERS = {
    "arm_convolve_s8": "arm_convolve_wrapper_s8",
    "arm_convolve_1x1_s8_fast": "arm_convolve_wrapper_s8",
    "arm_convolve_1x1_s8": "arm_convolve_wrapper_s8",
    "arm_depthwise_conv_s8": "arm_depthwise_conv_wrapper_s8",
    "arm_depthwise_conv_3x3_s8": "arm_depthwise_conv_wrapper_s8",
    "arm_depthwise_conv_s8_opt": "arm_depthwise_conv_wrapper_s8",
}
"""What a program by hand calls instead: functions that choose among the others."""


def microcontrollers(_: int) -> list[Count]:
    """Count what each network takes, and write the table of docs/targets/mcu.md."""
    counts = [count for name in tiny.NETWORKS for count in network(name)] + list(small_networks())
    update_counts(counts)
    return counts


def network(name: str) -> Iterator[Count]:
    """Yield the figures of one network."""
    model, title = tiny.build(name), TITLES[name]
    start = time.process_time()
    sources = generate(model, Settings(simd=True))
    generation_s = time.process_time() - start
    samples = inputs(tiny.NETWORKS[name][1], sources)
    different = int((native(sources, samples) != expected(model, sources, samples)).sum())
    yield Count(
        name=title,
        what=f"bytes unlike TFLM's, {kinds(samples)}",
        value=different,
        unit="bytes",
        target=0,
    )
    yield Count(
        name=title,
        what="arena, input and output",
        value=sources.plan.arena_bytes + sources.io_bytes,
        unit="bytes",
        target=0.85,
        against="TFLM's arena",
        baseline=tflm_arena_bytes(model),
    )
    yield from on_cortex_m4(title, model, sources, samples[:EMULATED])
    yield Count(
        name=title, what="generation, CPU", value=round(generation_s, 2), unit="s", target=2
    )


def on_cortex_m4(title: str, model: bytes, sources: Sources, samples: Bytes) -> Iterator[Count]:
    """Yield flash and instructions, all with the same options of the compiler."""
    ours = emulate(sources, M4, samples, FLAGS)
    theirs = generate(model, Settings(simd=True, kernels="cmsis-nn"))
    called = emulate(theirs, M4, samples, FLAGS)
    by_hand = emulate(theirs, M4, samples, FLAGS, by_wrappers(theirs))
    for other in (called, by_hand):
        np.testing.assert_array_equal(other.outputs, ours.outputs)
    yield Count(
        name=title,
        what="flash of the firmware without constants, `-O3`",
        value=ours.flash_bytes - sources.weights_bytes,
        unit="bytes",
        target=CODE_BYTES,
    )
    for what, counted, target in (
        ("instructions on a Cortex-M4", ours, 1.3),
        ("instructions with `kernels: cmsis-nn`", called, 1.0),
    ):
        yield Count(
            name=title,
            what=what,
            value=counted.counts["instructions"],
            unit="instructions",
            target=target,
            against="CMSIS-NN by hand",
            baseline=by_hand.counts["instructions"],
        )


def by_wrappers(sources: Sources) -> Mapping[str, str]:
    """Return C that calls CMSIS-NN as a program by hand does, compiled file by file."""
    files = {name: text for name, text in sources.files.items() if "cmsis_nn" not in name}
    name = "model_kernels.h"
    names = re.compile(rf"\b({'|'.join(sorted(WRAPPERS, key=len, reverse=True))})\b")
    own = files[name].replace('#include "model_cmsis_nn.h"\n', "")  # gives them other names
    files[name] = names.sub(lambda found: WRAPPERS[found[0]], own)
    return {**files, **cmsis_sources()}


def tflm_arena_bytes(model: bytes) -> int:
    """Return what TFLM's interpreter takes, as it prints itself."""
    code = (
        "import sys; from tflite_micro import runtime; "
        "runtime.Interpreter.from_file(sys.argv[1]).print_allocations()"
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(model)
        command = [sys.executable, "-c", code, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    (size,) = re.findall(r"Arena allocation total (\d+) bytes", done.stdout + done.stderr)
    return int(size)

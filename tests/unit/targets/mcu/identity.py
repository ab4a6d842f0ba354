"""Proof that generated C gives the oracle's very bytes: it is compiled for this machine and run."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.generate import Sources, generate
from edgeflow.targets.mcu.graph import Graph, Tensor
from edgeflow.targets.mcu.oracle import Engine
from edgeflow.targets.mcu.settings import Settings

Sample = list[NDArray[Any]]
"""One array for each input, or for each output."""

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wcast-qual")
STRICT = ("-std=c99", "-pedantic", *WARNINGS, "-Werror")
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

_MAIN = """\
#include <stdio.h>
#include "{name}.h"
{buffers}
int main(void)
{{
    {name}_init();
    while ({read}) {{
        {name}_invoke({arguments});
        {write}
    }}
    return 0;
}}
"""


class Native:
    """Generated C as a program of its own, so that a crash is an error of the test alone."""

    def __init__(self, sources: Sources, folder: Path, flags: Sequence[str] = ("-O1",)) -> None:
        """Compile `sources` into `folder`; SANITIZED as `flags` ends the program on any fault."""
        self._graph, self._program = sources.graph, folder / "program"
        name = next(file for file in sources.files if file.endswith(".h")).removesuffix(".h")
        for file, text in {**sources.files, "main.c": _main(name, sources.graph)}.items():
            (folder / file).write_text(text)
        others = [file for file in sources.files if file.endswith(".c") and file != f"{name}.c"]
        for number, file in enumerate(others):  # not generated, so they may give warnings
            _run(["cc", "-c", *flags, "-fno-sanitize=all", file, "-o", f"{number}.o"], folder)
        objects = [f"{number}.o" for number in range(len(others))]
        own = [f"{name}.c", "main.c", *objects]
        _run(["cc", *STRICT, "-pipe", *flags, *own, "-o", "program"], folder)

    def __call__(self, samples: Sequence[Sample]) -> list[Sample]:
        """Return the outputs of each sample."""
        sent = b"".join(array.tobytes() for sample in samples for array in sample)
        received = _run([str(self._program)], self._program.parent, sent)
        tensors = [self._graph.tensors[place] for place in self._graph.outputs]
        rows = np.frombuffer(received, np.int8).reshape(len(samples), -1)
        cuts = np.cumsum([tensor.size for tensor in tensors])[:-1]
        return [
            [
                part.reshape(tensor.shape)
                for part, tensor in zip(np.split(row, cuts), tensors, strict=True)
            ]
            for row in rows
        ]


def _main(name: str, graph: Graph) -> str:
    inputs = _named("in", graph, graph.inputs)
    outputs = _named("out", graph, graph.outputs)
    return _MAIN.format(
        name=name,
        buffers="\n".join(
            f"static int8_t {one}[{tensor.size}];" for one, tensor in {**inputs, **outputs}.items()
        ),
        read=" && ".join(f"fread({one}, sizeof {one}, 1, stdin) == 1" for one in inputs),
        arguments=", ".join([*inputs, *outputs]),
        write=" ".join(f"fwrite({one}, sizeof {one}, 1, stdout);" for one in outputs),
    )


def _named(side: str, graph: Graph, places: Sequence[int]) -> dict[str, Tensor]:
    return {f"{side}{n}": graph.tensors[place] for n, place in enumerate(places)}


def _run(command: list[str], folder: Path, sent: bytes = b"") -> bytes:
    done = subprocess.run(command, cwd=folder, input=sent, capture_output=True, timeout=300)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def random_samples(graph: Graph, count: int, seed: int = 0) -> list[Sample]:
    """Return samples for the inputs of a graph: random ones, after the two extremes."""
    random = np.random.default_rng(seed)
    shapes = [graph.tensors[place].shape for place in graph.inputs]
    extremes = [[np.full(shape, value, np.int8) for shape in shapes] for value in (-128, 127)]
    drawn = [
        [random.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
        for _ in range(count - len(extremes))
    ]
    return (extremes + drawn)[:count]


def expected(model: bytes, profile: str, samples: Sequence[Sample]) -> list[Sample]:
    """Return the outputs of the oracle."""
    engine = Engine.from_bytes(model, profile)
    return [engine.infer(*sample) for sample in samples]


def assert_identical(
    model: bytes,
    settings: Settings | None = None,
    samples: int | Sequence[Sample] = 10,
    *,
    flags: Sequence[str] = ("-O1",),
) -> Sources:
    """Generate C, run it here and compare each byte with the oracle of the profile.

    Args:
        model: a .tflite.
        settings: of the generator.
        samples: inputs, or how many random ones.
        flags: of the compiler; SANITIZED also finds undefined behaviour.
    """
    settings = settings or Settings()
    sources = generate(model, settings)
    taken = random_samples(sources.graph, samples) if isinstance(samples, int) else samples
    with TemporaryDirectory() as folder:
        made = Native(sources, Path(folder), flags)(taken)
    for number, (got, wanted) in enumerate(
        zip(made, expected(model, settings.profile, taken), strict=True)
    ):
        for place, (mine, oracles) in enumerate(zip(got, wanted, strict=True)):
            np.testing.assert_array_equal(mine, oracles, f"sample {number}, output {place}")
    return sources

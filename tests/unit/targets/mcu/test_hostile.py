"""A damaged or hostile .tflite is refused with a clear error, or becomes right code."""

import os
import re
import signal
from collections import Counter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from edgeflow.targets.mcu.generate import Sources
from edgeflow.targets.mcu.layers import OPERATORS
from edgeflow.targets.mcu.reading import read_graph
from tests.unit.targets.mcu.hostile import (
    MEMORY_BYTES,
    Died,
    Failed,
    generated,
    in_children,
    models,
    mutations,
    run,
)
from tests.unit.targets.mcu.identity import SANITIZED, Native, Sample, random_samples
from tests.unit.targets.mcu.test_random_nets import SWEEP

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

FILES = 10_000 if SWEEP else 300
BATCH = 250
PROFILES = ("tflm", "litert-ref")


def native_outputs(sources: Sources, samples: list[Sample], known: dict[str, Any]) -> Any:
    """Return the bytes of outputs; code that differs in comments alone runs once."""
    code = re.sub(r"/\*.*?\*/", "", "".join(sources.files.values()), flags=re.DOTALL)
    if code not in known:
        with TemporaryDirectory() as folder:
            known[code] = flat(Native(sources, Path(folder), SANITIZED)(samples))
    return known[code]


def flat(outputs: list[Sample]) -> list[bytes]:
    return [array.tobytes() for sample in outputs for array in sample]


def check(batch: list[bytes], profile: str, known: dict[str, Any]) -> Counter[str]:
    """Generate, run and compare; return how many had which end."""
    made = in_children(generated, [(model, profile) for model in batch])
    for model, result in zip(batch, made, strict=True):
        assert not isinstance(result, (Died, Failed)), f"{result}: {model.hex()}"
    accepted = [
        (model, sources, random_samples(sources.graph, 3))
        for model, sources in zip(batch, made, strict=True)
        if isinstance(sources, Sources)
    ]
    oracles = in_children(run, [(model, profile, samples) for model, _, samples in accepted])
    for (model, sources, samples), wanted in zip(accepted, oracles, strict=True):
        got = native_outputs(sources, samples, known)
        if isinstance(wanted, list):
            assert got == flat(wanted), model.hex()
    ends = Counter(type(one).__name__ for one in oracles)
    return ends + Counter({"Refused by edgeflow": len(batch) - len(accepted)})


@pytest.mark.parametrize("profile", PROFILES)
def test_damaged_files(profile: str) -> None:
    files = mutations(seed=0 if profile == "tflm" else 1)
    ends: Counter[str] = Counter()
    known: dict[str, Any] = {}
    for _ in range(0, FILES // 2, BATCH):
        ends += check(list(islice(files, min(BATCH, FILES // 2))), profile, known)
    # Neither end may be rare: such a test would test nothing.
    assert ends["Refused by edgeflow"] > FILES / 8
    assert ends["list"] > FILES / 20


@pytest.mark.parametrize("profile", PROFILES)
def test_sound_files(profile: str) -> None:
    sound = models()
    if profile == "litert-ref":
        sound.pop()
    assert check(sound, profile, {}) == {"list": len(sound)}


def test_models_have_all_operators() -> None:
    names = {node.operator for model in models() for node in read_graph(model).nodes}
    assert names | {"RELU_N1_TO_1"} == set(OPERATORS)


def aborts(number: int) -> int:
    if number == 1:
        os.abort()
    return len(bytes(number * MEMORY_BYTES))


def test_children_that_end_are_replaced() -> None:
    zero, died, failed = in_children(aborts, [(0,), (1,), (2,)])
    assert zero == 0
    assert died == Died(-signal.SIGABRT)
    assert "MemoryError" in failed.trace

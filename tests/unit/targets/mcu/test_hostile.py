"""A damaged or hostile .tflite is refused with a clear error, or becomes right code."""

import re
from collections import Counter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from edgeflow.targets.mcu.generate import Sources
from tests.unit.targets.mcu.hostile import (
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
        sound.pop()  # an LSTM, which that oracle does not have in int8
    assert check(sound, profile, {}) == {"list": len(sound)}

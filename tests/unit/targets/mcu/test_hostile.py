"""A damaged or hostile .tflite is refused with a clear error, or becomes right code."""

from collections import Counter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
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
from tests.unit.targets.mcu.identity import SANITIZED, Native, random_samples
from tests.unit.targets.mcu.test_random_nets import SWEEP

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

FILES = 10_000 if SWEEP else 300
BATCH = 250
PROFILES = ("tflm", "litert-ref")


def check(batch: list[bytes], profile: str) -> Counter[str]:
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
        with TemporaryDirectory() as folder:
            got = Native(sources, Path(folder), SANITIZED)(samples)
        if isinstance(wanted, list):
            np.testing.assert_equal(got, wanted, model.hex())
    ends = Counter(type(one).__name__ for one in oracles)
    return ends + Counter({"Refused by edgeflow": len(batch) - len(accepted)})


@pytest.mark.parametrize("profile", PROFILES)
def test_damaged_files(profile: str) -> None:
    files = mutations(seed=0 if profile == "tflm" else 1)
    ends: Counter[str] = Counter()
    for _ in range(0, FILES // 2, BATCH):
        ends += check(list(islice(files, min(BATCH, FILES // 2))), profile)
    # Neither end may be rare: such a test would test nothing.
    assert ends["Refused by edgeflow"] > FILES / 8
    assert ends["list"] > FILES / 20


@pytest.mark.parametrize("profile", PROFILES)
def test_sound_files(profile: str) -> None:
    sound = models()
    if profile == "litert-ref":
        sound.pop()  # an LSTM, which that oracle does not have in int8
    assert check(sound, profile) == {"list": len(sound)}

"""`edgeflow check` warns of channels of unlike scale before anything is built."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.check.channels import FIRST, unlike_channels
from edgeflow.config.load import parse
from edgeflow.plan import Plan


def warnings(path: Path, quantize: str = "ptq-int8", **dataset: Any) -> list[str]:
    raw = {
        "datasets": {"a": {"source": "npz", "path": str(path), **dataset}},
        "models": {"m": {"dataset": "a", "architecture": {"name": "mlp"}}},
        "recipes": {"r": {"quantize": quantize}},
        "targets": {"t": {"kind": "litert"}},
        "devices": {"d": {"target": "t", "transport": "virtual"}},
        "deployments": [{"model": "m", "recipe": "r", "devices": ["d"]}],
    }
    return list(unlike_channels(Plan(parse(raw))))


@pytest.mark.parametrize("zipped", [False, True])
def test_a_narrow_channel_is_told_where_int8_is_used(tmp_path: Path, zipped: bool) -> None:
    x = np.random.default_rng(0).normal(size=(FIRST + 500, 3)) * [60, 60, 0.5]
    x[FIRST:] *= 1000  # no longer looked at
    (np.savez_compressed if zipped else np.savez)(
        tmp_path / "x.npz", x=x.astype(np.float32), y=np.arange(len(x)) % 2
    )
    (told,) = warnings(tmp_path / "x.npz")
    assert told.startswith("dataset a, by its first 1,000 samples: 1 of 3 input channels")
    assert "standardize: true" in told
    assert warnings(tmp_path / "x.npz", quantize="fp16") == []
    assert warnings(tmp_path / "x.npz", preprocess={"standardize": True}) == []
    assert warnings(tmp_path / "x.npz", preprocess={"std": [60, 60, 0.5]}) == []


@pytest.mark.parametrize("content", [b"", b"PK"])
def test_files_that_cannot_be_read_are_left_to_others(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    assert warnings(tmp_path / "x.npz") == []
    assert warnings(tmp_path / "nowhere.npz") == []

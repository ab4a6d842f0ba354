from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

from edgeflow.artifact.entry import Entry, describe
from edgeflow.artifact.store import Store

Make = Callable[..., tuple[Entry, Path]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a folder of outputs, as a step would; return its entry too."""
    count = 0

    def build(
        name: str = "net", files: dict[str, bytes] | None = None, **slice_: JsonValue
    ) -> tuple[Entry, Path]:
        nonlocal count
        count += 1
        folder = tmp_path / "made" / str(count)
        for path, data in (files or {"model.bin": b"weights", "sub/notes": b"text"}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        identity: dict[str, JsonValue] = {
            "step": "train",
            "inputs": {},
            "slice": slice_,
            "code": "c",
            "tools": {},
        }
        return describe(name, identity, folder), folder

    return build

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Draw images of noise into class folders."""

    def run(
        name: str = "photos",
        counts: dict[str, int] | None = None,
        size: tuple[int, int] = (40, 30),
        mode: str = "RGB",
    ) -> Path:
        rng = np.random.default_rng(len(name))
        for label, count in (counts or {"cat": 12, "dog": 12}).items():
            folder = tmp_path / name / label
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
                Image.fromarray(pixels).convert(mode).save(folder / f"{number}.png")
        return tmp_path / name

    return run

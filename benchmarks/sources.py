"""What a large source costs a build that is up to date: `python -m benchmarks sources`."""

import time
from pathlib import Path
from typing import Any

from benchmarks.case import Case
from benchmarks.cases import BARE, MODEL, RECIPES
from benchmarks.nothing import SNAKEMAKE
from benchmarks.project import Project, alternating, project

FEW, CLASSES = 20, 10


def many_source_images(repeats: int, images: int = 50_000) -> Case:
    """Measure nothing to do with many images against the same with few.

    Raises:
        RuntimeError: a change of one byte in one of them went unnoticed.
    """
    with project(commands=str(BARE)) as many, project(commands=str(BARE)) as few:
        for here, count in ((many, images), (few, FEW)):
            here.write_config(_config())
            _write_images(here.folder / "photos", count)
            here.snakemake("--no-hooks")  # `bare/edgeflow` makes empty outputs
        time.sleep(3)  # what was written less than two seconds before is read once more
        many.snakemake()
        own, other = alternating(repeats, lambda: many.cpu(*SNAKEMAKE), lambda: few.cpu(*SNAKEMAKE))
        _check_that_a_byte_is_seen(many, images)
    return Case(
        name=f"Nothing to do, {images:,} source images",
        what="`snakemake`, all up to date, CPU",
        against=f"the same with {FEW} images",
        target=1.5,
        seconds=own,
        baseline=other,
    )


def _config() -> dict[str, Any]:
    """Return a usual project: one model of images for two targets."""
    return {
        "datasets": {"photos": {"source": "image_folder", "path": "photos", "size": [32, 32]}},
        "models": {"m": {**MODEL, "dataset": "photos"}},
        "recipes": RECIPES,
        "targets": {"pi": {"kind": "litert"}, "intel": {"kind": "openvino"}},
        "devices": {t: {"target": t, "transport": "virtual"} for t in ("pi", "intel")},
        "deployments": [{"model": "m", "recipe": "int8", "devices": ["pi", "intel"]}],
    }


def _write_images(folder: Path, count: int) -> None:
    """Write files of the size of thumbnails; no step opens them here."""
    for number in range(count):
        path = _image(folder, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%09d" % number * 300)


def _image(folder: Path, number: int) -> Path:
    return folder / f"class-{number % CLASSES}" / f"image-{number:06}.png"


def _check_that_a_byte_is_seen(here: Project, images: int) -> None:
    manifest = here.folder / "results" / "datasets" / "photos" / "manifest.json"
    before = manifest.stat().st_mtime_ns
    with _image(here.folder / "photos", images // 2).open("r+b") as file:
        file.write(b"x")
    here.snakemake("--no-hooks")
    if manifest.stat().st_mtime_ns == before:
        raise RuntimeError("a byte changed in an image, and the dataset was not made again")

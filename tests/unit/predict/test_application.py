"""The example application, on a virtual device's folder."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeflow.ondevice import image
from edgeflow.testing.trained import Trained

PROGRAM = Path(__file__).parents[3] / "examples/application/answer.py"
ASK = PROGRAM.with_name("ask.py")
BY_NUMPY_ALONE = (
    "import os, runpy, sys; sys.modules.update(edgeflow=None, PIL=None, ai_edge_litert=None); "
    "sys.path.append(os.path.dirname(sys.argv[1])); del sys.argv[:2]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


@pytest.fixture
def model(project: Path, tmp_path: Path) -> Path:
    """A copy of the model's folder on the device."""
    folder = project / ".edgeflow/virtual/bench/root/edgeflow/tiny"
    shutil.copytree(folder, tmp_path / "tiny", symlinks=True)
    return tmp_path / "tiny"


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec: Any = importlib.util.spec_from_file_location("application", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in ("engine", "image"):
        sys.modules.pop(name, None)


def test_it_answers_with_numpy_and_the_engine_alone(
    model: Path, trained: Trained, tmp_path: Path
) -> None:
    samples, logits = trained.view().raw("test"), trained.logits("ptq-int8")
    pixels = np.rint(samples[:2].astype(float) * (255 / 16)).astype(np.uint8)
    np.save(tmp_path / "a.npy", pixels[0])
    (tmp_path / "b.pgm").write_bytes(b"P5\n8 8\n255\n" + pixels[1].tobytes())
    before = sorted(model.rglob("*"))
    bare = "import runpy, sys; sys.modules.update(edgeflow=None, PIL=None); del sys.argv[0]; "
    command = [sys.executable, "-c", bare + "runpy.run_path(sys.argv[0], run_name='__main__')"]
    done = subprocess.run(
        [*command, str(PROGRAM), "tiny", "a.npy", "b.pgm"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    labels = [line.split()[1] for line in done.stdout.splitlines()]
    assert labels == [str(label) for label in logits[:2].argmax(axis=1)]
    assert (model / "current").readlink().name[:12] in done.stderr
    assert sorted(model.rglob("*")) == before, "more files would damage the release"


def test_it_asks_the_service_of_a_release_with_a_real_engine(
    model: Path, trained: Trained, tmp_path: Path
) -> None:
    samples, logits = trained.view().raw("test"), trained.logits("ptq-int8")
    frames = np.rint(samples[:3].astype(float) * (255 / 16)).astype(np.uint8)
    names = [f"{place}.npy" for place in range(3)]
    for name, frame in zip(names, frames, strict=True):
        np.save(tmp_path / name, frame)
    before = sorted(model.glob("releases/**/*"))
    serve = [sys.executable, "-B", str(model / "current/runner.py"), "serve", str(model)]
    try:
        started = json.loads(subprocess.check_output([*serve, "start"]))
        assert (started["release"], started["ready"]) == (started["current"], True), started
        done = subprocess.run(
            [sys.executable, "-S", "-c", BY_NUMPY_ALONE, np.__path__[0], str(ASK), "tiny", *names],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    finally:
        stopped = json.loads(subprocess.check_output([*serve, "stop"]))
    assert stopped == {"running": False, "stopped": True}
    labels = [line.split()[1] for line in done.stdout.splitlines()]
    assert labels == [str(label) for label in logits[:3].argmax(axis=1)]
    assert sorted(model.glob("releases/**/*")) == before, "more files would damage the release"


def test_a_release_that_becomes_current_answers_from_then_on(
    model: Path, application: Any, trained: Trained
) -> None:
    sample = trained.view().raw("test")[0]
    current = application.Current(str(model))
    first = current.release()
    label = first.answer(sample)["label"]
    assert current.release() is first

    other = model / "releases" / ("f" * 64)
    shutil.copytree((model / "current").resolve(), other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["labels"] = [f"new {name}" for name in manifest["labels"]]
    (other / "manifest.json").chmod(0o644)
    (other / "manifest.json").write_text(json.dumps(manifest))
    (model / "current").unlink()
    (model / "current").symlink_to(f"releases/{other.name}")
    assert current.release().answer(sample)["label"] == f"new {label}"
    assert first.answer(sample)["label"] == label


def test_photos_of_any_size(model: Path, application: Any, tmp_path: Path) -> None:
    release = application.open_release(str((model / "current").resolve()))
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (90, 50, 3), np.uint8)).save(tmp_path / "a.png")
    sample = release.sample(application.load(str(tmp_path / "a.png")))
    assert (sample.shape, sample.dtype) == ((8, 8, 1), np.uint8)
    assert sample.max() <= 16
    assert set(release.answer(sample)["probabilities"]) == set(release.labels)
    with pytest.raises(ValueError, match="input is uint8 .8, 8. without its batch, not uint8"):
        release.answer(sample[..., 0])


@pytest.mark.parametrize("shape", [(4, 4, 4), (4,), (2, 4, 4, 3)])
def test_pixels_of_other_forms(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="are neither grey nor RGB"):
        image.fitted(np.zeros(shape, np.uint8), (8, 8, 3))


@pytest.mark.parametrize("channels", [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_pixels_are_those_of_pillow(channels: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    given, wanted = channels
    for _ in range(20):
        height, width, new_height, new_width = map(int, rng.integers(1, 80, 4))
        pixels = rng.integers(0, 256, (height, width, given), np.uint8)
        photo = Image.fromarray(pixels if given == 3 else pixels[..., 0])
        photo = photo.convert({1: "L", 3: "RGB"}[wanted])
        for size in ((height, new_width), (new_height, width), (new_height, new_width)):
            made = photo.resize(size[::-1], Image.Resampling.BILINEAR)
            theirs = np.asarray(made).reshape(*size, wanted).astype(int)
            off = np.abs(image.fitted(pixels, (*size, wanted)) - theirs).max()
            assert off <= (size == (new_height, new_width)), "along one axis they are equal"

"""The step: files, manifest, card, and what it refuses."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.artifact.fingerprint import closure
from edgeflow.artifact.hashing import sha256_file, sha256_json
from edgeflow.config.samples import PARTS
from edgeflow.dataset.build import build_dataset, source_digest
from edgeflow.dataset.view import open_dataset
from edgeflow.errors import DataError, IntegrityError

DIGITS = {"source": "digits", "calibration": 50}
WriteNpz = Callable[..., Path]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def npz_options(path: Path, **more: Any) -> dict[str, Any]:
    return {"source": "npz", "path": str(path), "calibration": 4, **more}


def float_samples(count: int = 20) -> dict[str, NDArray[Any]]:
    x = np.random.default_rng(0).normal(size=(count, 3, 3, 2)).astype(np.float32)
    return {"x": x, "y": np.arange(count) % 2}


def test_digits_give_verified_parts(tmp_path: Path) -> None:
    manifest = build_dataset("digits", DIGITS, "code", tmp_path / "out")
    view = open_dataset(tmp_path / "out", PARTS)

    assert view.facts.labels == list("0123456789")
    assert view.facts.input_shape == [8, 8, 1]
    assert view.facts.inputs["input"].preprocess.scale == 1 / 16
    assert sum(len(view.truth(part)) for part in ("train", "validation", "test")) == 1797
    for part in PARTS:
        assert view.raw(part).dtype == np.uint8
        assert 0.0 <= view.inputs(part).min() <= view.inputs(part).max() == 1.0
        assert np.bincount(view.truth(part)).tolist() == view.facts.counts[part]
    assert len(view.truth("calibration")) == 50
    assert set(manifest.tools) == {"machine", "numpy", "scikit-learn"}


def test_a_rebuild_elsewhere_is_byte_identical(tmp_path: Path) -> None:
    build_dataset("one", DIGITS, "code", tmp_path / "a")
    build_dataset("other", DIGITS, "code", tmp_path / "elsewhere" / "b")

    assert content(tmp_path / "a") == content(tmp_path / "elsewhere" / "b")
    assert set(content(tmp_path / "a")) == {
        "card.md",
        "manifest.json",
        *(f"{part}_{axis}.npy" for part in PARTS for axis in "xy"),
    }


def test_the_manifest_names_bytes_not_places(tmp_path: Path, images: Path) -> None:
    moved = images.rename(tmp_path / "moved")
    section = {"source": "image_folder", "size": [4, 4], "calibration": 2}

    manifest = build_dataset("pets", {**section, "path": str(moved)}, "code", tmp_path / "out")

    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text()
    assert "path" not in manifest.slice
    files = {f"{p.parent.name}/{p.name}": sha256_file(p) for p in moved.glob("*/*")}
    assert manifest.inputs == {"source": sha256_json(files)}
    assert (len(files), set(manifest.tools)) == (12, {"machine", "numpy", "pillow"})


def test_edited_data_changes_the_manifest_inputs(tmp_path: Path, npz: WriteNpz) -> None:
    arrays = float_samples()
    before = build_dataset("a", npz_options(npz(**arrays)), "code", tmp_path / "out")
    arrays["x"][0] += 1
    after = build_dataset("a", npz_options(npz(**arrays)), "code", tmp_path / "out")
    assert before.inputs != after.inputs


def test_samples_with_other_memory_order_give_the_same_file(tmp_path: Path, npz: WriteNpz) -> None:
    arrays = float_samples()
    build_dataset("a", npz_options(npz(**arrays)), "code", tmp_path / "c")
    arrays["x"] = np.asfortranarray(arrays["x"])
    build_dataset("a", npz_options(npz(**arrays)), "code", tmp_path / "fortran")
    for name in ("train_x.npy", "test_x.npy"):
        assert (tmp_path / "c" / name).read_bytes() == (tmp_path / "fortran" / name).read_bytes()


def test_the_card_tells_classes_range_and_hashes(tmp_path: Path) -> None:
    manifest = build_dataset("digits", DIGITS, "code", tmp_path)
    card = (tmp_path / "card.md").read_text()

    assert "8 x 8 x 1 (height x width x channels), uint8" in card
    assert "Stored range: 0 to 16" in card
    assert "stored value * 0.0625 + 0.0: 0 to 1" in card
    counts = [manifest.facts["counts"][part][3] for part in PARTS]
    assert f"| 3 | 3 | {' | '.join(map(str, counts))} |" in card
    assert manifest.files["test_x.npy"].sha256 in card


BROKEN: dict[str, tuple[Callable[[dict[str, NDArray[Any]]], object], str]] = {
    "nan": (lambda a: a["x"].__setitem__((3, 0, 0, 0), np.nan), "1 sample.* train .* number 3"),
    "infinity": (lambda a: a["x"].__setitem__((0, 0, 0, 0), np.inf), "NaN or infinity"),
    "one class": (lambda a: a["y"].fill(0), r"has 1 class\(es\); a classifier needs two"),
    "from one": (lambda a: a.update(y=a["y"] + 1), r"class numbers 1\.\.2 for 2 labels"),
    "negative": (lambda a: a.update(y=a["y"] - 1), r"class numbers -1\.\.0 for 2 labels"),
    "lengths": (lambda a: a.update(y=a["y"][:-1]), "20 samples and 19 class numbers"),
    "empty": (lambda a: a.update(x=a["x"][:0], y=a["y"][:0]), r"has 0 class\(es\)"),
    "no pixels": (lambda a: a.update(x=a["x"][:, :0]), r"samples are empty: .*\(0, 3, 2\)"),
    "two shapes": (
        lambda a: a.update(
            x_train=a["x"], y_train=a.pop("y"), x_test=a.pop("x")[:, :2], y_test=np.arange(20) % 2
        ),
        r"train samples are float32 \(3, 3, 2\), test samples float32 \(2, 3, 2\)",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_unusable_samples_leave_no_output(tmp_path: Path, npz: WriteNpz, name: str) -> None:
    arrays = float_samples()
    spoil, message = BROKEN[name]
    spoil(arrays)

    with pytest.raises(DataError, match=message) as caught:
        build_dataset("a", npz_options(npz(**arrays)), "code", tmp_path / "out")
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_labels_that_do_not_suffice(tmp_path: Path, npz: WriteNpz) -> None:
    arrays = float_samples()
    arrays["y"] = np.arange(20) % 3
    with pytest.raises(DataError, match=r"class numbers 0\.\.2 for 2 labels"):
        build_dataset("a", npz_options(npz(**arrays), labels=["a", "b"]), "code", tmp_path / "out")


def test_snakemake_plans_by_the_digest_that_the_step_computes(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    section = {"source": "image_folder", "path": str(images), "size": [4, 4], "calibration": 2}
    planned = source_digest("pets", section)
    manifest = build_dataset("pets", section, "code", tmp_path / "out", planned)
    assert manifest.inputs == {"source": planned}
    (images / "dark" / "0.png").replace(images / "light" / "a.png")
    with pytest.raises(IntegrityError, match="pets: the source .* changed since this job was"):
        build_dataset("pets", section, "code", tmp_path / "out", planned)


def test_what_is_missing_is_left_to_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    planned = source_digest("a", npz_options(tmp_path / "nowhere.npz"))
    with pytest.raises(DataError, match="does not exist"):
        build_dataset("a", npz_options(tmp_path / "nowhere.npz"), "code", tmp_path / "out", planned)


def test_planning_needs_no_heavy_import(tmp_path: Path) -> None:
    code = (
        "import sys; from edgeflow.dataset.build import source_digest;"
        "source_digest('a', {'source': 'image_folder', 'path': '.', 'size': [4, 4]});"
        "print(*{'numpy', 'PIL', 'sklearn', 'tensorflow'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == []


def test_the_code_of_one_source_does_not_hold_the_others() -> None:
    modules = closure("edgeflow.dataset.build", "edgeflow.dataset.sources.digits")
    sources = [name for name in modules if name.startswith("edgeflow.dataset.sources.")]
    assert sources == ["edgeflow.dataset.sources.digits"]


def test_the_user_may_order_the_classes_of_a_source_with_names(
    tmp_path: Path, images: Path
) -> None:
    folder = {"source": "image_folder", "path": str(images), "size": [4, 4], "calibration": 2}
    build_dataset("a", folder, "code", tmp_path / "a")
    build_dataset("b", {**folder, "labels": ["light", "dark"]}, "code", tmp_path / "b")

    for name, bright in (("a", 1), ("b", 0)):
        view = open_dataset(tmp_path / name, PARTS)
        assert view.facts.labels[bright] == "light"
        light = view.raw("train").mean(axis=(1, 2, 3)) > 100
        np.testing.assert_array_equal(view.truth("train") == bright, light)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["light", "dusk"], "it has no class 'dusk'; its 'dark' is not listed"),
        (["light"], "its 'dark' is not listed"),
    ],
)
def test_labels_that_are_not_the_sources(
    tmp_path: Path, images: Path, labels: list[str], message: str
) -> None:
    section = {"source": "image_folder", "path": str(images), "size": [4, 4], "labels": labels}
    with pytest.raises(DataError, match=message) as caught:
        build_dataset("a", section, "code", tmp_path / "out")
    assert "dark, light" in caught.value.hint


def test_the_user_may_say_how_samples_become_input(tmp_path: Path) -> None:
    build_dataset(
        "a", {**DIGITS, "preprocess": {"scale": 0.125, "offset": -1}}, "code", tmp_path / "out"
    )
    view = open_dataset(tmp_path / "out", PARTS)
    assert (view.inputs("train").min(), view.inputs("train").max()) == (-1, 1)
    assert view.raw("train").max() == 16
    assert "0.125 + -1.0: -1 to 1" in (tmp_path / "out" / "card.md").read_text()

"""Where the files of a dataset may lie: nothing is dropped silently, given parts are kept."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeflow.config.dataset import ImageFolderDataset
from edgeflow.config.samples import Part
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.build import build_dataset, source_files
from edgeflow.dataset.folders import class_files
from edgeflow.dataset.sources import image_folder
from edgeflow.dataset.view import open_dataset
from edgeflow.errors import DataError

THREE: tuple[Part, ...] = ("train", "validation", "test")


def section(root: Path, **more: Any) -> dict[str, Any]:
    return {"source": "image_folder", "path": str(root), "size": [2, 2], "channels": 1, **more}


def load(root: Path) -> RawDataset:
    return image_folder.load(ImageFolderDataset.model_validate(section(root)))


def put(root: Path, place: str, *greys: int) -> None:
    """Write images of one grey each into a folder below `root`."""
    (root / place).mkdir(parents=True, exist_ok=True)
    for grey in greys:
        Image.new("L", (2, 2), grey).save(root / place / f"{grey}.png")


def greys(samples: Any) -> list[int]:
    return [int(value) for value in samples.x[:, 0, 0, 0]]


def test_folders_within_a_class_belong_to_it(tmp_path: Path) -> None:
    put(tmp_path, "cat", 1)
    put(tmp_path, "cat/tabby/kittens", 2, 3)
    put(tmp_path, "dog/old", 4)

    raw = load(tmp_path)

    assert (greys(raw.train), raw.train.y.tolist()) == ([1, 2, 3, 4], [0, 0, 0, 1])
    assert raw.train.names == (
        "cat/1.png", "cat/tabby/kittens/2.png", "cat/tabby/kittens/3.png", "dog/old/4.png",
    )  # fmt: skip
    assert [str(path) for path in source_files(section(tmp_path))] == [
        str(tmp_path / name) for name in raw.train.names
    ]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("train", "val", "test"), ("Training", "valid", "Testing"), ("train", "validation", "TEST")],
)
def test_given_parts_are_kept(tmp_path: Path, train: str, validation: str, test: str) -> None:
    given = {train: range(10), validation: range(20, 24), test: range(30, 36)}
    for part, values in given.items():
        put(tmp_path / "data", f"{part}/cat", *values[::2])
        put(tmp_path / "data", f"{part}/dog/wet", *values[1::2])

    build_dataset("a", section(tmp_path / "data", calibration=4), "code", tmp_path / "out")

    view = open_dataset(tmp_path / "out", THREE)
    assert view.facts.labels == ["cat", "dog"]
    for part, values in zip(THREE, given.values(), strict=True):
        stored = view.raw(part)[:, 0, 0, 0]
        assert sorted(stored.tolist()) == list(values)
        np.testing.assert_array_equal(stored.astype(int) % 2, view.truth(part))


@pytest.mark.parametrize("missing", ["val", "test"])
def test_a_part_that_is_not_given_is_drawn_from_train(tmp_path: Path, missing: str) -> None:
    for number, part in enumerate({"train", "val", "test"} - {missing}):
        start = 0 if part == "train" else 50 + 10 * number
        put(tmp_path / "data", f"{part}/cat", *range(start, start + 10))
        put(tmp_path / "data", f"{part}/dog", *range(start + 100, start + 110))

    build_dataset("a", section(tmp_path / "data", calibration=4), "code", tmp_path / "out")

    view = open_dataset(tmp_path / "out", THREE)
    sizes = {part: len(view.truth(part)) for part in THREE}
    drawn = {"val": {"train": 18, "validation": 2, "test": 20},
             "test": {"train": 16, "validation": 20, "test": 4}}  # fmt: skip
    assert sizes == drawn[missing]


def test_classes_may_be_called_like_parts(tmp_path: Path) -> None:
    put(tmp_path / "one", "train/steam", 1)
    put(tmp_path / "one", "car", 2)
    assert load(tmp_path / "one").labels == ("car", "train")
    put(tmp_path / "two", "train", 1)
    put(tmp_path / "two", "test", 2)
    put(tmp_path / "two", "sham", 3)
    assert load(tmp_path / "two").labels == ("sham", "test", "train")
    for place in ("train/day", "train/night", "car/day", "bicycle/rain"):
        put(tmp_path / "three", place, 1)
    assert load(tmp_path / "three").labels == ("bicycle", "car", "train")


WRONG: dict[str, tuple[list[str], str]] = {
    "stray": (["train/a", "train/b", "test/a", "extra/a"], "extra beside test, train"),
    "twice": (["train/a", "train/b", "val/a", "valid/a"], "val, valid all name the part"),
    "flat": (["train/a", "train/b", "test"], "test holds no folder for each class"),
    "no train": (["val/a", "val/b", "test/a", "test/b"], "test, val hold folders of the same"),
    "dev": (["train/a", "train/b", "dev/a", "dev/b"], "they seem to be parts"),
    "named": (["training_set/a", "training_set/b", "test_set/a", "x"], "test_set, training_set"),
    "around": (["all/train/a", "all/train/b", "all/val/a"], "set `path: .*/all`"),
    "inside": (["cat/train", "cat/test", "dog/train"], "cat holds test, train; parts stand above"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mixture_is_refused(tmp_path: Path, name: str) -> None:
    places, message = WRONG[name]
    for place in places:
        put(tmp_path, place, 1)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path)
    assert "train/CLASS/FILE" in caught.value.hint


def test_files_beside_the_classes_are_told_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "cat", 1)
    put(tmp_path, "dog", 2)
    (tmp_path / "README.md").write_text("Cats and dogs")
    assert load(tmp_path).notes == (), "the card depends on the source's files alone"
    assert "note: not read, as no class holds them: README.md\n" in capsys.readouterr().err

    put(tmp_path, ".", 9)
    with pytest.raises(DataError, match=r"1 of the images .* have no class: 9\.png"):
        load(tmp_path)


def test_the_folder_around_the_classes_is_told_from_a_class(tmp_path: Path) -> None:
    put(tmp_path, "pets/cat", 1)
    put(tmp_path, "pets/dog", 2)
    with pytest.raises(DataError, match="holds one class, 'pets'") as caught:
        load(tmp_path)
    assert f"set `path: {tmp_path}/pets`" in caught.value.hint


def test_links_and_what_is_no_file(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "more", 2)
    put(tmp_path / "data", "cat", 1)
    put(tmp_path / "data", "dog", 3)
    (tmp_path / "data" / "cat" / "more").symlink_to(tmp_path / "elsewhere" / "more")
    assert greys(load(tmp_path / "data").train) == [1, 2, 3]

    (tmp_path / "data" / "cat" / "loop").symlink_to(tmp_path / "data" / "cat")
    (tmp_path / "data" / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "data" / "dog" / "pipe")
    with pytest.raises(DataError, match="3 files cannot be used") as caught:
        load(tmp_path / "data")
    for what in ("gone.png is a broken link", "loop links to a folder", "pipe is no regular file"):
        assert what in caught.value.message
    assert len(class_files(str(tmp_path / "data"))) == 3


def test_what_file_managers_leave_is_no_sample(tmp_path: Path) -> None:
    put(tmp_path, "cat", 1)
    put(tmp_path, "dog", 2)
    put(tmp_path, "__MACOSX/cat", 3)
    (tmp_path / "cat" / "Thumbs.db").write_bytes(b"\0")
    raw = load(tmp_path)
    assert (raw.labels, greys(raw.train)) == (("cat", "dog"), [1, 2])


def test_all_bad_files_are_named_at_once(tmp_path: Path) -> None:
    put(tmp_path, "cat", 1)
    put(tmp_path, "dog", 2)
    for number in range(25):
        (tmp_path / "dog" / f"bad{number:02}.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="25 files cannot be used") as caught:
        load(tmp_path)
    assert "bad00.png" in caught.value.message
    assert "bad19.png" in caught.value.message
    assert "and 5 more" in caught.value.message


def test_equal_samples_in_two_parts_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for start, part in enumerate(("train", "val", "test")):
        put(data, f"{part}/cat", *range(20 * start, 20 * start + 10))
        put(data, f"{part}/dog", *range(20 * start + 10, 20 * start + 20))
    build_dataset("a", section(data, calibration=4), "code", tmp_path / "clean")
    assert "note:" not in capsys.readouterr().err

    Image.new("L", (2, 2), 3).save(data / "test" / "dog" / "copy.bmp")
    build_dataset("a", section(data, calibration=4), "code", tmp_path / "out")

    line = (
        "1 of 21 test samples are in train too, so figures of test are too good: "
        "test/dog/copy.bmp as train/cat/3.png\n"
    )
    assert f"note: {line}" in capsys.readouterr().err
    assert f"- {line}" in (tmp_path / "out" / "card.md").read_text()


def test_a_validation_set_with_anomalies_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    put(data, "train/good", *range(9))
    put(data, "val/good", 10)
    put(data, "test/good", 20)
    put(data, "test/odd", 30)
    asked = section(data, task="anomaly", calibration=2)
    build_dataset("a", asked, "code", tmp_path / "out")
    put(data, "val/odd", 40)
    with pytest.raises(DataError, match=r"validation set has 1 sample\(s\) of 'odd'"):
        build_dataset("a", asked, "code", tmp_path / "out")


def test_names_of_classes_that_break_tables_or_are_no_text(tmp_path: Path) -> None:
    for place in ("a\nb", os.fsdecode(b"\xff"), "c d"):
        put(tmp_path / "data", place, *range(6))
    with pytest.raises(DataError, match=r"'a\\nb', '\\udcff'") as caught:
        build_dataset("a", section(tmp_path / "data", calibration=3), "code", tmp_path / "out")
    assert "rename" in caught.value.hint


def test_files_that_git_did_not_fetch_are_not_called_corrupt(tmp_path: Path) -> None:
    put(tmp_path / "data", "a", *range(6))
    put(tmp_path / "data", "b", *range(6))
    lines = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (tmp_path / "data/b/3.png").write_text(lines)
    with pytest.raises(DataError, match=r"b/3\.png is only a Git LFS pointer"):
        build_dataset("a", section(tmp_path / "data", calibration=3), "code", tmp_path / "out")

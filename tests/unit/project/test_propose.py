from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeflow.check.project import check_project
from edgeflow.config.root import Config
from edgeflow.errors import DataError
from edgeflow.project.create import create
from edgeflow.project.own import draft_from
from edgeflow.project.place import whole
from edgeflow.project.propose import config_name, input_size, propose
from edgeflow.project.survey.images import Images
from tests.signals import write_tones
from tests.unit.project.conftest import Draw


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    return tmp_path / "new"


def checked(project: Path, data: Path, **options: Any) -> Config:
    """Make a project of data, and return its configuration as `edgeflow check` reads it."""
    draft, _ = draft_from(project, data, None)
    create(project, draft)
    return check_project(project / "config.yaml", **({"fast": True} | options))


def test_photos(project: Path, draw: Draw) -> None:
    draw(counts={"old cat": 60, "dog": 9}, size=(240, 200))
    config = checked(project, project.parent / "photos")
    [section] = config.datasets.values()
    assert section.source == "image_folder"
    assert (section.size, section.channels) == ((96, 96), 3)
    assert section.calibration <= 50
    text = (project / "config.yaml").read_text()
    assert "# 2 classes: dog 9, old cat 60\n" in text
    assert "# warning: 1 class has fewer than 50 samples: dog 9" in text
    assert "# warning: classes are unbalanced" in text
    [model] = config.models.values()
    assert model.architecture is not None
    assert model.architecture.name == "ds_cnn"
    # three of the 14 test samples may differ before a gate is missed
    assert config.deployments[0].gates.model_dump()["accuracy_drop_max"] == 0.22


def test_data_in_the_project_is_named_from_there(project: Path, draw: Draw) -> None:
    draw("new/my photos", size=(28, 28), mode="L")
    config = checked(project, project / "my photos", fast=False)
    [section] = config.datasets.values()
    assert section.source == "image_folder"
    assert (section.path, section.size, section.channels) == ("my photos", (28, 28), 1)


def test_paths_are_written_without_detours(project: Path, draw: Draw, tmp_path: Path) -> None:
    photos = draw()
    config = checked(project, Path("../new/../photos"))
    assert getattr(config.datasets["photos"], "path", "") == str(photos)
    (tmp_path / "link").symlink_to(photos / "cat")
    assert whole(tmp_path / "link" / ".." / "dog") == (photos / "dog").resolve()


def test_given_parts_and_a_folder_around(project: Path, draw: Draw) -> None:
    for part in ("train", "test"):
        draw(f"archive/photos/{part}")
    config = checked(project, project.parent / "archive")
    [section] = config.datasets.values()
    assert section.source == "image_folder"
    assert section.path == str(project.parent / "archive" / "photos")
    text = (project / "config.yaml").read_text()
    assert "# train: 2 classes: cat 12, dog 12\n" in text
    assert "# test: 2 classes: cat 12, dog 12\n" in text


def test_files_that_a_build_refuses_make_no_project(draw: Draw, tmp_path: Path) -> None:
    folder = draw()
    (folder / "dog" / "notes.txt").write_text("none")
    Image.new("I;16", (40, 30)).save(folder / "cat" / "deep.png")
    with pytest.raises(DataError, match="2 files cannot be used as images") as refused:
        propose(folder)
    for told in ("dog/notes.txt (cannot identify", "cat/deep.png (has pixels of mode I;16"):
        assert told in refused.value.message
    write_tones(tmp_path / "tones", each=3)
    (tmp_path / "tones" / "low" / "cut.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"1 file cannot be used as WAV files: low/cut\.wav"):
        propose(tmp_path / "tones")


def test_sizes_and_modes(draw: Draw) -> None:
    folder = draw(counts={"cat": 60, "dog": 60}, size=(320, 180))
    for number in range(30):
        Image.new("L", (20, 20)).save(folder / "cat" / f"grey{number}.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (180, 320)).save(folder / "dog" / "turned.jpg", exif=turned)
    found = propose(folder)
    assert found.values["size"] == [64, 112]
    assert found.values["channels"] == 3
    told = {(finding.level, finding.message) for finding in found.findings}
    assert ("note", "1 image is turned upright, as EXIF says") in told
    assert ("warning", "images of several kinds: RGB 121, L 30") in told
    assert any("30 of 151 images are smaller" in message for _, message in told)
    assert any("30 of 151 images have another aspect" in message for _, message in told)
    assert found.facts["sizes"] == "320x180 121, 20x20 30"


def test_of_many_sizes_most_are_not_enlarged() -> None:
    images = Images()
    sizes = ((64, 64), (120, 90), (90, 120), (200, 150), (640, 480), (480, 640))
    images.sizes.update(dict.fromkeys(sizes, 24))
    assert input_size(images) == (64, 64)
    assert not list(images.findings((64, 64)))
    told = images.facts()["sizes"]
    assert told.startswith("6 from 64x64 to 640x480, most of them 64x64 24, 120x90 24, ")


def test_sounds(project: Path) -> None:
    write_tones(project.parent / "tones", each=14)
    write_tones(project.parent / "more", each=2, rate=8000)
    (project.parent / "more" / "low").rename(project.parent / "tones" / "low" / "more")
    config = checked(project, project.parent / "tones", fast=False)
    [section] = config.datasets.values()
    assert section.source == "wav_folder"
    assert (section.seconds, section.features.rate, section.resample) == (0.5, 4000, True)
    assert (
        "files have several rates: 4,000 (42 files), 8,000 (2 files)"
        in (project / "config.yaml").read_text()
    )


@pytest.mark.parametrize(
    ("shape", "truth", "expected"),
    [
        ((60, 32, 32, 3), "classes", {"source": "npz"}),
        ((60, 3, 32, 32), "classes", {"source": "npz", "data_format": "channels_first"}),
        ((60, 28, 28), "classes", {"source": "npz"}),
        ((60, 128, 3), "classes", {"source": "signal", "preprocess": {"standardize": True}}),
        ((60, 3, 128), "classes", {"source": "signal", "data_format": "channels_first"}),
        ((60, 20), "targets", {"source": "npz", "task": "regression"}),
    ],
)
def test_arrays(
    project: Path, shape: tuple[int, ...], truth: str, expected: dict[str, Any]
) -> None:
    y = np.arange(60) % 3 if truth == "classes" else np.ones((60, 2))
    np.savez(project / "data.npz", x=np.ones(shape, np.float32), y=y)
    found = propose(project / "data.npz")
    assert expected.items() <= found.values.items()
    config = checked(project, project / "data.npz")
    assert config.datasets["data"].calibration == found.parts["train"]


def test_what_cannot_be_a_dataset(tmp_path: Path, draw: Draw) -> None:
    (tmp_path / "table.csv").write_text("1,2")
    (tmp_path / "text" / "a").mkdir(parents=True)
    (tmp_path / "text" / "a" / "b.txt").write_text("")
    several: dict[str, Any] = {"x.a": np.ones((9, 2)), "x.b": np.ones((9, 2)), "y": [1] * 9}
    np.savez(tmp_path / "several.npz", **several)
    np.savez(tmp_path / "other.npz", z=[1])
    (tmp_path / "no.npz").write_text("none")
    cases = {
        "nothing": "does not exist",
        "table.csv": "np.savez",
        "text": "no images or WAV files",
        "several.npz": "takes several",
        "other.npz": "holds z",
        "no.npz": "cannot be read",
    }
    for name, reason in cases.items():
        with pytest.raises(DataError, match=reason):
            propose(tmp_path / name)
    flat = draw("flat", counts={"": 3})
    with pytest.raises(DataError, match="no folder with folders"):
        propose(flat)
    with pytest.raises(DataError, match=r"1 class\(es\)"):
        propose(draw("one", counts={"cat": 3}))
    with pytest.raises(DataError, match="class 'dog' is too small"):
        propose(draw("few", counts={"cat": 30, "dog": 2}))
    write_tones(tmp_path / "slow", rate=500)
    with pytest.raises(DataError, match=r"needs `features\.rate: 500`"):
        propose(tmp_path / "slow")
    with pytest.raises(DataError, match="cannot stand"):
        propose(draw("odd{1}"))


def test_a_project_within_its_data_is_refused(draw: Draw) -> None:
    photos = draw()
    for folder in (photos, photos / "new"):
        with pytest.raises(DataError, match="within its data"):
            draft_from(folder, photos, None)


def test_names() -> None:
    assert config_name("Photos of Mine!") == "photos-of-mine"
    assert config_name("---") == config_name("日本") == "data"
    assert len(config_name("a" * 99)) == 40

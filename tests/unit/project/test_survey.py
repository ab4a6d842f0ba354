import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.project.propose import parsed, section_of
from edgeflow.project.survey import copies as module
from edgeflow.project.survey.base import Survey
from edgeflow.project.survey.copies import NEXT, Copies, signature
from edgeflow.project.survey.page import write_page
from edgeflow.project.survey.run import survey
from tests.signals import write_tones
from tests.unit.project.conftest import Draw


def told(found: Survey) -> dict[str, tuple[str, ...]]:
    """Return the files of each finding, by level and message."""
    return {f"{finding.level}: {finding.message}": finding.files for finding in found.findings}


def test_images(draw: Draw) -> None:
    folder = draw(counts={"cat": 20, "dog": 60})
    first = (folder / "cat" / "1.png").read_bytes()
    (folder / "dog" / "copy.png").write_bytes(first)
    (folder / "cat" / "below").mkdir()
    (folder / "cat" / "below" / "same.png").write_bytes((folder / "cat" / "0.png").read_bytes())
    smooth = Image.linear_gradient("L").convert("RGB")
    smooth.save(folder / "dog" / "smooth.png")
    smooth.resize((200, 150)).save(folder / "dog" / "smooth.jpg", quality=70)
    (folder / "cat" / "cut.png").write_bytes(first[:800])
    (folder / "cat" / "lfs.png").write_text("version https://git-lfs.github.com/spec/v1\noid 1")
    (folder / "cat" / "link.png").symlink_to("nowhere")
    (folder / "beside.png").write_bytes(first)
    (folder / "README").write_text("")
    found = survey("photos", *section_of(folder))
    findings = told(found)
    unusable = findings["error: 2 files cannot be used as images"]
    assert unusable[0].startswith("cat/cut.png: cannot be read as an image")
    assert unusable[1].startswith("cat/lfs.png: only a Git LFS pointer")
    assert findings["error: 1 entry cannot be read"] == ("cat/link.png is a broken link",)
    assert findings[
        "error: 1 images lie beside the class folders, so they have no class"
    ] == ("beside.png",)  # fmt: skip
    assert findings["warning: 1 sample is equal to one of another class"] == (
        "dog/copy.png = cat/1.png",
    )
    assert findings["warning: 1 sample is equal to one of the same class"] == (
        "cat/below/same.png = cat/0.png",
    )
    assert findings["warning: 1 image looks like one of the same class"] == (
        "dog/smooth.png = dog/smooth.jpg",
    )
    assert findings["note: 1 folder within class folders"] == ("cat/below",)
    assert findings["note: 1 file beside the class folders, not read"] == ("README",)
    levels = [finding.level for finding in found.findings]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert len(found.pictures["dog"]) == 6
    assert len(found.shown["1 sample is equal to one of another class"]) == 2


def test_copies_in_given_parts(draw: Draw) -> None:
    for part in ("train", "test"):
        draw(f"data/{part}", counts={"cat": 8, "dog": 8})
    found = survey("data", *section_of(draw("data/val", counts={"cat": 1, "dog": 1}).parent))
    # noise is drawn from the length of a name, which `train` and `test` do not share
    assert not any("equal" in finding.message for finding in found.findings)
    folder = Path(found.path)
    (folder / "test" / "cat" / "x.png").write_bytes((folder / "train/cat/0.png").read_bytes())
    (folder / "train" / "dog" / "x.png").write_bytes((folder / "train/dog/0.png").read_bytes())
    findings = told(survey("data", *section_of(folder)))
    assert findings["warning: 1 sample is equal to one of another part"] == (
        "train/cat/0.png = test/cat/x.png",
    )
    assert "note: 1 sample is equal to one of the same class and part" in findings


def test_what_no_dataset_can_be_made_of(draw: Draw) -> None:
    findings = told(survey("one", *section_of(draw("one", counts={"cat": 5}))))
    assert "error: the dataset has 1 class(es); a classifier needs two or more" in findings
    for part in ("training_set", "test_set"):
        draw(f"odd/{part}/cat", counts={"": 2})
        draw(f"odd/{part}/dog", counts={"": 2})
    findings = told(survey("odd", *section_of(draw("odd/other/cat", counts={"": 2}).parents[1])))
    assert any("so they seem to be parts" in message for message in findings)


def test_images_that_look_alike_are_found_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = module._differences

    def counting(small: Any, one: Any, other: Any) -> Any:
        compared.append(len(one))
        return real(small, one, other)

    monkeypatch.setattr(module, "_differences", counting)
    rng = np.random.default_rng(0)
    for count in (100, 400):
        compared.clear()
        copies = Copies(drawn=True)
        for number in range(count):  # one hash for all, and no two alike
            rows = np.repeat([0, 255], 8)[:, None] * np.ones(16)
            noise = rng.integers(0, 100, (16, 16))
            small = np.abs(rows - noise).astype(np.uint8)
            copies.add(str(number), "train", "a", bytes([number % 256, number // 256]), small)
        assert list(copies.findings()) == []
        assert 0 < sum(compared) <= 4 * NEXT * count


def test_flat_images_are_not_alike() -> None:
    copies = Copies(drawn=True)
    for number, level in enumerate((100, 101)):
        small = signature(np.full((20, 20, 3), level, np.uint8))
        copies.add(str(number), "train", "a", bytes([number]), small)
    assert list(copies.findings()) == []


def test_sounds(tmp_path: Path) -> None:
    folder = tmp_path / "tones"
    write_tones(folder, each=12)
    wavfile.write(folder / "low" / "silent.wav", 4000, np.zeros(2000, np.int16))
    loud = np.clip(4 * np.sin(np.arange(2000) / 5), -1, 1)
    wavfile.write(folder / "low" / "loud.wav", 4000, (32767 * loud).astype(np.int16))
    (folder / "high" / "cut.wav").write_bytes((folder / "high" / "0.wav").read_bytes()[:30])
    found = survey("tones", *section_of(folder))
    findings = told(found)
    assert findings["warning: 1 of 38 files are silent, all samples being equal"] == (
        "low/silent.wav",
    )
    assert findings["warning: 1 of 38 files are clipped"] == ("low/loud.wav",)
    [bad] = findings["error: 1 file cannot be used as WAV files"]
    assert bad.startswith("high/cut.wav: cannot be read as WAV")
    assert len(found.pictures["low"]) == 6
    assert found.facts["length"] == "0.5 to 0.5 s, median 0.5 s"


def test_arrays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 40, 3)).astype(np.float32), np.arange(60) % 2
    x[..., 1] = 5
    x[7], x[9] = 5, x[3]
    path = tmp_path / "data.npz"
    np.savez(path, x=x, y=y, other=y)
    found = survey("data", *section_of(path))
    findings = told(found)
    assert findings["warning: 1 sample of train hold one value throughout"] == ("number 7",)
    assert findings["warning: 1 of 3 channels have one value in all of train"] == ("channel 1",)
    assert findings["warning: 1 sample is equal to one of the same class"] == ("train 9 = train 3",)
    assert "note: arrays not read: other" in findings
    assert found.counts == {"train": {"0": 30, "1": 30}}
    x[2, 0, 0] = np.nan
    np.savez(path, x=x, y=y)
    [message] = [m for m in told(survey("data", *section_of(path))) if m.startswith("error")]
    assert "1 sample(s) of the train part hold NaN or infinity" in message


def test_targets_that_never_change(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.stack([rng.normal(size=40), np.ones(40)], axis=1)
    np.savez(tmp_path / "data.npz", x=rng.normal(size=(40, 6)), y=y)
    found = survey("data", *section_of(tmp_path / "data.npz"))
    assert told(found)["warning: targets have one value in all of train"] == ("1",)
    assert found.counts == {}


def test_the_page_holds_all_and_escapes_names(draw: Draw, tmp_path: Path) -> None:
    folder = draw(counts={"<b>cat": 7, "dog": 7})
    found = survey("photos", *section_of(folder))
    write_page([found], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count("data:image/jpeg;base64,") == 12
    assert "<b>cat" not in text
    assert "&lt;b&gt;cat" in text
    assert 'src="http' not in text
    assert "href=" not in text
    many = survey("many", *section_of(draw("many", counts={f"c{n:03}": 3 for n in range(60)})))
    assert sum(map(bool, many.pictures.values())) == 40


def test_data_check_of_the_command_line(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw()
    done = CliRunner().invoke(app, ["data", "check", "photos", "--page", "page.html", "--json"])
    assert done.exit_code == 0, done.output
    [dataset] = json.loads(done.stdout)["datasets"]
    assert dataset["counts"] == {"train": {"cat": 12, "dog": 12}}
    assert {finding["level"] for finding in dataset["findings"]} == {"warning"}
    np.savez("first.npz", x=np.zeros((60, 3, 32, 32), np.uint8), y=np.arange(60) % 3)
    done = CliRunner().invoke(app, ["data", "check", "first.npz"])
    assert "(3, 32, 32) seem to have their 3 channels first" in done.output
    assert done.output.endswith("page: data-check.html\n")
    assert not Path("results").exists()
    assert CliRunner().invoke(app, ["init", ".", "--data", "photos"]).exit_code == 0
    done = CliRunner().invoke(app, ["data", "check"])
    assert done.exit_code == 0, done.output
    assert "  train: 24 samples of 2 classes: cat 12, dog 12\n" in done.output
    assert Path("results/data-check.html").is_file()
    Path("photos/cat/bad.png").write_text("none")
    done = CliRunner().invoke(app, ["data", "check", "photos"])
    assert done.exit_code == 9
    assert "error: 1 file cannot be used as images" in done.output
    assert CliRunner().invoke(app, ["data", "check", "none"]).exit_code == 2


def test_few_anomalies_are_as_it_should_be(draw: Draw) -> None:
    values = {"source": "image_folder", "path": str(draw(counts={"bad": 9, "good": 60}))}
    asked = {"size": [30, 40], "calibration": 5, "task": "anomaly", "labels": ["good", "bad"]}
    assert not told(survey("parts", parsed({**values, **asked})))


def test_a_dataset_that_edgeflow_brings() -> None:
    found = survey("digits", parsed({"source": "digits"}))
    assert found.facts["number of samples"] == "train 1,797"
    assert len(found.pictures["7"]) == 6
    assert not any(finding.level == "error" for finding in found.findings)

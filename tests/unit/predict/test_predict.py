import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from edgeflow.artifact.hashing import sha256_file
from edgeflow.cli.app import app
from edgeflow.errors import ConfigError, DataError, DeployError, EdgeflowError
from edgeflow.testing.trained import Trained

BUNDLE = "results/targets/pi/tiny/ptq-int8/bundle.tar"


def predict(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["predict", *arguments, "--json"])
    if isinstance(done.exception, EdgeflowError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.fixture
def photos(trained: Trained, tmp_path: Path) -> Path:
    """The first test samples as images, in two folders."""
    for row, sample in enumerate(trained.view().raw("test")[:4]):
        pixels = np.rint(sample[..., 0].astype(float) * 255 / 16).astype(np.uint8)
        folder = tmp_path / "photos" / "ab"[row % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{row}.png")
    (tmp_path / "photos" / "notes.txt").write_text("no sample")
    return tmp_path / "photos"


def softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@pytest.mark.parametrize("place", [(), ("--local",)], ids=["device", "here"])
def test_the_deployed_model_answers(
    project: Path, trained: Trained, packed: Path, place: tuple[str, ...]
) -> None:
    said = predict("bench", "tiny", str(trained.dataset / "test_x.npy"), *place)
    answers, logits = said.pop("answers"), trained.logits("ptq-int8").astype(np.float64)
    engine = said.pop("engine")
    assert engine.startswith("ai-edge-litert")
    assert said == {
        "model": "tiny",
        "recipe": "ptq-int8",
        "release": sha256_file(packed / "bundle.tar"),
        "target": "litert",
        "ran_on": "this machine" if place else "device bench",
        "latency_kind": "measured",
        "emulated": False,
    }
    assert [one["label"] for one in answers] == [str(label) for label in logits.argmax(axis=1)]
    np.testing.assert_allclose(
        [list(one["probabilities"].values()) for one in answers],
        [softmax(row) for row in logits],
        atol=1e-6,
    )
    assert all(one["latency_ms"] > 0 for one in answers)


def test_images_are_read_as_those_of_the_dataset(
    project: Path, photos: Path, trained: Trained
) -> None:
    arrays = predict("bench", "tiny", str(trained.dataset / "test_x.npy"))["answers"]
    answers = predict("bench", "tiny", str(photos), str(photos / "b/3.png"))["answers"]
    places = ["a/0.png", "a/2.png", "b/1.png", "b/3.png", "b/3.png"]
    assert [one["sample"] for one in answers] == [str(photos / place) for place in places]
    for row, one in zip((0, 2, 1, 3, 3), answers, strict=True):
        assert one["probabilities"] == arrays[row]["probabilities"]


def test_lines_for_people(project: Path, photos: Path) -> None:
    done = CliRunner().invoke(app, ["predict", "bench", "tiny", str(photos), "--top", "2"])
    head, *lines, last = done.output.splitlines()
    sha = sha256_file(project / BUNDLE)
    assert head.startswith(f"tiny/ptq-int8, release {sha[:12]} on device bench (ai-edge-litert")
    assert len(lines) == 4
    for line in lines:
        said = line.partition(": ")[2].partition("  [")[0].split(", ")
        assert len(said) == 2
        assert float(said[0].split()[1]) >= float(said[1].split()[1])
        assert line.endswith(" ms]")
    assert last.startswith("latency, measured on device bench: ")


def test_the_release_says_how_files_are_read(project: Path, photos: Path) -> None:
    """The configuration was edited since; what runs was not."""
    before = predict("bench", "tiny", str(photos))
    edited = (
        (project / "config.yaml")
        .read_text()
        .replace("{source: digits,", f"{{source: image_folder, path: {photos}, size: [8, 8],")
    )
    (project / "edited.yaml").write_text(edited)
    after = predict("bench", "tiny", str(photos), "--config", "edited.yaml")
    for answer in (*before["answers"], *after["answers"]):
        del answer["latency_ms"]
    assert after == before


def test_a_model_that_is_not_in_use(project: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no model 'tinny', and the configuration") as caught:
        predict("bench", "tinny", str(photos))
    assert caught.value.hint == "did you mean 'tiny'?"
    config = (project / "config.yaml").read_text()
    more = config.replace("  tiny: ", "  other: &net ").replace(
        "recipes:", "  tiny: *net\nrecipes:"
    )
    deployed = more + "  - {model: other, recipe: ptq-int8, devices: [bench]}\n"
    (project / "more.yaml").write_text(deployed)
    arguments = ("bench", "other", str(photos), "--config", "more.yaml", "--results")
    with pytest.raises(DeployError, match="no release of other in use; it serves tiny") as refused:
        predict(*arguments, str(tmp_path))
    assert "edgeflow run" in refused.value.hint
    folder = tmp_path / "devices/bench/other"
    folder.mkdir(parents=True)
    (folder / "gates.json").write_text("{}")
    with pytest.raises(DeployError) as lost:
        predict(*arguments, str(tmp_path))
    assert f"delete {folder} and run `edgeflow run`" in lost.value.hint


def test_files_that_cannot_be_read_are_all_named(project: Path, photos: Path) -> None:
    (photos / "bad.png").write_bytes(b"no image")
    np.save(photos / "wide.npy", np.zeros((2, 9, 8, 1), np.uint8))
    np.save(photos / "floats.npy", np.zeros((2, 8, 8, 1), np.float32))
    with pytest.raises(DataError) as caught:
        predict("bench", "tiny", str(photos), str(photos / "none.png"))
    message = caught.value.message
    assert "4 files cannot be used" in message
    assert "bad.png cannot be read as an image" in message
    assert "wide.npy: input is uint8 (2, 9, 8, 1)" in message
    assert "floats.npy: input is float32 (2, 8, 8, 1)" in message
    assert "none.png does not exist" in message
    assert "class folder" not in caught.value.hint
    assert caught.value.hint.count("that the model was trained on") == 1
    assert "the network takes uint8 (n, 8, 8, 1)" in caught.value.hint


def test_nothing_to_read(project: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sample")
    with pytest.raises(DataError, match=r"no file in .* is of a kind"):
        predict("bench", "tiny", str(tmp_path), "--local")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("kitchen", "tiny"), "no device 'kitchen'; there are: bench"),
        (("bench", "../tiny"), "is no name of a model"),
        (("bench", "other", "--local"), "deploys no 'other' to bench"),
    ],
)
def test_names_that_are_none(project: Path, arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, ["predict", *arguments, "a.png"], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert said in done.output


def test_a_bundle_that_is_not_built(project: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeflowError, match="not built yet for pi") as caught:
        predict("bench", "tiny", str(photos), "--local", "--results", str(tmp_path))
    assert caught.value.hint == "build it: edgeflow run"

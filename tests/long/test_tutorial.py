"""What docs/tutorial.md tells a new user to do, with only the wheel installed."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

from tests.workflow.conftest import ROOT, Project

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "edgeflow/uv-cache"
"""What `make env` filled."""
BLOCK = re.compile(r"```(sh|diff)\n(.*?)```", re.DOTALL)


def write_photos(folder: Path) -> None:
    """Write photos of 20 x 20 pixels and two classes: red and green, with noise."""
    rng = np.random.default_rng(1)
    for label, colour in {"ripe": (170, 70, 60), "unripe": (80, 150, 60)}.items():
        (folder / label).mkdir(parents=True)
        for number in range(1, 61):
            pixels = np.clip(colour + rng.normal(0, 25, (20, 20, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.jpg")


def write_model(file: Path) -> None:
    """Write a model that tells them apart: whether the mean is more red than green."""
    weights = np.array([[9, -9], [-9, 9], [0, 0]], np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("Gemm", ["colour", "weights"], ["logits"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("image", ["batch", 3, 20, 20]), ("logits", ["batch", 2]))
    ]
    kept = numpy_helper.from_array(weights, "weights")
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [kept])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), file)


def uv(*arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", "uv", *arguments]
    every = {"UV_CACHE_DIR": str(CACHE), **os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, env=every, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The commands of a new environment with the wheel, and what uv.lock pins of its needs.

    The wheel is made from the source distribution. No network is needed.
    """
    venv, wheels = tmp_path / "venv", tmp_path / "dist"
    uv("build", "--no-build-isolation", "--out-dir", str(wheels))
    (wheel,) = wheels.glob("edgeflow_ml-*.whl")
    options = ("--frozen", "--no-dev", "--no-install-project", "--no-compile-bytecode")
    uv("sync", *options, "--python", sys.executable, UV_PROJECT_ENVIRONMENT=str(venv))
    python = ("--python", str(venv / "bin" / "python"))
    uv("pip", "install", "--no-deps", *python, str(wheel))
    uv("pip", "check", *python)
    return venv / "bin"


@pytest.fixture
def user(tmp_path: Path, installed: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with photos and a model, and an environment that knows nothing of this checkout."""
    folder = tmp_path / "user"
    write_photos(folder / "photos")
    write_model(folder / "net.onnx")
    path = f"{installed}:/usr/bin:/bin"
    yield folder, {"PATH": path, "HOME": str(tmp_path), "EDGEFLOW_STORE": str(tmp_path / "store")}
    for project in ("digits", "fruit", "mine"):
        Project(folder / project).stop_devices()


def patched(text: str, diff: str) -> str:
    """Return a text after a diff without line numbers, whose lines stand in the text's order."""
    lines, place = text.splitlines(), 0
    for mark, line in ((row[:1], row[1:]) for row in diff.splitlines()):
        if mark == "+":
            lines.insert(place, line)
            place += 1
        else:
            place = lines.index(line, place)
            if mark == "-":
                del lines[place]
            else:
                place += 1
    return "\n".join(lines) + "\n"


def counted(project: Path) -> Counter[str]:
    """Return how often each step ran and did not fail."""
    log = map(json.loads, (project / "logs/events.jsonl").read_text().splitlines())
    return Counter(event["step"] for event in log if event["exit_code"] == 0)


@pytest.mark.timeout(1500)
def test_the_tutorial_does_what_it_says(user: tuple[Path, dict[str, str]]) -> None:
    folder, environment = user
    place, said = folder, ""
    for section in PAGE.split("\n## ")[1:]:
        for kind, text in BLOCK.findall(section):
            if kind == "diff":
                config = place / "config.yaml"
                config.write_text(patched(config.read_text(), text))
                continue
            assert len(text.splitlines()) <= 2, section
            done = subprocess.run(
                ["bash", "-ec", f"{text}\npwd > {folder.parent}/place"],
                cwd=place,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            said = done.stdout
            assert done.returncode == 0, f"{text}\n{said}\n{done.stderr}"
            place = Path((folder.parent / "place").read_text().strip())

    assert re.search(r"photos/ripe/1\.jpg: ripe [01]\.\d{3}, .* ms\]$", said, re.MULTILINE), said
    made = {name: counted(folder / name) for name in ("digits", "fruit", "mine")}
    assert [counts["train"] for counts in made.values()] == [1, 1, 0]
    assert [counts["gate"] for counts in made.values()] == [2, 2, 3]
    assert made["mine"]["compile"] == 2  # nothing was built for the second device

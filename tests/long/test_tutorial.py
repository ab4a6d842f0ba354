"""What docs/tutorial.md tells a new user to do, with only the wheel installed."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, Project

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "edgeflow/uv-cache"
"""What `make env` filled."""
BLOCK = re.compile(r"```(sh|diff)\n(.*?)```", re.DOTALL)


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
    """An empty folder, and an environment that knows nothing of this checkout."""
    folder = tmp_path / "user"
    folder.mkdir()
    path = f"{installed}:/usr/bin:/bin"
    yield folder, {"PATH": path, "HOME": str(tmp_path), "EDGEFLOW_STORE": str(tmp_path / "store")}
    for project in folder.iterdir():
        Project(project).stop_devices()


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

    assert re.search(r"test_x\.npy\[0\]: \d [01]\.\d{3}, .* ms\]$", said, re.MULTILINE), said
    log = (folder / "digits/logs/events.jsonl").read_text().splitlines()
    counts = Counter(json.loads(line)["step"] for line in log)
    assert (counts["train"], counts["compile"], counts["deploy"], counts["gate"]) == (1, 2, 3, 3)

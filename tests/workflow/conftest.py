"""A small project of its own: a copy of the workflow and the package, so that tests may edit."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeflow.artifact.code import KEPT
from edgeflow.testing.trained import shared_folder
from edgeflow.testing.virtual_devices import stop_devices
from tests.warm_snakemake import warm_snakemake

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "edgeflow", "envs", "rules", "profiles", "report")

CONFIG: dict[str, Any] = {
    "store": {"path": "store"},
    "datasets": {"digits": {"source": "digits", "calibration": 50}},
    "models": {
        "tiny": {
            "dataset": "digits",
            "architecture": {"name": "ds_cnn", "width": 8, "blocks": 1},
            "train": {"epochs": 2, "batch_size": 64, "learning_rate": 0.01},
        }
    },
    "recipes": {"fp32": {}, "int8": {"quantize": "ptq-int8"}},
    "targets": {"pi": {"kind": "litert"}, "intel": {"kind": "openvino"}},
    "devices": {
        "pi-1": {"target": "pi", "transport": "virtual"},
        "intel-1": {"target": "intel", "transport": "virtual"},
    },
    "deployments": [
        {"model": "tiny", "recipe": "int8", "devices": ["pi-1"], "measure": {"runs": 10}},
        {"model": "tiny", "recipe": "fp32", "devices": ["intel-1"], "measure": {"runs": 10}},
    ],
}


@dataclass(frozen=True)
class Project:
    """A folder with the workflow, and a way to run it."""

    folder: Path
    timeout_s: int = 900
    store: Path | None = None
    """In the place of the configuration's."""

    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        inherited = {key: value for key, value in os.environ.items() if key != "EDGEFLOW_STORE"}
        own = {"EDGEFLOW_STORE": str(self.store)} if self.store else {}
        return {**inherited, **own, "PYTHONPATH": str(self.folder), "PATH": path}

    def write_config(self, config: dict[str, Any]) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config))

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            arguments,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=self.timeout_s,
        )
        Parsed.take(self.folder)
        return done

    def snakemake(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        done = warm_snakemake().run(
            ("--cores", "2", *arguments), self.folder, self.environment(), self.timeout_s
        )
        Parsed.take(self.folder)
        return done

    def build(self, *arguments: str) -> str:
        """Run snakemake, which must succeed, and return what it said."""
        result = self.snakemake(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    def would_run(self) -> dict[str, int]:
        """Return how many jobs of each rule a build would run now, without `all`."""
        result = self.snakemake("--dry-run")
        assert result.returncode == 0, result.stdout + result.stderr
        rows = re.findall(r"^([a-z_]+) +(\d+)$", result.stdout + result.stderr, re.MULTILINE)
        return {rule: int(count) for rule, count in rows if rule not in ("all", "total")}

    def events(self) -> list[dict[str, Any]]:
        log = self.folder / "logs" / "events.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [json.loads(line) for line in lines]

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text, f"{name} no longer has {old!r}"
        path.write_text(text.replace(old, new))

    def stop_devices(self) -> None:
        """End the virtual devices' server of this project, if one runs."""
        stop_devices(self.folder)


def change_quietly(path: Path) -> None:
    """Replace a file by one of other bytes, but of equal size and time."""
    status, data = path.stat(), path.read_bytes()
    other = path.with_name("other")
    other.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def copy_part(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


class Parsed:
    """What the first project that was planned kept of its sources: others need not parse them."""

    text = b""

    @classmethod
    def take(cls, folder: Path) -> None:
        if not cls.text and (folder / KEPT).exists():
            cls.text = (folder / KEPT).read_bytes()

    @classmethod
    def give(cls, folder: Path) -> None:
        if cls.text:
            (folder / KEPT).parent.mkdir(exist_ok=True)
            (folder / KEPT).write_bytes(cls.text)


def make_project(
    folder: Path,
    config: dict[str, Any] = CONFIG,
    timeout_s: int = 900,
    store: Path | None = None,
) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        copy_part(ROOT / part, folder / part)
    project = Project(folder, timeout_s, store)
    project.write_config(config)
    Parsed.give(folder)
    return project


NewProject = Callable[..., Project]


@pytest.fixture
def new_project(tmp_path: Path) -> Iterator[NewProject]:
    """Make projects below tmp_path; their devices end with the test."""
    made: list[Project] = []

    def make(
        name: str = "project", config: dict[str, Any] = CONFIG, store: Path | None = None
    ) -> Project:
        made.append(make_project(tmp_path / name, config, store=store))
        return made[-1]

    yield make
    for project in made:
        project.stop_devices()


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store for projects that are about what follows the training: each network trains once."""
    return shared_folder(tmp_path_factory) / "store"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Make one project and build all of it."""
    project = make_project(tmp_path_factory.mktemp("built") / "project")
    make_project(project.folder.parent / "pristine")
    project.build()
    yield project
    project.stop_devices()


@pytest.fixture
def pristine(built: Project) -> Iterator[Project]:
    """Return the built project; edits of its sources are undone after the test."""
    yield built
    for part in PARTS:
        copy_part(built.folder.parent / "pristine" / part, built.folder / part)
    built.write_config(CONFIG)

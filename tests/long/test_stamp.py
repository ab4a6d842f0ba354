"""Random edits of a project that is up to date: its stamp says so only where Snakemake does.

The project, Snakemake and the stamp are real; the steps are a stand-in that makes empty files.
After each edit the folder is brought back as it was, and stamped again.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeflow.stamp import keep
from tests.long.conftest import SWEEP
from tests.workflow.conftest import CONFIG, ROOT, Project, change_quietly, make_project

EDITS = 2_000 if SWEEP else 15
NOTHING = "Nothing to be done"
STAND_IN = str(ROOT / "benchmarks" / "bare")

Draw = random.Random
Edit = Callable[[Path, Draw], object]
"""Changes a file of the project."""


@dataclass(frozen=True)
class Stamped:
    """A project that is up to date, and what its last run depended on."""

    project: Project
    copy: Path
    offer: Path

    def restore(self) -> None:
        folder = self.project.folder
        shutil.rmtree(folder)
        subprocess.run(["cp", "--archive", self.copy, folder], check=True)
        self.stamp()

    def stamp(self) -> None:
        later = time.time_ns() + 10**10  # nothing changed meanwhile
        code = (
            "import sys; from pathlib import Path; from edgeflow.stamp import keep;"
            f"keep._write(keep._content(Path({str(self.offer)!r}), {later}))"
        )
        done = self.run("-c", code)
        assert done.returncode == 0, done.stderr

    def run(self, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.project.folder,
            env={**self.project.environment(), "EDGEFLOW_BIN": STAND_IN, **more},
            capture_output=True,
            text=True,
            timeout=100,
        )

    def says_up_to_date(self, **more: str) -> bool:
        code = "from edgeflow.stamp.check import answer; print(answer([]) is not None)"
        return self.run("-c", code, **more).stdout == "True\n"

    def snakemake_finds_nothing(self, **more: str) -> bool:
        done = self.run("-m", "snakemake", "--dry-run", "--cores", "2", **more)
        return NOTHING in done.stdout + done.stderr


def _config() -> dict[str, object]:
    return {
        **CONFIG,
        "datasets": {
            "digits": {"source": "digits"},
            "photos": {"source": "image_folder", "path": "photos", "size": [8, 8]},
            "field": {"source": "npz", "path": "field.npz"},
        },
        "models": {
            **CONFIG["models"],
            "own": {"dataset": "photos", "architecture": {"name": "nets:build"}},
            "mine": {"dataset": "field", "source": "net.onnx"},
        },
        "deployments": [
            *CONFIG["deployments"],
            {"model": "own", "recipe": "int8", "devices": ["pi-1", "intel-1"]},
            {"model": "mine", "recipe": "fp32", "devices": ["intel-1"]},
        ],
    }


@pytest.fixture(scope="module")
def stamped(tmp_path_factory: pytest.TempPathFactory) -> Stamped:
    folder = tmp_path_factory.mktemp("stamped")
    project = make_project(folder / "project", _config())
    here = Stamped(project, folder / "copy", folder / "offer.json")
    for number in range(6):
        photo = project.folder / f"photos/{'ab'[number % 2]}/{number}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(b"%d" % number)
    for name in ("field.npz", "net.onnx"):
        (project.folder / name).write_bytes(b"1234")
    shutil.copy(ROOT / "tests/workflow/nets.py", project.folder)
    project.edit("Snakefile", "ending.show_results()", "pass")  # of empty files
    here.run("-m", "compileall", "-q", "edgeflow")  # so that no run adds to its folders
    first = here.run("-m", "snakemake", "--cores", "2")
    assert first.returncode == 0, first.stdout + first.stderr
    time.sleep(0.2)
    second = here.run("-m", "snakemake", "--cores", "2", **{keep.OFFER: str(here.offer)})
    assert NOTHING in second.stdout + second.stderr
    subprocess.run(["cp", "--archive", project.folder, here.copy], check=True)
    here.stamp()
    return here


def test_a_build_is_stamped_and_the_next_run_needs_no_snakemake(stamped: Stamped) -> None:
    stamped.restore()
    (stamped.project.folder / "results/report/metrics.csv").unlink()
    first = stamped.run("-m", "edgeflow", "run", "--cores", "2")
    second = stamped.run("-m", "edgeflow", "run", "--cores", "2")
    assert "report: done" in first.stderr
    assert second.returncode == 0
    assert second.stderr == "nothing to do: all is up to date\n"


def _touch(path: Path, draw: Draw) -> None:
    path.touch()


def _old(path: Path, draw: Draw) -> None:
    os.utime(path, (draw.randrange(10**9), draw.randrange(10**9)))


def _append(path: Path, draw: Draw) -> None:
    with path.open("ab") as file:
        file.write(draw.choice([b" ", b"\n", b"\n# A remark.\n", b"\nA = 1\n"]))


def _flip(path: Path, draw: Draw) -> None:
    """Change one byte in place, with the time that it had."""
    status, data = path.stat(), bytearray(path.read_bytes() or b" ")
    data[draw.randrange(len(data))] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replace(path: Path, draw: Draw) -> None:
    if path.stat().st_size:
        change_quietly(path)


def _rename(path: Path, draw: Draw) -> None:
    path.rename(path.with_name(f"x{path.name}"))


def _copy(path: Path, draw: Draw) -> None:
    shutil.copy2(path, path.with_name(f"x{path.name}"))


def _swap(path: Path, draw: Draw) -> None:
    others = [other for other in path.parent.iterdir() if other.is_file() and other != path]
    if others:
        other, aside = draw.choice(sorted(others)), path.with_name("aside")
        path.rename(aside)
        other.rename(path)
        aside.rename(other)


def _remove_folder(path: Path, draw: Draw) -> None:
    if (path.parent / "Snakefile").exists():
        path.unlink()  # not the project itself
    else:
        shutil.rmtree(path.parent)


def _chmod(path: Path, draw: Draw) -> None:
    path.chmod(0o600)


def _unlink(path: Path, draw: Draw) -> None:
    path.unlink()


def _package_instead(path: Path, draw: Draw) -> None:
    """Put a package beside a file: of a module, it takes the place."""
    folder = path.with_suffix("")
    if not folder.exists():
        folder.mkdir()
        (folder / "__init__.py").write_text("A = 1\n")


ANY_FILE: tuple[Edit, ...] = (
    *(_touch, _old, _append, _flip, _replace, _rename, _copy, _swap, _chmod, _unlink),
    *(_remove_folder, _package_instead),
)
VARIABLES = (
    {"EDGEFLOW_STORE": "off"},
    {"EDGEFLOW_ANY": "1"},
    {"HOME": "/nowhere"},
    {"COLUMNS": "40"},
    {"PYTHONPATH": "/nowhere"},
    {"SNAKEMAKE_PROFILE": "profiles/slurm"},
    {"SSH_TTY": "/dev/pts/7"},
)


def _places(folder: Path) -> list[list[Path]]:
    """Return files in groups of equal chance; most files are of the package and of results."""
    names = ("edgeflow", "results", "rules", "profiles", "photos", "logs", "report", "envs")
    groups = [sorted(folder.glob(f"{name}/**/*")) for name in (*names, ".snakemake", ".edgeflow")]
    groups += [sorted(folder.glob(".snakemake/metadata/*")), sorted(folder.iterdir())]
    code = [path for path in groups[0] if path.suffix == ".py"]
    files = [[p for p in group if p.is_file() and p.name != "stamp"] for group in (*groups, code)]
    return [group for group in files if group]


def test_the_stamp_says_up_to_date_only_where_snakemake_does(stamped: Stamped) -> None:
    draw, kept = Draw(7), 0
    for number in range(EDITS):
        stamped.restore()
        variables = draw.choice(VARIABLES) if draw.random() < 0.1 else {}
        path = draw.choice(draw.choice(_places(stamped.project.folder)))
        edit = draw.choice(ANY_FILE)
        if not variables:
            edit(path, draw)
        if stamped.says_up_to_date(**variables):
            kept += 1
            what = variables or f"{edit.__name__} {path}"
            assert stamped.snakemake_finds_nothing(**variables), f"edit {number}: {what}"
    stamped.restore()
    assert stamped.says_up_to_date()
    assert stamped.snakemake_finds_nothing()
    assert 0 < kept < EDITS

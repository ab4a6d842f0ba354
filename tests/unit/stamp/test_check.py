"""The check of a stamp: any change of what it covers leaves the answer to Snakemake."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeflow.stamp import check
from edgeflow.stamp.look import CODE, MODULES, RESULTS, SOURCE, Root
from tests.workflow.conftest import change_quietly

SAID = "the table\nnothing changed\n"
ROOTS: tuple[Root, ...] = (
    *((SOURCE, "config.yaml"), (SOURCE, "photos"), (SOURCE, "absent")),
    *((CODE, "code"), (MODULES, "site"), (RESULTS, "results")),
)


@pytest.fixture
def stamped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a stamp; the working folder."""
    monkeypatch.chdir(tmp_path)
    # pytest says in a variable of its own what it is doing.
    monkeypatch.setattr(check, "_OF_PROGRAMS", (*check._OF_PROGRAMS, "PYTEST_"))
    for name in (
        *("config.yaml", "photos/a/1.png", "photos/a/2.png", "code/a.py", "site/module.py"),
        *("site/tool-1.dist-info/METADATA", "site/tool-1.dist-info/RECORD"),
        *("results/model.h5", "results/compiled/part"),
    ):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    write_stamp()
    return tmp_path


def write_stamp() -> None:
    Path(".edgeflow").mkdir(exist_ok=True)
    lines = "\n".join(f"{kind} {path}" for kind, path in ROOTS)
    parts = (check.facts(os.environ), lines, check.shown(ROOTS), SAID)
    Path(check.FILE).write_text(check.SEPARATOR.join(parts))


@pytest.mark.parametrize("arguments", [[], ["--cores", "4"], ["-c2"], ["-j", "all"], ["--jobs=1"]])
def test_nothing_changed(stamped: Path, arguments: list[str]) -> None:
    assert check.answer(arguments) == SAID


@pytest.mark.parametrize(
    "arguments",
    [
        *(["-n"], ["--forceall"], ["--forcerun", "train"], ["results/report/index.html"]),
        *(["--cores"], ["--cores", "-n"], ["-c"], ["--config", "a=1"], ["--rerun-triggers=mtime"]),
    ],
)
def test_other_arguments_are_snakemakes(stamped: Path, arguments: list[str]) -> None:
    assert check.answer(arguments) is None


def _quietly_in_place(path: Path) -> None:
    """Change bytes, and leave size and time as they were."""
    status = path.stat()
    path.write_text("x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _swap(one: Path, other: Path) -> None:
    one.rename("aside")
    other.rename(one)
    Path("aside").rename(other)


def _old_folder(path: Path) -> None:
    os.utime(path, (1, 1))


CHANGES: dict[str, Callable[[], object]] = {
    "touch": lambda: Path("config.yaml").touch(),
    "append": lambda: Path("config.yaml").write_text("config.yaml "),
    "same size and time": lambda: _quietly_in_place(Path("config.yaml")),
    "replaced by equal size and time": lambda: change_quietly(Path("photos/a/1.png")),
    "permissions": lambda: Path("config.yaml").chmod(0o600),
    "deleted": lambda: Path("photos/a/1.png").unlink(),
    "added": lambda: Path("photos/a/3.png").write_text("3"),
    "added folder": lambda: Path("photos/b").mkdir(),
    "renamed": lambda: Path("photos/a/1.png").rename("photos/a/4.png"),
    "renamed folder": lambda: Path("photos/a").rename("photos/b"),
    "swapped": lambda: _swap(Path("photos/a/1.png"), Path("photos/a/2.png")),
    "no longer absent": lambda: Path("absent").write_text(""),
    "code": lambda: Path("code/a.py").write_text("x"),
    "new module": lambda: Path("code/b.py").write_text("x"),
    "module that shadows": lambda: Path("site/yaml.py").write_text("x"),
    "package that shadows": lambda: Path("site/yaml").mkdir(),
    "another version": lambda: Path("site/tool-1.dist-info/METADATA").write_text("Version: 2"),
    "uninstalled": lambda: shutil.rmtree("site/tool-1.dist-info"),
    "result": lambda: Path("results/model.h5").write_text("x"),
    "result deleted": lambda: Path("results/model.h5").unlink(),
    "older folder of results": lambda: _old_folder(Path("results/compiled")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_is_seen(stamped: Path, change: Callable[[], object]) -> None:
    change()
    assert check.answer([]) is None


@pytest.mark.parametrize("change", [lambda: None, lambda: Path("photos/loop").unlink()])
def test_links_are_followed_but_not_in_circles(stamped: Path, change: Callable[[], object]) -> None:
    Path("photos/loop").symlink_to(".")
    Path("photos/broken").symlink_to("nowhere")
    write_stamp()
    assert check.answer([]) == SAID
    change()
    Path("photos/broken").unlink()
    assert check.answer([]) is None


def test_what_no_build_reads_is_not_looked_at(stamped: Path) -> None:
    Path("code/__pycache__").mkdir()
    Path("site/module.py").write_text("only its name counts")
    Path("site/tool-1.dist-info/RECORD").write_text("x")
    assert check.answer([]) == SAID


def test_variables_count_but_those_of_a_terminal(
    stamped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("SSH_TTY", "/dev/pts/9")
    assert check.answer([]) == SAID
    monkeypatch.setenv("SECRET", "swordfish")
    assert check.answer([]) is None
    assert "swordfish" not in check.facts(os.environ)


def test_a_copied_folder_has_no_stamp(stamped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(stamped, stamped.with_name(f"{stamped.name}-copy"))
    monkeypatch.chdir(copy)
    assert check.answer([]) is None


def test_a_damaged_stamp_says_nothing_new(stamped: Path) -> None:
    path = Path(check.FILE)
    whole = path.read_text()
    for length in range(0, len(whole) - len(SAID), 7):
        path.write_text(whole[:length])
        assert check.answer([]) is None

"""A project of one's own: the ten-line Snakefile takes edgeflow's workflow as a module."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.conftest import CONFIG, ROOT, Project

TEMPLATE = ROOT / "edgeflow/project/templates/Snakefile"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Project]:
    """A folder with a project's two files and edgeflow's settings of Snakemake."""
    project = Project(tmp_path)
    shutil.copy(TEMPLATE, tmp_path)
    shutil.copytree(ROOT / "profiles/default", tmp_path / "profiles/default")
    project.write_config(CONFIG)
    yield project
    project.stop_devices()


@pytest.mark.parametrize("name", ["config.yaml", "other.yaml"])
def test_a_wrong_configuration_is_shown_by_line(own: Project, name: str) -> None:
    text = (own.folder / "config.yaml").read_text()
    lines = text.replace("target: intel\n", "target: inTel\n").splitlines()
    (own.folder / name).write_text("\n".join(lines))
    number = next(i for i, line in enumerate(lines, 1) if "target: inTel" in line)

    done = own.snakemake("--dry-run", *(["--configfile", name] if name == "other.yaml" else []))

    assert done.returncode == 1
    assert f"line {number}: devices.intel-1.target: no target 'inTel'" in done.stdout


def test_the_default_target_is_built_and_its_end_is_told(own: Project) -> None:
    shutil.rmtree(own.folder / "profiles")
    own.edit("Snakefile", "\n\nmodule", '\n\npathvars:\n    results="out",\n\n\nmodule')
    stand_in = own.folder / "bin/edgeflow"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\nexit 4\n")
    stand_in.chmod(0o755)

    done = own.command("env", "EDGEFLOW_BIN=bin", "edgeflow", "run")

    assert done.returncode == 1
    assert re.search(r"tiny/int8 +pi-1 .*not measured", done.stderr)
    assert (own.folder / "out/report/index.html").is_file()  # on failure, of what there is
    assert not (own.folder / "results").exists()

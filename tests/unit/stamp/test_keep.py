"""When a run that succeeded is stamped, and when not."""

import json
import os
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from edgeflow.stamp import check, keep
from edgeflow.stamp.look import RESULTS, SOURCE

FOLDERS = ("metadata", "incomplete", "locks")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a source; the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check, "_OF_PROGRAMS", (*check._OF_PROGRAMS, "PYTEST_"))
    for name in (".edgeflow", "results", *(f".snakemake/{name}" for name in FOLDERS)):
        Path(name).mkdir(parents=True)
    Path("config.yaml").write_text("")
    time.sleep(0.15)  # longer than two changes may show one time
    return tmp_path


def run(*, changes: str = "", leaves: str = "", outputs: tuple[str, ...] = ()) -> bool:
    """Make the outputs as Snakemake does, with a change meanwhile; return whether it is stamped."""
    with keep.attempt([]) as tried:
        roots = [(SOURCE, "config.yaml"), (RESULTS, "results")]
        roots += [(RESULTS, f".snakemake/{name}") for name in FOLDERS]
        assert tried.offer
        tried.offer.write_text(json.dumps({"roots": roots, "outputs": outputs}))
        for output in outputs:
            Path(output).write_text("made")
            time.sleep(0.02)
            record(output)
        if changes:
            Path(changes).write_text("by hand")
        if leaves:
            Path(leaves).write_text("")
        tried.succeeded()
    return check.answer([]) is not None


def record(output: str) -> None:
    name = urlsafe_b64encode(output.encode()).decode()
    Path(".snakemake/metadata", name).write_text("{}")


def test_an_idle_run_and_a_build_are_stamped(project: Path) -> None:
    assert run()
    assert run(outputs=("results/model.h5", "results/manifest.json"))
    assert run()


def test_a_job_may_link_what_another_made(project: Path) -> None:
    assert run(outputs=("results/model.h5",))
    time.sleep(0.15)

    with keep.attempt([]) as tried:
        assert tried.offer
        roots = [(SOURCE, "config.yaml"), (RESULTS, "results"), (RESULTS, ".snakemake/metadata")]
        tried.offer.write_text(json.dumps({"roots": roots, "outputs": ["results/compiled"]}))
        os.link("results/model.h5", "results/compiled")
        os.utime("results/compiled")
        record("results/compiled")
        tried.succeeded()
    assert check.answer([]) is not None


def test_the_table_of_the_last_build_is_said_again(project: Path) -> None:
    keep.TABLE.write_text("accuracy 0.98\n")
    assert run()
    assert (check.answer([]) or "").startswith("accuracy 0.98\n")


@pytest.mark.parametrize("path", ["config.yaml", "results/model.h5", "results/stray"])
def test_what_changes_during_a_run_prevents_the_stamp(project: Path, path: str) -> None:
    assert not run(changes=path, outputs=("results/model.h5",))


@pytest.mark.parametrize("meanwhile", [True, False])
def test_an_output_that_went_meanwhile_prevents_the_stamp(project: Path, meanwhile: bool) -> None:
    Path("results/model.h5").write_text("made")
    if not meanwhile:
        Path("results/model.h5").unlink()
    time.sleep(0.15)
    with keep.attempt([]) as tried:
        assert tried.offer
        content = {"roots": [(RESULTS, "results")], "outputs": ["results/model.h5"]}
        tried.offer.write_text(json.dumps(content))
        if meanwhile:
            Path("results/model.h5").unlink()
        tried.succeeded()
    assert (check.answer([]) is None) == meanwhile


@pytest.mark.parametrize("folder", ["locks", "incomplete"])
def test_another_run_or_an_interrupted_one_prevents_the_stamp(project: Path, folder: str) -> None:
    assert not run(leaves=f".snakemake/{folder}/0")


@pytest.mark.parametrize("arguments", [["-n"], ["--forceall"], ["results/model.h5"]])
def test_only_whole_runs_are_stamped(project: Path, arguments: list[str]) -> None:
    with keep.attempt(arguments) as tried:
        assert tried.environment == dict(os.environ)
        tried.succeeded()
    assert not Path(check.FILE).exists()


def test_a_run_without_an_offer_leaves_no_stamp(project: Path) -> None:
    with keep.attempt([]) as tried:
        tried.succeeded()
    assert not Path(check.FILE).exists()

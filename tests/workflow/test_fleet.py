"""The example of a fleet: its models serve, on a neighbour too, and learn from kept samples."""

import csv
import json
import shutil
from typing import Any

import numpy as np
import yaml

from edgeflow.artifact.hashing import sha256_file
from edgeflow.ondevice.kept import Keeper
from tests.workflow.conftest import ROOT, NewProject, Project
from tests.workflow.test_incremental import executed

EXAMPLE = ROOT / "examples/fleet"
STEEL, BRASS = "wear-dataset_steel", "wear-dataset_brass"


def example() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    config["rollouts"]["spring"]["soak_s"] = 0
    return {**config, "store": {"path": "store"}}


def edgeflow(project: Project, *arguments: str) -> str:
    done = project.command("edgeflow", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def bundles(project: Project) -> dict[str, str]:
    """Return the digest of each model's bundle."""
    place = "results/targets/pi-cpu/{}/int8/bundle.tar"
    return {model: sha256_file(project.folder / place.format(model)) for model in (STEEL, BRASS)}


def served(project: Project) -> dict[str, str]:
    found = json.loads(edgeflow(project, "fleet", "status", "--json"))
    assert all(it["spring"]["state"] == "as planned" for it in found.values())
    return {
        name.removeprefix("presses/"): it["spring"]["current_sha256"] for name, it in found.items()
    }


def test_the_example_gets_its_models_neighbours_serve_them_and_samples_come_back(
    new_project: NewProject,
) -> None:
    project = new_project("presses", example())
    inventory = project.folder / "presses.csv"
    shutil.copy(EXAMPLE / "presses.csv", inventory)
    assert "3 of 4 devices, in waves of 1, 1, 1" in edgeflow(project, "check", "--fast")
    assert "waves" not in project.would_run()  # a plain build leaves fleets alone
    assert "rollout spring: complete: 3 confirmed" in edgeflow(project, "rollout", "spring")
    ran = {(event["step"], event["name"]) for event in project.events()}
    assert {("gate", f"bench/{STEEL}"), ("gate", f"bench/{BRASS}"), ("waves", "spring")} <= ran

    left = project.would_run()
    inventory.write_text(inventory.read_text() + "more,steel,,store\n")
    assert project.would_run() == left

    first = bundles(project)
    assert served(project) == {
        "press-1": first[STEEL], "press-2": first[BRASS], "press-3": first[STEEL],
    }  # fmt: skip
    assert "0 of 3 devices would change" in edgeflow(project, "rollout", "spring", "--dry-run")
    assert "spring: " in (project.folder / "results/report/index.html").read_text()

    on_neighbour = project.folder / ".edgeflow/virtual/press-2/root/edgeflow"
    assert (on_neighbour / STEEL / "releases" / first[STEEL]).is_dir()
    assert not (on_neighbour / STEEL / "current").is_symlink()
    edgeflow(project, "fleet", "failover", "press-1", "--force")
    assert (on_neighbour / STEEL / "current").resolve().name == first[STEEL]
    assert "press-2 serves in its place" in edgeflow(project, "fleet", "status")
    said = edgeflow(project, "fleet", "watch", "--failover", "--once")
    assert "press-2 gave it back" in said
    assert not (on_neighbour / STEEL / "current").is_symlink()
    assert (on_neighbour / BRASS / "current").resolve().name == first[BRASS]

    learn_from_kept_samples(project)
    second = bundles(project)
    assert (second[STEEL], second[BRASS] != first[BRASS]) == (first[STEEL], True)
    assert served(project) == {
        "press-1": first[STEEL], "press-2": second[BRASS], "press-3": first[STEEL],
    }  # fmt: skip


def building(project: Project) -> list[dict[str, Any]]:
    return [event for event in project.events() if event["step"] != "waves"]


def learn_from_kept_samples(project: Project) -> None:
    """Collect what a device kept, label it, train on it; all of one model is rebuilt, no more."""
    samples = np.load(project.folder / "results/datasets/brass/test_x.npy")[:3]
    kept = project.folder / ".edgeflow/virtual/bench/root/edgeflow" / BRASS / "kept"
    keeper = Keeper(str(kept), None, 10**6)
    said = {"label": "3", "probabilities": {"3": 0.4}}
    for sample in samples:
        keeper.consider(
            {"input": sample}, bundles(project)[BRASS], said, {"mark": True, "note": ""}
        )
    assert "3 new samples" in edgeflow(project, "device", "collect", "bench", "--model", BRASS)

    table = project.folder / "collected" / BRASS / "labels.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label": "7"} for row in rows)
    config = example()
    base = config["datasets"]["brass"]
    config["datasets"]["brass"] = {
        "source": "collected",
        "path": f"collected/{BRASS}",
        "base": base,
    }
    project.write_config(config)

    before = len(building(project))
    edgeflow(project, "rollout", "spring")
    assert executed(building(project), before) == {
        "dataset brass", f"train {BRASS}", f"compress {BRASS}/int8", f"compile pi-cpu/{BRASS}/int8",
        f"bundle pi-cpu/{BRASS}/int8", f"deploy bench/{BRASS}", f"validate bench/{BRASS}",
        f"gate bench/{BRASS}",
    }  # fmt: skip

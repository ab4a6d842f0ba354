"""`edgeflow rollout` and `edgeflow fleet`, over devices in this process."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from typer.testing import CliRunner

from edgeflow.artifact.hashing import sha256_file
from edgeflow.cli import workflow
from edgeflow.cli.app import app
from edgeflow.cli.project import load_plan
from edgeflow.errors import EdgeflowError, RolloutError, UnreachableError
from edgeflow.fleet import prepare
from edgeflow.fleet.outcome import Result
from edgeflow.fleet.roll_out import roll_out
from tests.unit.config.conftest import GOOD
from tests.unit.fleet.simulated import OLD, Simulated

RESULTS = Path("results")
INVENTORY = "name,variant,zone\n" + "".join(f"d{n},{n % 2},{n}\n" for n in range(10))


class Fleet:
    """Ten devices; those of `ends` end as it says."""

    def __init__(self, ends: dict[str, Result]) -> None:
        self.ends, self.units = ends, dict[str, Simulated]()

    def unit(self, name: str, device: Any, model: Any, *, allow_downgrade: bool) -> Simulated:
        assert (device.transport, device.fleet, allow_downgrade) == ("virtual", "line", False)
        unit = self.units.setdefault(name, Simulated(name, [self.ends.get(name, "confirmed")]))
        unit.sha256 = model.sha256
        return unit


def step(rollout: str = "spring") -> int:
    """Run the step as the rule does, and return its exit code."""
    slice_ = load_plan(Path("config.yaml")).job("waves", rollout=rollout).slice
    try:
        roll_out(slice_, "code", RESULTS, RESULTS / "rollouts" / rollout / "complete.json")
    except EdgeflowError as error:
        return error.exit_code
    return 0


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A project whose models are built, one for each of two variants."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load(GOOD)
    raw["models"]["cnn"]["vary"] = {"train.seed": [0, 1]}
    raw["fleets"] = {"line": {"target": "pi", "transport": "virtual", "inventory": "line.csv"}}
    raw["rollouts"] = {
        "spring": {
            "fleet": "line",
            "model": "cnn",
            "recipe": "int8",
            "waves": [1, "50%", "100%"],
            "soak_s": 0,
            "connections": 1,
            "max_unreachable": 1,
        }
    }
    Path("config.yaml").write_text(yaml.safe_dump(raw))
    Path("line.csv").write_text(INVENTORY)
    for seed in "01":
        bundle = RESULTS / f"targets/pi/cnn-seed{seed}/int8/bundle.tar"
        bundle.parent.mkdir(parents=True)
        bundle.write_text(seed)
    found = Fleet({})
    monkeypatch.setattr(prepare, "SshUnit", found.unit)

    def snakemake(arguments: Sequence[str], selection: dict[str, list[str]]) -> int:
        assert (arguments, selection) == (["--forcerun", "waves"], {"rollout": ["spring"]})
        return step()

    monkeypatch.setattr(workflow, "run_snakemake", snakemake)
    return found


Run = Callable[..., Any]


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, EdgeflowError):
        assert result.exception.exit_code == code
        return str(result.exception)
    assert result.exit_code == code, result.output
    return result.stdout


def digest(seed: int) -> str:
    return sha256_file(RESULTS / f"targets/pi/cnn-seed{seed}/int8/bundle.tar")


def test_an_earlier_rollout_is_no_answer_of_one_that_did_not_begin(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("rollout", "spring")
    monkeypatch.setattr(workflow, "run_snakemake", lambda *_: 6)  # a gate of a bench device
    assert run("rollout", "spring", code=6) == "rollout spring: not begun\n"
    said = json.loads(run("rollout", "spring", "--json", code=6))
    assert said == {"name": "spring", "ended": "not begun"}


def test_a_rollout_goes_by_no_other_configuration_than_its_dry_run(fleet: Fleet) -> None:
    Path("other.yaml").write_text(Path("config.yaml").read_text())
    run("rollout", "spring", "-c", "other.yaml", "--dry-run")
    run("rollout", "spring", "-c", "other.yaml", code=2)
    assert all(unit.current == OLD for unit in fleet.units.values()), "nothing was rolled out"
    run("rollout", "spring", "-c", str(Path("config.yaml").resolve()))


def test_of_a_killed_rollout_no_earlier_result_is_told(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("rollout", "spring")
    (RESULTS / "targets/pi/cnn-seed0/int8/bundle.tar").write_text("another")

    def snakemake(*_: Any) -> int:
        with pytest.raises(KeyboardInterrupt):
            step()
        return 1

    monkeypatch.setattr(workflow, "run_snakemake", snakemake)
    fleet.units["d2"].before = Mock(side_effect=KeyboardInterrupt)
    told = run("rollout", "spring", code=1)
    assert told == "rollout spring: interrupted: 6 confirmed, 4 untouched\n"
    said = json.loads(run("rollout", "spring", "--json", code=1))
    assert (said["ended"], said["counts"]) == ("interrupted", {"confirmed": 6, "untouched": 4})
    assert not (RESULTS / "rollouts/spring/rollout.json").exists()


def test_each_device_gets_the_model_of_its_variant(fleet: Fleet) -> None:
    said = run("rollout", "spring")
    assert "rollout spring: complete: 10 confirmed" in said
    assert [unit.current for unit in fleet.units.values()] == [digest(n % 2) for n in range(10)]
    done = json.loads((RESULTS / "rollouts/spring/complete.json").read_text())
    assert done["counts"]["confirmed"] == 10
    assert (RESULTS / "rollouts/spring/retry.csv").read_text() == "name\n"


def test_a_dry_run_says_what_would_change_and_changes_nothing(fleet: Fleet) -> None:
    run("rollout", "spring")
    fleet.units["d7"].current = None
    changes = json.loads(run("rollout", "spring", "--dry-run", "--json"))
    assert changes == [
        {
            "device": "d7",
            "wave": 3,
            "before": None,
            "after": digest(1),
            "silent": False,
            "why": "it serves none",
            "model": "cnn-seed1",
        }
    ]
    assert fleet.units["d7"].current is None
    fleet.units["d8"].later = UnreachableError("it is off")
    said = run("rollout", "spring", "-n")
    assert said.endswith("\n1 of 10 devices would change, 1 did not say what they serve\n")
    fleet.units["d8"].later = None
    run("rollout", "spring")  # and that one alone is changed
    assert [unit.sent for unit in fleet.units.values()] == [2 if n == 7 else 1 for n in range(10)]


def test_a_budget_that_is_spent_ends_it_with_a_retry_list(fleet: Fleet) -> None:
    fleet.ends |= {"d1": "unreachable", "d3": "rejected"}
    said = run("rollout", "spring", code=RolloutError.exit_code)
    assert "failed: 2 confirmed, 1 rejected, 1 unreachable, 6 untouched" in said
    assert not (RESULTS / "rollouts/spring/complete.json").exists()
    with (RESULTS / "rollouts/spring/retry.csv").open() as file:
        left = {line["name"]: line for line in csv.DictReader(file)}
    assert {name: line["outcome"] for name, line in left.items()} == {
        "d1": "unreachable",
        "d3": "rejected",
    }
    assert (left["d1"]["zone"], left["d1"]["variant"]) == ("1", "1")
    found = json.loads(run("rollout", "spring", "--status", "--json"))
    assert (found["state"], found["counts"]["untouched"]) == ("failed", 6)
    text = run("rollout", "spring", "--status")
    assert "d3: rejected: why rejected" in text
    fleet.units["d3"].ends[:] = ["confirmed"]
    run("rollout", "spring")
    assert json.loads(run("rollout", "spring", "--status", "--json"))["state"] == "complete"
    assert fleet.units["d0"].sent == 1


def test_a_pause_holds_until_it_is_resumed(fleet: Fleet) -> None:
    run("rollout", "spring", "--pause")
    assert "paused" in run("rollout", "spring", code=RolloutError.exit_code)
    assert step() == RolloutError.exit_code  # as a plain build with `automatic` would
    assert not any(unit.sent for unit in fleet.units.values())
    assert json.loads(run("rollout", "spring", "--status", "--json"))["state"] == "paused"
    assert "10 confirmed" in run("rollout", "spring", "--resume")


def test_a_rollout_that_turns_bad_is_taken_back_with_one_command(fleet: Fleet) -> None:
    run("rollout", "spring")
    fleet.units["d2"].later = UnreachableError("it is off")
    fleet.units["d3"].current = None
    told = run("rollout", "spring", "--rollback", "--reason", "too warm", code=4)
    assert told == "8 of 10 devices went back, 1 could not\n"
    fleet.units["d2"].later = None
    assert {it.current for name, it in fleet.units.items() if name not in ("d2", "d3")} == {OLD}
    found = json.loads(run("rollout", "spring", "--status", "--json"))
    assert (found["state"], found["counts"]) == ("paused", {"rolled_back": 8, "confirmed": 2})
    record = json.loads((RESULTS / "rollouts/spring/rollout.json").read_text())
    assert record["outcomes"]["d0"]["detail"] == "taken back: too warm"
    assert not (RESULTS / "rollouts/spring/complete.json").exists()
    again = json.loads(run("rollout", "spring", "--rollback", "--json"))
    assert again == {"rolled_back": ["d2"], "failed": {}}


def test_status_tells_a_rollout_that_runs_from_one_that_was_killed(fleet: Fleet) -> None:
    import fcntl

    run("rollout", "spring")
    path = RESULTS / "rollouts/spring/state.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    assert json.loads(run("rollout", "spring", "--status", "--json"))["state"] == "interrupted"
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert json.loads(run("rollout", "spring", "--status", "--json"))["state"] == "running"


def test_status_tells_drift_from_the_plan_and_silent_devices(fleet: Fleet) -> None:
    assert "not begun" in run("rollout", "spring", "--status")
    run("rollout", "spring")
    fleet.units["d2"].current = "f" * 64
    found = json.loads(run("fleet", "status", "--json"))
    assert found["line/d1"]["spring"] == {
        "model": "cnn-seed1",
        "outcome": "confirmed",
        "current_sha256": digest(1),
        "planned_sha256": digest(1),
        "as_planned": True,
        "state": "as planned",
    }
    assert found["line/d2"]["spring"]["state"] == "drifted: serves another release"
    fleet.units["d1"].later = UnreachableError("it is off")
    silent = json.loads(run("fleet", "status", "--json", code=4))["line/d1"]["spring"]
    assert (silent["state"], silent["exit_code"], silent["as_planned"]) == (
        "does not answer", 4, False,
    )  # fmt: skip
    told = run("fleet", "status", "line", code=4)
    assert "8 of 10 serve what was planned, 1 drifted, 1 did not answer\n" in told


def test_what_no_rollout_has_brought_yet_has_not_drifted(fleet: Fleet) -> None:
    fleet.ends["d0"] = "rejected"
    run("rollout", "spring", code=RolloutError.exit_code)
    found = json.loads(run("fleet", "status", "--json"))
    states = {found[f"line/d{n}"]["spring"]["state"] for n in range(10)}
    assert states == {"serves another release"}


def test_the_check_counts_devices_of_rollouts_and_waves(fleet: Fleet) -> None:
    found = json.loads(run("check", "--fast", "--json"))["rollouts"]
    assert found == [
        {
            "rollout": "spring",
            "fleet": "line",
            "of": 10,
            "devices": 10,
            "waves": [1, 4, 5],
            "models": {"cnn-seed0": 5, "cnn-seed1": 5},
            "standbys": 0,
        }
    ]
    assert (
        "rollout spring -> line: 10 of 10 devices, in waves of 1, 4, 5: 5 cnn-seed0, 5 cnn-seed1\n"
        in run("check", "--fast")
    )
    assert not fleet.units


def test_a_fleet_is_listed_without_being_asked(fleet: Fleet) -> None:
    found = json.loads(run("fleet", "list", "--json"))
    assert [it["device"] for it in found] == [f"d{n}" for n in range(10)]
    assert found[3] | {"labels": {"zone": "3"}, "variant": "1", "target": "pi"} == found[3]
    assert "zone=3" in run("fleet", "list", "line")
    assert not fleet.units


def test_what_is_not_there_is_told(fleet: Fleet) -> None:
    assert run("rollout", "sprong", code=2) == ""
    assert run("fleet", "list", "lime", code=2) == ""
    assert run("rollout", "spring", "--pause", "--resume", code=2) == ""
    (RESULTS / "targets/pi/cnn-seed1/int8/bundle.tar").unlink()
    told = run("rollout", "spring", "--dry-run", code=1)
    assert "cnn-seed1/int8 is not built for target pi yet" in told
    Path("line.csv").write_text("name,variant\nd1,7\n")
    assert "no model for variant '7'" in run("rollout", "spring", "--dry-run", code=2)

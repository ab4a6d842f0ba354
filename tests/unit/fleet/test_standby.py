"""Standbys: what lies on a neighbour, who serves when, and what is given back."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeflow.errors import DeployError, UnreachableError
from edgeflow.fleet import standby as standby_module
from edgeflow.fleet.standby import Standby
from edgeflow.fleet.unit import Seen
from edgeflow.fleet.watch import Watch
from tests.unit.fleet.test_fleet_cli import INVENTORY, Fleet, digest, fleet, run, step

__all__ = ["fleet"]


class Neighbour:
    """A device that stands by: what it has of each model, and what it serves."""

    def __init__(self) -> None:
        self.releases: dict[str, set[str]] = {}
        self.current: dict[str, str] = {}
        self.refuses = ""

    def status(self, model: str) -> SimpleNamespace:
        there = tuple(self.releases.get(model, ()))
        return SimpleNamespace(current=self.current.get(model), releases=there, rejected=())

    def activate(self, model: str, sha: str) -> bool:
        assert sha in self.releases[model]
        before, self.current[model] = self.current.get(model), sha
        return before != sha

    def retire(self, model: str, sha: str, reason: str) -> bool:
        assert reason.endswith("serves again")
        return self.current.pop(model, None) == sha


Neighbours = dict[str, Neighbour]


@pytest.fixture
def neighbours(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Neighbours:
    """The fleet with standbys for d0 (d1), d1 (d0) and d2 (d4, of the same model)."""
    rows = INVENTORY.splitlines()
    standbys = {"d0": "d1", "d1": "d0", "d2": "d4"}
    lines = [f"{rows[0]},standby", *(f"{row},{standbys.get(row[:2], '')}" for row in rows[1:])]
    Path("line.csv").write_text("\n".join(lines))
    found: Neighbours = {}

    @contextmanager
    def opened(self: Standby) -> Iterator[Neighbour]:
        yield found.setdefault(self.neighbour, Neighbour())

    def bring(device: Neighbour, model: str, bundle: Path) -> None:
        if device.refuses:
            raise DeployError(device.refuses)
        device.releases.setdefault(model, set()).add(digest(int(bundle.read_text())))

    monkeypatch.setattr(Standby, "_open", opened)
    monkeypatch.setattr(standby_module, "bring", bring)
    return found


def test_a_rollout_leaves_each_model_on_its_standby_too(
    fleet: Fleet, neighbours: Neighbours
) -> None:
    neighbours["d0"] = Neighbour()
    neighbours["d0"].refuses = "no space"
    run("rollout", "spring")
    assert neighbours["d1"].releases == {"cnn-seed0": {digest(0)}}
    assert not neighbours["d1"].current
    done = json.loads(Path("results/rollouts/spring/complete.json").read_text())
    assert done["standbys"] == {"d0": "ready", "d1": "no space", "d2": "shared"}


def test_a_neighbour_serves_for_a_station_that_is_down_and_gives_it_back(
    fleet: Fleet, neighbours: Neighbours
) -> None:
    run("rollout", "spring")
    assert "d0 answers and serves" in run("fleet", "failover", "d0", code=5)
    fleet.units["d0"].later = UnreachableError("silent")
    assert "d1 serves it now" in run("fleet", "failover", "d0")
    assert neighbours["d1"].current == {"cnn-seed0": digest(0)}
    assert "d1 serves it already" in run("fleet", "failover", "d0")
    told = run("fleet", "status", code=4)
    assert "does not answer; d1 serves in its place\n" in told
    assert told.endswith(
        "\n9 of 10 serve what was planned, 1 did not answer, 1 served by a neighbour\n"
    )
    found = json.loads(run("fleet", "status", "--json", code=4))
    assert found["line/d0"]["spring"]["standby"] == {"neighbour": "d1", "state": "serving"}
    assert found["line/d1"]["spring"]["standby"] == {"neighbour": "d0", "state": "ready"}
    run("fleet", "failover", "d0", "--back", code=4)
    assert neighbours["d1"].current
    fleet.units["d0"].later = Seen(current=None)
    assert "does not serve" in run("fleet", "failover", "d0", "--back", code=5)
    fleet.units["d0"].later = None
    (back,) = json.loads(run("fleet", "failover", "d0", "--back", "--json"))
    assert back == {
        "station": "d0",
        "neighbour": "d1",
        "model": "cnn-seed0",
        "state": "ready",
        "changed": True,
    }
    assert neighbours["d1"].current == {}


def test_the_neighbours_service_starts_and_ends_with_it(
    fleet: Fleet, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path("config.yaml").read_text()
    Path("config.yaml").write_text(
        text.replace("transport: virtual", "transport: virtual\n    service: {}")
    )
    did: list[tuple[str, str]] = []
    monkeypatch.setattr(
        standby_module, "keep_serving", lambda _, model, __: did.append(("up", model))
    )
    monkeypatch.setattr(standby_module, "stop", lambda _, model: did.append(("down", model)))
    run("rollout", "spring")
    assert did == []
    run("fleet", "failover", "d0", "--force")
    run("fleet", "failover", "d0", "--back")
    run("fleet", "failover", "d0", "--back")
    assert did == [("up", "cnn-seed0"), ("down", "cnn-seed0")]
    assert neighbours["d1"].current == {}


def test_a_neighbour_of_the_same_model_has_nothing_to_do(
    fleet: Fleet, neighbours: Neighbours
) -> None:
    run("rollout", "spring")
    fleet.units["d2"].later = UnreachableError("silent")
    assert "d4 serves it anyway" in run("fleet", "failover", "d2")
    assert "d4" not in neighbours
    run("fleet", "failover", "d3", code=2)


def watched(fleet: Fleet, **options: Any) -> Watch:
    from edgeflow.cli.project import load_plan
    from edgeflow.cli.rollout import prepared

    ready = prepared(load_plan(Path("config.yaml")), "spring", Path("results"))
    return Watch(ready.standbys, connections=1, **{"after": 2, "failover": True, **options})


def test_a_watch_takes_over_and_gives_back_by_itself(fleet: Fleet, neighbours: Neighbours) -> None:
    step()
    watch = watched(fleet)
    assert watch.look() == []
    fleet.units["d0"].later = UnreachableError("silent")
    assert watch.look() == ["d0 (cnn-seed0): does not answer (1 of 2)"]
    neighbours["d1"].refuses = "busy"
    assert watch.look() == ["d0 (cnn-seed0): busy"]
    neighbours["d1"].refuses = ""
    assert watch.look() == ["d0 (cnn-seed0): does not answer; d1 serves in its place"]
    assert neighbours["d1"].current == {"cnn-seed0": digest(0)}
    assert watch.look() == []
    again = watched(fleet)  # one that was started anew knows nothing of the first
    fleet.units["d0"].later = None
    assert again.look() == ["d0 (cnn-seed0): serves again; d1 gave it back"]
    assert neighbours["d1"].current == {}
    assert again.look() == []


def test_a_neighbour_that_serves_an_earlier_release_gives_it_back_or_moves_on(
    fleet: Fleet, neighbours: Neighbours
) -> None:
    neighbours["d1"] = Neighbour()
    neighbours["d1"].current["cnn-seed0"] = "7" * 64
    run("rollout", "spring")
    done = json.loads(Path("results/rollouts/spring/complete.json").read_text())
    assert done["standbys"]["d0"] == "serving"
    assert "d1 serves it now" in run("fleet", "failover", "d0", "--force")
    assert neighbours["d1"].current == {"cnn-seed0": digest(0)}
    neighbours["d1"].current["cnn-seed0"] = "7" * 64
    assert watched(fleet).look() == ["d0 (cnn-seed0): serves again; d1 gave it back"]
    assert neighbours["d1"].current == {}


def test_a_watch_without_failover_only_tells(fleet: Fleet, neighbours: Neighbours) -> None:
    step()
    watch = watched(fleet, failover=False, after=1)
    fleet.units["d1"].later = Seen(current=digest(1), fault="no link")
    (told,) = watch.look()
    assert told.endswith("no link; to let d0 serve: edgeflow fleet failover d1")
    assert watch.look() == []
    fleet.units["d1"].later = None
    assert watch.look() == ["d1 (cnn-seed1): is back"]
    assert not neighbours["d0"].current
    assert "watching" not in run("fleet", "watch", "--once")


def test_a_watch_that_is_told_to_end_finishes_a_look_and_ends_well(
    fleet: Fleet, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("rollout", "spring")
    fleet.units["d0"].later = UnreachableError("silent")

    @contextmanager
    def told_meanwhile() -> Iterator[Callable[[], bool]]:
        yield lambda: "d1" in neighbours and bool(neighbours["d1"].current)

    monkeypatch.setattr("edgeflow.fleet.told.told_to_end", told_meanwhile)
    said = run("fleet", "watch", "--failover", "--after", "1", "--connections", "1")
    assert said == "d0 (cnn-seed0): does not answer; d1 serves in its place\n"

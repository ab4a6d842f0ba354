"""Rollouts to devices in this process: waves, budgets, outcomes, and going on after any end."""

import csv
import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgeflow.config.fleet import VirtualFleet
from edgeflow.errors import (
    EdgeflowError,
    IntegrityError,
    MissingToolError,
    RolloutError,
    StorageError,
    UnreachableError,
)
from edgeflow.fleet import campaign
from edgeflow.fleet.campaign import dry_run, run_rollout
from edgeflow.fleet.inventory import Row, read_inventory
from edgeflow.fleet.outcome import RESULTS, Outcome
from edgeflow.fleet.result import RolloutResult, write_result
from edgeflow.fleet.state import Progress, pause_file, read_progress
from edgeflow.fleet.told import told_to_end
from edgeflow.fleet.unit import Seen, Unit
from tests.unit.fleet.simulated import NEW, OLD, Gauge, Simulated, fleet, spec

Run = Callable[..., RolloutResult]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "rollouts" / "r.jsonl"


@pytest.fixture
def run(state: Path) -> Run:
    """Run a rollout whose state is that file."""

    def run(units: Sequence[Unit], stop: Callable[[], bool] = bool, **changes: object) -> object:
        return run_rollout(spec(**changes), units, state, stop)

    return run  # type: ignore[return-value]


def test_all_five_outcomes_are_kept_apart(run: Run, tmp_path: Path) -> None:
    units = [Simulated(name, [name]) for name in RESULTS]
    result = run(units, connections=5)
    assert [result.outcomes[name].result for name in RESULTS] == list(RESULTS)
    labels = {"site": "x", "variants": "y"}
    rows: dict[str, Row] = {
        name: Row(name=name, labels=labels, standby="confirmed") for name in RESULTS
    }
    write_result(result, tmp_path / "out", rows)
    record = json.loads((tmp_path / "out" / "rollout.json").read_text())
    one_each: dict[str, int] = dict.fromkeys(map(str, RESULTS), 1)
    assert record["counts"] == {**one_each, "untouched": 0}
    assert record["waves"][0]["counts"] == one_each
    assert record["outcomes"]["unreachable"]["hint"] == "wait"
    with (tmp_path / "out" / "retry.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["name"] for line in lines} == {*RESULTS} - {"confirmed"}
    assert all(line["name"] == line["outcome"] for line in lines)
    assert result.failure() is None
    section = {"target": "t", "transport": "virtual", "inventory": "retry.csv"}
    again = read_inventory(tmp_path / "out" / "retry.csv", VirtualFleet.model_validate(section))
    assert {row.name: row.labels["outcome"] for row in again} == {
        name: name for name in RESULTS if name != "confirmed"
    }
    assert all(row.labels.items() >= rows[row.name].labels.items() for row in again)
    told = (tmp_path / "out" / "retry.csv").read_bytes()
    # As if others had come to their end first.
    backwards: dict[str, Outcome] = {name: result.outcomes[name] for name in reversed(RESULTS)}
    write_result(replace(result, outcomes=backwards), tmp_path / "out", rows)
    assert (tmp_path / "out" / "retry.csv").read_bytes() == told
    assert [row.name for row in again] == [name for name in rows if name != "confirmed"]


def test_waves_go_in_order_and_no_more_at_a_time_than_allowed(run: Run, state: Path) -> None:
    order: list[str] = []
    gauge, both = Gauge(), threading.Barrier(2)

    def note(name: str) -> None:
        with gauge:
            if name == "d0":
                time.sleep(0.002)  # more than a wave's seconds are rounded by
            else:
                both.wait(60)
            order.append(name)

    units = fleet(5)
    for unit in units:
        unit.before = lambda name=unit.name: note(name)  # type: ignore[misc]
    result = run(units, waves=(1, 3, 1.0), connections=2)
    assert gauge.most == 2
    assert [order[0], {*order[1:3]}, {*order[3:]}] == ["d0", {"d1", "d2"}, {"d3", "d4"}]
    assert [wave.devices for wave in result.waves] == [1, 2, 2]
    took = read_progress(state).seconds
    assert [wave.seconds for wave in result.waves] == [took[1], took[2], took[3]]
    assert took[1] > 0


def test_a_device_that_hangs_holds_up_no_other(run: Run) -> None:
    others_are_done = threading.Event()
    done = itertools.count(1)

    def count() -> None:
        if next(done) == 9:
            others_are_done.set()

    units = fleet(10)
    for unit in units[1:]:
        unit.before = count
    units[0].before = lambda: others_are_done.wait(60)
    units[0].ends = ["unreachable"]
    result = run(units, connections=2)
    assert others_are_done.is_set()
    assert result.counts["confirmed"] == 9
    assert result.counts["unreachable"] == 1


@pytest.mark.parametrize("end", ["rolled_back", "rejected", "unknown"])
def test_a_failing_canary_leaves_the_later_waves_alone(run: Run, end: str) -> None:
    units = fleet(10, d0=Simulated("d0", [end]))  # type: ignore[list-item]
    result = run(units, waves=(1, 1.0), max_failed=0.1)
    assert (result.ended, result.counts["untouched"]) == ("failed", 9)
    assert not any(unit.sent for unit in units[1:])
    assert "more devices failed" in str(result.failure())


def test_without_a_confirmed_device_the_next_wave_does_not_begin(run: Run) -> None:
    result = run(fleet(10, d0=Simulated("d0", ["rejected"])), waves=(1, 1.0), max_failed=5)
    assert (result.ended, result.counts["untouched"]) == ("unproven", 9)


def test_a_last_wave_without_a_confirmed_device_proves_nothing(run: Run) -> None:
    result = run(fleet(1, d0=Simulated("d0", ["unreachable"])), waves=(1.0,), max_unreachable=1.0)
    assert result.ended == "unproven"
    assert result.failure() is not None


def test_a_budget_that_is_crossed_ends_the_rollout_before_the_next_device(run: Run) -> None:
    bad = {f"d{number}": Simulated(f"d{number}", ["rejected"]) for number in (3, 5, 7, 8)}
    result = run(fleet(20, **bad), waves=(2, 1.0), max_failed=2)
    assert (result.ended, list(result.outcomes)[-1]) == ("failed", "d7")
    assert result.counts == {
        "confirmed": 5, "rolled_back": 0, "rejected": 3, "unreachable": 0, "unknown": 0,
        "untouched": 12,
    }  # fmt: skip


def test_unreachable_devices_have_a_budget_of_their_own(run: Run) -> None:
    silent = {f"d{number}": Simulated(f"d{number}", ["unreachable"]) for number in (2, 3)}
    allowed = run(fleet(10, **silent), waves=(1, 1.0), max_failed=0, max_unreachable=2)
    assert (allowed.ended, allowed.counts["confirmed"]) == ("complete", 8)
    again = run(fleet(10, **silent), bundle_sha256=NEW, max_failed=0, max_unreachable=1)
    assert again.ended == "unreachable"


def test_unreachable_devices_are_tried_again_with_the_next_wave_and_by_the_next_run(
    run: Run,
) -> None:
    late = Simulated("d1", ["unreachable", "confirmed"])
    later = Simulated("d5", ["unreachable", "confirmed"])
    units = fleet(6, d1=late, d5=later)
    first = run(units, waves=(3, 1.0))
    assert first.outcomes["d1"].result == "confirmed"
    assert first.outcomes["d5"].result == "unreachable"
    assert first.waves[0].counts == {"confirmed": 3}
    second = run(units, waves=(3, 1.0))
    assert second.counts["confirmed"] == 6
    assert all(unit.sent == 1 for unit in units)


def test_a_wave_that_rolls_back_while_it_is_watched_counts_as_failed(run: Run) -> None:
    lapsed = Simulated("d0", later=Seen(current=OLD))
    units = fleet(4, d0=lapsed)
    result = run(units, waves=(2, 1.0), soak_s=0.02, max_failed=0)
    assert (result.ended, result.counts["untouched"]) == ("failed", 2)
    outcome = result.outcomes["d0"]
    assert outcome.result == "rolled_back"
    assert OLD[:12] in outcome.detail


@pytest.mark.parametrize(
    "later", [Seen(current=NEW, fault="it does not serve"), MissingToolError("it does not serve")]
)
def test_a_wave_that_is_not_well_counts_as_failed(run: Run, later: Seen | EdgeflowError) -> None:
    sick = Simulated("d0", later=later)
    result = run(fleet(4, d0=sick), waves=(2, 1.0), soak_s=0.01, max_failed=0)
    assert result.outcomes["d0"].result == "unknown"
    assert "it does not serve" in result.outcomes["d0"].detail
    assert result.counts["untouched"] == 2


def test_a_canary_that_falls_silent_counts_as_unreachable(run: Run) -> None:
    gone = Simulated("d0", later=UnreachableError("gone"))
    result = run(fleet(4, d0=gone), waves=(1, 1.0), soak_s=0.01, max_unreachable=0.2)
    assert (result.ended, result.waves[0].silent) == ("unreachable", 1)
    assert result.outcomes["d0"].result == "confirmed", "what it was told to keep, it keeps"


def test_each_wave_is_watched_and_the_last_one_is_not(run: Run) -> None:
    units = fleet(3)
    run(units, waves=(1, 2, 3), soak_s=0.002)
    assert [unit.looks > 0 for unit in units] == [True, True, False]


def test_a_rollout_pauses_before_the_next_device_and_goes_on(run: Run, state: Path) -> None:
    units = fleet(5)
    units[2].before = pause_file(state).touch
    assert pause_file(state).name == "r.pause"
    paused = run(units)
    assert (paused.ended, paused.counts["untouched"]) == ("paused", 2)
    assert "--resume" in str(paused.failure())
    assert run(units).counts["untouched"] == 2, "it is paused as long as the file is there"
    pause_file(state).unlink()
    assert run(units).counts["confirmed"] == 5
    assert all(unit.sent == 1 for unit in units)


def test_what_has_begun_is_finished_when_a_rollout_is_told_to_end(run: Run) -> None:
    asked: list[bool] = []
    units = fleet(5)
    units[1].before = lambda: asked.append(True)
    stopped = run(units, stop=lambda: bool(asked))
    assert (stopped.ended, stopped.counts["confirmed"]) == ("stopped", 2)
    assert run(units).ended == "complete"


def told_by(*numbers: int) -> str:
    """Return what signals that come one after another in the main thread make of a request."""
    code = (
        "import os, signal\n"
        "from edgeflow.fleet.told import told_to_end\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as by nohup\n"
        "with told_to_end() as told:\n"
        f"    for number in {[int(number) for number in numbers]}:\n"
        "        os.kill(os.getpid(), number)\n"
        "    print(told())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_only_a_second_ctrl_c_does_not_wait_for_what_has_begun() -> None:
    assert told_by(signal.SIGHUP) == "False"
    assert told_by(signal.SIGINT, signal.SIGTERM, signal.SIGTERM) == "True"
    assert told_by(signal.SIGINT, signal.SIGINT) == "KeyboardInterrupt"


def stopped_by(number: int, state: Path) -> None:
    """Run a rollout of three devices that is asked to end at the second; say how it ended."""
    units = fleet(3)
    ends = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    signal.signal(number, ends)  # who runs the tests may ignore it, as by nohup
    with told_to_end() as told:

        def end() -> None:
            os.kill(os.getpid(), number)
            while not told():
                time.sleep(0.001)

        units[1].before = end
        stopped = run_rollout(spec(), units, state, told)
    print(stopped.ended, stopped.counts["confirmed"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_rollout_before_the_next_device(state: Path, number: int) -> None:
    # In a process of its own: the tests of a worker may run beside its main thread.
    code = f"from {__name__} import *; stopped_by({int(number)}, Path({str(state)!r}))"
    argv = [sys.executable, "-c", code]
    root = Path(__file__).parents[3]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=root, check=False)
    assert done.stdout.split() == ["stopped", "2"], done.stderr


def test_a_pause_ends_a_long_watch(run: Run, state: Path) -> None:
    units = fleet(2)
    before = units[0].look

    def look() -> Seen:
        pause_file(state).touch()
        return before()

    units[0].look = look  # type: ignore[method-assign]
    result = run(units, waves=(1, 1.0), soak_s=3600.0, poll_s=1800.0)
    assert (result.ended, result.counts["untouched"]) == ("paused", 1)


def test_another_bundle_begins_anew_and_the_same_one_does_not(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    units = fleet(3)
    run(units)
    run(units)
    assert [unit.sent for unit in units] == [1, 1, 1]
    assert "another" not in capsys.readouterr().err
    for unit in units:
        unit.sha256 = "2" * 64
    result = run(units, bundle_sha256="2" * 64)
    assert [unit.sent for unit in units] == [2, 2, 2]
    assert result.ended == "complete"
    said = "rollout r: the bundle is another one: devices that have not confirmed it begin anew"
    assert said in capsys.readouterr().err.splitlines()


def test_a_wave_that_was_watched_is_not_watched_again(run: Run, state: Path) -> None:
    units = fleet(4)
    units[1].before = pause_file(state).touch
    paused = run(units, waves=(1, 2, 1.0), soak_s=0.002)
    looks = units[0].looks
    assert (paused.ended, looks > 0, units[1].looks) == ("paused", True, 0)
    pause_file(state).unlink()
    assert run(units, waves=(1, 2, 1.0), soak_s=0.002).ended == "complete"
    assert (units[0].looks, units[1].looks > 0) == (looks, True)


def test_what_waves_take_adds_up_until_another_bundle_comes() -> None:
    progress, start = Progress(), {"spec": {"bundle_sha256": NEW}}
    wave = {"wave": 2, "seconds": 1.5, "passed": True}
    for line in (start, wave, start, wave):
        progress.apply(line)
    assert (progress.seconds, progress.passed) == ({2: 3.0}, {2})
    outcome = {"result": "rolled_back"}
    lapsed = {"device": "d", "sha256": NEW, "address": "here", "wave": 2, "outcome": outcome}
    progress.apply(lapsed)
    assert progress.passed == set(), "a wave with a device that changed is watched anew"
    progress.apply(wave)
    progress.apply({"spec": {"bundle_sha256": OLD}})
    assert (progress.seconds, progress.passed) == ({}, set())


def test_an_outcome_is_on_the_disk_before_the_next_device_is_begun(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr("os.fsync", lambda _: synced.append(state.read_bytes()))
    before: list[tuple[bytes, bytes]] = []
    units = fleet(3)
    for unit in units:
        unit.before = lambda: before.append((synced[-1], state.read_bytes()))
    run(units)
    assert all(on_disk == written for on_disk, written in before)
    assert b'"device": "d1"' in before[2][0]


def test_a_changed_inventory_is_told_and_followed(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    units = fleet(3)
    run(units)
    moved = Simulated("d1", address="elsewhere")
    result = run([units[0], moved, Simulated("new")])
    assert list(result.outcomes) == ["d0", "d1", "new"]
    assert (moved.sent, units[0].sent) == (1, 1)
    said = capsys.readouterr().err
    assert "the inventory has changed" in said
    assert "the bundle" not in said


def test_a_torn_last_line_is_cut_off(run: Run, state: Path) -> None:
    units = fleet(3)
    run(units)
    whole = state.read_bytes()
    state.write_bytes(whole + b'{"device": "d1", "outc')
    assert read_progress(state).devices.keys() == {"d0", "d1", "d2"}
    assert run(units).counts["confirmed"] == 3
    assert state.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in state.read_bytes().splitlines())


def test_any_beginning_of_a_state_is_gone_on_from(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    run(fleet(4, d2=Simulated("d2", ["rejected"])), waves=(1, 1.0))
    whole = state.read_bytes()
    for length in range(0, len(whole), 41):
        state.write_bytes(whole[:length])
        known = [name for name, it in read_progress(state).devices.items()
                 if it.outcome.result == "confirmed"]  # fmt: skip
        units = fleet(4)
        assert run(units, waves=(1, 1.0)).counts["confirmed"] == 4
        assert {unit.name for unit in units if not unit.sent} == set(known)


def test_a_damaged_line_is_told(run: Run, state: Path) -> None:
    run(fleet(2))
    state.write_bytes(b"{}\n" + state.read_bytes())
    with pytest.raises(IntegrityError, match="line 1 of .*r.jsonl is damaged"):
        run(fleet(2))


def test_one_process_runs_a_rollout(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeflow.fleet.state._CLAIM_S", 0.0)
    units = fleet(1)

    def twice() -> None:
        with pytest.raises(RolloutError, match="another process"):
            run(units)

    units[0].before = twice
    assert run(units).ended == "complete"


def test_who_asks_whether_it_runs_does_not_keep_it_from_starting(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(fleet(1))
    with state.open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)  # as `is_running` does
        release = lambda _: fcntl.flock(asking, fcntl.LOCK_UN)  # noqa: E731
        monkeypatch.setattr("edgeflow.fleet.state.time.sleep", release)
        assert run(fleet(1)).ended == "complete"


KILLED = """
import os, signal, sys
from pathlib import Path
from edgeflow.fleet.campaign import run_rollout
from edgeflow.fleet.state import State
from tests.unit.fleet.simulated import fleet, spec

begin, count = State._append, iter(range(100))
def append(self, line):
    if next(count) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    begin(self, line)
State._append = append
units = fleet(6)
for unit in units:
    unit.before = lambda name=unit.name: print(name, flush=True)
run_rollout(spec(waves=(1, 3, 1.0)), units, Path(sys.argv[1]), bool)
"""


@pytest.mark.parametrize("lines", [1, 4])
def test_a_killed_rollout_goes_on_where_it_was(run: Run, state: Path, lines: int) -> None:
    command = [sys.executable, "-c", KILLED, str(state), str(lines)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    known = {
        name
        for name, it in read_progress(state).devices.items()
        if it.outcome.result == "confirmed"
    }
    begun = killed.stdout.split()
    assert known == set(begun[:-1]), "all but the one that was under way"
    units = fleet(6)
    assert run(units, waves=(1, 3, 1.0)).counts["confirmed"] == 6
    assert {unit.name for unit in units if not unit.sent} == known


def test_what_every_device_would_fail_by_ends_the_rollout(run: Run) -> None:
    units = fleet(3)

    def full() -> None:
        raise StorageError("no space here")

    units[0].before = full
    with pytest.raises(StorageError, match="no space here"):
        run(units)
    assert not any(unit.sent for unit in units)


def test_a_defect_that_one_device_brings_out_is_not_the_fleets(run: Run) -> None:
    units = fleet(3)
    units[0].before = lambda: vars(units[0])["answer"]
    result = run(units)
    assert result.outcomes["d0"].result == "unknown"
    assert "KeyError" in result.outcomes["d0"].detail
    assert result.counts["confirmed"] == 2


def test_a_dry_run_says_what_would_change_and_changes_nothing() -> None:
    units = fleet(5, d1=Simulated("d1", current=NEW), d3=Simulated("d3", current=None))
    units[4].deployed, units[4].later = True, UnreachableError("it is off")
    changes = dry_run(spec(waves=(2, 1.0)), units)
    assert [(it.device, it.wave, it.before, it.silent, it.why) for it in changes] == [
        ("d0", 1, OLD, False, "it serves another release"),
        ("d2", 2, OLD, False, "it serves another release"),
        ("d3", 2, None, False, "it serves none"),
        ("d4", 2, None, True, "it is off"),
    ]
    assert {it.after for it in changes} == {NEW}
    assert not any(unit.sent for unit in units)


def test_work_for_a_device_does_not_grow_with_the_fleet(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    calls: list[int] = []
    for count in (20, 200):
        state.unlink(missing_ok=True)
        asked = 0
        real = campaign._Campaign._is_confirmed

        def counted(self: object, unit: Unit, real: object = real) -> bool:
            nonlocal asked
            asked += 1
            return real(self, unit)  # type: ignore[operator,no-any-return]

        with monkeypatch.context() as patch:
            patch.setattr(campaign._Campaign, "_is_confirmed", counted)
            run(fleet(count), waves=(1, 0.1, 0.5, 1.0), connections=4)
        calls.append(asked)
    assert calls[1] < 15 * calls[0]


def test_memory_for_a_device_does_not_grow_with_the_fleet(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    run(fleet(2))  # what is imported and compiled once
    peaks: list[int] = []
    for count in (100, 1000):
        state.unlink(missing_ok=True)
        units = fleet(count)
        tracemalloc.start()
        run(units, waves=(1, 0.1, 1.0), soak_s=0.001, connections=4)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 10 * peaks[0]

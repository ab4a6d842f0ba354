"""Drives a rollout: wave after wave, within its budgets, and on from where it was."""

import bisect
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edgeflow.console import note, say
from edgeflow.errors import (
    EdgeflowError,
    IntegrityError,
    StorageError,
    UnreachableError,
)
from edgeflow.fleet.outcome import FAILED, Outcome, Result
from edgeflow.fleet.pool import for_each
from edgeflow.fleet.result import ROLLOUT, Change, Ended, RolloutResult, WaveResult
from edgeflow.fleet.spec import RolloutSpec
from edgeflow.fleet.state import State, pause_file
from edgeflow.fleet.unit import Report, Seen, Unit
from edgeflow.fleet.waves import allowed, wave_ends
from edgeflow.text import excerpt

_STEP_S = 0.2
"""How long a request to stop or pause may go unnoticed while a wave is watched."""


def run_rollout(
    spec: RolloutSpec, units: Sequence[Unit], state: Path, stop: Callable[[], bool]
) -> RolloutResult:
    """Bring a bundle to units in waves; go on from where an earlier run has ended.

    Devices that were confirmed are left alone, all others are tried, once in each run. Those that
    do not answer are tried once more with the next wave.

    Args:
        units: in the order in which they are reached, canaries first.
        state: file of JSON lines; while the file `pause_file(state)` is there, no device is begun.
        stop: asked before each device whether to end; what has begun is finished.

    Raises:
        RolloutError: another process runs it.
        IntegrityError: the state is damaged.
        StorageError: it cannot be written, or a bundle cannot be read.
    """
    with State(state, spec, units) as held:
        # Of an earlier run: where this one is killed, it must not stand as its result.
        state.with_name(ROLLOUT).unlink(missing_ok=True)
        if held.changes:
            say(f"rollout {spec.name}: {held.changes}")
        result = _Campaign(spec, units, held, stop, pause_file(state)).run()
        held.end(result.ended)
        return result


class _Campaign:
    """One run of a rollout; `_settle` alone is called by several threads at a time."""

    def __init__(
        self,
        spec: RolloutSpec,
        units: Sequence[Unit],
        state: State,
        stop: Callable[[], bool],
        pause: Path,
    ) -> None:
        self._spec, self._units, self._state = spec, units, state
        self._stop, self._pause = stop, pause
        found = {unit.name: state.progress.outcome(unit) for unit in units}
        self._outcomes = {name: it for name, it in found.items() if it is not None}
        self._tried: dict[str, Result] = {}  # in this run
        self._counts: Counter[Result] = Counter()
        self._silent: set[str] = set()
        self._wave, self._reached, self._lock = 0, 0, threading.Lock()
        self._ended: Ended | None = None

    def run(self) -> RolloutResult:
        """Go through the waves."""
        ends = wave_ends(self._spec.waves, len(self._units))
        waves = [self._units[begin:end] for begin, end in itertools.pairwise([0, *ends])]
        for self._wave, units in enumerate(waves, 1):
            self._reached += len(units)
            self._run_wave(units, last=self._wave == len(waves))
            if self._ended:
                break
        return RolloutResult(
            spec=self._spec,
            total=len(self._units),
            ended=self._ended or "complete",
            waves=tuple(itertools.starmap(self._summary, enumerate(waves, 1))),
            outcomes=self._outcomes,
        )

    def _run_wave(self, units: Sequence[Unit], *, last: bool) -> None:
        began = time.monotonic()
        if not self._pause.exists():
            say(f"rollout {self._spec.name}: wave {self._wave}, up to {self._reached} devices")
        before = self._units[: self._reached - len(units)]
        again = [unit for unit in before if self._tried.get(unit.name) == "unreachable"]
        todo = [*again, *(unit for unit in units if not self._is_confirmed(unit))]
        for_each(todo, self._deploy, self._spec.connections, self._may_proceed)
        if self._ended is None and not self._is_over_budget():
            self._prove(units, last=last)
        seconds = time.monotonic() - began
        self._state.close_wave(self._wave, seconds, passed=self._ended is None)

    def _prove(self, units: Sequence[Unit], *, last: bool) -> None:
        """Require a confirmed device; unless an earlier run did, watch all waves but the last."""
        confirmed = [unit for unit in units if self._is_confirmed(unit)]
        if not confirmed:
            self._ended = "unproven"
        if last or self._ended:
            return
        if self._wave not in self._state.progress.passed:
            self._soak(confirmed)
        self._may_proceed()

    def _soak(self, units: Sequence[Unit]) -> None:
        end = time.monotonic() + self._spec.soak_s
        while self._spec.soak_s and self._may_proceed():
            left = [unit for unit in units if self._is_confirmed(unit)]
            for_each(left, self._watch, self._spec.connections, self._may_proceed)
            if time.monotonic() >= end:
                return
            self._wait_until(min(end, time.monotonic() + self._spec.poll_s))

    def _wait_until(self, end: float) -> None:
        while (left := end - time.monotonic()) > 0 and self._may_proceed():
            time.sleep(min(left, _STEP_S))

    def _watch(self, unit: Unit) -> None:
        """See whether a device that was confirmed still serves, and is well."""
        try:
            seen = unit.look()
        except UnreachableError:
            self._silent.add(unit.name)
            return
        except (StorageError, IntegrityError):
            raise  # of this machine
        except EdgeflowError as error:  # it answers, and not as a device that is well
            self._settle(unit, Outcome(result="unknown", detail=error.message, hint=error.hint))
            return
        self._silent.discard(unit.name)
        if not seen.serves(unit.sha256):
            self._settle(unit, lapsed(unit, seen))

    def _is_confirmed(self, unit: Unit) -> bool:
        outcome = self._outcomes.get(unit.name)
        return outcome is not None and outcome.result == "confirmed"

    def _may_proceed(self) -> bool:
        """Tell whether another device may be begun; note how the run ends if not."""
        if self._ended is None and not self._is_over_budget():
            if self._stop():
                self._ended = "stopped"
            elif self._pause.exists():
                self._ended = "paused"
        return self._ended is None

    def _is_over_budget(self) -> bool:
        failed = sum(self._counts[result] for result in FAILED)
        silent = self._counts["unreachable"] + len(self._silent)
        if failed > allowed(self._spec.max_failed, self._reached):
            self._ended = "failed"
        elif silent > allowed(self._spec.max_unreachable, len(self._units)):
            self._ended = "unreachable"
        return self._ended is not None

    def _deploy(self, unit: Unit) -> None:
        began, title = time.monotonic(), f"rollout {self._spec.name}: {unit.name}"
        outcome = _outcome(unit, lambda phase: note(f"{title}: {phase}\n"))
        self._settle(unit, replace(outcome, seconds=round(time.monotonic() - began, 3)))

    def _settle(self, unit: Unit, outcome: Outcome) -> None:
        self._state.settle(unit, self._wave, outcome)
        with self._lock:
            if (earlier := self._tried.get(unit.name)) is not None:
                self._counts[earlier] -= 1
            self._counts[outcome.result] += 1
            self._tried[unit.name] = outcome.result
            self._outcomes[unit.name] = outcome
        why = f": {excerpt(outcome.detail)}" if outcome.detail else ""
        result = outcome.result.replace("_", " ")
        say(f"rollout {self._spec.name}: {unit.name} {result}{why}")

    def _summary(self, number: int, units: Sequence[Unit]) -> WaveResult:
        found = [self._outcomes.get(unit.name) for unit in units]
        return WaveResult(
            devices=len(units),
            counts=Counter(outcome.result for outcome in found if outcome is not None),
            silent=sum(unit.name in self._silent for unit in units),
            seconds=round(self._state.progress.seconds.get(number, 0.0), 3),
        )


def _outcome(unit: Unit, report: Report) -> Outcome:
    """Deploy to a device; what goes wrong with it concerns no other."""
    try:
        return unit.deploy(report)
    except UnreachableError as error:
        return Outcome(result="unreachable", detail=error.message, hint=error.hint)
    except (StorageError, IntegrityError):
        raise  # of this machine or the bundle: each device would fail by it
    except EdgeflowError as error:
        return Outcome(result="rejected", detail=error.message, hint=error.hint)
    except OSError:
        raise
    except Exception as error:  # a defect that one device's answer brings out is not the fleet's
        return Outcome(result="unknown", detail=f"{type(error).__name__}: {error}")


def lapsed(unit: Unit, seen: Seen) -> Outcome:
    """Return what has become of a device that was confirmed and serves no longer, or not well."""
    if seen.current == unit.sha256:
        why = seen.fault or "it is on trial again"
        return Outcome(result="unknown", detail=f"it was confirmed, and then: {why}")
    serves = f"release {seen.current[:12]}" if seen.current else "no release"
    return Outcome(result="rolled_back", detail=f"it was confirmed, and now serves {serves}")


def dry_run(spec: RolloutSpec, units: Sequence[Unit]) -> list[Change]:
    """Return what a rollout would change, device by device, and which devices do not say.

    Nothing is changed.
    """
    found: dict[str, Seen | EdgeflowError] = {}

    def ask(unit: Unit) -> None:
        try:
            found[unit.name] = unit.look()
        except EdgeflowError as error:
            found[unit.name] = error

    ends = wave_ends(spec.waves, len(units))
    reached = units[: ends[-1]] if ends else []
    for_each(reached, ask, spec.connections)
    changes = (
        _change(unit, bisect.bisect_right(ends, place) + 1, found[unit.name])
        for place, unit in enumerate(reached)
    )
    return [change for change in changes if change.why]


def _change(unit: Unit, wave: int, seen: Seen | EdgeflowError) -> Change:
    """Return what would become of a device; without a reason, nothing."""
    if isinstance(seen, EdgeflowError):
        before, silent, why = None, True, excerpt(seen.message)
    else:
        before, silent, why = seen.current, False, _why(unit, seen)
    return Change(
        device=unit.name, wave=wave, before=before, after=unit.sha256, silent=silent, why=why
    )


def _why(unit: Unit, seen: Seen) -> str:
    """Return why a device would be changed; empty if it would not be."""
    if seen.serves(unit.sha256):
        return ""
    if seen.fault:
        return excerpt(seen.fault)
    if seen.current == unit.sha256:
        return "it has not confirmed the release that it serves"
    return "it serves another release" if seen.current else "it serves none"

"""How far a rollout has come: a file of JSON lines that is only ever appended to.

Each line is on the disk before the device's thread takes on another device. So whatever ends the
process, the next one finds all that is certain; of the devices that it finds nothing about, it
asks them.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgeflow.errors import IntegrityError, RolloutError
from edgeflow.fleet.outcome import Outcome
from edgeflow.fleet.spec import RolloutSpec
from edgeflow.fleet.unit import Unit

_CLAIM_S = 1.0
"""How long a start waits for its turn: `is_running` holds the file too, for less than a moment."""


def pause_file(state: Path) -> Path:
    """Return the file beside a rollout's state that pauses it for as long as it is there."""
    return state.with_suffix(".pause")


@dataclass(frozen=True, slots=True)
class Stored:
    """The last outcome of a device, of the bundle and at the address where it came about."""

    sha256: str
    address: str
    outcome: Outcome


@dataclass
class Progress:
    """What a state file says.

    Attributes:
        start: how the rollout was last started; empty if it never was.
        ended: how that start ended; empty while it runs, and where it was killed.
        devices: the last outcome of each device that has one.
        passed: waves that were watched to their end, none of whose devices has changed since.
        seconds: what each wave has taken, by its number, in all runs with this bundle.
        size_bytes: of the lines that were read; behind them is what a killed process has left.
    """

    start: Mapping[str, Any] = field(default_factory=dict)
    ended: str = ""
    devices: dict[str, Stored] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
    seconds: dict[int, float] = field(default_factory=dict)
    size_bytes: int = 0

    def outcome(self, unit: Unit) -> Outcome | None:
        """Return what came of a unit with the bundle that it is to serve."""
        stored = self.devices.get(unit.name)
        if stored is None or (stored.sha256, stored.address) != (unit.sha256, unit.address):
            return None
        return stored.outcome

    def apply(self, line: Mapping[str, Any]) -> None:
        """Take a line in."""
        if "spec" in line:
            if self.start and _bundle(self.start) != _bundle(line):
                self.passed.clear()
                self.seconds.clear()
            self.start, self.ended = line, ""
        elif "device" in line:
            outcome = Outcome(**line["outcome"])
            self.devices[line["device"]] = Stored(line["sha256"], line["address"], outcome)
            self.passed.discard(line["wave"])
        elif "ended" in line:
            self.ended = line["ended"]
        else:
            self.seconds[line["wave"]] = self.seconds.get(line["wave"], 0.0) + line["seconds"]
            if line["passed"]:
                self.passed.add(line["wave"])


def read_progress(path: Path) -> Progress:
    """Return what a state file says, also while a rollout writes it; a torn last line is not read.

    Raises:
        IntegrityError: a line is damaged.
    """
    progress = Progress()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                progress.apply(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise IntegrityError(
                    f"line {number} of {path} is damaged: {error!r}",
                    hint=f"delete {path} and run the rollout again: devices that serve the bundle "
                    "already are asked, and sent nothing",
                ) from error
            progress.size_bytes += len(line)
    return progress


def is_running(path: Path) -> bool:
    """Tell whether a process holds a state file now."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class State:
    """A rollout's state, held by one process at a time.

    Attributes:
        progress: what the file says.
        changes: what is no longer as when the rollout was last started, in words; empty if all is.
    """

    changes: str

    def __init__(self, path: Path, spec: RolloutSpec, units: Sequence[Unit]) -> None:
        self._path, self._lock = path, threading.Lock()
        self._name, self._start = spec.name, _start(spec, units)

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("ab+")
        try:
            self._claim()
            self.progress = read_progress(self._path)
            self._file.truncate(self.progress.size_bytes)
        except BaseException:
            self._file.close()
            raise
        self.changes = _changes(self.progress.start, self._start)
        self._append(self._start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _claim(self) -> None:
        until = time.monotonic() + _CLAIM_S
        while not self._is_ours():
            if time.monotonic() >= until:
                raise RolloutError(
                    f"rollout {self._name} is being run by another process",
                    hint=f"wait for it, or find it: fuser {self._path}",
                )
            time.sleep(_CLAIM_S / 50)

    def _is_ours(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def settle(self, unit: Unit, wave: int, outcome: Outcome) -> None:
        """Note what came of a unit, for good."""
        line = {"device": unit.name, "address": unit.address, "sha256": unit.sha256, "wave": wave}
        self._append({**line, "outcome": dataclasses.asdict(outcome)})

    def close_wave(self, wave: int, seconds: float, *, passed: bool) -> None:
        """Note what a wave has taken, and whether the next one may begin."""
        self._append({"wave": wave, "seconds": round(seconds, 3), "passed": passed})

    def end(self, ended: str) -> None:
        """Note how the run ended."""
        self._append({"ended": ended})

    def _append(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, sort_keys=True).encode() + b"\n"
        with self._lock:
            self._file.write(text)
            self._file.flush()
            os.fsync(self._file.fileno())
            self.progress.apply(line)


def _bundle(start: Mapping[str, Any]) -> str:
    return str(start["spec"]["bundle_sha256"])


def _start(spec: RolloutSpec, units: Sequence[Unit]) -> dict[str, Any]:
    fleet = hashlib.sha256()
    for unit in units:
        fleet.update(json.dumps([unit.name, unit.address]).encode())
    return {"spec": dataclasses.asdict(spec), "fleet": fleet.hexdigest(), "devices": len(units)}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    changes = []
    if before and _bundle(before) != _bundle(now):
        changes.append("the bundle is another one: devices that have not confirmed it begin anew")
    if before and before["fleet"] != now["fleet"]:
        changes.append(
            f"the inventory has changed, from {before['devices']} devices to {now['devices']}: "
            "new ones join, those that are gone leave"
        )
    return "; ".join(changes)

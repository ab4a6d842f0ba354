"""What came of a rollout, and its files."""

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from edgeflow.artifact.atomic import write_json, write_text
from edgeflow.errors import RolloutError
from edgeflow.fleet.inventory import Row, cells_of
from edgeflow.fleet.outcome import RESULTS, Outcome, Result
from edgeflow.fleet.spec import RolloutSpec

ROLLOUT, RETRY = "rollout.json", "retry.csv"
Ended = Literal["complete", "failed", "unreachable", "unproven", "paused", "stopped"]
_WHY: dict[Ended, tuple[str, str]] = {
    "failed": (
        "more devices failed than `max_failed` allows",
        f"{RETRY} says why; put that right, then run the rollout again: it goes on where it was",
    ),
    "unreachable": (
        "more devices did not answer than `max_unreachable` allows",
        f"{RETRY} names them; once they answer, run the rollout again: it goes on where it was",
    ),
    "unproven": (
        "no device of its last wave was confirmed",
        f"{RETRY} says why; put that right, then run the rollout again",
    ),
    "paused": ("it is paused", "go on: edgeflow rollout {name} --resume"),
    "stopped": ("it was told to end", "go on: edgeflow rollout {name} --resume"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a rollout would do to a device.

    Attributes:
        wave: in which wave.
        before: digest of the bundle that it serves; None if there is none, or it does not say.
        after: digest of the bundle that it is to serve.
        silent: whether it does not say what it serves; then nobody knows whether it would change.
        why: why it would change, or does not say.
    """

    device: str
    wave: int
    before: str | None
    after: str
    silent: bool
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveResult:
    """What came of a wave.

    Attributes:
        devices: how many it adds to those before it.
        counts: how many of these ended how; the others were not touched.
        silent: how many of the confirmed ones did not answer when they were last looked at.
        seconds: what it took in all runs with this bundle.
    """

    devices: int
    counts: Mapping[Result, int]
    silent: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutResult:
    """What came of a rollout.

    Attributes:
        total: devices of the fleet.
        ended: ``complete`` where all waves came to their end, else what kept them from it.
        outcomes: the last one of each device that has any, by name.
    """

    spec: RolloutSpec
    total: int
    ended: Ended
    waves: tuple[WaveResult, ...]
    outcomes: Mapping[str, Outcome]

    @property
    def counts(self) -> dict[str, int]:
        """How many devices ended how, and how many were not touched."""
        found = Counter(outcome.result for outcome in self.outcomes.values())
        counts: dict[str, int] = {result: found[result] for result in RESULTS}
        return {**counts, "untouched": self.total - len(self.outcomes)}

    def failure(self) -> RolloutError | None:
        """Return why the rollout came to no end; None if it did, be it without some devices."""
        if self.ended == "complete":
            return None
        why, hint = _WHY[self.ended]
        counted = (f"{count} {name.replace('_', ' ')}" for name, count in self.counts.items())
        return RolloutError(
            f"rollout {self.spec.name} ended early: {why} ({', '.join(counted)})",
            hint=hint.format(name=self.spec.name),
        )

    def record(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "spec": dataclasses.asdict(self.spec),
            "ended": self.ended,
            "devices": self.total,
            "counts": self.counts,
            "waves": [
                {
                    "devices": wave.devices,
                    "counts": {result: wave.counts.get(result, 0) for result in RESULTS},
                    "untouched": wave.devices - sum(wave.counts.values()),
                    "silent": wave.silent,
                    "seconds": wave.seconds,
                }
                for wave in self.waves
            ],
            "outcomes": {
                name: dataclasses.asdict(outcome) for name, outcome in self.outcomes.items()
            },
        }


def write_result(result: RolloutResult, folder: Path, rows: Mapping[str, Row]) -> None:
    """Write rollout.json, and the devices that are worth another attempt to retry.csv.

    The latter is an inventory too: what came of a device are further labels. Its lines have the
    order of the inventory, whichever device came to its end first.

    Args:
        rows: those of the inventory, by name, in its order.
    """
    outcomes = {name: result.outcomes[name] for name in rows if name in result.outcomes}
    left = {name: it for name, it in outcomes.items() if it.result != "confirmed"}
    lines = []
    for name, outcome in left.items():
        known = rows[name]
        if known.standby not in left:
            known = replace(known, standby=None)
        detail, hint = " ".join(outcome.detail.split()), " ".join(outcome.hint.split())
        more = {"outcome": outcome.result, "detail": detail, "hint": hint}
        lines.append({**cells_of(known), **more})
    columns = dict.fromkeys(["name", *(key for line in lines for key in line)])
    table = io.StringIO()
    writer = csv.DictWriter(table, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    write_text(folder / RETRY, table.getvalue())
    write_json(folder / ROLLOUT, replace(result, outcomes=outcomes).record())

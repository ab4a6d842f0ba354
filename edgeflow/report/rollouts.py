"""What came of rollouts to fleets, as they left it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgeflow import paths
from edgeflow.artifact.records import read_record
from edgeflow.fleet.outcome import RESULTS
from edgeflow.fleet.result import RETRY, ROLLOUT

OUTCOMES = (*RESULTS, "untouched")
SHOWN = 20
"""Devices of a rollout that the page names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """A rollout that has run, be it to its end or not.

    Attributes:
        ended: ``complete``, or what kept it from that.
        waves: of each the number of devices, and how many ended how.
        counts: how many of all devices ended how.
        left: devices that were tried and not confirmed: name, outcome, why.
        retry: the list of these, from the folder of the page.
    """

    name: str
    model: str
    ended: str
    waves: Sequence[Mapping[str, Any]]
    counts: Mapping[str, int]
    left: Sequence[tuple[str, str, str]]
    retry: str

    @property
    def line(self) -> str:
        """What a summary says of it."""
        counted = (
            f"{count} {name.replace('_', ' ')}" for name, count in self.counts.items() if count
        )
        return f"rollout {self.name}: {self.ended}: {', '.join(counted)}"


def rollout_names(slice_: Mapping[str, Any]) -> list[str]:
    """Return the files that say what came of the rollouts of the report's slice."""
    names = slice_.get("rollouts", ())
    return [f"{paths.ROLLOUT}/{ROLLOUT}".format(rollout=name) for name in names]


def load_rollouts(results: Path, slice_: Mapping[str, Any]) -> list[Rollout]:
    """Return the rollouts of the report's slice that have run.

    Raises:
        IntegrityError: what one has left cannot be read.
    """
    found = [results / name for name in rollout_names(slice_)]
    return [
        read_record(
            path,
            "a rollout",
            partial(_rollout, path.parent.name),
            hint=f"remove {path}; the next rollout writes it",  # no build does
        )
        for path in found
        if path.is_file()
    ]


def _rollout(name: str, record: Mapping[str, Any]) -> Rollout:
    """Return a rollout by the record that it has left."""
    waves = [
        {"devices": it["devices"], **it["counts"], "untouched": it["untouched"]}
        for it in record["waves"]
    ]
    left = [
        (device, it["result"].replace("_", " "), it["detail"])
        for device, it in record["outcomes"].items()
        if it["result"] != "confirmed"
    ]
    return Rollout(
        name=name,
        model=record["spec"]["model"],
        ended=record["ended"],
        waves=waves,
        counts=record["counts"],
        left=left,
        retry=f"../{paths.ROLLOUT.format(rollout=name)}/{RETRY}",
    )

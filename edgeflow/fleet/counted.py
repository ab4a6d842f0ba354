"""What fleets and rollouts come to by their inventories, before anything is built."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from edgeflow.config.fleet import Rollout, share_or_count
from edgeflow.fleet.inventory import Row, selected
from edgeflow.fleet.waves import wave_ends

if TYPE_CHECKING:
    from edgeflow.plan import Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """How many devices a rollout reaches.

    Attributes:
        fleet: name of the fleet, which has `of` devices.
        waves: how many devices each wave adds.
        models: how many devices get which model.
        standbys: how many have a neighbour on which their model lies too.
    """

    rollout: str
    fleet: str
    of: int
    devices: int
    waves: list[int]
    models: Mapping[str, int]
    standbys: int

    def line(self) -> str:
        """Return it for people."""
        waves = ", ".join(map(str, self.waves))
        models = ", ".join(f"{count} {model}" for model, count in self.models.items())
        more = f"; {self.standbys} with a standby" if self.standbys else ""
        return (
            f"rollout {self.rollout} -> {self.fleet}: {self.devices} of {self.of} devices, "
            f"in waves of {waves}: {models}{more}"
        )


def counted(plan: "Plan", inventories: Mapping[str, list[Row]]) -> list[Counted]:
    """Return what the rollouts of a plan come to, by the rows of each fleet."""
    return [
        _counted(name, rollout, inventories[rollout.fleet])
        for name, rollout in plan.config.rollouts.items()
    ]


def _counted(name: str, rollout: Rollout, everyone: list[Row]) -> Counted:
    rows = selected(everyone, rollout)
    ends = wave_ends([share_or_count(wave) for wave in rollout.waves], len(rows))
    return Counted(
        rollout=name,
        fleet=rollout.fleet,
        of=len(everyone),
        devices=len(rows),
        waves=[end - before for before, end in pairwise([0, *ends])],
        models=dict(Counter(str(rollout.model_for(row.variant)) for row in rows)),
        standbys=sum(row.standby is not None for row in rows),
    )

"""The waves step: bundles brought to a fleet."""

from pathlib import Path

from edgeflow import paths
from edgeflow.plan import Plan, Unit
from edgeflow.plan.job import Job


def job(plan: Plan, rollout: str) -> Job:
    """Return the job that brings bundles to a fleet; the inventory is no part of it, but read."""
    section = plan.config.rollouts[rollout]
    fleet = plan.config.fleets[section.fleet]
    return Job(
        slice={
            "name": rollout,
            "rollout": section.model_dump(mode="json", exclude={"automatic"}),
            "fleet": fleet.model_dump(mode="json"),
        },
        modules=("edgeflow.fleet.roll_out", "edgeflow.ondevice.agent"),
        threads=int(fleet.transport == "virtual"),
    )


def automatic(plan: Plan) -> list[str]:
    """Return the rollouts that a plain build begins."""
    return [name for name, section in plan.config.rollouts.items() if section.automatic]


def bench(plan: Plan, rollout: str) -> list[Unit]:
    """Return what must have passed its gates before a rollout begins."""
    section = plan.config.rollouts[rollout]
    target, models = plan.config.fleets[section.fleet].target, set(section.models())
    return [
        unit
        for unit in plan.deployed
        if unit.model in models and (unit.recipe, unit.target) == (section.recipe, target)
    ]


def gates_of_bench(plan: Plan, rollout: str) -> list[str]:
    """Return the files that say of a rollout's bench devices that their gates hold."""
    return [f"{paths.DEVICE}/gates.json".format(**unit.names()) for unit in bench(plan, rollout)]


def bundles_of_rollout(plan: Plan, rollout: str) -> list[str]:
    """Return the bundles that devices of a rollout may get."""
    folders = [paths.COMPILED.format(**unit.names()) for unit in bench(plan, rollout)]
    return [f"{folder}/bundle.tar" for folder in dict.fromkeys(folders)]


def inventory_of_rollout(plan: Plan, rollout: str) -> Path:
    """Return the file with the devices of a rollout's fleet."""
    fleet = plan.config.fleets[plan.config.rollouts[rollout].fleet]
    return Path(fleet.inventory).expanduser()

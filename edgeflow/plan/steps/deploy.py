"""The deploy step: a bundle brought to a device."""

from pathlib import Path

from edgeflow.paths import lock_file
from edgeflow.plan import Plan
from edgeflow.plan.job import Job

SLOTS = 16
"""Most devices shared by several units that are worked on at the same time.

Snakemake asks each job for each resource. One for each device is a cost that grows with their
square, so more devices than this take turns for a slot.
"""

CONNECTIONS = 16
"""Most jobs on devices at a time, unless Snakemake is told another `--resources connections=`."""


def job(plan: Plan, device: str) -> Job:
    """Return the job that brings a bundle to a device."""
    section = plan.config.devices[device]
    return Job(
        slice={
            "name": device,
            "device": section.model_dump(mode="json", exclude={"target", "service"}),
        },
        modules=("edgeflow.deploy.deploy", "edgeflow.ondevice.agent"),
        # Programs of a virtual device run on this machine's cores.
        threads=int(section.transport == "virtual"),
        holds=(_slot(plan.shared[device]),) if device in plan.shared else (),
    )


def slots(plan: Plan) -> dict[str, int]:
    """Return the resources of which each job on a shared device holds one: a unit of its slot."""
    return {_slot(number): 1 for number in range(min(len(plan.shared), SLOTS))}


def _slot(number: int) -> str:
    return f"device_slot_{number % SLOTS}"


def lock_of_device(plan: Plan, device: str) -> Path | None:
    """Return the lock of a virtual device's own environment, if it has one."""
    path = getattr(plan.config.devices[device], "environment", None)
    return lock_file(path) if path else None

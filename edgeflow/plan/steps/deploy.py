"""The deploy step: a bundle brought to a device."""

from pathlib import Path

from edgeflow.plan import Plan
from edgeflow.plan.job import Job


def job(plan: Plan, device: str) -> Job:
    """Return the job that brings a bundle to a device."""
    section = plan.config.devices[device]
    return Job(
        slice={"name": device, "device": section.model_dump(mode="json", exclude={"target"})},
        modules=("edgeflow.deploy.deploy", "edgeflow.ondevice.agent"),
        holds=(_slot(device),),
    )


def slots(plan: Plan) -> dict[str, int]:
    """Return how many jobs at a time may work on each device, by the name of a resource."""
    return {_slot(device): 1 for device in plan.config.devices}


def _slot(device: str) -> str:
    return f"device_{device}"


def lock_of_device(plan: Plan, device: str) -> Path | None:
    """Return the lock of a virtual device's own environment, if it has one."""
    path = getattr(plan.config.devices[device], "environment", None)
    return Path(path) if path else None

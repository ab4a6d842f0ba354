"""The gate step: a measurement held against its gates."""

from edgeflow.plan import Plan
from edgeflow.plan.job import Job


def job(plan: Plan, device: str, model: str) -> Job:
    """Return the job that holds a measurement against its gates."""
    unit = plan.unit(device, model)
    service = plan.config.devices[device].service
    return Job(
        slice={
            "device": plan.job("deploy", device=device).slice,
            "gates": unit.gates.model_dump(mode="json", exclude_none=True),
            **({"service": service.model_dump(mode="json")} if service else {}),
            **({"allow_downgrade": True} if unit.allow_downgrade else {}),
        },
        modules=("edgeflow.validate.confirm",),
    )

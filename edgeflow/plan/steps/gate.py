"""The gate step: a measurement held against its gates."""

from edgeflow.plan import Plan
from edgeflow.plan.job import Job


def job(plan: Plan, device: str, model: str) -> Job:
    """Return the job that holds a measurement against its gates."""
    gates = plan.unit(device, model).gates
    service = plan.config.devices[device].service
    return Job(
        slice={
            "device": plan.job("deploy", device=device).slice,
            "gates": gates.model_dump(mode="json", exclude_none=True),
            **({"service": service.model_dump(mode="json")} if service else {}),
        },
        modules=("edgeflow.validate.confirm",),
    )

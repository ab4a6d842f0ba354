"""The validate step: a deployed bundle measured on its device."""

from edgeflow.plan import Plan
from edgeflow.plan.job import Job


def job(plan: Plan, device: str, model: str) -> Job:
    """Return the job that measures a deployed bundle on its device."""
    unit = plan.unit(device, model)
    return Job(
        slice={
            "device": plan.job("deploy", device=device).slice,
            "measure": unit.measure.model_dump(mode="json"),
            "names": unit.names(),
        },
        modules=("edgeflow.validate.run",),
    )

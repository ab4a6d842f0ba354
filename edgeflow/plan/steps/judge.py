"""The judge step: a model that is only compiled, held against its gates."""

from edgeflow.plan import Plan
from edgeflow.plan.job import Job


def job(plan: Plan, target: str, model: str, recipe: str) -> Job:
    """Return the job that holds what is known without a device against its gates."""
    gates = plan.compiled(target, model, recipe).gates
    return Job(
        slice={
            "names": {"target": target, "model": model, "recipe": recipe},
            "gates": gates.model_dump(mode="json", exclude_none=True),
        },
        modules=("edgeflow.validate.judge",),
    )

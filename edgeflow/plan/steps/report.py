"""The report step: all units, side by side."""

from edgeflow.plan import Plan
from edgeflow.plan.job import Job


def job(plan: Plan) -> Job:
    """Return the job that writes the report over all units."""
    return Job(
        slice={
            "units": [
                {**unit.names(), "gates": unit.gates.model_dump(mode="json", exclude_none=True)}
                for unit in plan.units
            ],
            **({"rollouts": list(plan.config.rollouts)} if plan.config.rollouts else {}),
        },
        modules=("edgeflow.report.build",),
    )

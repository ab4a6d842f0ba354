"""The dataset step: a source's arrays, split."""

from edgeflow.plan import Plan
from edgeflow.plan.job import Job


def job(plan: Plan, dataset: str) -> Job:
    """Return the job that makes a dataset's arrays."""
    section = plan.config.datasets[dataset]
    return Job(
        slice=section.model_dump(mode="json"),
        modules=("edgeflow.dataset.build", f"edgeflow.dataset.sources.{section.source}"),
    )

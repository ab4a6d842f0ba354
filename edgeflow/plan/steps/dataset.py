"""The dataset step: a source's arrays, split."""

from edgeflow.config.dataset import CollectedDataset, Dataset
from edgeflow.plan import Plan
from edgeflow.plan.job import Job


def _module(source: str) -> str:
    return f"edgeflow.dataset.sources.{source}"


def _sources(section: Dataset) -> tuple[str, ...]:
    """Return the sources that a dataset is read by."""
    base = section.base if isinstance(section, CollectedDataset) else None
    return (section.source, base.source) if base else (section.source,)


def job(plan: Plan, dataset: str) -> Job:
    """Return the job that makes a dataset's arrays."""
    section = plan.config.datasets[dataset]
    return Job(
        slice=section.model_dump(mode="json"),
        modules=("edgeflow.dataset.build", *map(_module, _sources(section))),
    )

"""The train step: a network, trained."""

from edgeflow.config.model import architecture_module
from edgeflow.plan import Plan
from edgeflow.plan.job import Job


def job(plan: Plan, model: str) -> Job:
    """Return the job that trains a model."""
    section = plan.config.models[model]
    if section.architecture is None:
        raise KeyError(f"{model} is imported, not trained")
    return Job(
        slice={
            "architecture": section.architecture.model_dump(mode="json"),
            "train": section.train.model_dump(mode="json", exclude={"cluster"}),
        },
        modules=("edgeflow.train.build", architecture_module(section.architecture.name)),
        threads=section.train.threads,
        cluster=section.train.cluster,
    )


def trained_models(plan: Plan) -> list[str]:
    """Return the models that are trained."""
    return [name for name, section in plan.config.models.items() if section.source is None]

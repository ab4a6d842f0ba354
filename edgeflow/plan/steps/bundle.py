"""The bundle step: a compiled model with its runner."""

from edgeflow.config.dataset import WavFolderDataset
from edgeflow.config.target import target_slice
from edgeflow.ondevice import PROGRAMS
from edgeflow.plan import Plan
from edgeflow.plan.job import Job
from edgeflow.plan.targets import module_of, runtime_of


def job(plan: Plan, target: str, model: str, recipe: str) -> Job:
    """Return the job that packs a compiled model with its runner."""
    dataset = plan.config.datasets[plan.config.models[model].dataset]
    sound = isinstance(dataset, WavFolderDataset)
    target_options = target_slice(plan.config.targets[target])
    return Job(
        slice={"model": model, "recipe": recipe, "target": target_options},
        modules=(
            "edgeflow.bundle.pack",
            *PROGRAMS,
            *(("edgeflow.ondevice.front_end",) if sound else ()),
            module_of(plan, target),
            runtime_of(plan, target).engine_module,
        ),
    )

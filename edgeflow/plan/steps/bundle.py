"""The bundle step: a compiled model with its runner."""

from pathlib import Path
from typing import Any

from edgeflow.config.dataset import WavFolderDataset
from edgeflow.config.publickey import public_half
from edgeflow.config.samples import Part
from edgeflow.config.target import target_slice
from edgeflow.ondevice import PROGRAMS
from edgeflow.plan import Plan
from edgeflow.plan.job import Job
from edgeflow.plan.recipes import tried
from edgeflow.plan.targets import module_of, runtime_of


def job(plan: Plan, target: str, model: str, recipe: str) -> Job:
    """Return the job that packs a compiled model with its runner."""
    dataset = plan.config.datasets[plan.config.models[model].dataset]
    sound = isinstance(dataset, WavFolderDataset)
    target_options = target_slice(plan.config.targets[target])
    return Job(
        slice={
            "model": model,
            "recipe": recipe,
            "target": target_options,
            "parts": _parts(plan, model, recipe),
            "signing": _signing(plan),
        },
        modules=(
            "edgeflow.bundle.pack",
            *PROGRAMS,
            *(("edgeflow.ondevice.front_end",) if sound else ()),
            module_of(plan, target),
            runtime_of(plan, target).engine_module,
        ),
    )


def _parts(plan: Plan, model: str, recipe: str) -> list[Part]:
    """Return the parts of the dataset that the bundle was made from: that any step has read."""
    trained = plan.config.models[model].source is None
    network: set[Part] = {"train", "validation", "test"} if trained else {"validation", "test"}
    return sorted(network.union(*(each.parts() for each in tried(plan, recipe))))


def _signing(plan: Plan) -> dict[str, Any] | None:
    """Return what signatures depend on: another file with the same key changes none."""
    section = plan.config.signing
    if section is None:
        return None
    return {"counter": section.counter, "key": public_half(key_file(section.key))}


def key_file(path: str) -> Path:
    """Return the file of the key that signs."""
    return Path(path).expanduser()


def signing_arguments(plan: Plan) -> list[str]:
    """Return what the command of the step is told of the key that signs."""
    section = plan.config.signing
    if section is None:
        return []
    folder = ["--signatures", section.signatures] if section.signatures else []
    return ["--key", section.key, *folder]

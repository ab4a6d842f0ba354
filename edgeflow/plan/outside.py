"""What a plan reads from outside: files that others change."""

from collections.abc import Iterator
from pathlib import Path

from edgeflow.config.modelfile import files_of
from edgeflow.plan import Plan
from edgeflow.plan.steps.bundle import key_file
from edgeflow.plan.steps.deploy import lock_of_device
from edgeflow.plan.steps.import_model import source_of
from edgeflow.plan.steps.waves import automatic, inventory_of_rollout
from edgeflow.plan.targets import toolchain


def files_from_outside(plan: Plan) -> list[Path]:
    """Return the files and folders that decide, beside configuration and code, what is to do."""
    found = (*_datasets(plan), *_models(plan), *_locks(plan), *_inventories(plan), *_keys(plan))
    return list(dict.fromkeys(found))


def may_change_unseen(plan: Plan) -> bool:
    """Return whether programs that must be asked decide too: on PATH, or on a compile host."""
    programs = any(toolchain(plan, target).programs for target in plan.config.targets)
    return programs or bool(plan.config.compile_hosts)


def _datasets(plan: Plan) -> Iterator[Path]:
    paths = (getattr(dataset, "path", None) for dataset in plan.config.datasets.values())
    return (Path(path).expanduser() for path in paths if path is not None)


def _models(plan: Plan) -> Iterator[Path]:
    for name, model in plan.config.models.items():
        if model.source is not None:
            source = source_of(plan, name)
            yield from [source] if source.is_dir() else files_of(source)


def _inventories(plan: Plan) -> Iterator[Path]:
    yield from (inventory_of_rollout(plan, name) for name in automatic(plan))


def _locks(plan: Plan) -> Iterator[Path]:
    for name, device in plan.config.devices.items():
        lock = lock_of_device(plan, name)
        if lock is not None:  # the project's own may take its place
            yield from (lock, Path(str(getattr(device, "environment", ""))))
    for tools in (toolchain(plan, target) for target in plan.config.targets):
        yield from (it.lock for it in (tools.environment, tools.host_environment) if it)


def _keys(plan: Plan) -> Iterator[Path]:
    if plan.config.signing is not None:
        path = key_file(plan.config.signing.key)
        yield from (path, path.with_name(f"{path.name}.pub"))

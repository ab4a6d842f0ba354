"""The handover step: a bundle as an artifact of an update system."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from edgeflow import paths
from edgeflow.plan import Plan, Unit
from edgeflow.plan.job import Job

SUFFIXES = {"mender": "mender", "swupdate": "swu"}
"""How the artifact of each kind of export ends."""


def job(plan: Plan, export: str) -> Job:
    """Return the job that makes the artifact of an export."""
    section = plan.config.exports[export]
    return Job(
        slice={
            "name": export,
            "export": section.model_dump(mode="json", exclude={"key", "certificate"}),
            "key": _digest(list(_key_files(plan, export))),
        },
        modules=("edgeflow.handover.build", "edgeflow.ondevice.agent"),
    )


def _key_files(plan: Plan, export: str) -> Iterator[tuple[str, str]]:
    section = plan.config.exports[export]
    for name in ("key", "certificate"):
        if (path := getattr(section, name, None)) is not None:
            yield name, path


def _digest(files: list[tuple[str, str]]) -> str | None:
    """Return what tells keys apart without telling them; None if none signs."""
    if not files:
        return None
    digest = hashlib.sha256()
    for _, path in files:
        file = Path(path).expanduser()
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def key_arguments(plan: Plan, export: str) -> list[str]:
    """Return what the command of the step is told of the keys that sign."""
    return [word for name, path in _key_files(plan, export) for word in (f"--{name}", path)]


def units_of_export(plan: Plan, export: str) -> list[Unit]:
    """Return what judges an export: it must have passed its gates."""
    section = plan.config.exports[export]
    wanted = (section.target, section.model, section.recipe)
    return [one for one in plan.units if (one.target, one.model, one.recipe) == wanted]


def gates_of_export(plan: Plan, export: str) -> list[str]:
    """Return the files that say that the gates of an export hold."""
    return [
        f"{paths.DEVICE if unit.device else paths.COMPILED}/gates.json".format(**unit.names())
        for unit in units_of_export(plan, export)
    ]


def bundle_of_export(plan: Plan, export: str) -> str:
    """Return the bundle that is exported."""
    names = units_of_export(plan, export)[0].names()
    return f"{paths.COMPILED}/bundle.tar".format(**names)

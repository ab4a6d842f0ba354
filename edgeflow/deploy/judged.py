"""Deployments that a build takes for done, whatever has become of them on the device since."""

from pathlib import Path

from edgeflow import paths
from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.records import read_record

DEPLOY_AGAIN = "delete {} and run `edgeflow run`"
"""What to do, with the folder that `judged_folder` returns."""
_ROLLBACK = "rollback.json"


def judged_folder(results: Path, device: str, model: str) -> Path | None:
    """Return the folder of a deployment that has passed its gates; None if none has.

    A build asks the device for nothing that this folder has the results of.
    """
    folder = results / paths.DEVICE.format(device=device, model=model)
    return folder if (folder / "gates.json").is_file() else None


def note_rollback(folder: Path, bundle_sha256: str, reason: str) -> None:
    """Note beside the results of a deployment that its release was rejected by hand."""
    write_json(folder / _ROLLBACK, {"bundle_sha256": bundle_sha256, "reason": reason})


def forget_rollback(folder: Path) -> None:
    """Forget such a note: the release has passed its gates anew."""
    (folder / _ROLLBACK).unlink(missing_ok=True)


def rollback_reason(folder: Path, bundle_sha256: str | None) -> str | None:
    """Return why a release was rejected by hand since it was measured; None if it was not."""
    path = folder / _ROLLBACK
    if not path.exists():
        return None
    sha, reason = read_record(path, "a rollback", lambda it: (it["bundle_sha256"], it["reason"]))
    return str(reason) if sha == bundle_sha256 else None

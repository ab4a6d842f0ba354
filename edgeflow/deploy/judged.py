"""Deployments that a build takes for done, whatever has become of them on the device since."""

from pathlib import Path

from edgeflow import paths

DEPLOY_AGAIN = "delete {} and run `edgeflow run`"
"""What to do, with the folder that `judged_folder` returns."""


def judged_folder(results: Path, device: str, model: str) -> Path | None:
    """Return the folder of a deployment that has passed its gates; None if none has.

    A build asks the device for nothing that this folder has the results of.
    """
    folder = results / paths.DEVICE.format(device=device, model=model)
    return folder if (folder / "gates.json").is_file() else None

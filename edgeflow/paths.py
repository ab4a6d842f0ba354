"""Where results lie, as patterns relative to the folder of results, and where the workflow does."""

import os.path
from pathlib import Path

DATASET = "datasets/{dataset}"
"""Arrays of a dataset."""
BASELINE = "models/{model}/baseline"
"""A model before any recipe, trained or imported."""
RECIPE = "models/{model}/{recipe}"
"""A model after a recipe."""
DEBUG = "models/{model}/{recipe}/debug"
"""What quantization did to a model."""
COMPILED = "targets/{target}/{model}/{recipe}"
"""A model compiled for a target, and its bundle."""
DEVICE = "devices/{device}/{model}"
"""A model on a device: what was deployed, measured and judged."""
ROLLOUT = "rollouts/{rollout}"
"""A rollout to a fleet: how far it is, and what came of each device."""
EXPORT = "exports/{export}"
"""A bundle as an artifact of an update system."""
REPORT = "report"
"""The page, the table and the plots over all deployments."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""Names in the configuration: each becomes part of a path."""


def workflow_folder() -> Path:
    """Return the folder with Snakefile, rules/, envs/, profiles/ and report/.

    In an installed wheel it lies in the package; in a checkout it is the root.
    """
    package = Path(__file__).parent
    packaged = package / "workflow"
    return packaged if packaged.is_dir() else package.parent


def lock_file(name: str | Path) -> Path:
    """Return the place of a lock such as `envs/litert-device.txt`.

    It is the project's where that has one, else the one that edgeflow brings.
    """
    brought = workflow_folder() / name
    # Of os.path, as a name may be too long.
    return brought if os.path.isfile(brought) and not os.path.exists(name) else Path(name)  # noqa: PTH110, PTH113

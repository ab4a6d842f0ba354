"""Targets that are no Python call in edgeflow's own process, as a third party would add them.

`install` puts them beside a project, under the name `tiny_targets`.
"""

import shutil
from pathlib import Path

HERE = Path(__file__).parent
KINDS = {"tiny-child": "child:Child"}


def install(folder: Path) -> None:
    """Copy the package into a folder of `sys.path`, with the metadata of an installed one."""
    shutil.copytree(HERE, folder / "tiny_targets", ignore=shutil.ignore_patterns("__pycache__"))
    metadata = folder / "tiny_targets-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-targets\nVersion: 1.0\n")
    entries = [f"{kind} = tiny_targets.{place}" for kind, place in KINDS.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[edgeflow.targets]", *entries, ""]))

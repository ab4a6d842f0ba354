"""`snakemake` and `edgeflow check` start with these imports, so they must stay light."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = frozenset(
    {
        *("numpy", "tensorflow", "tf_keras", "openvino", "nncf", "ai_edge_litert", "fabric"),
        *("paramiko", "asyncssh", "snakemake", "matplotlib", "sklearn", "PIL", "rich", "typer"),
    }
)
LOAD = """\
from pathlib import Path
from edgeflow.config.load import load_file
from edgeflow.plan import Plan
plan = Plan(load_file(Path("config.yaml")))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )


def test_nothing_heavy_is_imported() -> None:
    listing = run("-X", "importtime", "-c", LOAD).stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in listing.splitlines()}
    assert "edgeflow" in imported
    assert imported & HEAVY == set()

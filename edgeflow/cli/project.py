"""What commands share: the configuration, where results lie, output for programs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgeflow.plan import Plan

CONFIG = Path("config.yaml")
RESULTS = Path("results")
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration to read.")]
Results = Annotated[Path, typer.Option(help="Folder that holds models/ and devices/.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_json(value: object) -> None:
    """Print a value for programs."""
    print(json.dumps(value, indent=2))


def load_plan(config: Path) -> "Plan":
    """Return what a configuration file asks for."""
    # Here, as all commands import this module and most steps need no configuration.
    from edgeflow.config.load import load_file
    from edgeflow.plan import Plan

    return Plan(load_file(config))

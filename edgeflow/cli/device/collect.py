"""`edgeflow device collect`: brings the samples that services kept here, to be labelled."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow import paths
from edgeflow.cli.device.several import CONNECTIONS, Connections, Devices, answer_for_all, chosen
from edgeflow.cli.names import names_of
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, load_plan
from edgeflow.console import say
from edgeflow.errors import DataError

if TYPE_CHECKING:
    from edgeflow.plan import Unit

OUT = Path("collected")


def collect(
    devices: Devices = None,
    model: Annotated[
        str | None,
        typer.Option(help="Of this model alone.", autocompletion=names_of("models")),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder; each model gets one in it.")] = OUT,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Fetch the samples that services kept on devices; what is here already is not sent again."""
    plan = load_plan(config)
    sections = chosen(plan, devices, config)
    if model is not None and model not in plan.config.models:
        raise typer.BadParameter(f"no model {model!r} in {config}")
    units = [
        unit for unit in plan.deployed if unit.device in sections and model in (None, unit.model)
    ]
    names = [name for name in sections if any(unit.device == name for unit in units)]

    def ask(name: str) -> dict[str, Any]:
        from edgeflow.deploy.release import open_device

        with open_device(plan.job("deploy", device=name).slice) as device:
            mine = [unit for unit in units if unit.device == name]
            return {unit.model: _collect(device, unit, results, out) for unit in mine}

    def show(found: Mapping[str, Mapping[str, Any]]) -> None:
        for name, models in found.items():
            for of, it in models.items():
                print(f"{name}: {of}: {len(it['new'])} new samples in {out / of}")
                for sample, why in it["refused"].items():
                    say(f"{name}: {of}: refused {sample[:12]}: {why}")
        if any(it["new"] for models in found.values() for it in models.values()):
            say(
                f"hint: fill in `label` of {out}/MODEL/labels.csv, or sort the files into a folder "
                "for each label there; then train on them by `source: collected`"
            )

    answer_for_all(names, ask, show, connections=connections, as_json=as_json, code=_code)


def _code(models: Mapping[str, Any]) -> int:
    return DataError.exit_code if any(it["refused"] for it in models.values()) else 0


def _collect(device: Any, unit: "Unit", results: Path, out: Path) -> dict[str, Any]:
    from edgeflow.bundle.manifest import read_bundle
    from edgeflow.deploy.collect import collect as fetch
    from edgeflow.errors import DeployError

    place = paths.COMPILED.format(target=unit.target, model=unit.model, recipe=unit.recipe)
    bundle = results / place / "bundle.tar"
    if not bundle.is_file():
        raise DeployError(f"{bundle} is not there, and says what samples are", hint="edgeflow run")
    done = fetch(device, read_bundle(bundle), out / unit.model)
    return {"new": done.new, "refused": done.refused}
